"""Applies of one plan that are killed at the n-th thing they do, for every n.

    killed.py WAY FOLDER STEP      by rest, bulk or hubspot; at the first, and each STEP-th

A thing is a call that is about to leave, a call that the CRM has answered, and a change in
the folder of the archive. Each line of output tells, as JSON, of one death: how the apply
before and the one after it ended, what came of every change, and how the CRM stood. The
first line is of an apply that nobody killed, and says how many things it did.
"""

from __future__ import annotations

import gc
import hashlib
import http.client
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa

from crm_portfolio import Portfolio, analysis, pull, samples
from crm_portfolio._wording import Reason
from crm_portfolio.archive import Archive
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.hubspot import AccessToken, HubSpot, HubSpotSettings
from crm_portfolio.connectors.salesforce import (
    ClientCredentials,
    Salesforce,
    SalesforceSettings,
)
from crm_portfolio.results import Result
from crm_portfolio.simulator import HubSpot as PretendHubSpot
from crm_portfolio.simulator import Salesforce as PretendSalesforce
from crm_portfolio.simulator.salesforce import ValidationRule
from crm_portfolio.writeback import Limits, Plan, apply, plan, setup

BOOK = samples.book(accounts=40, opportunities=250)
LIMITS = Limits(canary_count=3, canary_share=0.0, settle_seconds=0)
HASTY = RetrySettings(attempts=1, first_wait_seconds=0)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.truncate"}


class SmallSalesforce(Salesforce):
    def write_batch(self, count: int) -> int:
        return 6


class SmallHubSpot(HubSpot):
    def write_batch(self, count: int) -> int:
        return 6


@attrs.frozen
class Stage:
    """A pretend CRM, and how it is reached and told of.

    Attributes:
        fields: By kind of record, what ours are called there.
    """

    pretend: Any
    reach: Callable[[], Any]
    fields: Mapping[str, Mapping[str, str]]
    empty: Any

    @property
    def kind(self) -> str:
        """Of the accounts, which come first."""
        return next(iter(self.fields))

    def snapshot(self) -> Any:
        return self.pretend.snapshot(*self.fields)

    def restore(self, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        """Our fields as they were then; nothing else has changed."""
        there = self.snapshot()
        for kind, fields in self.fields.items():
            for record_id, now in there[kind].items():
                was = wanted[kind][record_id]
                told = {
                    name: was.get(name, self.empty)
                    for name in fields
                    if now.get(name) != was.get(name)
                }
                if told:
                    self.pretend.edit(kind, record_id, told)


def salesforce(bulk: str) -> Stage:
    pretend = PretendSalesforce(BOOK.tables, currency=BOOK.truths["currency"])
    pretend.__enter__()
    there = pretend.environment
    login = ClientCredentials(
        there["SALESFORCE_INSTANCE_URL"],
        there["SALESFORCE_CLIENT_ID"],
        there["SALESFORCE_CLIENT_SECRET"],
    )
    settings = SalesforceSettings(retry=HASTY, bulk=bulk)  # type: ignore[arg-type]
    from crm_portfolio.connectors.salesforce._fields import OUR_FIELDS

    return Stage(
        pretend,
        lambda: SmallSalesforce(login, settings=settings),
        {
            "Account": _by_name(OUR_FIELDS["account"]),
            "Opportunity": _by_name(OUR_FIELDS["opportunity"]),
        },
        None,
    )


def hubspot() -> Stage:
    pretend = PretendHubSpot(
        BOOK.tables, currency=BOOK.truths["currency"], limits_by="nothing"
    )
    pretend.__enter__()
    there = pretend.environment
    login = AccessToken(there["HUBSPOT_ACCESS_TOKEN"], there["HUBSPOT_API_URL"])
    settings = HubSpotSettings(retry=HASTY, burst_calls=10_000)
    from crm_portfolio.connectors.hubspot._fields import OUR_PROPERTIES

    return Stage(
        pretend,
        lambda: SmallHubSpot(login, settings=settings),
        {
            "companies": _by_name(OUR_PROPERTIES["account"]),
            "deals": _by_name(OUR_PROPERTIES["opportunity"]),
        },
        "",
    )


def _by_name(columns: Mapping[str, str]) -> dict[str, str]:
    return {name: column for column, name in columns.items()}


class Deaths:
    """Counts what is done, and ends the process at one of the things."""

    def __init__(self, folder: Path, at: int) -> None:
        self.folder, self.at, self.count = str(folder), at, 0
        leave, answered = (
            http.client.HTTPConnection.endheaders,
            http.client.HTTPConnection.getresponse,
        )

        def endheaders(connection: Any, *given: Any, **more: Any) -> Any:
            self.step()
            return leave(connection, *given, **more)

        def getresponse(connection: Any, *given: Any) -> Any:
            response = answered(connection, *given)
            self.step()
            return response

        http.client.HTTPConnection.endheaders = endheaders  # type: ignore[method-assign]
        http.client.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]
        sys.addaudithook(self.heard)

    def step(self) -> None:
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def heard(self, event: str, given: tuple[Any, ...]) -> None:
        if event not in _CHANGES and event != "open":
            return
        if not str(given[0]).startswith(self.folder):
            return
        if event != "open" or given[2] & _WRITES:
            self.step()


