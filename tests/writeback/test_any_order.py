"""Whatever people, nights and crashes do to an org, and in whatever order: what holds.

`CRM_PORTFOLIO_EXAMPLES=500` tries so many stories, of other chances each time.
"""

from __future__ import annotations

import http.client
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from crm_portfolio import simulator
from crm_portfolio._managed import OPT_IN, STAMP, VALUES, canonical, is_own
from crm_portfolio._pull import PullSettings, pull_into
from crm_portfolio.archive import CANARY, Archive, Journal
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.hubspot import AccessToken, HubSpot, HubSpotSettings
from crm_portfolio.connectors.hubspot._fields import OUR_PROPERTIES
from crm_portfolio.connectors.salesforce import (
    ClientCredentials,
    Salesforce,
    SalesforceSettings,
)
from crm_portfolio.connectors.salesforce._fields import OUR_FIELDS
from crm_portfolio.errors import (
    CrmPortfolioError,
    LimitExceededError,
    TransientError,
    UnexpectedChangeError,
)
from crm_portfolio.protocols import Change, Value
from crm_portfolio.simulator import Fault
from crm_portfolio.writeback import Limits, Plan, Policy, apply, plan, setup, undo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")

Key = tuple[str, str]
Rows = dict[str, dict[str, Value]]

ACCOUNTS = 8
AS_OF = date(2026, 6, 30)
# What is written on request only has tests of its own.
MANAGED = (*(column for column in VALUES["account"] if column not in OPT_IN), STAMP)
# Room for every change, so that what is shown is not the limits.
LIMITS = Limits(
    max_share=1,
    min_changes=1_000,
    max_emptied=1_000,
    max_two_tier_jumps=1_000,
    max_unknown_share=1,
    max_missing_share=1,
    max_shrunk_share=1,
    canary_count=2,
    canary_share=0,
    settle_seconds=0,
)
HASTY = RetrySettings(attempts=1, first_wait_seconds=0)
WORDS = {
    "Account": {"name": "Name", "employee_count": "NumberOfEmployees"},
    "companies": {"name": "name", "employee_count": "numberofemployees"},
}

