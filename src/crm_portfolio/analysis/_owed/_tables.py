"""Which columns does the result show, and in which order?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._lateness import mean_days
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._risk import from_threshold
from crm_portfolio.analysis._facts import listed
from crm_portfolio.analysis._owed._costs import PARTS, Claim, Costs
from crm_portfolio.analysis._owed._ledger import LATENESS, Ledger
from crm_portfolio.analysis._owed._sales_days import SalesDays
from crm_portfolio.analysis._owed._settings import ReceivablesSettings

__all__ = ["account_table", "aged_table", "ageing_table", "month_table", "order_of"]

_PAYS = ("on_time", "late", "slow")


def _known(values: Floats, mask: Flags | None = None) -> pa.Array:
    hidden = np.isnan(values) if mask is None else np.isnan(values) | mask
    return pa.array(values, pa.float64(), mask=hidden)


def _mean(top: Groups, bottom: Groups) -> pa.Array:
    return _known(twelve_digits(mean_days(top, bottom)))


def account_table(
    book: Ledger,
    account: pa.Table,
    settings: ReceivablesSettings,
    sales: SalesDays,
    *,
    costs: Costs,
    claim: Claim | None,
) -> pa.Table:
    columns = {"account_id": book.ids}
    if "name" in account.column_names:
        columns["name"] = account["name"].combine_chunks()
    columns |= _paying(book, settings)
    columns |= _owing(book)
    columns |= _sales(book, sales)
    columns |= _costly(book, costs)
    columns |= _claimed(len(book.ids), claim)
    return pa.table(columns)


def _paying(book: Ledger, settings: ReceivablesSettings) -> dict[str, pa.Array]:
    fair, apart = book.fair, book.contested
    weight = fair["weight"]
    is_known = weight > 0
    before = book.before
    days = mean_days(fair["floored"], weight)
    earlier = (
        np.full(weight.size, np.nan)
        if before is None
        else mean_days(before["floored"], before["weight"])
    )
    level = from_threshold(
        fair["floored"], weight, (settings.slow_days,), is_known
    ).astype(np.int64)
    pays = np.where(fair["floored"] > 0, 1 + level, 0)
    return {
        "pays": pc.fill_null(
            pa.array(_PAYS).take(pa.array(pays, mask=~is_known)), "unknown"
        ),
        "invoice_count": pa.array(fair["invoices"]),
        "late_count": pa.array(fair["late_invoices"]),
        "days_late": _known(twelve_digits(days)),
        "days_late_signed": _mean(fair["signed"], weight),
        "days_late_unweighted": _mean(fair["late_days"], fair["invoices"]),
        "days_late_signed_unweighted": _mean(fair["days"], fair["invoices"]),
        "late_share": _mean(fair["late"], weight),
        "worst_days_late": pa.array(fair["worst_days"], mask=~is_known),
        "days_late_before": _known(twelve_digits(earlier)),
        "days_late_change": _known(twelve_digits(days - earlier)),
        "paid_late_on": _day(book, "paid_late_on"),
        "unpaid_since_on": _day(book, "unpaid_since_on"),
        "disputed_count": pa.array(apart["invoices"]),
        "disputed_days_late": _mean(apart["floored"], apart["weight"]),
    }


def _day(book: Ledger, name: str) -> pa.Array:
    days = book.days[name]
    return pa.array(days, pa.date32(), mask=np.isnat(days))


def _owing(book: Ledger) -> dict[str, pa.Array]:
    apart = book.open_contested.sum(axis=1) + book.open_undated_contested
    minor = {
        "open_amount": book.open.sum(axis=1) + book.open_undated + apart,
        "not_due_amount": book.open[:, 0],
        "overdue_amount": book.open[:, 1:].sum(axis=1),
        "undated_amount": book.open_undated,
        "disputed_amount": apart,
        "disputed_overdue_amount": book.open_contested[:, 1:].sum(axis=1),
        "credit_amount": book.credit,
    }
    return {name: pa.array(each / 10**book.digits) for name, each in minor.items()}


def _sales(book: Ledger, sales: SalesDays) -> dict[str, pa.Array]:
    history = np.full(len(book.ids), sales.history_days)
    return {
        "billed_amount": pa.array(sales.sales / 10**book.digits),
        "billed_months": pa.array(sales.months),
        "dso_days": _known(sales.simple),
        "dso_count_back_days": _known(sales.counted_back),
        "dso_more_than_days": pa.array(history, mask=~sales.exhausted),
        "dso_best_days": _known(sales.best),
        "delinquent_days": _known(sales.delinquent),
    }


def _costly(book: Ledger, costs: Costs) -> dict[str, pa.Array]:
    lacking = listed({name: costs.lacking[name] for name in PARTS}, len(book.ids))
    return {
        "own_invoice_count": pa.array(book.invoice_count),
        "undated_count": pa.array(book.undated_count),
        "has_other_payer": pa.array(book.has_other_payer),
        "pays_for_others": pa.array(book.pays_for_others),
        "late_invoice_count": pa.array(book.late_count),
        "financing_cost": _known(costs.financing),
        "administration_cost": _known(costs.administration),
        "bad_debt_cost": _known(costs.bad_debt),
        "cost_of_lateness": _known(costs.total),
        "cost_unknown_parts": lacking,
        "disputed_financing_cost": _known(costs.contested_financing),
    }


def _claimed(count: int, claim: Claim | None) -> dict[str, pa.Array]:
    names = ("claim_interest", "claim_sums", "claim_amount")
    if claim is None:
        return {
            **{name: pa.nulls(count, pa.float64()) for name in names},
            "is_claim_out": pa.nulls(count, pa.bool_()),
        }
    parts = (claim.interest, claim.sums, claim.total)
    return {
        **{name: _known(each) for name, each in zip(names, parts, strict=True)},
        "is_claim_out": pa.array(claim.is_out),
    }


def order_of(book: Ledger) -> Groups:
    """Who is overdue with most first, then who pays latest, then by id."""
    overdue = book.open[:, 1:].sum(axis=1)
    late = twelve_digits(mean_days(book.fair["floored"], book.fair["weight"]))
    return np.lexsort((-np.nan_to_num(late), -overdue))


def ageing_table(book: Ledger, buckets: tuple[str, ...]) -> pa.Table:
    """What is open by age, contested and not, with a line for what has no due day."""
    fair, apart = book.open.sum(axis=0), book.open_contested.sum(axis=0)
    fair = np.append(fair, book.open_undated.sum())
    apart = np.append(apart, book.open_undated_contested.sum())
    total = int(fair.sum() + apart.sum())
    shares = (fair + apart) / total if total else np.full(fair.size, np.nan)
    return pa.table(
        {
            "bucket": [*buckets, "undated"],
            "invoice_count": pa.array(
                np.append(book.counts.sum(axis=0), book.undated_counts.sum())
            ),
            "amount": pa.array(fair / 10**book.digits),
            "disputed_amount": pa.array(apart / 10**book.digits),
            "share": _known(twelve_digits(shares)),
        }
    )


def aged_table(book: Ledger, buckets: tuple[str, ...], places: Groups) -> pa.Table:
    """By payer and bucket what is open, where anything is."""
    fair, apart = book.open[places], book.open_contested[places]
    row, at = np.nonzero(fair + apart)
    return pa.table(
        {
            "account_id": book.ids.take(pa.array(places[row])),
            "bucket": pa.array(buckets, pa.string()).take(pa.array(at)),
            "amount": pa.array(fair[row, at] / 10**book.digits),
            "disputed_amount": pa.array(apart[row, at] / 10**book.digits),
        }
    )


def month_table(book: Ledger) -> pa.Table:
    """By month in which invoices were due: how late they were or are."""
    found = book.months
    month = found["month"].to_numpy().astype(np.int64)
    apart = found["is_disputed"].to_numpy().astype(bool)
    known, at = np.unique(month, return_inverse=True)
    sums = {}
    for prefix, rows in (("", ~apart), ("disputed_", apart)):
        for name in LATENESS[:-1]:
            own = np.zeros(known.size, dtype=np.int64)
            np.add.at(own, at.reshape(-1)[rows], found[name].to_numpy()[rows])
            sums[prefix + name] = own
    return pa.table(
        {
            "month": pa.array(
                [f"{each // 12:04}-{each % 12 + 1:02}" for each in known.tolist()],
                pa.string(),
            ),
            "invoice_count": pa.array(sums["invoices"]),
            "late_count": pa.array(sums["late_invoices"]),
            "days_late": _mean(sums["floored"], sums["weight"]),
            "days_late_signed": _mean(sums["signed"], sums["weight"]),
            "late_share": _mean(sums["late"], sums["weight"]),
            "disputed_count": pa.array(sums["disputed_invoices"]),
            "disputed_late_count": pa.array(sums["disputed_late_invoices"]),
            "disputed_days_late": _mean(
                sums["disputed_floored"], sums["disputed_weight"]
            ),
        }
    )
