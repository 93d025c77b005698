"""What goes with each account besides its revenue, and what may come in its place?"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._frames import NativeFrame, nw
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import rows_of
from crm_portfolio.analysis._facts._lines import (
    collected,
    completed,
    found_at,
    placed,
    seconds_given,
)
from crm_portfolio.analysis._facts._once import once_per_portfolio
from crm_portfolio.analysis._facts._revenue import RevenueFacts
from crm_portfolio.analysis._facts._sold import sold
from crm_portfolio.portfolio import Period, Portfolio

__all__ = [
    "Attached",
    "Sales",
    "Worked",
    "attached",
    "costs_of_lines",
    "line_costs",
    "midnight",
    "sales",
    "worked",
]

UNDATED: Final = -1
"""The month of a sale that nobody expects on any day."""
OVERDUE: Final = -2
"""The month of a sale that was expected before the as-of day, and is still open."""
UNRATED: Final = -1.0
"""The odds of a sale whose own record says none."""

SECONDS_AN_HOUR: Final = 3600

_TEXT, _DAY, _NUMBER, _FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()


@attrs.frozen(eq=False)
class Attached:
    """What ends with each account, in the order of the facts; None without the table.

    Attributes:
        line_cost: Of delivering its lines of the period, in minor units.
        is_costed: Whether every line that sells something says its cost; a concession
            need not.
        avoidable: What ``cost`` books on it as ending with it, exceptional items apart.
        receivable: What it has yet to pay, tax included; booked on who pays.
        seconds: Worked for it in the period; ``has_effort`` tells none from unknown, and
            ``negative_effort_count`` how many are unknown for having less than none.
    """

    line_cost: Amounts
    is_costed: Flags
    avoidable: Amounts
    receivable: Amounts | None
    seconds: Groups | None
    has_effort: Flags
    negative_effort_count: int


@attrs.frozen(eq=False)
class Worked:
    """Time given to each account in the period, in the order of the facts.

    Attributes:
        source: The table that says it: time sheets, else the length of calls and meetings;
            None where neither does.
        is_known: Not so where nobody noted any time: that is not zero. Nor where what was
            noted is less than none, which it is of ``negative_count`` accounts.
    """

    source: Literal["effort", "activity"] | None
    seconds: Groups
    is_known: Flags
    negative_count: int = 0

    def hours(self) -> npt.NDArray[np.float64]:
        """Of each account; NaN where it is unknown."""
        found: npt.NDArray[np.float64] = np.where(
            self.is_known, self.seconds / SECONDS_AN_HOUR, np.nan
        )
        return found


@attrs.frozen(eq=False)
class Sales:
    """What the opportunities say.

    Attributes:
        openings: Open sales, equal ones together, in any order.
        first_entered_on: By account: when its first sale that was won came in, else NaT.
    """

    openings: pa.Table
    first_entered_on: npt.NDArray[np.datetime64]


@once_per_portfolio
def attached(portfolio: Portfolio, facts: RevenueFacts) -> Attached:
    """Costs, receivables and hours by account; four scans at the most."""
    ids, digits, span = facts.by_account.ids, facts.digits, facts.period
    zeros = np.zeros(len(ids), dtype=np.int64)
    found: dict[str, Any] = {"line_cost": zeros, "sold": zeros, "costed": zeros}
    if facts.measure == "net_revenue":
        found = _by_account(ids, costs_of_lines(portfolio, span), found)
    avoidable = receivable = None
    if "cost" in portfolio:
        scan = avoidable_costs(portfolio["cost"], span, digits)
        avoidable = _by_account(ids, scan, ("minor",))["minor"]
    if "invoice" in portfolio:
        scan = open_invoices(portfolio["invoice"], digits)
        receivable = _by_account(ids, scan, ("minor",))["minor"]
    time_given = worked(portfolio, facts)
    return Attached(
        line_cost=found["line_cost"],
        is_costed=(found["sold"] > 0) & (found["costed"] == found["sold"]),
        avoidable=zeros if avoidable is None else avoidable,
        receivable=receivable,
        seconds=time_given.seconds if time_given.source else None,
        has_effort=time_given.is_known,
        negative_effort_count=time_given.negative_count,
    )


@once_per_portfolio
def worked(portfolio: Portfolio, facts: RevenueFacts) -> Worked:
    """Time given to each account: the only place that says where hours come from."""
    ids, span = facts.by_account.ids, facts.period
    source: Literal["effort", "activity"] | None = None
    zeros = np.zeros(len(ids), dtype=np.int64)
    found = {"seconds": zeros, "rows": zeros}
    if "effort" in portfolio:
        source, scan = "effort", seconds_worked(portfolio["effort"], span)
        found = _by_account(ids, scan, found)
    elif "activity" in portfolio:
        zone = portfolio.calendar.time_zone
        scan = seconds_met(portfolio["activity"], span, zone)
        found = _by_account(ids, scan, found)
        source = "activity" if found["rows"].any() else None
    is_negative = found["seconds"] < 0
    return Worked(
        source,
        np.maximum(found["seconds"], 0),
        (found["rows"] > 0) & ~is_negative,
        negative_count=int(is_negative.sum()),
    )


def sales(portfolio: Portfolio, facts: RevenueFacts) -> Sales | None:
    """Open sales, and when the first won ones came in; None without opportunities."""
    if "opportunity" not in portfolio:
        return None
    frame = portfolio["opportunity"]
    won = first_won(frame)
    at = rows_of(facts.by_account.ids, won["account_id"])
    entered = placed(won["entered_at"].cast(pa.date32()), at)
    return Sales(
        open_sales(frame, portfolio.as_of, facts.digits),
        entered.astype("datetime64[D]"),
    )


@once_per_portfolio
def costs_of_lines(portfolio: Portfolio, span: Period) -> pa.Table:
    """`line_costs` of the portfolio; accounts are told by their places."""
    return line_costs(sold(portfolio, "net_revenue").lines, span)


def line_costs(lines: Any, span: Period) -> pa.Table:
    """Cost of the period's lines; how many sell something, and how many say their cost.

    Args:
        lines: Of what was `sold`.
    """
    is_sold, cost = nw.col("minor") > 0, nw.col("cost_minor")
    return _summed(
        lines.filter(_in(span, "day") & ~nw.col("minor").is_null()),
        line_cost=cost.fill_null(0),
        sold=is_sold.cast(nw.Int64),
        costed=(is_sold & ~cost.is_null()).cast(nw.Int64),
    )


def avoidable_costs(frame: NativeFrame, span: Period, digits: int) -> pa.Table:
    """What the books say ends with the account."""
    kinds = {"account_id": _TEXT, "is_avoidable": _FLAG, "kind": _TEXT}
    return _summed(
        nw.from_native(completed(frame, kinds)).filter(
            _in(span, "booked_on")
            & nw.col("is_avoidable").fill_null(value=False)
            & (nw.col("kind").fill_null("") != "exceptional")
        ),
        minor=_minor(nw.col("amount"), digits).fill_null(0),
    )


def open_invoices(frame: NativeFrame, digits: int) -> pa.Table:
    """What is still to be paid, on who pays it."""
    kinds = {"account_id": _TEXT, "payer_id": _TEXT, "paid_on": _DAY}
    kinds |= {"amount": _NUMBER, "open_amount": _NUMBER, "is_cancelled": _FLAG}
    still = nw.coalesce(nw.col("open_amount"), nw.col("amount"))
    return _summed(
        nw.from_native(completed(frame, kinds))
        .filter(
            nw.col("paid_on").is_null() & ~nw.col("is_cancelled").fill_null(value=False)
        )
        .with_columns(account_id=nw.coalesce(nw.col("payer_id"), nw.col("account_id"))),
        minor=_minor(still, digits).fill_null(0),
    )


def seconds_worked(frame: NativeFrame, span: Period) -> pa.Table:
    """Time worked in the period: seconds, so that sums do not depend on their order."""
    return _summed(
        nw.from_native(frame).filter(_in(span, "worked_on")),
        seconds=seconds_given(),
        rows=nw.lit(1, dtype=nw.Int64),
    )


def seconds_met(frame: NativeFrame, span: Period, zone: str) -> pa.Table:
    """Time of the calls and meetings that were held, where they say how long they took."""
    return _summed(
        held(frame).filter(moment_in(span, "occurred_at", zone)),
        seconds=seconds_given(),
        rows=nw.lit(1, dtype=nw.Int64),
    )


def held(frame: NativeFrame) -> Any:
    """The activities that took place and say how long they were."""
    kinds = {"account_id": _TEXT, "minutes": _NUMBER, "status": _TEXT}
    return nw.from_native(completed(frame, kinds)).filter(
        (nw.col("status").fill_null("held") == "held") & ~nw.col("minutes").is_null()
    )


def open_sales(frame: NativeFrame, as_of: date, digits: int) -> pa.Table:
    """Open sales by account, stage, kind, odds, month expected and amount."""
    kinds = {"account_id": _TEXT, "pipeline": _TEXT, "stage": _TEXT, "kind": _TEXT}
    kinds |= {"amount": _NUMBER, "probability": _NUMBER, "expected_close_on": _DAY}
    day = nw.col("expected_close_on")
    month = day.dt.year().cast(nw.Int64) * 12 + day.dt.month().cast(nw.Int64) - 1
    by = ["account_id", "pipeline", "stage", "kind"]
    by += ["odds", "month", "minor", "is_priced"]
    found = collected(
        nw.from_native(completed(frame, kinds))
        .filter(nw.col("status") == "open")
        .select(
            *(nw.col(name).fill_null("") for name in by[:4]),
            odds=nw.col("probability").fill_null(UNRATED),
            month=nw.when(day.is_null())
            .then(UNDATED)
            .otherwise(nw.when(day < as_of).then(OVERDUE).otherwise(month)),
            minor=_minor(nw.col("amount"), digits).fill_null(0),
            is_priced=(~nw.col("amount").is_null()).cast(nw.Int64),
            count=nw.lit(1, dtype=nw.Int64),
        )
        .group_by(*by)
        .agg(nw.col("count").sum())
    )
    whole = ("month", "minor", "is_priced", "count")
    for name in whole:
        at = found.column_names.index(name)
        found = found.set_column(at, name, found[name].cast(pa.int64()))
    return found.select([*by, "count"])


def first_won(frame: NativeFrame) -> pa.Table:
    """By account: when the first of its sales that were won was entered."""
    kinds = {"account_id": _TEXT, "created_at": pa.timestamp("us", "UTC")}
    return collected(
        nw.from_native(completed(frame, kinds))
        .filter((nw.col("status") == "won") & ~nw.col("account_id").is_null())
        .select(nw.col("account_id"), entered_at=nw.col("created_at"))
        .group_by("account_id")
        .agg(nw.col("entered_at").min())
    )


def _in(span: Period, column: str) -> Any:
    return (nw.col(column) >= span.start) & (nw.col(column) < span.end)


def moment_in(span: Period, column: str, zone: str) -> Any:
    """Whether a moment lies in the span, whose days begin where the clocks stand."""
    assert span.start is not None
    assert span.end is not None
    is_before = nw.col(column) < midnight(span.end, zone)
    if span.start == date.min:
        return is_before
    return (nw.col(column) >= midnight(span.start, zone)) & is_before


def midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def _minor(amount: Any, digits: int) -> Any:
    return (amount * float(10**digits)).round(0).cast(nw.Int64)


def _summed(lines: Any, **sums: Any) -> pa.Table:
    """The sums of these columns by account."""
    return collected(
        lines.filter(~nw.col("account_id").is_null())
        .select(nw.col("account_id"), **sums)
        .group_by("account_id")
        .agg(nw.col(*sums).sum())
    )


def _by_account(ids: pa.Array, found: pa.Table, names: Any) -> dict[str, Any]:
    at = found_at(found["account_id"], ids)
    return {name: placed(found[name], at) for name in names}
