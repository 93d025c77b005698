"""For how many days of sales is each payer open, counted in three ways?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._dso import count_back, days_of_sales
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._owed._ledger import Ledger, month_edges

__all__ = ["SalesDays"]

_MONTHS: Final = 12 * 10_000
"""More than a calendar has."""


@attrs.frozen(eq=False)
class SalesDays:
    """Days of sales outstanding; NaN where they are not known.

    Attributes:
        owed: All that is open, contested or not, in minor units.
        sales: Invoiced since the beginning of the first month of the period.
        months: In how many of those months anything was invoiced.
        best: What only the open invoices that are not yet due would give.
        delinquent: What the others add to it.
        exhausted: Whether all invoices there are do not make up for what is owed.
        history_days: So far back they reach.
    """

    owed: Groups
    sales: Groups
    months: Groups
    simple: Floats
    counted_back: Floats
    best: Floats
    delinquent: Floats
    exhausted: Flags
    history_days: int

    @classmethod
    def by_payer(cls, book: Ledger, min_months: int) -> SalesDays:
        place = book.place(book.billed["payer_id"])
        return _made(book, place, _owed(book), min_months)

    @classmethod
    def of_all(cls, book: Ledger) -> SalesDays:
        place = np.zeros(book.billed.num_rows, dtype=np.int64)
        whole = [np.array([each.sum()], dtype=np.int64) for each in _owed(book)]
        return _made(book, place, whole, 0)


def _made(
    book: Ledger, place: Groups, open_: Sequence[Groups], min_months: int
) -> SalesDays:
    owed, not_due, undated = open_
    count = owed.size
    month = book.billed["month"].to_numpy().astype(np.int64)
    minor = book.billed["net"].to_numpy().astype(np.int64)
    many = book.billed["count"].to_numpy().astype(np.int64)
    cells, at = np.unique(place * _MONTHS + month, return_inverse=True)
    payer, months = cells // _MONTHS, cells % _MONTHS
    sales, counts = np.zeros((2, payer.size), dtype=np.int64)
    np.add.at(sales, at, minor)
    np.add.at(counts, at, many)
    first = book.sales_start.year * 12 + book.sales_start.month - 1
    is_now = months >= first
    within, billed_in = np.zeros((2, count), dtype=np.int64)
    np.add.at(within, payer[is_now], sales[is_now])
    np.add.at(billed_in, payer[is_now], (counts[is_now] > 0).astype(np.int64))
    is_told = billed_in >= min_months
    simple = np.where(is_told, days_of_sales(owed, within, book.sales_days), np.nan)
    # What has no due day may be either.
    best = np.where(
        is_told & (undated == 0),
        days_of_sales(not_due, within, book.sales_days),
        np.nan,
    )
    back = count_back(owed, payer, sales, *_days(book, months))
    firsts, _ = month_edges(np.sort(months)[:1])
    history = (book.as_of - firsts[0]).days + 1 if firsts else 0
    return SalesDays(
        owed=owed,
        sales=within,
        months=billed_in,
        simple=twelve_digits(simple),
        counted_back=twelve_digits(np.where(is_told, back, np.nan)),
        best=twelve_digits(best),
        delinquent=twelve_digits(simple - best),
        exhausted=is_told & np.isnan(back),
        history_days=history,
    )


def _owed(book: Ledger) -> tuple[Groups, Groups, Groups]:
    """All that is open, what of it is not yet due, and what has no due day."""
    undated = book.open_undated + book.open_undated_contested
    both = book.open + book.open_contested
    return both.sum(axis=1) + undated, both[:, 0], undated


def _days(book: Ledger, months: Groups) -> tuple[Groups, Groups]:
    """The days of each month, and those after it; of the running one only those so far."""
    known, at = np.unique(months, return_inverse=True)
    firsts, lasts = month_edges(known)
    lasts = [min(each, book.as_of) for each in lasts]
    spans = zip(firsts, lasts, strict=True)
    days = np.array([(last - first).days + 1 for first, last in spans], dtype=np.int64)
    after = np.array([(book.as_of - last).days for last in lasts], dtype=np.int64)
    return days[at.reshape(-1)], after[at.reshape(-1)]
