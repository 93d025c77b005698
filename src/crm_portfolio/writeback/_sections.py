"""What does a plan tell a person who must decide about it, section by section?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from crm_portfolio._managed import FIELDS, STAMP
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.protocols import Value, WritableTable
from crm_portfolio.writeback._planned import (
    Edited,
    Ended,
    Pinned,
    PlannedChange,
    PlannedRecord,
)

if TYPE_CHECKING:
    from crm_portfolio.writeback._plan import Plan

__all__ = [
    "RECORDS",
    "Cell",
    "Section",
    "calls",
    "movers",
    "moves",
    "sections",
    "told_records",
    "treated",
]

Cell: TypeAlias = Value
_SAMPLES: Final = 3
RECORDS: Final[Mapping[WritableTable, str]] = {
    "account": "accounts",
    "opportunity": "opportunities",
}
_LISTED: Final = 25


@attrs.frozen
class Section:
    """One part of the document: facts, or a table of which so many rows are left out.

    The text in it is as it came: who shows it makes it harmless.
    """

    title: str
    facts: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    left_out: int = 0


def sections(
    plan: Plan, names: Mapping[str, str], lang: Lang, *, changes_shown: int
) -> Iterator[Section]:
    """The parts of the document that have something to tell, in order."""
    writer = _Writer(plan, names, lang)
    found = (
        writer.extent(),
        writer.refused(),
        writer.fields(),
        writer.moves(),
        writer.movers(),
        writer.reasons(),
        writer.borders(),
        writer.edited(),
        writer.pins(),
        writer.missing(),
        writer.changes(changes_shown),
    )
    yield from (section for section in found if section.facts or section.rows)


def movers(plan: Plan) -> tuple[list[tuple[PlannedRecord, PlannedChange]], bool]:
    """Accounts whose tier moves, largest first, else those that get their first one."""
    tiers = [
        (record, planned)
        for record in plan.records
        for planned in record.changes
        if planned.change.column == "tier"
    ]
    moved = [pair for pair in tiers if not pair[1].is_first_fill]
    return sorted(moved or tiers, key=_by_rank), bool(moved)


def _by_rank(pair: tuple[PlannedRecord, PlannedChange]) -> tuple[bool, int, str]:
    record = pair[0]
    return record.rank is None, record.rank or 0, record.record_id


def moves(
    changes: Iterable[PlannedChange], column: str
) -> list[tuple[tuple[Value, Value], int]]:
    """How often a field goes from which value to which, most frequent first."""
    found = Counter(
        (c.change.before, c.change.after) for c in changes if c.change.column == column
    )
    return sorted(found.items(), key=lambda item: (-item[1], str(item[0])))


def calls(plan: Plan) -> str:
    """What applying the plan costs, and whether that much is left."""
    told, quota = f"about {plan.call_estimate:,}", plan.header.quota
    if quota is None:
        return told
    told += f"; {quota.remaining:,} of {quota.limit:,} left today"
    # It would stop in the middle, with exit code 5, and go on when there are more.
    is_enough = plan.call_estimate <= quota.remaining
    return told if is_enough else f"{told}, which is too few"


def treated(plan: Plan) -> list[tuple[Edited, list[str], list[str]]]:
    """Each edited account: the fields that stay as a person left them, and the others."""
    edited = {each.record_id for each in plan.edited}
    planned = {
        (record.table, record.record_id): {c.change.column for c in record.changes}
        for record in plan.records
        if record.record_id in edited
    }
    found = []
    for each in plan.edited:
        columns = each.edited or each.columns
        gone = planned.get((each.table, each.record_id), set())
        kept = [column for column in columns if column not in gone]
        found.append((each, kept, [column for column in columns if column in gone]))
    return found


def told_records(plan: Plan) -> str:
    """How many records of each table it changes."""
    counts = {table: len(plan.of_table(table)) for table in RECORDS}
    told = [
        f"{n:,} {RECORDS[table]}"
        for table, n in counts.items()
        if n or table == "account"
    ]
    return " and ".join(told)


def _value(value: Value) -> Cell:
    return "empty" if value is None else value


@attrs.frozen
class _Writer:
    """Puts the parts of one plan into words and rows."""

    plan: Plan
    names: Mapping[str, str]
    lang: Lang

    def extent(self) -> Section:
        header, plan = self.plan.header, self.plan
        until = header.made_at + timedelta(hours=header.limits.max_age_hours)
        stamps = sum(planned.change.column == STAMP for planned in plan.changes)
        before = header.previous
        made = f"made {header.made_at:%Y-%m-%d %H:%M} UTC"
        extent = f"{len(plan.changes):,} changes on {told_records(plan)}"
        facts = (
            f"for {header.org}",
            f"takes back run {header.undoes}" * bool(header.undoes),
            f"as of {header.as_of}",
            f"{made}, holds until {until:%Y-%m-%d %H:%M} UTC",
            f"{extent}; {stamps:,} of the changes are stamps",
            f"{header.population:,} accounts compared"
            + (f", {before:,} at the last run" if before is not None else ""),
            *(
                f"{count:,} {RECORDS[table]} compared"
                for table, count in header.others.items()
            ),
            f"API calls to apply it: {calls(plan)}",
            f"from portfolio {header.portfolio_id[:12]}",
            f"under settings {header.settings_digest[:12]}",
            f"by crm-portfolio {header.library_version}",
        )
        return Section("What it is", tuple(fact for fact in facts if fact))

    def refused(self) -> Section:
        told = [f"{refusal}" for refusal in self.plan.refusals]
        if told:
            told.append(
                "To accept all of it, after a look: "
                f"--accept-changes {len(self.plan.changes)}"
            )
        return Section("Refused by the limits", tuple(told))

    def fields(self) -> Section:
        plan, header = self.plan, self.plan.header
        emptied = Counter(
            c.change.column for c in plan.changes if c.change.after is None
        )
        touched = {c.change.column for c in plan.changes} | header.unknown.keys()
        rows = [
            (
                column,
                plan.counts.get(column, 0),
                header.limits.changes_of(column, header.population_of(column)),
                emptied[column],
                plan.first_fills.get(column, 0),
                header.unknown.get(column, 0),
            )
            for column in FIELDS
            if column in touched and column != STAMP
        ]
        titles = ("changed", "allowed", "emptied", "filled first", "unknown")
        return self._table("Fields", ("field", *titles), rows, len(FIELDS))

    def moves(self) -> Section:
        rows = [
            (column, _value(before), _value(after), count)
            for column, field in FIELDS.items()
            if field.choices
            for (before, after), count in moves(self.plan.changes, column)
        ]
        counted = "records" if self._has_others else "accounts"
        return self._table("Moves", ("field", "from", "to", counted), rows)

    def movers(self) -> Section:
        pairs, have_moved = movers(self.plan)
        title = "Largest accounts that move" if have_moved else "Largest accounts"
        rows = [
            (
                self._account(record.record_id),
                record.rank,
                _value(planned.change.before),
                _value(planned.change.after),
                self._because(planned.reasons),
            )
            for record, planned in pairs[:_LISTED]
        ]
        columns = ("account", "rank", "from", "to", "why")
        return Section(title, (), columns, tuple(rows), len(pairs) - len(rows))

    def reasons(self) -> Section:
        """Each kind of reason, how often it stands behind a field, and some samples."""
        found: defaultdict[tuple[str, str], list[PlannedChange]] = defaultdict(list)
        for planned in self.plan.changes:
            if planned.reasons:
                found[planned.change.column, planned.reasons[0].code].append(planned)
        ranked = sorted(found.items(), key=lambda item: (item[0][0], -len(item[1])))
        rows = [
            (
                column,
                len(behind),
                self._because(behind[0].reasons),
                ", ".join(
                    self._record(c.change.table, c.change.record_id)
                    for c in behind[:_SAMPLES]
                ),
            )
            for (column, _), behind in ranked
        ]
        columns = ("field", "records" if self._has_others else "accounts")
        return self._table("Reasons", (*columns, "such as", "samples"), rows)

    def borders(self) -> Section:
        rows = [
            (self._account(each.record_id), self._said(each.reason))
            for each in self.plan.borders
        ]
        return self._table("Near a border", ("account", "how near"), rows)

    def edited(self) -> Section:
        title = "Changed since" if self.plan.header.undoes else "Edited by people"
        rows = [
            (
                self._record(each.table, each.record_id),
                ", ".join(each.edited) or "not known which",
                ", ".join(kept),
                ", ".join(overwritten),
            )
            for each, kept, overwritten in treated(self.plan)
        ]
        columns = ("edited fields", "kept", "overwritten")
        return self._table(title, (self._whose, *columns), rows)

    def pins(self) -> Section:
        pins: tuple[Ended | Pinned, ...] = (*self.plan.ended, *self.plan.pinned)
        rows = [
            (
                self._account(each.record_id),
                each.tier,
                each.by,
                f"ended on {each.until_on}"
                if isinstance(each, Ended)
                else f"holds until {each.until_on or 'someone lifts it'}",
            )
            for each in pins
        ]
        columns = ("account", "tier", "by", "pin")
        return self._table("Pinned by people", columns, rows)

    def missing(self) -> Section:
        rows = [(self._record(m.table, m.record_id),) for m in self.plan.missing]
        return self._table("Not in the CRM", (self._whose,), rows)

    def changes(self, shown: int) -> Section:
        own = [c for c in self.plan.changes if c.change.column != STAMP]
        rows = [
            (
                self._record(planned.change.table, planned.change.record_id),
                planned.change.column,
                _value(planned.change.before),
                _value(planned.change.after),
                self._because(planned.reasons),
            )
            for planned in own[:shown]
        ]
        columns = (self._whose, "field", "from", "to", "why")
        left_out = len(own) - len(rows) if shown else 0
        return Section("Changes", (), columns, tuple(rows), left_out)

    def _table(
        self,
        title: str,
        columns: tuple[str, ...],
        rows: Sequence[tuple[Cell, ...]],
        shown: int = _LISTED,
    ) -> Section:
        left_out = max(0, len(rows) - shown)
        return Section(title, (), columns, tuple(rows[:shown]), left_out)

    @property
    def _has_others(self) -> bool:
        """Whether it is of other tables than accounts as well."""
        return bool(self.plan.header.others)

    @property
    def _whose(self) -> str:
        return "record" if self._has_others else "account"

    def _record(self, table: WritableTable, record_id: str) -> str:
        is_account = table == "account"
        return self._account(record_id) if is_account else f"{table} {record_id}"

    def _account(self, record_id: str) -> str:
        name = self.names.get(record_id)
        return f"{name} ({record_id})" if name else record_id

    def _because(self, reasons: Sequence[Reason]) -> str:
        """The first reason, which is the rule; the others are in the plan's file."""
        return self._said(reasons[0]) if reasons else ""

    def _said(self, reason: Reason) -> str:
        return sentence(reason, self.lang, names=self.names)
