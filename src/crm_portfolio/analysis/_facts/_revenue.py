"""What did each account bring in a period, and in the one before?"""

from __future__ import annotations

from datetime import date
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import nw, to_arrow
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Revenue
from crm_portfolio._places import in_one, places_of
from crm_portfolio._wording import Reason
from crm_portfolio.analysis._facts._asked import days_asked
from crm_portfolio.analysis._facts._days import account_days
from crm_portfolio.analysis._facts._lines import (
    TABLE_OF,
    Measure,
    collected,
    found_at,
    placed,
    revenue_lines,
)
from crm_portfolio.analysis._facts._once import once_per_portfolio
from crm_portfolio.analysis._facts._rateless import counted, rateless
from crm_portfolio.errors import MissingTableError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Row

__all__ = [
    "RevenueFacts",
    "parent_loops",
    "partly_unknown",
    "previous",
    "revenue_facts",
]

_YOUNG_MONTHS = 3


@attrs.frozen(eq=False)
class RevenueFacts:
    """Revenue by account, and what it takes to read it.

    Attributes:
        has_previous: Whether the book reaches back before the period.
        account: The account table, sorted by id as the revenue is.
        heads: The places of the ultimate parents, and of each account's own among them.
        rejected: Lines that count for no account or no period, or lack their amount.
        left_out: How many lines never came into the portfolio, and why.
    """

    measure: Measure
    period: Period
    by_account: Revenue
    has_previous: bool
    account: pa.Table
    heads: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
    rejected: pa.Table
    left_out: tuple[Reason, ...]
    digits: int
    currency: str

    @property
    def is_young(self) -> npt.NDArray[np.bool_]:
        """First revenue less than three months before the end of the period."""
        edge = np.datetime64(self.period.months_before_end(_YOUNG_MONTHS), "D")
        young: npt.NDArray[np.bool_] = self.by_account.first_on > edge
        return young

    @property
    def coverage(self) -> float | None:
        """Share of the period's lines whose amount and day are known."""
        lines = int(self.by_account.lines.sum())
        return int(self.by_account.known_lines.sum()) / lines if lines else None

    @property
    def total(self) -> int | None:
        """Minor units of all accounts; None where there are lines but no amount."""
        found = self.by_account
        is_unknown = found.lines.sum() > 0 and found.known_lines.sum() == 0
        return None if is_unknown else int(found.revenue.sum())

    def money(self, minor: Amounts) -> Floats:
        """Minor units as units of the currency."""
        floats: Floats = minor / 10**self.digits
        return floats

    def amount(self, minor: int) -> float:
        return minor / float(10**self.digits)

    def groups(self) -> tuple[Revenue, npt.NDArray[np.int64]]:
        """Revenue by ultimate parent, and the place of each account's own in it."""
        roots, group_of = self.heads
        ids = self.by_account.ids.take(pa.array(roots))
        return self.by_account.grouped(ids, group_of), group_of

    def names(self, ids: pa.Array) -> dict[str, pa.Array]:
        """The column of names of these accounts, where the portfolio has one."""
        if "name" not in self.account.column_names:
            return {}
        names = in_one(self.account["name"])
        if ids is self.by_account.ids:
            return {"name": names}
        return {"name": names.take(places_of(ids, self.by_account.ids))}

    def warnings(self) -> list[Reason]:
        """What the lines themselves call for."""
        found = [
            *self.left_out,
            self._amounts_unknown(),
            self._amounts_unknown_before(),
            self._without_account(),
        ]
        return [warning for warning in found if warning]

    def _amounts_unknown(self) -> Reason | None:
        without = self.by_account.lines - self.by_account.known_lines
        values = {"lines": int(without.sum()), "accounts": int((without > 0).sum())}
        return Reason("amounts_unknown", values) if values["lines"] else None

    def _amounts_unknown_before(self) -> Reason | None:
        """Without it a client whose old amounts lack would look like one that grew."""
        of = self.by_account
        without = of.lines_previous - of.known_lines_previous
        values = {"lines": int(without.sum()), "accounts": int((without > 0).sum())}
        return Reason("amounts_unknown_before", values) if values["lines"] else None

    def _without_account(self) -> Reason | None:
        is_homeless = pc.equal(self.rejected["fault"], "without_account")
        homeless = self.rejected.filter(is_homeless)
        if not homeless.num_rows:
            return None
        revenue = self.amount(pc.sum(homeless["minor"]).as_py() or 0)
        values = {"lines": homeless.num_rows, "revenue": revenue}
        return Reason("revenue_without_account", values | {"currency": self.currency})

    def rejected_table(self) -> pa.Table:
        """The rejected lines as a result shows them."""
        minor = self.rejected["minor"].cast(pa.float64())
        amount = pc.divide(minor, float(10**self.digits))
        at = self.rejected.column_names.index("minor")
        return self.rejected.set_column(at, "amount", amount)


