"""What do the long tables say about each account?

The only scans of them: group-by, join and conditional sums, in the engine that holds the
frame, lazily where it can. What comes back has one row per account and is sorted by id;
money is in integer minor units, so that every engine and row order gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, nw, same_kind, to_arrow
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Revenue
from crm_portfolio._wording import Reason
from crm_portfolio.errors import MissingTableError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, Row
from crm_portfolio.schema import TableName

__all__ = [
    "Measure",
    "RevenueFacts",
    "echo",
    "partly_unknown",
    "quarterly_revenue",
    "revenue_facts",
]

Measure = Literal["net_revenue", "booked"]
"""Invoiced revenue net of concessions, or the amount of opportunities won."""

_YOUNG_MONTHS = 3


@attrs.frozen(eq=False)
class RevenueFacts:
    """Revenue by account, and what it takes to read it.

    Attributes:
        has_previous: Whether the book reaches back before the period.
        account: The account table, sorted by id as the revenue is.
        rejected: Lines that count for no account or no period, or lack their amount.
    """

    measure: Measure
    period: Period
    by_account: Revenue
    has_previous: bool
    account: pa.Table
    rejected: pa.Table
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
        root = self.account["account_id"]
        if "ultimate_parent_id" in self.account.column_names:
            root = pc.coalesce(self.account["ultimate_parent_id"], root)
        unique = pc.unique(root)
        ids = unique.take(pc.sort_indices(unique))
        group_of = pc.index_in(root, ids).to_numpy().astype(np.int64)
        return self.by_account.grouped(ids, group_of), group_of

    def names(self, ids: pa.Array) -> dict[str, pa.Array]:
        """The column of names of these accounts, where the portfolio has one."""
        if "name" not in self.account.column_names:
            return {}
        at = pc.index_in(ids, self.by_account.ids)
        return {"name": self.account["name"].combine_chunks().take(at)}

    def warnings(self) -> list[Reason]:
        """What the lines themselves call for."""
        found = [self._amounts_unknown(), self._without_account()]
        return [warning for warning in found if warning]

    def _amounts_unknown(self) -> Reason | None:
        without = self.by_account.lines - self.by_account.known_lines
        values = {"lines": int(without.sum()), "accounts": int((without > 0).sum())}
        return Reason("amounts_unknown", values) if values["lines"] else None

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
    won; a missing table is reported as needed by the analysis named.
    """
    measure = measure or ("net_revenue" if "revenue_line" in portfolio else "booked")
    span = period.at(portfolio.as_of)
    before = _previous(span)
    lines = _lines(portfolio, measure, needed_by)
    found = _by_account(lines, span, before)
    account = to_arrow(portfolio["account"]).sort_by("account_id").combine_chunks()
    at = pc.index_in(account["account_id"], found["account_id"].combine_chunks())
    assert span.start is not None
    book_begins: date = pc.min(found["first_on"]).as_py() or span.start
    return RevenueFacts(
        measure=measure,
        period=span,
        by_account=Revenue(
            ids=account["account_id"].combine_chunks(),
            first_on=_placed(found["first_on"], at).astype("datetime64[D]"),
            **{name: _placed(found[name], at) for name in _SUMS},
        ),
        has_previous=before is not None and book_begins < span.start,
        account=account,
        rejected=_rejected(lines, span),
        digits=portfolio.minor_digits,
        currency=portfolio.currency,
    )


def partly_unknown(row: Row) -> list[Reason]:
    """Why the revenue shown for an account may not be all of it."""
    unknown = row["line_count"] - row["known_line_count"]
    if not unknown or not row["known_line_count"]:
        return []
    values = {"unknown": unknown, "lines": row["line_count"]}
    return [Reason("revenue_partly_unknown", values)]


def quarterly_revenue(
    portfolio: Portfolio,
    facts: RevenueFacts,
    group_of: Mapping[str, str],
    *,
    quarters: int,
) -> tuple[dict[str, list[int]], list[int]]:
    """Minor units of some groups, and of all accounts, by quarter; the oldest first.

    Quarters are three months each, counted back from the end of the period.
    """
    edges = [facts.period.months_before_end(3 * q) for q in range(quarters, -1, -1)]
    each = {group: [0] * quarters for group in group_of.values()}
    totals = [0] * quarters
    if not group_of:
        return each, totals
    day = nw.col("day")
    later = [(day >= edge).cast(nw.Int64) for edge in edges[1:-1]]
    lines = (
        _lines(portfolio, facts.measure, "")
        .filter((day >= edges[0]) & (day < edges[-1]) & ~nw.col("account_id").is_null())
        .with_columns(
            quarter=sum(later, nw.lit(0, dtype=nw.Int64)),
            minor=nw.col("minor").fill_null(0),
        )
    )
    of_all = lines.group_by("quarter").agg(nw.col("minor").sum())
    for row in _collected(of_all).to_pylist():
        totals[row["quarter"]] = row["minor"]
    of_some = lines.filter(nw.col("account_id").is_in(list(group_of)))
    by_account = of_some.group_by("account_id", "quarter").agg(nw.col("minor").sum())
    for row in _collected(by_account).to_pylist():
        each[group_of[row["account_id"]]][row["quarter"]] += row["minor"]
    return each, totals