MORE = os.environ.get("CRM_PORTFOLIO_EXAMPLES")
TALES = settings(
    max_examples=int(MORE or 8),
    stateful_step_count=25,
    derandomize=MORE is None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

WANTED = {
    "tier": st.sampled_from(["A", "B", "C", "none", None]),
    "tier_since_on": st.none() | st.dates(date(2024, 1, 1), date(2026, 6, 30)),
    "portfolio_rank": st.none() | st.integers(1, 50),
    "revenue_share": st.none() | st.floats(0, 1),
}


@attrs.frozen
class Fails:
    """A call of the apply that goes wrong."""

    kind: str
    after: int


@attrs.frozen
class IsKilled:
    """The apply dies at one of the things it does."""

    at: int


@attrs.frozen
class IsStopped:
    """The apply is asked to stop between two batches."""

    batches: int


@attrs.frozen
class Meanwhile:
    """Somebody edits an account just before a call of the apply, which may die later."""

    account: int
    values: dict[str, Value]
    after: int
    killed: int | None


Trouble = Fails | IsKilled | IsStopped | Meanwhile | None

ACCOUNT = st.integers(0, ACCOUNTS - 1)
COLUMNS = st.sets(st.sampled_from(sorted(WANTED)), min_size=1)
NIGHT = COLUMNS.flatmap(
    lambda columns: st.dictionaries(
        ACCOUNT,
        st.fixed_dictionaries({column: WANTED[column] for column in sorted(columns)}),
        min_size=3,
    )
)
POLICY = st.sampled_from(
    [
        Policy(),
        Policy("report"),
        Policy("overwrite"),
        Policy(by_field={"tier": "overwrite"}),
        Policy("overwrite", by_field={"portfolio_rank": "keep"}),
    ]
)
EDIT = st.one_of(
    st.fixed_dictionaries({"tier": st.sampled_from(["A", "D", None])}),
    st.fixed_dictionaries({"portfolio_rank": st.none() | st.integers(1_000, 9_999)}),
    st.just({"tier_since_on": date(2020, 2, 29), "tier": "D"}),
    st.just({STAMP: None}),
    st.just(dict.fromkeys(MANAGED)),
)
DEED = st.one_of(
    st.sampled_from(["delete", "merge"]),
    st.fixed_dictionaries(
        {"name": st.just("Another"), "employee_count": st.integers(1, 99)}
    ),
    st.fixed_dictionaries(
        {
            "tier_pinned": st.sampled_from(["A", "C", None]),
            "tier_pinned_until_on": st.sampled_from(
                [None, date(2026, 1, 1), date(2027, 1, 1)]
            ),
        }
    ),
)
AFTER = st.integers(1, 16)
TROUBLE = st.one_of(
    st.none(),
    st.builds(
        Fails,
        st.sampled_from(
            ["reset", "reset_after_write", "over_quota", "server_error", "truncated"]
        ),
        AFTER,
    ),
    st.builds(IsKilled, st.integers(30, 150)),
    st.builds(IsStopped, st.integers(0, 4)),
    st.builds(
        Meanwhile,
        ACCOUNT,
        EDIT | st.just({"employee_count": 7}) | st.just({"tier_pinned": "B"}),
        AFTER,
        st.none() | st.integers(60, 150),
    ),
)


def _overwritten(journal):
    return {key[1:]: value for key, value in journal.overwritten.items()}


class InThrees:
    def write_batch(self, count: int) -> int:
        return 3


class SmallSalesforce(InThrees, Salesforce):
    pass


class SmallHubSpot(InThrees, HubSpot):
    pass


@attrs.frozen
class Stage:
    """A pretend CRM, and how it is reached and told of.

    Attributes:
        fields: Our columns by the CRM's own names.
        empty: What a person leaves in a field that is cleared.
    """

    pretend: Any
    kind: str
    reach: Callable[[], Any]
    fields: Mapping[str, str]
    empty: Any

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """The accounts as they stand, without those in the bin and the merged ones."""
        records = self.pretend.snapshot(self.kind)[self.kind]
        merged = {
            loser
            for record in records.values()
            for loser in record.get("hs_merged_object_ids", "").split(";")
        }
        return {
            record_id: record
            for record_id, record in records.items()
            if not (record.get("IsDeleted") or record.get("archived"))
            and record_id not in merged
        }

    def rows(self, records: Mapping[str, Mapping[str, Any]]) -> Rows:
        """What stands in our fields and the human ones, in canonical form."""
        return {
            record_id: {
                column: canonical(column, record.get(name))
                for name, column in self.fields.items()
            }
            for record_id, record in records.items()
        }

    def told(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """Values of columns of ours in the CRM's words."""
        names = {column: name for name, column in self.fields.items()}
        names |= WORDS[self.kind]
        return {names[column]: self._text(value) for column, value in values.items()}

    def _text(self, value: Value) -> Any:
        if value is None:
            return self.empty
        return value.isoformat() if isinstance(value, date) else value


def salesforce(table: Any) -> Stage:
    pretend = simulator.Salesforce(table, currency="EUR")
    pretend.__enter__()
    there = pretend.environment
    names = ("INSTANCE_URL", "CLIENT_ID", "CLIENT_SECRET")
    login = ClientCredentials(*(there[f"SALESFORCE_{name}"] for name in names))
    hasty = SalesforceSettings(retry=HASTY)
    columns = {name: column for column, name in OUR_FIELDS["account"].items()}
    return Stage(
        pretend,
        "Account",
        lambda: SmallSalesforce(login, settings=hasty),
        columns,
        None,
    )


def hubspot(table: Any) -> Stage:
    pretend = simulator.HubSpot(table, currency="EUR", limits_by="nothing")
    pretend.__enter__()
    there = pretend.environment
    login = AccessToken(there["HUBSPOT_ACCESS_TOKEN"], there["HUBSPOT_API_URL"])
    hasty = HubSpotSettings(retry=HASTY, burst_calls=10_000)
    columns = {name: column for column, name in OUR_PROPERTIES["account"].items()}
    return Stage(
        pretend,
        "companies",
        lambda: SmallHubSpot(login, settings=hasty),
        columns,
        "",
    )


@pytest.fixture(scope="module", params=[salesforce, hubspot])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    ids = [f"a{number}" for number in range(ACCOUNTS)]
    table: Any = {"account": pa.table({"account_id": ids, "name": ids})}
    built = request.param(table)
    # What is imported late is imported here: in the threads of a pull, Python 3.11 has
    # failed to parse two modules at once ("AST constructor recursion depth mismatch").
    setup(built.reach(), dry_run=False)
    pull_into(
        built.reach(),
        tmp_path_factory.mktemp("first") / "book",
        as_of=AS_OF,
        currency="EUR",
        settings=PullSettings(at_once=1),
    )
    yield built
    built.pretend.__exit__(None, None, None)


def killed_at(folder: Path, at: int, work: Callable[[], object]) -> bool:
    """Do it in a process that dies at the at-th thing it does; whether it came to that.

    A thing is a call that is about to leave, a call that was answered, and a change of a
    file in the folder.
    """
    with warnings.catch_warnings():
        # The simulator's threads stay behind; the child only speaks HTTP with it.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            _die_at(str(folder), at)
            work()
        except CrmPortfolioError:
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def _die_at(folder: str, at: int) -> None:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if done == at:
            os.kill(os.getpid(), signal.SIGKILL)

    leave = http.client.HTTPConnection.endheaders
    answered = http.client.HTTPConnection.getresponse

    def endheaders(connection: Any, *given: Any, **more: Any) -> Any:
        step()
        return leave(connection, *given, **more)

    def getresponse(connection: Any) -> Any:
        response = answered(connection)
        step()
        return response

    def heard(event: str, given: tuple[Any, ...]) -> None:
        writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT
        is_change = event in ("os.rename", "os.link", "os.remove", "os.mkdir")
        if event == "open":
            is_change = bool(given[2] & writes)
        if is_change and str(given[0]).startswith(folder):
            step()

    http.client.HTTPConnection.endheaders = endheaders  # type: ignore[method-assign]
    http.client.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]
    sys.addaudithook(heard)


class Story(RuleBasedStateMachine):
    """One org, its people and its nights; every rule is one thing that happens there.

    Attributes:
        theirs: What people set in our fields and no run of ours has reported and replaced.
        doings: Who changed accounts, in order: a plan's id, or nothing for people.
        began: The org before the first apply of each run, and its place in the doings.
        whole: The plans that take back all of a run.
        made: The place in the doings where each plan that takes back was made.
        unsaid: What people set while a plan was applied, and it has yet to report.
        replaced: What people had set where a plan wrote, by the plan's id.
        brought: Where a plan, by its id, brought back what people had set.
        left: Whether our runs have left something on an account; None: nobody can tell.
        left_before: The same before each run, by the plan's id.
    """

    stage: ClassVar[Stage]
    wanted: ClassVar[Callable[..., Any]]
    place: ClassVar[Path]
    seen: ClassVar[Counter[str]]

    @initialize()
    def begin(self) -> None:
        self.stage.pretend.reset()
        self.crm = self.stage.reach()
        setup(self.crm, dry_run=False)
        self.ids = sorted(self.stage.pretend.ids("account").values())
        self.folder = Path(tempfile.mkdtemp(dir=self.place))
        self.archive = Archive(self.folder / "runs")
        self.book: Any = None
        self.plans: list[Plan] = []
        self.pull_from = 0
        self.theirs: dict[Key, Value] = {}
        self.doings: list[str] = []
        self.began: dict[str, tuple[Any, int]] = {}
        self.whole: set[str] = set()
        self.made: dict[str, int] = {}
        self.unsaid: dict[tuple[str, Key], Value] = {}
        self.replaced: dict[tuple[str, Key], Value] = {}
        self.brought: set[tuple[str, Key]] = set()
        self.left: dict[str, bool | None] = {}
        self.left_before: dict[tuple[str, str], bool | None] = {}

    # People

    @rule(account=ACCOUNT, other=ACCOUNT, deed=EDIT | DEED)
    def people_act(self, account: int, other: int, deed: Any) -> None:
        if isinstance(deed, dict):
            self.by_people("edit", account, self.stage.told(deed))
        elif len(self.alive) <= ACCOUNTS - 2:
            return
        elif deed == "delete":
            self.by_people("delete", account)
        elif other != account and self.ids[other] in self.alive:
            self.by_people("merge", account, self.ids[other])

    def by_people(self, verb: str, account: int, *more: Any) -> None:
        record_id = self.ids[account]
        if record_id not in self.alive:
            return
        before = self.stage.snapshot()
        getattr(self.stage.pretend, verb)(self.stage.kind, record_id, *more)
        self.noticed(before)
        self.seen[verb] += 1

    def noticed(self, before: dict[str, dict[str, Any]]) -> None:
        """Remember what people have just set in our fields."""
        records = self.stage.snapshot()
        was, now = self.stage.rows(before), self.stage.rows(records)
        for record_id, row in now.items():
            for column in MANAGED:
                old = was[record_id][column] if record_id in was else None
                if row[column] != old:
                    self.theirs[record_id, column] = row[column]
        if before != records:
            self.doings.append("")
        self.theirs = {
            (record_id, column): value
            for (record_id, column), value in self.theirs.items()
            if record_id in now and self.is_theirs(record_id, now[record_id])
        }

    def is_theirs(self, record_id: str, row: Mapping[str, Value]) -> bool:
        """Whether it can be seen that a person was here, from the archive if need be."""
        if is_bare(row):
            return self.left.get(record_id, False) is True
        if row[STAMP] is None:
            return True
        return not is_own(str(row[STAMP]), row)

    @property
    def alive(self) -> set[str]:
        return set(self.stage.snapshot())

    @property
    def interrupted(self) -> list[Plan]:
        """The plans that have begun and not come to their end, the newest first."""
        begun = [(each, self.journal(each)) for each in reversed(self.plans)]
        return [each for each, journal in begun if journal and journal.exit_code == 5]

    # Nights

    @precondition(lambda self: len(self.plans) >= self.pull_from)
    @rule(at=st.none() | st.integers(1, 80))
    def pull_is_made(self, at: int | None) -> None:
        into = self.folder / "book"

        def work() -> Any:
            there = self.stage.reach()
            made = pull_into(there, into, as_of=AS_OF, currency="EUR", since_last=True)
            return made.portfolio

        self.pull_from = len(self.plans) + 3  # they are slow
        if at is None:
            self.book = self.reading(work)
            self.seen["pulled"] += self.book is not None
            return
        before = self.stage.snapshot()
        self.seen["killed in a pull"] += killed_at(into, at, work)
        assert self.stage.snapshot() == before

    @rule(
        values=NIGHT,
        policy=POLICY,
        is_held=st.booleans(),
        trouble=TROUBLE,
        is_applied=st.booleans(),
    )
    def night_is_spent(
        self,
        values: dict[int, Any],
        policy: Policy,
        is_held: bool,
        trouble: Trouble,
        is_applied: bool,
    ) -> None:
        result = type(self).wanted({self.ids[n]: v for n, v in values.items()})
        book = self.book if is_held else None
        more = {"limits": LIMITS, "policy": policy, "archive": self.archive}
        made = self.reading(
            lambda: plan([result], self.stage.reach(), held=book, **more)
        )
        self.plans.append(made)
        reported = {each.record_id for each in made.edited}
        self.seen["edits reported"] += len(reported)
        if book is None:
            rows = self.stage.rows(self.stage.snapshot())
            edited = {record_id for record_id, _ in self.theirs}
            for record_id in edited & {self.ids[n] for n in values}:
                is_emptied = is_bare(rows[record_id])
                is_left = set(values[self.ids.index(record_id)].values()) <= {None}
                assert record_id in reported or (is_emptied and is_left)
                self.seen["emptied and reported"] += is_emptied and not is_left
        if is_applied:
            self.applied(made, trouble)

    @precondition(lambda self: self.plans)
    @rule(which=st.integers(0, 2), trouble=TROUBLE)
    def plan_is_applied(self, which: int, trouble: Trouble) -> None:
        self.applied(self.plans[-1 - which % len(self.plans)], trouble)

    @precondition(lambda self: self.interrupted)
    @rule(trouble=TROUBLE)
    def apply_goes_on(self, trouble: Trouble) -> None:
        self.applied(self.interrupted[0], trouble)

    @precondition(lambda self: self.archive.runs())
    @rule(
        which=st.integers(0, 3),
        columns=st.none() | COLUMNS,
        trouble=TROUBLE,
        is_applied=st.booleans(),
    )
    def run_is_taken_back(
        self,
        which: int,
        columns: set[str] | None,
        trouble: Trouble,
        is_applied: bool,
    ) -> None:
        runs = self.archive.runs()
        journal = self.archive.journal(runs[-1 - which % len(runs)])
        more = {"limits": LIMITS, "columns": columns}
        made = self.reading(lambda: undo(journal, self.stage.reach(), **more))
        self.plans.append(made)
        self.whole |= {made.id} if columns is None else set()
        self.made.setdefault(made.id, len(self.doings))
        self.takes_back(journal, made, columns)
        if is_applied:
            self.applied(made, trouble)

    # What holds

    @invariant()
    def every_file_of_the_archive_is_as_it_was_written(self) -> None:
        if self.archive.runs():
            report = self.archive.verify()
            assert report.exit_code == 0, str(report)

    def reading(self, work: Callable[[], Any]) -> Any:
        """What the work gives, which changes nothing."""
        before = self.stage.snapshot()
        found = work()
        assert self.stage.snapshot() == before
        return found

    def applied(self, chosen: Plan, trouble: Trouble) -> None:
        pretend = self.stage.pretend
        at = pretend.api_calls + getattr(trouble, "after", 0)
        edit = self.prepared(trouble, at)
        before, earlier = self.stage.snapshot(), self.journal(chosen)
        self.began.setdefault(chosen.id, (before, len(self.doings)))
        self.work_on(chosen, trouble)
        journal = self.journal(chosen)
        has_come = pretend.api_calls >= at
        self.judge(chosen, before, earlier, journal, edit if has_come else {})
        left = self.stage.snapshot()
        self.use_up(at)
        self.noticed(left)

    def prepared(self, trouble: Trouble, at: int) -> dict[Key, Value]:
        """Let the trouble wait for its call; what a person is to set then."""
        if isinstance(trouble, Fails):
            self.stage.pretend.fault(Fault(at, trouble.kind))
        if not isinstance(trouble, Meanwhile):
            return {}
        record_id = self.ids[trouble.account]
        if record_id not in self.alive:
            return {}
        told = self.stage.told(trouble.values)
        act = ("edit", self.stage.kind, record_id, told)
        self.stage.pretend.fault(Fault(at, "meanwhile", act=act))
        return {(record_id, column): v for column, v in trouble.values.items()}

    def work_on(self, chosen: Plan, trouble: Trouble) -> None:
        batches = trouble.batches if isinstance(trouble, IsStopped) else 1_000
        asked = iter(range(batches))
        more: Any = {
            "archive": self.archive,
            "accept_changes": self.looked_at(chosen),
            "sleep": lambda _: None,
            "stop": lambda: next(asked, None) is None,
        }

        def work() -> object:
            return apply(chosen, self.stage.reach(), **more)

        at = getattr(trouble, "at", getattr(trouble, "killed", None))
        self.seen[type(trouble).__name__] += 1
        if at is not None:
            self.seen["killed"] += killed_at(self.folder, at, work)
            return
        try:
            work()
        except TransientError:
            self.seen["away before the first batch"] += 1
        except UnexpectedChangeError:
            self.seen["stopped by the canary"] += 1

    def looked_at(self, chosen: Plan) -> int | None:
        """How many changes a person accepts after a run that its first slice stopped."""
        if not chosen.refusals:
            return None
        assert {refusal.rule for refusal in chosen.refusals} == {"canary"}
        with pytest.raises(LimitExceededError):
            self.reading(
                lambda: apply(chosen, self.stage.reach(), archive=self.archive)
            )
        self.seen["accepted after a stop"] += 1
        return len(chosen.changes)

    def use_up(self, until: int) -> None:
        """Let happen what was to happen at a later call than the last."""
        crm = self.stage.reach()
        while self.stage.pretend.api_calls < until:
            try:
                crm.read("account", self.ids[:1], ("tier",))
            except TransientError:
                crm = self.stage.reach()

    def journal(self, of: Plan) -> Journal | None:
        if not self.archive.segments(of.id):
            return None
        return self.archive.journal(of.id)

    def judge(
        self,
        chosen: Plan,
        before: Mapping[str, Mapping[str, Any]],
        earlier: Journal | None,
        journal: Journal | None,
        meanwhile: Mapping[Key, Value],
    ) -> None:
        after = self.stage.snapshot()
        was, now = self.stage.rows(before), self.stage.rows(after)
        self.nothing_but_ours_changed(before, after, meanwhile)
        if journal is None:
            assert was == now or meanwhile
        else:
            self.agrees(chosen, journal, was, now, meanwhile)
            self.said(earlier, journal, now, meanwhile)
        self.doings += [""] if meanwhile else []
        if was != now:
            self.doings.append(chosen.id)
        self.leaves(chosen, journal)
        self.people_hear_of(chosen, journal, was, now, meanwhile)
        if journal is not None and journal.exit_code == 0:
            self.exactly_restored(chosen, after)

    def nothing_but_ours_changed(
        self,
        before: Mapping[str, Mapping[str, Any]],
        after: Mapping[str, Mapping[str, Any]],
        meanwhile: Mapping[Key, Value],
    ) -> None:
        ours = {name for name, column in self.stage.fields.items() if column in MANAGED}
        acted = {
            (record_id, name)
            for record_id, column in meanwhile
            for name in self.stage.told({column: None})
        }
        assert before.keys() == after.keys()
        for record_id, record in after.items():
            for name in (record.keys() | before[record_id].keys()) - ours:
                if (record_id, name) not in acted:
                    assert record.get(name) == before[record_id].get(name), name

    def agrees(
        self,
        chosen: Plan,
        journal: Journal,
        was: Rows,
        now: Rows,
        meanwhile: Mapping[Key, Value],
    ) -> None:
        """Each change of the org is one of the journal; its sums are those of the plan."""
        assert sum(journal.counts.values()) == len(chosen.changes)
        planned = {
            (c.change.record_id, c.change.column): c.change for c in chosen.changes
        }
        touched = {(c.record_id, c.column) for c in journal.touched}
        for record_id, row in now.items():
            for column in MANAGED:
                key = record_id, column
                if row[column] == was[record_id][column]:
                    continue
                if key in meanwhile and row[column] == meanwhile[key]:
                    continue
                assert key in touched, key
                assert row[column] == planned[key].after

    def said(
        self,
        earlier: Journal | None,
        journal: Journal,
        now: Rows,
        meanwhile: Mapping[Key, Value],
    ) -> None:
        """What this apply says of each change is so."""
        known = {e.key[1:]: e.state for e in earlier.entries} if earlier else {}
        for entry in journal.entries:
            if known.get(entry.key[1:]) == entry.state:
                continue
            record_id, column = entry.key[1:]
            self.seen[entry.state] += 1
            self.seen["resumed"] += entry.key[1:] in known
            if entry.state == "gone":
                assert record_id not in now
                continue
            stands = now[record_id][column]
            if entry.key[1:] in meanwhile:
                continue
            match entry.state:
                case "written" | "unchanged":
                    assert stands == entry.change.after
                case "stale" | "overwritten_in_window":
                    assert stands == entry.found
                case "unknown" | "not_sent":
                    assert stands in (entry.change.before, entry.change.after)

    def people_hear_of(
        self,
        chosen: Plan,
        journal: Journal | None,
        was: Rows,
        now: Rows,
        meanwhile: Mapping[Key, Value],
    ) -> None:
        """No value of a person has gone, or has become ours, without being told."""
        reported = {each.record_id: each.columns for each in chosen.edited}
        met = {record_id for record_id, _ in meanwhile}
        overwritten = _overwritten(journal) if journal else {}
        entries = journal.entries if journal else ()
        unchanged = {entry.key[1:] for entry in entries if entry.state == "unchanged"}
        for (record_id, column), value in tuple(self.theirs.items()):
            stands = now[record_id][column]
            if stands != value and (record_id, column) not in meanwhile:
                is_told = column in reported.get(record_id, ())
                is_told |= column == STAMP and record_id in reported
                is_told |= overwritten.get((record_id, column)) == value
                # Told when it was replaced; brought back by a run that is taken back.
                is_told |= (chosen.header.undoes, (record_id, column)) in self.brought
                assert is_told, (record_id, column, value)
                self.seen["edits overwritten"] += 1
                self.replaced[chosen.id, (record_id, column)] = value
                del self.theirs[record_id, column]
            elif not self.is_theirs(record_id, now[record_id]):
                # Or an old stamp of ours is back, by an undo or by the person's hand.
                is_back = bool(chosen.header.undoes) or record_id in met
                # Or the person set just what the plan holds, and its journal says so.
                is_same = (record_id, column) in unchanged and stands == value
                assert record_id in reported or is_back or is_same, (record_id, column)
                del self.theirs[record_id, column]
        back = self.brought_back(chosen, now)
        self.theirs |= back
        self.brought |= {(chosen.id, key) for key in back}
        self.people_were_there(chosen, was, now, meanwhile)
        self.nothing_is_left_unsaid(chosen, journal)

    def leaves(self, chosen: Plan, journal: Journal | None) -> None:
        """Remember on which accounts something of ours now is, as far as that is sure."""
        states = {e.key[1:]: e.state for e in journal.entries} if journal else {}
        wrote: defaultdict[str, list[Change]] = defaultdict(list)
        for change in journal.touched if journal else ():
            wrote[change.record_id].append(change)
        for record_id, changes in wrote.items():
            known = self.left.get(record_id, False)
            self.left_before.setdefault((chosen.id, record_id), known)
            keys = {(change.record_id, change.column) for change in changes}
            if not {states[key] for key in keys} <= {
                "written",
                "overwritten_in_window",
            }:
                self.left[record_id] = None
            elif chosen.header.undoes:
                back_to = self.left_before.get((chosen.header.undoes, record_id))
                self.left[record_id] = back_to if chosen.id in self.whole else None
            elif any(change.after is not None for change in changes):
                self.left[record_id] = True
            elif (record_id, STAMP) in keys:  # our own results emptied it
                self.left[record_id] = False

    def brought_back(self, chosen: Plan, now: Rows) -> dict[Key, Value]:
        """What people had set before the run that this plan takes back."""
        return {
            key: value
            for (plan_id, key), value in self.replaced.items()
            if plan_id == chosen.header.undoes
            and key[0] in now
            and now[key[0]][key[1]] == value
            and self.is_theirs(key[0], now[key[0]])
        }

    def people_were_there(
        self, chosen: Plan, was: Rows, now: Rows, meanwhile: Mapping[Key, Value]
    ) -> None:
        for key, value in meanwhile.items():
            record_id, column = key
            if column not in VALUES["account"] or value == was[record_id][column]:
                continue
            if now[record_id][column] != value:
                self.unsaid[chosen.id, key] = value
            elif self.is_theirs(record_id, now[record_id]):
                self.theirs[key] = value

    def nothing_is_left_unsaid(self, chosen: Plan, journal: Journal | None) -> None:
        """What people set in the window is told at the latest when the run is at its end."""
        for (plan_id, key), value in tuple(self.unsaid.items()):
            if plan_id != chosen.id or journal is None:
                continue
            if _overwritten(journal).get(key) == value:
                self.seen["found in the window"] += 1
                del self.unsaid[plan_id, key]
            assert journal.interrupted not in ("", CANARY) or (
                (plan_id, key) not in self.unsaid
            ), (key, value)

    def takes_back(
        self, journal: Journal, way_back: Plan, columns: set[str] | None
    ) -> None:
        """The plan brings back all that the run left and that still stands."""
        now = self.stage.rows(self.stage.snapshot())
        planned = {
            (c.change.record_id, c.change.column): c.change for c in way_back.changes
        }
        listed = {(e.record_id, c) for e in way_back.edited for c in e.columns}
        for change in journal.touched:
            self.is_taken_back(change, journal, now, planned, listed, columns)
        self.seen["undone"] += bool(way_back.changes)

    def is_taken_back(
        self,
        change: Change,
        journal: Journal,
        now: Rows,
        planned: Mapping[Key, Change],
        listed: Collection[Key],
        columns: set[str] | None,
    ) -> None:
        key = change.record_id, change.column
        is_chosen = columns is None or change.column in columns
        if change.column == STAMP or change.record_id not in now or not is_chosen:
            assert key not in planned or change.column == STAMP
            return
        stands = now[change.record_id][change.column]
        before = _overwritten(journal).get(key, change.before)
        if stands == change.after and stands != before:
            assert planned[key].after == before
        else:
            assert key not in planned
            assert stands == before or key in listed

    def exactly_restored(self, chosen: Plan, after: Mapping[str, Any]) -> None:
        """Where nobody came between, the org is as it was before the run."""
        undone = chosen.header.undoes
        # The run may have gone on since the plan that takes it back was made.
        if not undone or chosen.edited or undone in self.doings[self.made[chosen.id] :]:
            return
        before, place = self.began[undone]
        if chosen.id in self.whole and set(self.doings[place:]) <= {undone, chosen.id}:
            assert after == before
            self.seen["restored exactly"] += 1


def is_bare(row: Mapping[str, Value]) -> bool:
    return all(row[column] is None for column in MANAGED)


MUST_BE_SEEN = {
    "edit",
    "pulled",
    "Fails",
    "IsStopped",
    "Meanwhile",
    "killed",
    "edits reported",
    "undone",
    "written",
}


def test_whatever_happens_in_whatever_order(
    stage: Stage, wanted: Callable[..., Any], tmp_path: Path
) -> None:
    seen: Counter[str] = Counter()

    class Here(Story):
        pass

    Here.stage, Here.wanted, Here.place, Here.seen = stage, wanted, tmp_path, seen
    run_state_machine_as_test(Here, settings=TALES)
    # What else chance brought, as edits in the window, has tests of its own beside this.
    print(stage.kind, dict(seen))
    assert {name for name in MUST_BE_SEEN if not seen[name]} == set()