def in_a_process(work: Callable[[], Any]) -> tuple[int, Any]:
    """Do it in a child; its exit code and what it had to say."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            os.write(writing, json.dumps(work()).encode())
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, json.loads(said or b"null")


def applied(stage: Stage, proposal: Plan, folder: Path, at: int) -> dict[str, Any]:
    deaths = Deaths(folder, at)
    archive = Archive(folder)
    journal = apply(proposal, stage.reach(), archive=archive, sleep=lambda _: None)
    assert archive.journal(proposal.id) == journal
    told = {
        f"{e.change.record_id} {e.change.column}": [e.state, e.code, e.found]
        for e in journal.entries
    }
    touched = sorted(f"{c.record_id} {c.column}" for c in journal.touched)
    return {
        "count": deaths.count,
        "interrupted": journal.interrupted,
        "states": digest(told),
        "counts": journal.counts,
        "touched": digest(touched),
    }


def digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Lost(Result):
    """Ten opportunities of one class; who lost them how is of no account here."""

    name = "lost"

    def assignments(self) -> pa.Table:
        return self._table

    def assigned_because(self, ids: Sequence[str]) -> dict[str, tuple[Reason, ...]]:
        return dict.fromkeys(ids, ())

    def _reasons(self, row: Mapping[str, Any]) -> tuple[Reason, ...]:
        raise NotImplementedError

    def plot(self, *, ax: Any = None, lang: Any = "en") -> Any:
        raise NotImplementedError


def lost_of(book: Portfolio, beside: Result) -> Lost:
    """What is assigned to the first of all opportunities, beside another result."""
    ids = sorted(book.arrow("opportunity")["opportunity_id"].to_pylist())[:10]
    told = ("as_of", "portfolio", "org")
    return Lost(
        table=pa.table({"opportunity_id": ids, "lost_class": ["pursued_lost"] * 10}),
        rejected=pa.table({}),
        backend="pyarrow",
        summary={},
        params={name: beside.params[name] for name in told if name in beside.params},
        coverage=1.0,
        warnings=(),
    )


def begun(stage: Stage) -> Plan:
    """The plan; then people and the CRM get in the way of some of it."""
    crm = stage.reach()
    setup(crm, also=["lost_class"], dry_run=False)
    whole = pull(crm, as_of=BOOK.truths["as_of"])
    book = whole.only(whole["account"]["account_id"][:12])
    tiers = analysis.tiers(book)
    results = [tiers, analysis.concentration(book), lost_of(whole, tiers)]
    proposal = plan(results, stage.reach(), limits=LIMITS, also=["lost_class"])
    fields, (kind, deals) = stage.fields[stage.kind], stage.fields
    tier = next(name for name, column in fields.items() if column == "tier")
    ids = [record.record_id for record in proposal.of_table("account")]
    lost = [record.record_id for record in proposal.of_table("opportunity")]
    (lost_class,) = (n for n, c in stage.fields[deals].items() if c == "lost_class")
    stage.pretend.edit(deals, lost[1], {lost_class: "no_decision"})
    planned = {c.change.column: c.change.after for c in proposal.records[4].changes}
    other = "A" if planned["tier"] != "A" else "B"
    stage.pretend.edit(kind, ids[4], {tier: other})
    stage.pretend.delete(kind, ids[6])
    if kind == "Account":
        rule = ValidationRule(lambda record: record["Id"] == ids[8], "no", "")
        stage.pretend.rules.validation.setdefault("Account", []).append(rule)
    return proposal


def main(way: str, place: Path, step: int) -> None:
    bulk = {"rest": "never", "bulk": "always"}
    stage = salesforce(bulk[way]) if way in bulk else hubspot()
    proposal = begun(stage)
    before = stage.snapshot()
    # Who is killed loses nothing that was written: only a power cut would.
    os.fsync = lambda _: None  # type: ignore[assignment]
    gc.freeze()
    folder, at = place / "archive", 0
    locked = proposal.of_table("account")[-2].record_id
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        stage.restore(before)
        if stage.kind == "Account":
            stage.pretend.lock(locked, attempts=1)
        number = at
        code, said = in_a_process(lambda: applied(stage, proposal, folder, number))
        codes = [code]
        if code == -signal.SIGKILL:
            code, said = in_a_process(lambda: applied(stage, proposal, folder, 0))
            codes.append(code)
        org = digest(stage.snapshot())
        told = {"at": at, "codes": codes, "org": org, **(said or {})}
        print(json.dumps(told), flush=True)
        if at and len(codes) == 1:
            return
        at += 1 if at == 0 else step


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
