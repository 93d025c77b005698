"""What is left of list prices, and whose discounts does their volume not explain?"""

from __future__ import annotations

from datetime import date
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._leakage import rates_of, unexplained
from crm_portfolio._methods._medians import medians
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._facts import (
    CONCESSIONS,
    PARTS,
    RevenueFacts,
    Span,
    conceded,
    concessions,
    listed_lines,
    offers,
    prices_paid,
    repeated,
)
from crm_portfolio.analysis._profit._rows import placed
from crm_portfolio.analysis._profit._settings import ProfitabilitySettings
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["Leak"]

_NO_DAYS = Period("none", start=date.min, end=date.min)
_YEAR = 12


@attrs.frozen(eq=False)
class Leak:
    """From list to pocket price, by account in the order of the facts; minor units.

    Attributes:
        listed: What was sold, at list price; ``gap`` less than that was invoiced.
        given: By kind of concession (a column each), as more than zero.
        shares: What was given away of the list value; NaN where it is unknown.
        usual: The median of accounts of a like volume; ``is_far`` above them.
        offers, discounted: Sales decided that say their discount, and that had one.
        reference_lines: Lines whose list price is one of the product, or a median.
        unpriced_lines: Lines whose list price nobody can tell.
    """

    facts: RevenueFacts
    settings: ProfitabilitySettings
    is_measured: bool
    listed: Amounts
    gap: Amounts
    given: npt.NDArray[np.int64]
    shares: Floats
    usual: Floats
    is_far: Flags
    offers: Amounts | None
    discounted: Amounts
    reference_lines: int
    unpriced_lines: int

    @classmethod
    def of(
        cls, portfolio: Portfolio, facts: RevenueFacts, settings: ProfitabilitySettings
    ) -> Leak:
        size = len(facts.by_account.ids)
        decided = _offers(portfolio, facts)
        if facts.measure != "net_revenue":
            return cls._unknown(facts, settings, decided)
        frame, span = portfolio["revenue_line"], facts.period
        found = placed(listed_lines(frame, span, facts.digits), facts)
        price = _prices(portfolio, facts, found)
        has_price = ~np.isnan(price) & (_of(found, "unlisted_lines") > 0)
        quantity = _of(found, "quantity") / PARTS
        reference = np.rint(quantity * np.nan_to_num(price)).astype(np.int64)
        unlisted = np.where(has_price, reference, _of(found, "unlisted"))
        listed = _of(found, "listed") + unlisted
        sold = _of(found, "sold") + _of(found, "unlisted")
        place = found["place"].to_numpy()

        def summed(values: Amounts) -> Amounts:
            return _summed(place, values, size)

        unpriced = _of(found, "unpriced_lines") + np.where(
            has_price, 0, _of(found, "unlisted_lines")
        )
        is_priced = summed(_of(found, "listed") + np.where(has_price, reference, 0)) > 0
        lists, gap = summed(listed), summed(listed - sold)
        given = _given(portfolio, facts)
        lost = gap + given.sum(axis=1)
        shares = np.full(size, np.nan)
        # Where a line tells no list price, its discount is unknown, not nothing.
        is_known = is_priced & (lists > 0) & (summed(unpriced) == 0)
        shares[is_known] = lost[is_known] / lists[is_known]
        usual, is_far, _ = unexplained(shares, lists, settings.volume_bands)
        return cls(
            facts,
            settings,
            is_measured=True,
            listed=lists,
            gap=gap,
            given=given,
            shares=shares,
            usual=usual,
            is_far=is_far,
            offers=None if decided is None else decided[0],
            discounted=np.zeros(size, np.int64) if decided is None else decided[1],
            reference_lines=int(_of(found, "unlisted_lines")[has_price].sum()),
            unpriced_lines=int(unpriced.sum()),
        )

    @classmethod
    def _unknown(
        cls,
        facts: RevenueFacts,
        settings: ProfitabilitySettings,
        decided: tuple[Amounts, Amounts] | None,
    ) -> Leak:
        """Bookings have no list price."""
        size = len(facts.by_account.ids)
        none, nan = np.zeros(size, np.int64), np.full(size, np.nan)
        return cls(
            facts,
            settings,
            is_measured=False,
            listed=none,
            gap=none,
            given=np.zeros((size, len(CONCESSIONS)), np.int64),
            shares=nan,
            usual=nan,
            is_far=none.astype(bool),
            offers=None if decided is None else decided[0],
            discounted=none if decided is None else decided[1],
            reference_lines=0,
            unpriced_lines=0,
        )

    @property
    def unexplained(self) -> Amounts:
        """What those far above give away beyond the median of their band."""
        above = np.nan_to_num(self.shares - self.usual) * self.listed
        found: Amounts = np.where(self.is_far, np.rint(above), 0).astype(np.int64)
        return found

    def told(self) -> dict[str, Json]:
        """The waterfall of all whose list value is known."""
        which = ~np.isnan(self.shares)
        if not which.any():
            return {"waterfall": None, **self._counts(which)}
        amount = self.facts.amount
        listed = int(self.listed[which].sum())
        given = [
            int(self.gap[which].sum()),
            *self.given[which].sum(axis=0).tolist(),
        ]
        rates = rates_of(listed, given, self.settings.discounts)
        names = ("on_invoice", *CONCESSIONS)
        steps: list[Json] = [
            {"step": name, "amount": amount(-each), "share": significant(rate)}
            for name, each, rate in zip(names, given, rates, strict=True)
        ]
        pocket = listed - sum(given)
        return {
            "waterfall": {
                "listed": amount(listed),
                "steps": steps,
                "pocket": amount(pocket),
                "leaked": amount(listed - pocket),
                "leaked_share": significant((listed - pocket) / listed),
            },
            **self._counts(which),
        }

    def _counts(self, which: Flags) -> dict[str, Json]:
        offered = None if self.offers is None else int(self.offers.sum())
        discounted = int(self.discounted.sum())
        return {
            "account_count": int(which.sum()),
            "far_count": int(self.is_far.sum()),
            "unexplained": self.facts.amount(int(self.unexplained.sum())),
            "reference_line_count": self.reference_lines,
            "unpriced_line_count": self.unpriced_lines,
            "offer_count": offered,
            "discounted_offer_share": significant(discounted / offered)
            if offered
            else None,
        }


