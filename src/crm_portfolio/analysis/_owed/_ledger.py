"""What do the scans of the invoices say about each account, as payer and as client?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._late_interest import half_years
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._facts import (
    billed,
    bills,
    dated,
    due_by_month,
    first_days,
    late_spans,
    owed,
    payments,
    placed_invoices,
    places,
    previous,
    undated,
)
from crm_portfolio.analysis._owed._settings import ReceivablesSettings
from crm_portfolio.portfolio import Period, Portfolio

__all__ = ["LATENESS", "Ledger"]

LATENESS: Final = (
    *("invoices", "late_invoices", "weight", "signed", "floored", "late"),
    *("days", "late_days", "worst_days"),
)
Sums = Mapping[str, Groups]


@attrs.frozen(eq=False)
class Ledger:
    """Figures in minor units by account, in the order of their ids.

    Attributes:
        fair, contested: How late each pays what it contests not, and what it does.
        before: ``fair`` as it was known at the end of the period before; None without.
        months: The lateness of all, by the month in which invoices were due.
        open: What each owes, by bucket of age from not due on; ``open_contested`` alike.
        owned: What is owed on each account's own invoices, whoever pays them.
        unsaid_count: Of its own invoices, those settled on a day that nobody noted.
        spans: First days of the spans of one rate.
        late: On each account's own invoices: amount times days late, by span.
        claimed: The same by payer; ``new_count`` are the invoices that became late.
        billed: By payer and month: what was invoiced.
    """

    ids: pa.Array
    start: date
    as_of: date
    sales_start: date
    digits: int
    fair: Sums
    contested: Sums
    days: Mapping[str, npt.NDArray[np.datetime64]]
    before: Sums | None
    months: pa.Table
    open: npt.NDArray[np.int64]
    open_contested: npt.NDArray[np.int64]
    open_undated: Groups
    open_undated_contested: Groups
    credit: Groups
    owned: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    undated_counts: Groups
    spans: tuple[date, ...]
    late: npt.NDArray[np.int64]
    late_contested: npt.NDArray[np.int64]
    late_count: Groups
    claimed: npt.NDArray[np.int64]
    new_count: Groups
    billed: pa.Table
    invoice_count: Groups
    undated_count: Groups
    unsaid_count: Groups
    has_other_payer: Flags
    pays_for_others: Flags
    undated: pa.Table

    @classmethod
    def of(
        cls, portfolio: Portfolio, settings: ReceivablesSettings, span: Period
    ) -> Ledger:
        frame, digits = placed_invoices(portfolio), portfolio.minor_digits
        as_of = portfolio.as_of
        ids = portfolio.arrow("account")["account_id"].combine_chunks()
        issued, due = first_days(portfolio["invoice"])
        begins = min(issued or as_of, as_of)
        assert span.start is not None
        start = max(span.start, min(begins, due or begins))
        since = max(span.start, begins).replace(day=1)
        changes = [each.from_on for each in settings.financing_rates]
        spans = tuple(
            sorted({*half_years(start, as_of), *(d for d in changes if d <= as_of)})
        )
        spans = _from(spans, start)
        known: dict[str, Any] = {"start": start, "as_of": as_of, "digits": digits}
        before = _before(portfolio, frame, ids, span, begins)
        frame = bills(frame, as_of=as_of, digits=digits)
        paid = payments(frame, **known)
        return cls(
            ids=ids,
            **known,
            sales_start=since,
            **_paid(paid, ids),
            before=before,
            months=due_by_month(frame, **known),
            **_open(
                owed(frame, as_of=as_of, digits=digits, edges=settings.ageing_days),
                ids,
                len(settings.buckets),
            ),
            spans=spans,
            **_late(late_spans(frame, **known, spans=spans), ids, len(spans)),
            billed=billed(frame, as_of=as_of, digits=digits),
            **_counted(dated(frame, as_of=as_of, digits=digits), ids),
            undated=_named(undated(frame, as_of=as_of, digits=digits), ids),
        )

    @property
    def sales_days(self) -> int:
        return (self.as_of - self.sales_start).days + 1

    def place(self, column: pa.ChunkedArray) -> Groups:
        return _place(column, self.ids)


def _from(days: Sequence[date], start: date) -> tuple[date, ...]:
    """Those that begin the spans from ``start`` on."""
    first = max((at for at, day in enumerate(days) if day <= start), default=0)
    return tuple(days[first:])


def _place(column: pa.ChunkedArray, ids: pa.Array) -> Groups:
    found: Groups = places(column, ids).to_numpy(zero_copy_only=False)
    return found.astype(np.int64)


def _named(rows: pa.Table, ids: pa.Array) -> pa.Table:
    """With the ids of accounts that are told by their places."""
    at = rows.column_names.index("account_id")
    return rows.set_column(at, "account_id", ids.take(rows["account_id"]))


def _numbers(table: pa.Table, name: str) -> Groups:
    found: Groups = pc.fill_null(table[name].cast(pa.int64()), 0).to_numpy()
    return found


def _summed(place: Groups, values: Groups, count: int) -> Groups:
    sums = np.zeros(count, dtype=np.int64)
    np.add.at(sums, place, values)
    return sums


def _flags(table: pa.Table, name: str) -> Flags:
    found: Flags = table[name].to_numpy().astype(bool)
    return found


def _lateness(found: pa.Table, ids: pa.Array) -> dict[str, Groups]:
    place = _place(found["payer_id"], ids)
    return {name: _summed(place, _numbers(found, name), len(ids)) for name in LATENESS}


def _paid(found: pa.Table, ids: pa.Array) -> dict[str, Any]:
    contested = found["is_disputed"]
    fair = found.filter(pc.invert(contested))
    place = _place(fair["payer_id"], ids)
    days = {}
    for name in ("paid_late_on", "unpaid_since_on"):
        own = np.full(len(ids), np.datetime64("NaT", "D"))
        own[place] = fair[name].to_numpy().astype("datetime64[D]")
        days[name] = own
    apart = _lateness(found.filter(contested), ids)
    return {"fair": _lateness(fair, ids), "contested": apart, "days": days}


def _before(
    portfolio: Portfolio, frame: NativeFrame, ids: pa.Array, span: Period, begins: date
) -> Sums | None:
    earlier = previous(span)
    if earlier is None or earlier.start is None or begins >= earlier.last_day:
        return None
    found = payments(
        frame,
        start=earlier.start,
        as_of=earlier.last_day,
        digits=portfolio.minor_digits,
        is_past=True,
    )
    return _lateness(found.filter(pc.invert(found["is_disputed"])), ids)


def _open(found: pa.Table, ids: pa.Array, buckets: int) -> dict[str, Any]:
    bucket, contested = _numbers(found, "bucket"), _flags(found, "is_disputed")
    minor, n = _numbers(found, "owed"), _numbers(found, "count")
    payer, account = (_place(found[name], ids) for name in ("payer_id", "account_id"))

    def matrix(place: Groups, values: Groups, rows: Flags) -> npt.NDArray[np.int64]:
        kept = rows & (bucket >= 0)
        sums = np.zeros((len(ids), buckets), dtype=np.int64)
        np.add.at(sums, (place[kept], bucket[kept]), values[kept])
        return sums

    def single(rows: Flags, values: Groups) -> Groups:
        return _summed(payer[rows], values[rows], len(ids))

    return {
        "open": matrix(payer, minor, ~contested),
        "open_contested": matrix(payer, minor, contested),
        "open_undated": single((bucket == -1) & ~contested, minor),
        "open_undated_contested": single((bucket == -1) & contested, minor),
        "credit": single(bucket == _CREDIT, -minor),
        "owned": matrix(account, minor, ~contested),
        "counts": matrix(payer, n, np.ones_like(contested)),
        "undated_counts": single(bucket == -1, n),
    }


_CREDIT: Final = -2


def _late(found: pa.Table, ids: pa.Array, spans: int) -> dict[str, Any]:
    contested = _flags(found, "is_disputed")
    payer, account = (_place(found[name], ids) for name in ("payer_id", "account_id"))
    parts = [_numbers(found, f"span_{at}") for at in range(spans)]

    def matrix(place: Groups, rows: Flags) -> npt.NDArray[np.int64]:
        return np.stack(
            [_summed(place[rows], part[rows], len(ids)) for part in parts], axis=1
        )

    fair = ~contested
    many, new = (_numbers(found, name)[fair] for name in ("late_count", "new_count"))
    return {
        "late": matrix(account, fair),
        "late_contested": matrix(account, contested),
        "late_count": _summed(account[fair], many, len(ids)),
        "claimed": matrix(payer, fair),
        "new_count": _summed(payer[fair], new, len(ids)),
    }


def _counted(found: pa.Table, ids: pa.Array) -> dict[str, Any]:
    payer, account = (_place(found[name], ids) for name in ("payer_id", "account_id"))
    size, is_other = len(ids), payer != account
    return {
        "invoice_count": _summed(account, _numbers(found, "invoices"), size),
        "undated_count": _summed(account, _numbers(found, "undated"), size),
        "unsaid_count": _summed(account, _numbers(found, "unsaid"), size),
        "has_other_payer": np.isin(np.arange(size), account[is_other]),
        "pays_for_others": np.isin(np.arange(size), payer[is_other]),
    }


def month_edges(months: Groups) -> tuple[list[date], list[date]]:
    """First and last days of months that are counted as 12 · year + month."""
    firsts = [date(at // 12, at % 12 + 1, 1) for at in months.tolist()]
    nexts = [date((at + 1) // 12, (at + 1) % 12 + 1, 1) for at in months.tolist()]
    return firsts, [each - timedelta(days=1) for each in nexts]
