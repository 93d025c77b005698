"""Which figures are told of all accounts together, and what is to be borne in mind?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._lateness import mean_days
from crm_portfolio._methods._trend import FEWEST, trends
from crm_portfolio._wording import Reason
from crm_portfolio.analysis._owed._costs import PARTS, Claim, Costs
from crm_portfolio.analysis._owed._ledger import Ledger, Sums
from crm_portfolio.analysis._owed._sales_days import SalesDays
from crm_portfolio.analysis._owed._settings import ReceivablesSettings
from crm_portfolio.results import Json, significant

__all__ = ["summary_of", "warnings"]


def summary_of(
    book: Ledger,
    settings: ReceivablesSettings,
    frame: pa.Table,
    months: pa.Table,
    *,
    costs: Costs,
    claim: Claim | None,
) -> dict[str, Json]:
    sales = SalesDays.of_all(book)
    names = (
        *("open_amount", "not_due_amount", "overdue_amount", "undated_amount"),
        *("disputed_amount", "disputed_overdue_amount", "credit_amount"),
    )
    return {
        "account_count": len(book.ids),
        "pays": {
            word: pc.sum(pc.equal(frame["pays"], word)).as_py() or 0
            for word in ("on_time", "late", "slow", "unknown")
        },
        "receivables": {name: _sum(frame, name, book.digits) for name in names},
        "billed": {
            "amount": int(sales.sales[0]) / 10**book.digits,
            "from_on": book.sales_start.isoformat(),
            "days": book.sales_days,
            "months": int(sales.months[0]),
        },
        "dso": _dso(sales),
        "payments": _payments(book),
        "trend": _trend(months, settings.alpha),
        "cost": _cost(costs, book.digits),
        "claim": None if claim is None else _claim(book, claim, settings),
    }


def _sum(frame: pa.Table, name: str, digits: int) -> float:
    minor = np.round(frame[name].to_numpy() * 10**digits).astype(np.int64)
    return int(minor.sum()) / float(10**digits)


def _dso(sales: SalesDays) -> dict[str, Json]:
    return {
        "simple_days": significant(float(sales.simple[0])),
        "count_back_days": significant(float(sales.counted_back[0])),
        "more_than_days": sales.history_days if sales.exhausted[0] else None,
        "best_days": significant(float(sales.best[0])),
        "delinquent_days": significant(float(sales.delinquent[0])),
    }


def _payments(book: Ledger) -> dict[str, Json]:
    both = {name: book.fair[name] + book.contested[name] for name in book.fair}
    worst = (side["worst_days"] for side in (book.fair, book.contested))
    both["worst_days"] = np.maximum(*worst)
    told: dict[str, Json] = {
        "all": _lateness(both),
        "undisputed": _lateness(book.fair),
        "disputed": _lateness(book.contested),
    }
    before = book.before
    told["undisputed_before"] = None if before is None else _lateness(before)
    return told


def _lateness(sums: Sums) -> dict[str, Json]:
    one = {name: np.array([each.sum()]) for name, each in sums.items()}
    n, weight = one["invoices"], one["weight"]

    def mean(name: str, of: Any) -> float | None:
        return significant(float(mean_days(one[name], of)[0]))

    return {
        "invoice_count": int(n[0]),
        "late_count": int(one["late_invoices"][0]),
        "late_count_share": mean("late_invoices", n),
        "late_share": mean("late", weight),
        "days_late": mean("floored", weight),
        "days_late_signed": mean("signed", weight),
        "days_late_unweighted": mean("late_days", n),
        "days_late_signed_unweighted": mean("days", n),
        "worst_days_late": int(sums["worst_days"].max(initial=0)) if n[0] else None,
    }


def _trend(months: pa.Table, alpha: float) -> dict[str, Json]:
    """Mann-Kendall and Theil-Sen over the months in which anything was due."""
    values = months["days_late"].to_pylist()
    known = [at for at, each in enumerate(values) if each is not None]
    names = ("p", "slope", "slope_low", "slope_high")
    if len(known) < FEWEST:
        return {"label": "too_short", "points": len(known), **dict.fromkeys(names)}
    found = trends(
        np.array([[values[at] for at in known]]),
        np.zeros(1, dtype=np.int64),
        times=np.array(known, dtype=np.float64),
    )
    p, slope = float(found.p[0]), float(found.slope[0])
    label = "steady"
    if p < alpha and slope:
        label = "slower" if slope > 0 else "faster"
    figures = (p, slope, float(found.low[0]), float(found.high[0]))
    told = dict(zip(names, map(significant, figures), strict=True))
    return {"label": label, "points": len(known), **told}


def _cost(costs: Costs, digits: int) -> dict[str, Json]:
    seen = ~costs.is_blind

    def known(values: Floats) -> float | None:
        if np.isnan(values[seen]).any():
            return None
        return round(float(values[seen].sum()), digits)

    return {
        **{name: known(getattr(costs, name)) for name in PARTS},
        "total": known(costs.total),
        "unknown_parts": [name for name in PARTS if (costs.lacking[name] & seen).any()],
        "disputed_financing": known(costs.contested_financing),
        "unknown_account_count": int(costs.is_blind.sum()),
    }


def _claim(
    book: Ledger, claim: Claim, settings: ReceivablesSettings
) -> dict[str, Json]:
    inside = ~claim.is_out

    def known(values: Floats) -> float | None:
        if np.isnan(values[inside]).any():
            return None
        return round(float(values[inside].sum()), book.digits)

    return {
        "regime": settings.regime,
        "interest": known(claim.interest),
        "sums": known(claim.sums),
        "total": known(claim.total),
        "invoice_count": int(book.new_count[inside].sum()),
        "out_count": int(claim.is_out.sum()),
    }


def warnings(
    summary: Mapping[str, Any],
    book: Ledger,
    sales: SalesDays,
    costs: Costs,
    money: Mapping[str, str],
) -> Iterator[Reason]:
    """What to bear in mind about all of it."""
    held = summary["receivables"]
    yield from _silent(book)
    n, amount = (
        summary["payments"]["disputed"]["invoice_count"],
        held["disputed_amount"],
    )
    if n or amount:
        yield Reason("receivables_disputes_apart", {"n": n, "amount": amount, **money})
    if held["credit_amount"]:
        amount = held["credit_amount"]
        yield Reason("receivables_credits_unnamed", {"amount": amount, **money})
    if n := int(sales.exhausted.sum()):
        yield Reason("history_exhausted", {"n": n, "days": sales.history_days})
    for part, code in _LACKING.items():
        if n := int((costs.lacking[part] & ~costs.is_blind).sum()):
            yield Reason(code, {"n": n})
    if claim := summary["claim"]:
        yield Reason("receivables_claim_for_counsel", {"regime": claim["regime"]})
        if claim["total"] is None:
            yield Reason("claim_rate_missing")
        if n := claim["out_count"]:
            yield Reason("receivables_claim_out", {"n": n})


def _silent(book: Ledger) -> Iterator[Reason]:
    """How many invoices tell not whether they were late."""
    counts = {
        "receivables_undated": book.undated.num_rows,
        "receivables_paid_day_unknown": int(book.unsaid_count.sum()),
    }
    for code, n in counts.items():
        if n:
            yield Reason(code, {"n": n, "of": int(book.invoice_count.sum())})


_LACKING: Final = {
    "financing": "rate_missing",
    "administration": "receivables_no_reminder_cost",
    "bad_debt": "receivables_no_bad_debt_share",
}
