"""What does a plan tell a person who must decide about it, section by section?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from crm_portfolio._managed import FIELDS, STAMP
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.protocols import Value, WritableTable
from crm_portfolio.writeback._planned import Edited, Ended, Pinned
from crm_portfolio.writeback._tally import LISTED

if TYPE_CHECKING:
    from crm_portfolio.writeback._plan import Plan

__all__ = [
    "RECORDS",
    "Cell",
    "Section",
    "calls",
    "sections",
    "told_records",
    "treated",
]

Cell: TypeAlias = Value
RECORDS: Final[Mapping[WritableTable, str]] = {
    "account": "accounts",
    "opportunity": "opportunities",
}


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


def calls(plan: Plan) -> str:
    """What applying the plan costs, and whether that much is left."""
    told, quota = f"about {plan.call_estimate:,}", plan.header.quota
    if quota is None:
        return told
    told += f"; {quota.remaining:,} of {quota.limit:,} left today"
    # It would stop in the middle, with exit code 5, and go on when there are more.
    is_enough = plan.call_estimate <= quota.remaining
    return told if is_enough else f"{told}, which is too few"


def treated(plan: Plan, shown: int) -> list[tuple[Edited, list[str], list[str]]]:
    """The first edited records: the fields that stay as a person left them, and the others."""
    found = []
    for each in plan.edited[:shown]:
        columns = each.edited or each.columns
        planned = plan.record(each.table, each.record_id)
        gone = {c.change.column for c in planned.changes} if planned else set()
        kept = [column for column in columns if column not in gone]
        found.append((each, kept, [column for column in columns if column in gone]))
    return found


def told_records(plan: Plan) -> str:
    """How many records of each table it changes."""
    counts = {table: plan.tally.records[table] for table in RECORDS}
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
        stamps = plan.tally.stamps
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
        emptied = plan.tally.emptied
        touched = plan.tally.touched | header.unknown.keys()
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
        return Section("Fields", (), ("field", *titles), tuple(rows))

    def moves(self) -> Section:
        rows = [
            (column, _value(before), _value(after), count)
            for column, field in FIELDS.items()
            if field.choices
            for (before, after), count in self.plan.tally.moves_of(column)
        ]
        counted = "records" if self._has_others else "accounts"
        return self._table("Moves", ("field", "from", "to", counted), rows)

    def movers(self) -> Section:
        largest, have_moved = self.plan.tally.movers()
        title = "Largest accounts that move" if have_moved else "Largest accounts"
        rows = [
            (
                self._account(record.record_id),
                record.rank,
                _value(planned.change.before),
                _value(planned.change.after),
                self._because(planned.reasons),
            )
            for record, planned in largest.first
        ]
        columns = ("account", "rank", "from", "to", "why")
        return Section(title, (), columns, tuple(rows), largest.count - len(rows))

    def reasons(self) -> Section:
        """Each kind of reason, how often it stands behind a field, and some samples."""
        found = self.plan.tally.reasons.items()
        ranked = sorted(found, key=lambda item: (item[0][0], -item[1].count))
        rows = [
            (
                column,
                behind.count,
                self._because(behind.first[0].reasons),
                ", ".join(
                    self._record(c.change.table, c.change.record_id)
                    for c in behind.first
                ),
            )
            for (column, _), behind in ranked
        ]
        columns = ("field", "records" if self._has_others else "accounts")
        return self._table("Reasons", (*columns, "such as", "samples"), rows)

    def borders(self) -> Section:
        rows = [
            (self._account(each.record_id), self._said(each.reason))
            for each in self.plan.borders[:LISTED]
        ]
        count = len(self.plan.borders)
        return self._table("Near a border", ("account", "how near"), rows, count)

    def edited(self) -> Section:
        title = "Changed since" if self.plan.header.undoes else "Edited by people"
        rows = [
            (
                self._record(each.table, each.record_id),
                ", ".join(each.edited) or "not known which",
                ", ".join(kept),
                ", ".join(overwritten),
            )
            for each, kept, overwritten in treated(self.plan, LISTED)
        ]
        columns = (self._whose, "edited fields", "kept", "overwritten")
        return self._table(title, columns, rows, len(self.plan.edited))

    def pins(self) -> Section:
        ended, pinned = self.plan.ended, self.plan.pinned
        pins: tuple[Ended | Pinned, ...] = (*ended[:LISTED], *pinned[:LISTED])
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
        count = len(ended) + len(pinned)
        return self._table("Pinned by people", columns, rows, count)

    def missing(self) -> Section:
        missing = self.plan.missing
        rows = [(self._record(m.table, m.record_id),) for m in missing[:LISTED]]
        return self._table("Not in the CRM", (self._whose,), rows, len(missing))

    def changes(self, shown: int) -> Section:
        plan = self.plan
        own = (c for c in plan.changes if c.change.column != STAMP)
        rows = [
            (
                self._record(planned.change.table, planned.change.record_id),
                planned.change.column,
                _value(planned.change.before),
                _value(planned.change.after),
                self._because(planned.reasons),
            )
            for planned in islice(own, shown)
        ]
        columns = (self._whose, "field", "from", "to", "why")
        count = len(plan.changes) - plan.tally.stamps
        left_out = count - len(rows) if shown else 0
        return Section("Changes", (), columns, tuple(rows), left_out)

    def _table(
        self,
        title: str,
        columns: tuple[str, ...],
        rows: Sequence[tuple[Cell, ...]],
        count: int | None = None,
    ) -> Section:
        """A table of the first rows, of so many; None: of these."""
        left_out = (len(rows) if count is None else count) - len(rows[:LISTED])
        return Section(title, (), columns, tuple(rows[:LISTED]), left_out)

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
