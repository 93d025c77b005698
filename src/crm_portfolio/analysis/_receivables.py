"""Who pays late, and what does it cost us?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._places import told_at
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._facts import days_asked, echoed
from crm_portfolio.analysis._owed import (
    Claim,
    Costs,
    DatedRate,
    Ledger,
    ReceivablesSettings,
    SalesDays,
    account_table,
    aged_table,
    ageing_table,
    month_table,
    of_account,
    order_of,
    summary_of,
    warnings,
)
from crm_portfolio.errors import MissingTableError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, Result, Row, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DatedRate", "ReceivablesResult", "ReceivablesSettings", "receivables"]

_USUAL: Final = ReceivablesSettings()
_SHOWN_MONTHS: Final = 12


@reading()
def receivables(
    portfolio: Portfolio, settings: ReceivablesSettings = _USUAL
) -> ReceivablesResult:
    """How late each account pays, what it owes, and what that costs; all with tax.

    Days late are weighted by amount; an open invoice that is overdue counts up to the
    as-of date, one not yet due does not, and what is contested stands apart. Paying is
    told of who pays, the cost of the account whose invoices they are. No rate is known
    before it is set.

    Raises:
        MissingTableError: There are no invoices.

    Example:
        >>> from datetime import date
        >>> import pyarrow as pa
        >>> from crm_portfolio import Portfolio, analysis
        >>> invoice = {
        ...     "invoice_id": ["I1"],
        ...     "account_id": ["A"],
        ...     "issued_on": [date(2026, 4, 1)],
        ...     "due_on": [date(2026, 5, 1)],
        ...     "paid_on": [date(2026, 5, 26)],
        ...     "amount": [50_000.0],
        ... }
        >>> book = Portfolio.from_frames(
        ...     as_of=date(2026, 6, 30),
        ...     currency="EUR",
        ...     account=pa.table({"account_id": ["A"]}),
        ...     invoice=pa.table(invoice),
        ... )
        >>> rate = analysis.ReceivablesSettings(financing_rate=0.08)
        >>> analysis.receivables(book, rate).summary["cost"]["financing"]
        273.97
    """
    if "invoice" not in portfolio:
        raise MissingTableError("invoice", "receivables")
    span = days_asked(settings.period, portfolio.as_of, needed_by="receivables")
    book = Ledger.of(portfolio, settings, span)
    account = portfolio.arrow("account")
    sales = SalesDays.by_payer(book, settings.dso_min_months)
    costs, claim = Costs.of(book, settings), Claim.of(book, account, settings)
    frame = account_table(book, account, settings, sales, costs=costs, claim=claim)
    months, order = month_table(book), order_of(book)
    summary = summary_of(book, settings, frame, months, costs=costs, claim=claim)
    money = {"currency": portfolio.currency}
    return ReceivablesResult(
        table=told_at(frame, order),
        rejected=_rejected(book),
        backend=portfolio.backend,
        summary=summary,
        params=_params(portfolio, settings, book, span),
        coverage=_coverage(book),
        warnings=tuple(warnings(summary, book, sales, costs, money)),
        ageing=ageing_table(book, settings.buckets),
        aged=aged_table(book, settings.buckets, order),
        months=months,
    )


def _params(
    portfolio: Portfolio, settings: ReceivablesSettings, book: Ledger, span: Period
) -> dict[str, Json]:
    told = echoed(
        portfolio,
        span,
        settings,
        measure="invoiced_with_tax",
        population="all",
    )
    return told | {"billed_from": book.sales_start.isoformat()}


def _coverage(book: Ledger) -> float | None:
    """The part of the invoices that tell whether they were late."""
    invoices = int(book.invoice_count.sum())
    silent = book.undated.num_rows + int(book.unsaid_count.sum())
    return significant(1 - silent / invoices) if invoices else None


def _rejected(book: Ledger) -> pa.Table:
    found, n = book.undated, book.undated.num_rows
    return pa.table(
        {
            "record_id": found["record_id"],
            "table": pa.array(["invoice"] * n, pa.string()),
            "account_id": found["account_id"],
            "day": found["issued_on"],
            "amount": found["minor"].to_numpy() / np.float64(10**book.digits),
            "fault": pa.array(["without_due_day"] * n, pa.string()),
        }
    )


@attrs.frozen(slots=False, eq=False, repr=False)
class ReceivablesResult(Result):
    """How each account pays, what it owes, what that costs and what may be claimed.

    Attributes:
        summary: ``receivables`` is what is open, ``dso`` the days of sales it makes,
            ``payments`` how late all invoices were and are, those contested apart,
            ``cost`` what that costs, ``claim`` what a rule lets us claim; None: no rule.
    """

    name: ClassVar[str] = "receivables"
    title: ClassVar[str] = "heading_receivables"
    compared: ClassVar[str] = "pays"
    summed: ClassVar[Mapping[str, int]] = {"open_amount": 10_000}
    further: ClassVar[tuple[str, ...]] = ("ageing", "aged", "months")

    _ageing: pa.Table
    _aged: pa.Table
    _months: pa.Table

    @property
    def ageing(self) -> NativeFrame:
        """What is open by age, contested and not."""
        return from_arrow(self._ageing, self._backend)

    @property
    def aged(self) -> NativeFrame:
        """The same by payer, where anything is open."""
        return from_arrow(self._aged, self._backend)

    @property
    def months(self) -> NativeFrame:
        """How late invoices were or are, by the month in which they were due."""
        return from_arrow(self._months, self._backend)

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        shown = self._ageing
        if not shown["amount"][-1].as_py() and not shown["disputed_amount"][-1].as_py():
            shown = shown.slice(0, shown.num_rows - 1)
        series = {
            sentence(Reason(code), lang): shown[name].to_pylist()
            for name, code in _SERIES.items()
        }
        if not any(map(any, series.values())):
            shown, series = shown.slice(0, 0), {}
        return _plots.stacked(
            _plots.axes(ax),
            names=[_bucket(each, lang) for each in shown["bucket"].to_pylist()],
            series=series,
            words=self._words("title_receivables", "label_age_of_invoices", lang),
        )

    def plot_months(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """Days late by the month in which invoices were due, contested ones hatched."""
        shown = self._months.slice(max(self._months.num_rows - _SHOWN_MONTHS, 0))
        words = self._words("title_days_late", "label_month_due", lang)
        days = sentence(Reason("label_days_late"), lang)
        columns = {
            "days_late": "label_undisputed",
            "disputed_days_late": "label_disputed",
        }
        known = [name for name in columns if shown[name].null_count < shown.num_rows]
        return _plots.side_by_side(
            _plots.axes(ax),
            names=shown["month"].to_pylist(),
            series={
                sentence(Reason(code), lang): shown[name].to_pylist()
                for name, code in columns.items()
                if name in known
            },
            words=attrs.evolve(words, amounts=days),
        )

    def _words(self, title: str, places: str, lang: Lang) -> _plots.Words:
        words = _plots.Words.of(
            Reason(title, {"at_on": str(self.params["as_of"])}),
            places=places,
            others="label_nothing",
            currency=self.params["currency"],
            lang=lang,
        )
        amounts = sentence(Reason("label_open_amount", self._money()), lang)
        nothing = sentence(Reason("label_nothing_owed"), lang)
        return attrs.evolve(words, amounts=amounts, nothing=nothing)

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        params = cast("Mapping[str, Any]", self.params)
        return tuple(of_account(row, params, self._money()))

    def _measured(self) -> tuple[Reason, ...]:
        period, _ = super()._measured()
        return (period, Reason("measure_with_tax"))


def _bucket(name: str, lang: Lang) -> str:
    if name in _NAMED:
        return sentence(Reason(_NAMED[name]), lang)
    if name.startswith("over_"):
        days = int(name.removeprefix("over_"))
        return sentence(Reason("label_late_beyond", {"days": days}), lang)
    low, high = name.split("-")
    return sentence(Reason("label_late_days", {"low": low, "high": high}), lang)


_NAMED: Final = {"not_due": "label_not_due", "undated": "label_undated"}
_SERIES: Final = {
    "amount": "label_undisputed",
    "disputed_amount": "label_disputed",
}
