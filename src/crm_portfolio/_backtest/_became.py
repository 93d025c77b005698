"""What became of those of whom something was said, by the end of the horizon?

Whatever is told here was known on the last day of the horizon; what came after it changes
nothing any more.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._risk import eroded
from crm_portfolio._methods._rules import LETTERS
from crm_portfolio.analysis._facts import placed, revenue_facts
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.settings import Settings

__all__ = ["Fate", "Sold", "hurt", "risen", "sold"]

_DAY: Final = timedelta(days=1)
_TIERS: Final = tuple(str(each) for each in LETTERS)


@attrs.frozen(eq=False)
class Fate:
    """Whether it happened, record by record.

    Attributes:
        is_known: Whether that can be told; ``happened`` is false where it cannot.
        worst: The gravest form of it: who left, of those who were hurt.
    """

    is_known: Flags
    happened: Flags
    worst: Flags


def risen(was: pa.Table, now: pa.Table) -> Fate:
    """Who is in a better tier; who is lost has not risen, who merged is unknown."""
    at = pc.index_in(was["account_id"], now["account_id"].combine_chunks())
    before = _tier(was["tier"])
    after = _tier(now["tier"].combine_chunks().take(at.combine_chunks()))
    is_lost = after == _LOST
    is_known = (before >= 0) & ((after >= 0) | is_lost)
    happened = is_known & ~is_lost & (after < before)
    return Fate(is_known, happened, happened)


_LOST: Final = -2


def _tier(column: pa.ChunkedArray | pa.Array) -> Floats:
    """The place of a tier, 0 for the best; below 0 for what is none."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    at = pc.fill_null(pc.index_in(column, pa.array(_TIERS)), -1).to_numpy()
    is_lost = pc.fill_null(pc.equal(column, "lost"), fill_value=False)
    return np.where(is_lost.to_numpy(zero_copy_only=False), _LOST, at)


def hurt(
    ids: pa.Array,
    then: Portfolio,
    day: date,
    settings: Settings,
    *,
    months: int,
    lost_share: float,
) -> Fate:
    """Who brings so much less than in as many months before, or lost its last contract.

    Who had no revenue and no contract had nothing to lose, and is not known; nor is whose
    amounts lack. Who is billed nothing while a contract runs may have paid for it before.
    """
    # Its months are those of the day, so that both spans have as many.
    end = then.as_of + _DAY
    span = Period("horizon", months=months, start=day + _DAY, end=end)
    facts = revenue_facts(then, span, settings.risk.measure, needed_by="backtest")
    of = facts.by_account
    at = pc.index_in(ids, of.ids)
    now, before = placed_at(of.revenue, at), placed_at(of.revenue_previous, at)
    unknown = of.lines - of.known_lines + of.lines_previous - of.known_lines_previous
    lacks = placed_at(unknown, at)
    has_had, has_lost = _contracts(then, day, ids)
    is_paid_before = has_had & ~has_lost & (placed_at(of.lines, at) == 0)
    is_told = (lacks == 0) & (before > 0) & ~is_paid_before
    less = eroded(now, before, (lost_share,), is_told) > 0
    left = (is_told & (now <= 0)) | has_lost
    return Fate(is_told | has_had, (less & is_told) | has_lost, left)


def placed_at(values: Amounts, at: pa.Array) -> Amounts:
    """The values at these places, 0 where there is none."""
    found: Amounts = placed(pa.chunked_array([pa.array(values)]), at)
    return found


def _contracts(then: Portfolio, day: date, ids: pa.Array) -> tuple[Flags, Flags]:
    """Who had a contract that ran that day, and who of them has none any more."""
    nobody = np.zeros(len(ids), dtype=bool)
    if "contract" not in then:
        return nobody, nobody
    table = then.arrow("contract")
    ran, runs = (_whose(table, each, ids) for each in (day, then.as_of))
    return ran, ran & ~runs


def _whose(table: pa.Table, day: date, ids: pa.Array) -> Flags:
    begun = pc.less_equal(table["starts_on"], pa.scalar(day))
    ends = table["ends_on"] if "ends_on" in table.column_names else None
    if ends is None:
        runs = begun
    else:
        over = pc.fill_null(pc.less(ends, pa.scalar(day)), fill_value=False)
        if "auto_renews" in table.column_names:
            goes_on = pc.fill_null(table["auto_renews"], fill_value=False)
            over = pc.and_(over, pc.invert(goes_on))
        runs = pc.and_(begun, pc.invert(over))
    whose = pc.unique(table["account_id"].filter(runs))
    flags: Flags = pc.is_in(ids, value_set=whose).to_numpy(zero_copy_only=False)
    return flags.astype(bool)


@attrs.frozen(eq=False)
class Sold:
    """What became of losses: opened again, and won.

    Attributes:
        amount: Of those won, as was known in the end; NaN where nobody knows it.
    """

    is_known: Flags
    reopened: Flags
    won: Flags
    amount: Floats


def sold(ids: pa.Array, then: Portfolio, day: date) -> Sold:
    """Which losses of that day were opened again since, and which were won."""
    table = then.arrow("opportunity")
    at = pc.index_in(ids, table["opportunity_id"].combine_chunks())
    status = table["status"].combine_chunks().take(at)
    closed = _later(table, at, day)
    is_known = pc.is_valid(status).to_numpy(zero_copy_only=False).astype(bool)
    won = _equal(status, "won")
    reopened = won | _equal(status, "open") | (_equal(status, "lost") & closed)
    amount = np.full(len(ids), np.nan)
    if "amount" in table.column_names:
        values = table["amount"].combine_chunks().take(at).cast(pa.float64())
        amount = pc.fill_null(values, np.nan).to_numpy(zero_copy_only=False)
    return Sold(is_known, reopened & is_known, won & is_known, amount)


def _later(table: pa.Table, at: pa.Array, day: date) -> Flags:
    if "closed_on" not in table.column_names:
        return np.zeros(len(at), dtype=bool)
    closed = table["closed_on"].combine_chunks().take(at)
    found = pc.fill_null(pc.greater(closed, pa.scalar(day)), fill_value=False)
    flags: Flags = found.to_numpy(zero_copy_only=False).astype(bool)
    return flags


def _equal(column: pa.Array, value: str) -> Flags:
    found = pc.fill_null(pc.equal(column, value), fill_value=False)
    flags: Flags = found.to_numpy(zero_copy_only=False).astype(bool)
    return flags
