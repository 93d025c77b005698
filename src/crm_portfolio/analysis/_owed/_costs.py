"""What does lateness cost us, and what could be claimed for it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._late_interest import (
    half_years,
    interest,
    rates_on,
    reminding,
)
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._owed._ledger import Ledger
from crm_portfolio.analysis._owed._settings import ReceivablesSettings

__all__ = ["PARTS", "Claim", "Costs"]

PARTS: Final = ("financing", "administration", "bad_debt")


@attrs.frozen(eq=False)
class Costs:
    """What lateness costs by account, in units of the currency; NaN where unknown.

    Attributes:
        total: NaN where the financing is unknown; other parts that are count as none.
        lacking: Which parts are unknown, by name.
        is_blind: Of whose own invoices none tells whether it was late: they have no due
            day, or were settled on a day that nobody noted.
    """

    financing: Floats
    administration: Floats
    bad_debt: Floats
    total: Floats
    lacking: Mapping[str, Flags]
    contested_financing: Floats
    is_blind: Flags

    @classmethod
    def of(cls, book: Ledger, settings: ReceivablesSettings) -> Costs:
        silent = book.undated_count + book.unsaid_count
        is_blind = (silent > 0) & (silent == book.invoice_count)
        rates = _financing_rates(book, settings)

        def financed(late: Groups) -> Floats:
            cost = interest(late, rates, year_days=settings.year_days)
            cost[is_blind] = np.nan
            return _rounded(cost / 10**book.digits, book.digits)

        financing = financed(book.late)
        administration = _administration(book, settings)
        administration[is_blind] = np.nan
        bad_debt = _bad_debt(book, settings)
        parts = dict(zip(PARTS, (financing, administration, bad_debt), strict=True))
        others = np.nan_to_num(administration) + np.nan_to_num(bad_debt)
        return cls(
            **parts,
            total=_rounded(financing + others, book.digits),
            lacking={name: np.isnan(part) for name, part in parts.items()},
            contested_financing=financed(book.late_contested),
            is_blind=is_blind,
        )


@attrs.frozen(eq=False)
class Claim:
    """What a rule lets us claim of each payer: an asset if it is ever paid, no cost.

    Attributes:
        interest: NaN where the rate is unknown.
        sums: A minimum for each invoice that became late in the period.
        is_out: Whom the rule does not hold for.
    """

    interest: Floats
    sums: Floats
    total: Floats
    is_out: Flags

    @classmethod
    def of(
        cls, book: Ledger, account: pa.Table, settings: ReceivablesSettings
    ) -> Claim | None:
        """None where no rule is set."""
        if settings.regime == "none":
            return None
        halves = half_years(book.spans[0], book.as_of)
        table = [(each.from_on, each.rate) for each in settings.reference_rates]
        firsts = [max(half for half in halves if half <= day) for day in book.spans]
        points = settings.claim_points
        rates = rates_on(firsts, table) + (np.nan if points is None else points)
        owed = interest(book.claimed, rates, year_days=settings.year_days)
        each_sum = np.nan if settings.claim_sum is None else settings.claim_sum
        sums = np.where(book.new_count > 0, book.new_count * each_sum, 0.0)
        is_out = _outside(account, settings)
        owed, sums = (np.where(is_out, np.nan, part) for part in (owed, sums))
        owed = _rounded(owed / 10**book.digits, book.digits)
        sums = _rounded(sums, book.digits)
        return cls(owed, sums, _rounded(owed + sums, book.digits), is_out)


def _financing_rates(book: Ledger, settings: ReceivablesSettings) -> Floats:
    if settings.financing_rates:
        table = [(each.from_on, each.rate) for each in settings.financing_rates]
        return rates_on(book.spans, table)
    rate = settings.financing_rate
    return np.full(len(book.spans), np.nan if rate is None else rate)


def _administration(book: Ledger, settings: ReceivablesSettings) -> Floats:
    many, minutes = settings.reminders_per_invoice, settings.reminder_minutes
    cost = settings.reminder_cost_per_hour
    if many is None or minutes is None or cost is None:
        return np.where(book.late_count > 0, np.nan, 0.0)
    reminders = book.late_count.astype(np.float64) * many
    return _rounded(reminding(reminders, minutes, cost), book.digits)


def _bad_debt(book: Ledger, settings: ReceivablesSettings) -> Floats:
    overdue = book.owned[:, 1:]
    if not settings.bad_debt_shares:
        return np.where(overdue.any(axis=1), np.nan, 0.0)
    lost = overdue @ np.array(settings.bad_debt_shares)
    return _rounded(lost / 10**book.digits, book.digits)


def _outside(account: pa.Table, settings: ReceivablesSettings) -> Flags:
    """Persons, and the segments that the settings name."""
    is_out = np.zeros(account.num_rows, dtype=bool)
    if "is_person" in account.column_names:
        own = pc.fill_null(account["is_person"], fill_value=False)
        is_out |= own.to_numpy().astype(bool)
    if "segment" in account.column_names and settings.no_claim_segments:
        named = pa.array(settings.no_claim_segments, pa.string())
        own = pc.is_in(account["segment"], value_set=named)
        is_out |= own.to_numpy().astype(bool)
    return is_out


def _rounded(values: Floats, digits: int) -> Floats:
    rounded: Floats = np.round(values, digits) + 0.0
    return rounded