def _of(table: pa.Table, name: str) -> Amounts:
    values: Amounts = table[name].to_numpy().astype(np.int64)
    return values


def _summed(place: Any, values: Amounts, size: int) -> Amounts:
    sums = np.zeros(size, dtype=np.int64)
    np.add.at(sums, place, values)
    return sums


def _prices(portfolio: Portfolio, facts: RevenueFacts, found: pa.Table) -> Floats:
    """Of a unit, by row: the product's list price, else the median of what was paid."""
    products = pc.unique(found["product_id"].combine_chunks())
    place = pc.index_in(found["product_id"].combine_chunks(), products).to_numpy()
    prices: Floats = np.full(len(products), np.nan)
    if not found.num_rows or not _of(found, "unlisted_lines").any():
        unlisted: Floats = prices[place]
        return unlisted
    year = _year(facts.period)
    paid = prices_paid(portfolio["revenue_line"], year, facts.digits)
    at = pc.index_in(paid["product_id"].combine_chunks(), products)
    inside = pc.is_valid(at)
    rows = paid.filter(inside)
    prices = medians(
        at.filter(inside).to_numpy().astype(np.int64),
        _of(rows, "price"),
        _of(rows, "count"),
        len(products),
    )
    if "product" in portfolio:
        table = portfolio.arrow("product")
        if "list_price" in table.column_names:
            at = pc.index_in(products, table["product_id"].combine_chunks())
            listed = table["list_price"].combine_chunks().take(at)
            own = pc.fill_null(listed, np.nan).to_numpy(zero_copy_only=False)
            prices = np.where(np.isnan(own), prices, own * 10**facts.digits)
    priced: Floats = prices[place]
    return priced


def _year(span: Period) -> Period:
    """The period, and twelve months at least."""
    assert span.start is not None
    assert span.end is not None
    if span.start == date.min:
        return span
    return Period.between(min(span.start, span.months_before_end(_YEAR)), span.end)


def _given(portfolio: Portfolio, facts: RevenueFacts) -> npt.NDArray[np.int64]:
    """Concessions by account and kind; a refund that a credit note said counts once."""
    size = len(facts.by_account.ids)
    given = np.zeros((size, len(CONCESSIONS)), dtype=np.int64)
    span = Span(facts.period, _NO_DAYS, _NO_DAYS, facts.digits, facts.currency)
    rows = concessions(portfolio)
    found, twice = (placed(each(rows, span), facts) for each in (conceded, repeated))
    for at, kind in enumerate(CONCESSIONS):
        rows = found.filter(pc.equal(found["kind"], kind))
        given[:, at] = -_summed(rows["place"].to_numpy(), _of(rows, "issued"), size)
    again = _of(twice, "repeats") * _of(twice, "issued")
    given[:, CONCESSIONS.index("refund")] -= _summed(
        twice["place"].to_numpy(), again, size
    )
    return given


def _offers(
    portfolio: Portfolio, facts: RevenueFacts
) -> tuple[Amounts, Amounts] | None:
    """Sales decided that say their discount, and those that had one."""
    if "opportunity" not in portfolio:
        return None
    found = placed(offers(portfolio["opportunity"], facts.period), facts)
    if not found.num_rows:
        return None
    size, place = len(facts.by_account.ids), found["place"].to_numpy()
    counts = [
        _summed(place, _of(found, name), size) for name in ("offers", "discounted")
    ]
    return counts[0], counts[1]