def revenue_facts(
    portfolio: Portfolio, period: Period, measure: Measure | None, *, needed_by: str
) -> RevenueFacts:
    """Revenue, lines, months and first day of every account.

    Without a measure it is revenue lines if the portfolio has them, else opportunities
    won; where there are neither, both are named as what the analysis needs. A period that
    is not over is refused, but for a review, which tells how much of it is to come.
    """
    if measure is None and not {*TABLE_OF.values()}.intersection(portfolio.tables):
        raise MissingTableError("opportunity", needed_by, "revenue_line")
    measure = measure or ("net_revenue" if "revenue_line" in portfolio else "booked")
    if TABLE_OF[measure] not in portfolio:
        raise MissingTableError(TABLE_OF[measure], needed_by)
    span = days_asked(period, portfolio.as_of, needed_by=needed_by)
    return _found(portfolio, span, measure)


@once_per_portfolio
def _found(portfolio: Portfolio, span: Period, measure: Measure) -> RevenueFacts:
    before = previous(span)
    days = account_days(portfolio, measure)
    found, months = _by_account(days, span, before), _months(days, span)
    account = portfolio.arrow("account").combine_chunks()
    at = found_at(found["account_id"], account["account_id"])
    sums = {name: placed(found[name], at) for name in _SUMS}
    there = found_at(months["account_id"], account["account_id"])
    sums["months"] = placed(months["months"], there)
    left = rateless(portfolio, measure)
    sums["lines"] = sums["lines"] + counted(left, account["account_id"], span)
    if before:
        more = counted(
            left.filter(pc.is_valid(left["day"])), account["account_id"], before
        )
        sums["lines_previous"] = sums["lines_previous"] + more
    lines = revenue_lines(portfolio, measure, "")
    if not _lacks_something(portfolio, measure):
        lines = lines.head(0)
    assert span.start is not None
    book_begins: date = pc.min(found["first_on"]).as_py() or span.start
    return RevenueFacts(
        measure=measure,
        period=span,
        by_account=Revenue(
            ids=in_one(account["account_id"]),
            first_on=placed(found["first_on"], at).astype("datetime64[D]"),
            **sums,
        ),
        has_previous=before is not None and book_begins < span.start,
        account=account,
        heads=_heads(portfolio),
        rejected=_with_rateless(_rejected(lines, span), left, span),
        left_out=_left_out(portfolio, measure),
        digits=portfolio.minor_digits,
        currency=portfolio.currency,
    )


