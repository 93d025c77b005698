"""Of last year's clients, and of each cohort, who is left and with how much?"""

from __future__ import annotations

from datetime import timedelta

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio._methods import _retention as formulas
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._rates import wilson
from crm_portfolio._methods._retention import Kept
from crm_portfolio.analysis._facts import Purchases
from crm_portfolio.analysis._tomorrow._history import History, first_day
from crm_portfolio.results import Json, significant

__all__ = ["cohort_table", "retention"]

_MOST_COHORTS = 40


@attrs.frozen(eq=False)
class _TwoYears:
    """By group: the year before the last, and the last one up to a close.

    Attributes:
        is_told: Whether the amounts of both years are known; an unknown one is no loss.
        unknown_count: How many that may have brought revenue are left out for that.
    """

    was: Amounts
    now: Amounts
    is_told: Flags
    unknown_count: int

    @classmethod
    def to(cls, history: History, end: int) -> _TwoYears:
        was, was_told = history.told_by_group(end - 24, end - 12)
        now, now_told = history.told_by_group(end - 12, end)
        is_told = was_told & now_told
        was_there = ~was_told | (was > 0)
        return cls(was, now, is_told, int((was_there & ~is_told).sum()))


def retention(history: History, bought: Purchases) -> dict[str, Json]:
    """Logo, gross and net, of the groups with revenue in the year before.

    Groups, since a merger is no loss; without those of which either year is unknown.
    """
    years, facts = _TwoYears.to(history, history.end), history.facts
    kept = Kept.of(years.was[years.is_told], years.now[years.is_told])
    interval = wilson(kept.kept, kept.count)
    return {
        "group_count": kept.count,
        "kept_count": kept.kept,
        "unknown_count": years.unknown_count,
        "start_revenue": facts.amount(kept.start),
        "end_revenue": facts.amount(kept.end),
        "logo": significant(kept.logo),
        "logo_low": significant(interval[0]) if interval else None,
        "logo_high": significant(interval[1]) if interval else None,
        "logo_by_silence": significant(_by_silence(history, years, bought)),
        "gross": significant(kept.gross),
        "net": significant(kept.net),
        "negative_count": kept.negative_count,
    }


def _by_silence(history: History, years: _TwoYears, bought: Purchases) -> float | None:
    """The same, with those who are silent no longer than their own rhythm is."""
    was, now = (years.was > 0) & years.is_told, years.now > 0
    day = np.datetime64(first_day(history.end), "D")
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
    cohort = _cohorts(history, began)
    start = np.zeros(cohort.size, dtype=np.int64)
    was_told = np.zeros(cohort.size, dtype=bool)
    rows: list[dict[str, object]] = []
    for window in range(count):
        first = began + window * step
        amounts, is_told = history.told_by_group(first, first + step)
        is_new = cohort == window
        start[is_new], was_told[is_new] = amounts[is_new], is_told[is_new]
        counts = _counts(cohort, count, (amounts, is_told), (start, was_told))
        rows += [
            _row(history, began + each * step, window - each, counts[:, each])
            for each in range(window + 1)
            if counts[0, each]
        ]
    ordered = sorted(rows, key=lambda row: (str(row["cohort"]), int(str(row["age"]))))
    return pa.Table.from_pylist(ordered, schema=_COHORT)


def _cohorts(history: History, began: int) -> Groups:
    """The cohort each group's first line puts it in; -1 for none."""
    step, end = history.settings.cohort_months, history.end
    first = np.full(history.group_count, end, dtype=np.int64)
    np.minimum.at(first, history.group_of, history.first_month())
    return np.where((first >= began) & (first < end), (first - began) // step, -1)


def _counts(
    cohort: Groups,
    count: int,
    now: tuple[Amounts, Flags],
    start: tuple[Amounts, Flags],
) -> Groups:
    """By cohort: its groups, the unknown ones, those who bring revenue, and the sums.

    The last two are of those alone whose amounts are known at both ends.
    """
    (amounts, is_told), (began_with, was_told) = now, start
    is_in = cohort >= 0
    told = np.where(is_told, cohort, -1)
    both = np.where(is_told & was_told, cohort, -1)
    active, revenue = formulas.cohort_counts(told, amounts, count)
    return np.array(
        [
            np.bincount(cohort[is_in], minlength=count),
            np.bincount(cohort[is_in & ~is_told], minlength=count),
            active,
            revenue,
            formulas.cohort_counts(both, amounts, count)[1],
            formulas.cohort_counts(both, began_with, count)[1],
        ]
    )


_COHORT = pa.schema(
    {
        "cohort": pa.string(),
        "until_on": pa.date32(),
        "age": pa.int64(),
        "group_count": pa.int64(),
        "unknown_count": pa.int64(),
        "kept_count": pa.int64(),
        "kept_share": pa.float64(),
        "revenue": pa.float64(),
        "revenue_share": pa.float64(),
        "is_first_of_book": pa.bool_(),
    }
)


def _row(history: History, month: int, age: int, counts: Groups) -> dict[str, object]:
    size, unknown, kept, revenue, after, before = map(int, counts)
    step = history.settings.cohort_months
    return {
        "cohort": first_day(month).isoformat(),
        "until_on": first_day(month + step) - timedelta(days=1),
        "age": age,
        "group_count": size,
        "unknown_count": unknown,
        "kept_count": kept,
        "kept_share": kept / (size - unknown) if size > unknown else None,
        "revenue": history.facts.amount(revenue) if size > unknown else None,
        "revenue_share": after / before if before > 0 else None,
        # Whoever came before the book begins is taken for one of the first.
        "is_first_of_book": month <= history.begins,
    }