def echo(
    portfolio: Portfolio,
    facts: RevenueFacts,
    settings: attrs.AttrsInstance,
    *,
    population: str = "all",
) -> dict[str, Json]:
    """All it takes to compute the same again; ``population`` says who is counted."""
    period = facts.period
    assert period.start is not None
    assert period.end is not None
    return {
        "portfolio": portfolio.id,
        "as_of": portfolio.as_of.isoformat(),
        "org": portfolio.org,
        "currency": facts.currency,
        "measure": facts.measure,
        "population": population,
        "period": {
            "name": period.name,
            "start": period.start.isoformat(),
            "end": period.end.isoformat(),
            "last_day": period.last_day.isoformat(),
        },
        "settings": _plain(
            attrs.asdict(settings, recurse=False, filter=_is_not_echoed_elsewhere)
        ),
    }


def _is_not_echoed_elsewhere(field: Any, _: object) -> bool:
    return field.name not in {"period", "measure", "population"}


def _plain(value: Any) -> Json:
    if attrs.has(type(value)):
        return {
            "kind": type(value).__name__,
            **_as_mapping(_plain(attrs.asdict(value))),
        }
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    plain: Json = value
    return plain


def _as_mapping(value: Json) -> Mapping[str, Json]:
    assert isinstance(value, Mapping)
    return value


def _previous(span: Period) -> Period | None:
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
    "months",
    "revenue_previous",
    "lines_previous",
)


def _lines(portfolio: Portfolio, measure: Measure, needed_by: str) -> Any:
    """The long table of the measure, or the error that names it."""
    table: TableName = "revenue_line" if measure == "net_revenue" else "opportunity"
    if table not in portfolio:
        raise MissingTableError(table, needed_by)
    return _as_lines(portfolio[table], measure, portfolio.minor_digits)


def _as_lines(frame: NativeFrame, measure: Measure, digits: int) -> Any:
    """Revenue as record_id, account_id, day and minor, whatever it is measured by."""
    key, day, table = "line_id", "booked_on", "revenue_line"
    if measure == "booked":
        key, day, table = "opportunity_id", "closed_on", "opportunity"
    kinds = {"account_id": pa.string(), day: pa.date32(), "amount": pa.float64()}
    lines = nw.from_native(_completed(frame, kinds))
    if measure == "booked":
        lines = lines.filter(nw.col("status") == "won")
    return lines.select(
        nw.col(key).alias("record_id"),
        nw.lit(table).alias("table"),
        nw.col("account_id"),
        nw.col(day).alias("day"),
        (nw.col("amount") * float(10**digits)).round(0).cast(nw.Int64).alias("minor"),
    )


def _completed(frame: NativeFrame, kinds: Mapping[str, pa.DataType]) -> NativeFrame:
    """The frame with a null column for each that the source cannot give."""
    names = set(nw.from_native(frame).collect_schema().names())
    if names.issuperset(kinds):
        return frame
    table = to_arrow(frame)
    for name, kind in kinds.items():
        if name not in names:
            table = table.append_column(name, pa.nulls(table.num_rows, kind))
    return same_kind(table, frame)


def _by_account(lines: Any, span: Period, before: Period | None) -> pa.Table:
    """Two group-bys: by account and month, then by account."""
    day = nw.col("day")
    # A line without a day may belong to the period: one more whose amount is unknown.
    is_dated = ~day.is_null()
    minor = nw.when(is_dated).then(nw.col("minor").fill_null(0)).otherwise(0)
    is_now = (~is_dated | (day >= span.start)).cast(nw.Int64)
    is_before = (
        (is_dated & (day >= before.start) & (day < before.end)).cast(nw.Int64)
        if before
        else nw.lit(0, dtype=nw.Int64)
    )
    is_known = (is_dated & ~nw.col("minor").is_null()).cast(nw.Int64)
    month = day.dt.year().cast(nw.Int64) * 12 + day.dt.month().cast(nw.Int64)
    by_month = (
        lines.filter(~nw.col("account_id").is_null() & (~is_dated | (day < span.end)))
        .with_columns(
            month=nw.when(is_dated).then(month).otherwise(0),
            revenue=minor * is_now,
            lines=is_now,
            known_lines=is_now * is_known,
            revenue_previous=minor * is_before,
            lines_previous=is_before,
        )
        .group_by("account_id", "month")
        .agg(
            *(nw.col(name).sum() for name in _SUMS if name != "months"),
            first_on=nw.col("day").min(),
        )
        .with_columns(
            months=((nw.col("lines") > 0) & (nw.col("month") > 0)).cast(nw.Int64)
        )
        .group_by("account_id")
        .agg(*(nw.col(name).sum() for name in _SUMS), nw.col("first_on").min())
    )
    return _collected(by_month)


def _rejected(lines: Any, span: Period) -> pa.Table:
    """Lines that count for no account, for no period, or with no amount."""
    day, account_id, minor = (nw.col(name) for name in ("day", "account_id", "minor"))
    is_now = (day >= span.start) & (day < span.end)
    lacks_something = day.is_null() | (
        is_now & (account_id.is_null() | minor.is_null())
    )
    found = _collected(lines.filter(lacks_something)).sort_by("record_id")
    fault = pc.case_when(
        pc.make_struct(pc.is_null(found["day"]), pc.is_null(found["account_id"])),
        "without_date",
        "without_account",
        "without_amount",
    )
    return found.append_column("fault", fault)


def _collected(frame: Any) -> pa.Table:
    return to_arrow(nw.to_native(frame))


def _placed(column: pa.ChunkedArray, at: pa.Array) -> Any:
    """A column of the scan in the order of the accounts; 0 (or NaT) where it has none."""
    placed = column.take(at)
    if pa.types.is_date(column.type):
        return placed.to_numpy()
    return pc.fill_null(placed.cast(pa.int64()), 0).to_numpy()
