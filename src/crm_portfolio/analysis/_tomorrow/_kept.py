"""Of last year's clients, and of each cohort, who is left and with how much?"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa

from crm_portfolio._methods import _retention as formulas
from crm_portfolio._methods._rates import wilson
from crm_portfolio._methods._retention import Kept
from crm_portfolio.analysis._facts import Purchases
from crm_portfolio.analysis._tomorrow._history import History, first_day
from crm_portfolio.results import Json, significant

__all__ = ["cohort_table", "kept_of", "retention"]

_MOST_COHORTS = 40


def kept_of(history: History, end: int) -> Kept:
    """The groups of the year before a close's, at the close: mergers are no losses."""
    was, now = history.revenue(end - 24, end - 12), history.revenue(end - 12, end)
    return Kept.of(history.grouped(was), history.grouped(now))


def retention(history: History, bought: Purchases) -> dict[str, Json]:
    """Logo, gross and net, of the groups with revenue in the year before."""
    kept, facts = kept_of(history, history.end), history.facts
    interval = wilson(kept.kept, kept.count)
    return {
        "group_count": kept.count,
        "kept_count": kept.kept,
        "start_revenue": facts.amount(kept.start),
        "end_revenue": facts.amount(kept.end),
        "logo": significant(kept.logo),
        "logo_low": significant(interval[0]) if interval else None,
        "logo_high": significant(interval[1]) if interval else None,
        "logo_by_silence": significant(_by_silence(history, bought)),
        "gross": significant(kept.gross),
        "net": significant(kept.net),
        "negative_count": kept.negative_count,
    }


def _by_silence(history: History, bought: Purchases) -> float | None:
    """The same, with those who are silent no longer than their own rhythm is."""
    end = history.end
    was = history.grouped(history.revenue(end - 24, end - 12)) > 0
    now = history.grouped(history.revenue(end - 12, end)) > 0
    day = np.datetime64(first_day(end), "D")
    since = (day - bought.last_on).astype(np.int64)
    span = (bought.last_on - bought.first_on).astype(np.int64)
    has_bought = bought.days > 0
    factor = history.settings.silence_factor
    waits = has_bought & ~formulas.is_silent(
        np.where(has_bought, since, 0),
        np.where(has_bought, span, 0),
        bought.days,
        factor,
    )
    in_rhythm = history.grouped(waits.astype(np.int64)) > 0
    count = int(was.sum())
    return int((was & (now | in_rhythm)).sum()) / count if count else None


def cohort_table(history: History) -> pa.Table:
    """One row per cohort and age: how many of its groups bring revenue, and how much.

    Cohorts go back from the last close in steps of equal length, so that no age is cut
    short; who came before the first of them is in none.
    """
    step, end = history.settings.cohort_months, history.end
    count = min(-(-(end - history.begins) // step), _MOST_COHORTS)
    began = end - count * step
    first = np.full(history.group_count, end, dtype=np.int64)
    np.minimum.at(first, history.group_of, history.first_month())
    cohort = np.where((first >= began) & (first < end), (first - began) // step, -1)
    sizes = np.bincount(cohort[cohort >= 0], minlength=count)
    rows: list[dict[str, object]] = []
    start = np.zeros(count, dtype=np.int64)
    for window in range(count):
        amounts = history.grouped(
            history.revenue(began + window * step, began + (window + 1) * step)
        )
        active, sums = formulas.cohort_counts(cohort, amounts, count)
        start[window] = sums[window]
        rows += [
            _row(history, began + each * step, window - each, row)
            for each in range(window + 1)
            if sizes[each]
            for row in [(sizes[each], active[each], sums[each], start[each])]
        ]
    ordered = sorted(rows, key=lambda row: (str(row["cohort"]), int(str(row["age"]))))
    return pa.Table.from_pylist(ordered, schema=_COHORT)


_COHORT = pa.schema(
    {
        "cohort": pa.string(),
        "until_on": pa.date32(),
        "age": pa.int64(),
        "group_count": pa.int64(),
        "kept_count": pa.int64(),
        "kept_share": pa.float64(),
        "revenue": pa.float64(),
        "revenue_share": pa.float64(),
        "is_first_of_book": pa.bool_(),
    }
)


def _row(
    history: History, month: int, age: int, counts: tuple[int, int, int, int]
) -> dict[str, object]:
    size, kept, revenue, start = map(int, counts)
    step = history.settings.cohort_months
    return {
        "cohort": first_day(month).isoformat(),
        "until_on": first_day(month + step) - timedelta(days=1),
        "age": age,
        "group_count": size,
        "kept_count": kept,
        "kept_share": kept / size,
        "revenue": history.facts.amount(revenue),
        "revenue_share": revenue / start if start > 0 else None,
        # Whoever came before the book begins is taken for one of the first.
        "is_first_of_book": month <= history.begins,
    }