@once_per_portfolio
def _heads(
    portfolio: Portfolio,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    account = portfolio.arrow("account")
    own = in_one(account["account_id"])
    place = np.arange(len(own))
    if "ultimate_parent_id" in account.column_names:
        root = in_one(account["ultimate_parent_id"])
        is_other = pc.fill_null(pc.not_equal(root, own), fill_value=False)
        others = is_other.to_numpy(zero_copy_only=False)
        place[others] = places_of(root.filter(is_other), own).to_numpy()
    is_head = np.zeros(len(own), dtype=bool)
    is_head[place] = True
    return np.flatnonzero(is_head), (np.cumsum(is_head) - 1)[place]


def partly_unknown(row: Row) -> list[Reason]:
    """Why the revenue shown for an account may not be all of it."""
    unknown = row["line_count"] - row["known_line_count"]
    if not unknown or not row["known_line_count"]:
        return []
    values = {"unknown": unknown, "lines": row["line_count"]}
    return [Reason("revenue_partly_unknown", values)]


def parent_loops(portfolio: Portfolio) -> int:
    """How many loops of parents were broken to find the groups."""
    faults = to_arrow(portfolio.faults)["fault"]
    return pc.sum(pc.equal(faults, "parent_loop")).as_py() or 0


def previous(span: Period) -> Period | None:
    """The period of the same length just before; None where no days are left for it."""
    assert span.start is not None
    assert span.end is not None
    if span.months:
        return Period.between(span.months_before_end(2 * span.months), span.start)
    length = span.end - span.start
    if length > span.start - date.min:
        return None
    return Period.between(span.start - length, span.start)


_SUMS = (
    "revenue",
    "lines",
    "known_lines",
    "revenue_previous",
    "lines_previous",
    "known_lines_previous",
)


def _by_account(days: Any, span: Period, before: Period | None) -> pa.Table:
    """Sums, months and first day of each account, of revenue `by_day`."""
    day = nw.col("day")
    # A line without a day may belong to the period: one more whose amount is unknown.
    is_dated = ~day.is_null()
    minor = nw.when(is_dated).then(nw.col("minor")).otherwise(0)
    lines = nw.col("lines").cast(nw.Int64)
    is_now = (~is_dated | (day >= span.start)).cast(nw.Int64)
    is_before = (
        (is_dated & (day >= before.start) & (day < before.end)).cast(nw.Int64)
        if before
        else nw.lit(0, dtype=nw.Int64)
    )
    known = nw.when(is_dated).then(nw.col("known_lines").cast(nw.Int64)).otherwise(0)
    by_account = (
        days.filter(~is_dated | (day < span.end))
        .select(
            "account_id",
            "day",
            revenue=minor * is_now,
            lines=lines * is_now,
            known_lines=known * is_now,
            revenue_previous=minor * is_before,
            lines_previous=lines * is_before,
            known_lines_previous=known * is_before,
        )
        .group_by("account_id")
        .agg(*(nw.col(name).sum() for name in _SUMS), first_on=day.min())
    )
    return collected(by_account)


def _months(days: Any, span: Period) -> pa.Table:
    """By account: in how many months of the period it has a line.

    To count them apart from the sums takes an engine half of what both at once do.
    """
    day = nw.col("day")
    month = day.dt.year().cast(nw.Int64) * 12 + day.dt.month().cast(nw.Int64)
    there = (
        days.filter((day >= span.start) & (day < span.end))
        .select("account_id", month=month)
        .unique()
    )
    return collected(there.group_by("account_id").agg(months=nw.len()))


def _left_out(portfolio: Portfolio, measure: Measure) -> tuple[Reason, ...]:
    """What came in and could not be kept: revenue that no figure below shows."""
    table = TABLE_OF[measure]
    faults = to_arrow(portfolio.faults).select(["table", "value", "fault"])
    mine = faults.filter(pc.equal(faults["table"], table))
    rateless = mine.filter(pc.equal(mine["fault"], "no_rate"))["value"]
    homeless = mine.filter(pc.equal(mine["fault"], "dangling_required_account_id"))
    found = []
    if len(rateless):
        named = ", ".join(sorted(set(rateless.to_pylist())))
        found.append(
            Reason(
                "left_out_without_rate", {"lines": len(rateless), "currencies": named}
            )
        )
    if len(homeless):
        found.append(Reason("left_out_of_unknown_accounts", {"lines": len(homeless)}))
    return tuple(found)


@once_per_portfolio
def _lacks_something(portfolio: Portfolio, measure: Measure) -> bool:
    """Whether any line of any period says no account, day or amount."""
    names = ("account_id", "day", "minor")
    lines = revenue_lines(portfolio, measure, "")
    every = nw.lit(1, dtype=nw.Int64)
    counts = lines.select(*names, every=every).select(
        *(nw.col(name).count() for name in names), every=nw.col("every").count()
    )
    (found,) = collected(counts).to_pylist()
    return any(found[name] < found["every"] for name in names)


def _rejected(lines: Any, span: Period) -> pa.Table:
    """Lines that count for no account, for no period, or with no amount."""
    day, account_id, minor = (nw.col(name) for name in ("day", "account_id", "minor"))
    is_now = (day >= span.start) & (day < span.end)
    lacks_something = day.is_null() | (
        is_now & (account_id.is_null() | minor.is_null())
    )
    found = collected(lines.filter(lacks_something)).sort_by("record_id")
    fault = pc.case_when(
        pc.make_struct(pc.is_null(found["day"]), pc.is_null(found["account_id"])),
        "without_date",
        "without_account",
        "without_amount",
    )
    return found.append_column("fault", fault)


def _with_rateless(found: pa.Table, left: pa.Table, span: Period) -> pa.Table:
    """And what was left out for want of a rate, of this period or of no known day."""
    edges = (pa.scalar(each, pa.date32()) for each in (span.start, span.end))
    start, end = edges
    is_now = pc.and_(pc.greater_equal(left["day"], start), pc.less(left["day"], end))
    mine = left.filter(pc.fill_null(is_now, fill_value=True))
    if not mine.num_rows:
        return found
    return pa.concat_tables([found, mine.cast(found.schema)]).sort_by("record_id")
