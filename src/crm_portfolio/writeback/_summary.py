"""How is a plan told on one screen of a terminal?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from crm_portfolio._inert import inert
from crm_portfolio._managed import FIELDS, STAMP
from crm_portfolio._wording import sentence
from crm_portfolio.protocols import Value, WritableTable
from crm_portfolio.writeback._planned import Edited, Ended, Pinned
from crm_portfolio.writeback._sections import RECORDS, calls, treated

if TYPE_CHECKING:
    from crm_portfolio.writeback._plan import Plan

__all__ = ["text"]

_LARGEST: Final = 5
_SHOWN: Final = 6
_REFUSALS: Final = 2
_Lines = list[str]


def text(plan: Plan) -> str:
    """The plan for a terminal, in fewer than 24 lines: ids, never names."""
    lines = [
        _head(plan),
        _extent(plan),
        *(f"  {line}" for line in _by_field(plan)),
        *_movers(plan),
        *_people(plan),
        *_near(plan),
        *_refused(plan),
        _calls(plan),
    ]
    return "\n".join(lines)


def _head(plan: Plan) -> str:
    header = plan.header
    back = f", takes back run {header.undoes}," if header.undoes else ""
    return (
        f"Plan {plan.id}{back} for {header.org}, made {header.made_at:%Y-%m-%d %H:%M} UTC, "
        f"as of {header.as_of}"
    )


def _extent(plan: Plan) -> str:
    header = plan.header
    compared: dict[WritableTable, int] = {"account": header.population, **header.others}
    told = {table: n for table, n in compared.items() if n or not header.others}
    if not plan.changes:
        counts = [f"{n:,} {RECORDS[table]}" for table, n in told.items()]
        return f"Nothing to change on {' and '.join(counts) or '0 accounts'}."
    stamps = plan.tally.stamps
    parts = [
        f"{plan.tally.records[table]:,} of {n:,} {RECORDS[table]}"
        for table, n in told.items()
    ]
    return (
        f"{len(plan.changes):,} changes on {' and '.join(parts)}; {stamps:,} of the "
        "changes are stamps."
    )


def _by_field(plan: Plan) -> _Lines:
    """A line for each field with choices, one for all others together."""
    lines, others = [], []
    touched, emptied = plan.tally.touched - {STAMP}, plan.tally.emptied
    for column in (column for column in FIELDS if column in touched):
        is_told = bool(FIELDS[column].choices)  # the moves say how many are emptied
        counted = (
            (plan.counts.get(column, 0), "changed"),
            (0 if is_told else emptied[column], "of them emptied"),
            (plan.first_fills.get(column, 0), "filled for the first time"),
        )
        parts = [f"{count:,} {what}" for count, what in counted if count]
        said = f"{column}: {', '.join(parts)}"
        if is_told:
            lines.append(said + _moves(plan, column))
        else:
            others.append(said)
    return [*lines, *(["; ".join(others)] if others else [])]


def _moves(plan: Plan, column: str) -> str:
    ranked = plan.tally.moves_of(column)
    told = [f"{_move(*move)} {count:,}" for move, count in ranked[:_SHOWN]]
    return f" ({', '.join(told)}{', …' if ranked[_SHOWN:] else ''})"


def _move(before: Value, after: Value) -> str:
    return f"{_value(before)}→{_value(after)}"


def _value(value: Value) -> str:
    return "empty" if value is None else inert(str(value))


def _movers(plan: Plan) -> _Lines:
    """The largest accounts whose tier moves, else those that get their first."""
    largest, have_moved = plan.tally.movers()
    if not largest.count:
        return []
    words = (
        "Largest accounts that move:" if have_moved else "Largest accounts, first tier:"
    )
    lines = []
    for record, planned in largest.first[:_LARGEST]:
        # The first reason is the rule; the others are in the file of the plan.
        because = [inert(sentence(reason, "en")) for reason in planned.reasons[:1]]
        move = _move(planned.change.before, planned.change.after)
        lines.append(". ".join([f"  {inert(record.record_id)} {move}", *because]))
    return ["", words, *lines]


def _people(plan: Plan) -> _Lines:
    # What stands there instead may be a later run's, too.
    edited = "Changed since, kept" if plan.header.undoes else "Edited by people"
    few = treated(plan, _LARGEST)
    missing = plan.missing[:_LARGEST]
    told = (
        ("Pinned by people", plan.pinned, [*map(_pinned, plan.pinned[:_LARGEST])]),
        ("Tier pins ended", plan.ended, [*map(_ended, plan.ended[:_LARGEST])]),
        (edited, plan.edited, [_edited(plan, *each) for each in few]),
        (
            "Not in the CRM",
            plan.missing,
            [_told(m.table, m.record_id) for m in missing],
        ),
    )
    return [
        f"{words}: {len(all_of_them):,} ({_few(first, len(all_of_them))})"
        for words, all_of_them, first in told
        if all_of_them
    ]


def _told(table: WritableTable, record_id: str) -> str:
    return inert(record_id) if table == "account" else f"{table} {inert(record_id)}"


def _few(told: Sequence[str], count: int) -> str:
    return ", ".join(told[:_LARGEST]) + (", …" if count > _LARGEST else "")


def _pinned(pinned: Pinned) -> str:
    until = f" until {pinned.until_on}" if pinned.until_on else ""
    by = f" by {inert(pinned.by)}" if pinned.by else ""
    return f"{inert(pinned.record_id)} {inert(pinned.tier)}{until}{by}"


def _ended(ended: Ended) -> str:
    return f"{inert(ended.record_id)} {inert(ended.tier)} on {ended.until_on}"


def _edited(
    plan: Plan, edited: Edited, kept: Sequence[str], overwritten: Sequence[str]
) -> str:
    told = [_told(edited.table, edited.record_id), *kept]
    if kept and not plan.header.undoes:
        told.append("kept")
    if overwritten:
        told += [*overwritten, "overwritten"]
    return " ".join(told)


def _near(plan: Plan) -> _Lines:
    near = list(dict.fromkeys(inert(each.record_id) for each in plan.borders))
    return [f"Near a border: {len(near):,} ({_few(near, len(near))})"] if near else []


def _refused(plan: Plan) -> _Lines:
    refusals = plan.refusals
    if not refusals:
        return []
    lines = [f"Refused: {refusal}" for refusal in refusals[:_REFUSALS]]
    more = len(refusals) - _REFUSALS
    lines[-1] += f" And {more} more." if more > 0 else ""
    lines[-1] += f" To accept all of it: accept_changes={len(plan.changes)}."
    return lines


def _calls(plan: Plan) -> str:
    return f"API calls to apply it: {calls(plan)}."
