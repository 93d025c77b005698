"""How does each account stand in both periods, and what are the bars?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._bridge import BARS, MOVEMENTS
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import told_at
from crm_portfolio.analysis._facts import Span
from crm_portfolio.analysis._half_year._given import Given
from crm_portfolio.analysis._half_year._moves import Moves

__all__ = ["account_counts", "account_table", "bars_table", "rejected_table"]

_PLURALS: Final = {
    "discount": "discounts",
    "credit_note": "credit_notes",
    "refund": "refunds",
    "goodwill": "goodwill",
    "rebate": "rebates",
}


def account_table(
    moves: Moves, given: Given | None, left_on: pa.Array, *, has_before: bool
) -> pa.Table:
    """The largest change first, then by id."""
    facts, bridge = moves.facts, moves.bridge
    unknown = (moves.lines > 0) & (moves.known_lines == 0)
    unknown_before = (moves.lines_before > 0) & (moves.known_lines_before == 0)
    unknown_before |= not has_before
    is_open = unknown | unknown_before | bridge.is_("unknown")

    def money(minor: Amounts, mask: Flags) -> pa.Array:
        return pa.array(facts.money(minor), mask=mask)

    names = pa.array(MOVEMENTS, pa.string()).take(pa.array(bridge.movement))
    columns = {"account_id": facts.by_account.ids}
    columns |= facts.names(facts.by_account.ids)
    columns |= {
        "movement": names if has_before else pa.nulls(len(names), pa.string()),
        "revenue_before": money(bridge.before, unknown_before),
        "revenue": money(bridge.now, unknown),
        "change": money(bridge.now - bridge.before, is_open),
        "activity_change": money(bridge.constant - bridge.before, is_open),
        "fx_change": money(bridge.now - bridge.constant, is_open),
        **_conceded(given, moves),
        "line_count": pa.array(moves.lines),
        "known_line_count": pa.array(moves.known_lines),
        "line_count_before": pa.array(moves.lines_before),
        "known_line_count_before": pa.array(moves.known_lines_before),
        "left_on": left_on,
        "ultimate_parent_id": moves.roots,
    }
    change = np.abs(bridge.now - bridge.before)
    size = np.maximum(np.abs(bridge.now), np.abs(bridge.before))
    order = np.lexsort((-size, -change))
    return told_at(pa.table(columns), order)


def _conceded(given: Given | None, moves: Moves) -> dict[str, pa.Array]:
    count = len(moves.facts.by_account.ids)
    names = ["gross", *_PLURALS.values(), "net", "concession_share"]
    names.append("concession_share_before")
    if given is None:
        return {name: pa.nulls(count, pa.float64()) for name in names}
    kinds = given.of_accounts()
    columns = [given.gross[0], *kinds, given.gross[0] + kinds.sum(axis=0)]
    found = {
        name: pa.array(moves.facts.money(each))
        for name, each in zip(names, columns, strict=False)
    }
    for name, before in zip(names[-2:], (False, True), strict=True):
        found[name] = _rate(given, before=before)
    return found


def _rate(given: Given, *, before: bool) -> pa.Array:
    """What was conceded of the gross; null where that is nothing, or less."""
    gross = given.gross[before]
    part = -given.of_accounts(before=before).sum(axis=0)
    share = part / np.where(gross > 0, gross, 1)
    return pa.array(twelve_digits(share), mask=gross <= 0)


def bars_table(
    bars: Mapping[str, int | None] | None,
    moves: Moves,
    *,
    counts: Mapping[str, int | None],
    unknown_lines: int,
) -> pa.Table:
    """From the one revenue to the other; the last row is what nobody knows."""
    names: list[str] = []
    amounts: list[float | None] = []
    if bars is not None:
        amount = moves.facts.amount
        bridge = moves.bridge
        names = ["revenue_before", *bars, "revenue"]
        amounts = [
            amount(int(bridge.before.sum())),
            *(None if each is None else amount(each) for each in bars.values()),
            amount(int(bridge.now.sum())),
        ]
    return pa.table(
        {
            "bar": pa.array([*names, "unknown_lines"], pa.string()),
            "amount": pa.array([*amounts, None], pa.float64()),
            "count": pa.array(
                [*(counts.get(name) for name in names), unknown_lines], pa.int64()
            ),
        }
    )


def rejected_table(moves: Moves, span: Span) -> pa.Table:
    """Those of this period, and what either period lost for want of a rate."""
    found, days = moves.facts.rejected, moves.left_out["day"]
    edges = span.before.start, span.before.end
    start, end = (pa.scalar(day, pa.date32()) for day in edges)
    is_in = pc.and_(pc.greater_equal(days, start), pc.less(days, end))
    more = moves.left_out.filter(pc.fill_null(is_in, fill_value=False))
    more = more.filter(pc.invert(pc.is_in(more["record_id"], found["record_id"])))
    # Of a column without a value, pandas does not say what would stand in it.
    both = [found, more.select(found.column_names)]
    rows = pa.concat_tables(both, promote_options="permissive").sort_by("record_id")
    return attrs.evolve(moves.facts, rejected=rows).rejected_table()


def account_counts(moves: Moves) -> dict[str, int | None]:
    """How many accounts, or groups, each bar of the bridge sums, and each end."""
    bridge = moves.bridge
    counts: dict[str, int | None] = {
        bar: bridge.count(bridge.is_(movement)) for bar, movement in BARS.items()
    }
    return counts | {
        "revenue_before": bridge.count(moves.lines_before > 0),
        "revenue": bridge.count(moves.lines > 0),
        "fx": bridge.count(bridge.now != bridge.constant),
    }
