"""Do proposals fall on some kinds of accounts more than on others, and who is looked at again?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._rates import wilson_bounds
from crm_portfolio._wording import Reason
from crm_portfolio.analysis._exit._criteria import CODES, CRITERIA
from crm_portfolio.analysis._exit._ladder import STEPS, Ladder
from crm_portfolio.analysis._exit._measures import Measures
from crm_portfolio.analysis._exit._scores import STANDINGS, Scores
from crm_portfolio.results import significant

__all__ = [
    "FAIR_RATIO",
    "LEAST_COUNT",
    "Proxy",
    "drawn_again",
    "fairness_of",
    "fairness_table",
    "looked_at_again",
    "proxies",
    "unfairness",
]

FAIR_RATIO: Final = 2
"""A group proposed for more often than so many times the base is pointed out."""
LEAST_COUNT: Final = 10
"""Of smaller groups a rate says too little."""
AGES: Final = {"under_1": 1, "1_to_3": 3, "3_to_10": 10}
"""In years since the first revenue; the last one is open."""
_OLDEST: Final = "over_10"
_UNKNOWN: Final = "unknown"
_AS_BEFORE: Final = ("grow", "keep", "watch")
_TOO_LITTLE: Final = "ask"
_YEAR: Final = 365.2425
_CLOSE: Final = 0.9
_PROXY_OF_ITSELF: Final = "F11"


def fairness_of(ladder: Ladder) -> pa.Table:
    """`fairness_table` of the steps: whom anything is proposed for but to go on as before."""
    as_before = [STEPS.index(each) for each in _AS_BEFORE]
    is_open = ladder.step == STEPS.index(_TOO_LITTLE)
    proposed = ~np.isin(ladder.step, as_before) & ~is_open
    return fairness_table(ladder.scores.measures, proposed, ~is_open)


def drawn_again(scores: Scores) -> Flags:
    """`looked_at_again` of those that score low."""
    is_low = scores.standing == STANDINGS.index("low")
    return looked_at_again(is_low, seed=scores.settings.seed)


def unfairness(ladder: Ladder) -> Iterator[Reason]:
    """Groups that steps fall on more often than is fair, and criteria that say only size."""
    table = fairness_of(ladder)
    for row in table.filter(table["is_above"]).to_pylist():
        group = None if row["group"] == _UNKNOWN else row["group"]
        told = {"dimension": row["dimension"], "group": group, "ratio": row["ratio"]}
        code = "exit_unfair_age" if row["dimension"] == "age" else "exit_unfair"
        yield Reason(code, told | {"n": row["account_count"]})
    for each in proxies(ladder.scores.measures):
        told = {"criterion": each.criterion, "correlation": each.correlation}
        yield Reason("exit_proxy_of_size", told | {"n": each.count})


def fairness_table(measures: Measures, proposed: Flags, judged: Flags) -> pa.Table:
    """By tier, segment and age: how often something is proposed, held against the base.

    The interval is Wilson's of the rate at 95 %, over the rate of all. A group is pointed
    out where its rate is above twice the base and it has ten accounts at least.

    Args:
        proposed: Whom a change or an end is proposed for.
        judged: Of whom enough is known for that to be possible: the others count nowhere.
    """
    of = measures.of
    groups = {
        "tier": of.tier,
        "segment": of.segment,
        "age": _ages(of.since_on, measures.as_of),
    }
    rows = [
        row
        for name, own in groups.items()
        for row in _rates(name, own, proposed, judged)
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _rates(
    dimension: str, own: npt.NDArray[np.object_], proposed: Flags, judged: Flags
) -> Iterator[dict[str, Any]]:
    named = pc.fill_null(pa.array(own[judged], pa.string()), _UNKNOWN)
    coded = named.dictionary_encode()
    groups, place = coded.dictionary.to_pylist(), coded.indices.to_numpy()
    total, chosen = int(judged.sum()), int((proposed & judged).sum())
    base = chosen / total if total else 0.0
    counts = np.bincount(place, minlength=len(groups))
    taken = np.bincount(place[proposed[judged]], minlength=len(groups))
    bounds = wilson_bounds(taken, counts)
    for at in sorted(range(len(groups)), key=lambda at: _rank(groups[at])):
        n, k = int(counts[at]), int(taken[at])
        rates = (k / n, float(bounds[0][at]), float(bounds[1][at]))
        ratio, low, high = (each / base if base else None for each in rates)
        # In whole numbers, so that exactly twice the base is not above it.
        is_above = k * total > FAIR_RATIO * chosen * n
        yield {
            "dimension": dimension,
            "group": groups[at],
            "account_count": n,
            "proposed_count": k,
            "rate": significant(k / n),
            "base_rate": significant(base),
            "ratio": significant(ratio),
            "ratio_low": significant(low),
            "ratio_high": significant(high),
            "is_above": is_above and n >= LEAST_COUNT,
        }


def _rank(name: str) -> tuple[bool, int, str]:
    """Ages by age, all else by name; what is unknown is the last."""
    ages = [*AGES, _OLDEST]
    return name == _UNKNOWN, ages.index(name) if name in ages else -1, name


def _ages(
    since: npt.NDArray[np.datetime64], as_of: np.datetime64
) -> npt.NDArray[np.object_]:
    years = (as_of - since).astype("timedelta64[D]").astype(np.float64) / _YEAR
    years[np.isnat(since)] = np.nan
    names = np.array([*AGES, _OLDEST], dtype=object)
    found = names[np.searchsorted(np.array([*AGES.values()]), years, side="right")]
    found[np.isnan(years)] = None
    return found


def looked_at_again(is_low: Flags, *, share: float = 0.05, seed: int = 2026) -> Flags:
    """Of the low scores some at random, one at least, for a person to look at afresh.

    Accounts come sorted by id, so the same ones are drawn in whatever order their rows
    came.
    """
    places = np.flatnonzero(is_low)
    found = np.zeros(is_low.size, dtype=bool)
    if places.size and share > 0:
        count = int(np.ceil(round(share * places.size, 9)))
        drawn = np.random.default_rng(seed).permutation(places.size)[:count]
        found[places[drawn]] = True
    return found


@attrs.frozen
class Proxy:
    """A criterion that goes with size so closely that it says little else."""

    criterion: str
    correlation: float
    count: int


def proxies(measures: Measures) -> list[Proxy]:
    """Criteria whose order is that of the revenue, or its reverse.

    By rank correlation, of ten accounts at least. How much hangs on an account is a matter
    of its size, and is not asked.
    """
    revenue = measures.of.net_revenue
    found = []
    for at, code in enumerate(CODES):
        values = measures.values[:, at]
        known = ~np.isnan(values) & ~np.isnan(revenue) & (revenue > 0)
        if code == _PROXY_OF_ITSELF or known.sum() < LEAST_COUNT:
            continue
        ranks = [_ranks(each[known]) for each in (values, revenue)]
        if min(np.ptp(each) for each in ranks) == 0:
            continue
        rho = twelve_digits(np.atleast_2d(np.corrcoef(ranks))[0, 1:])[0]
        if abs(rho) >= _CLOSE:
            found.append(Proxy(CRITERIA[code].code, float(rho), int(known.sum())))
    return found


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """From 1 on; who are equal share the middle of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle: npt.NDArray[np.float64] = np.cumsum(counts) - (counts - 1) / 2
    return middle[place]


_SCHEMA: Final = pa.schema(
    {
        "dimension": pa.string(),
        "group": pa.string(),
        "account_count": pa.int64(),
        "proposed_count": pa.int64(),
        "rate": pa.float64(),
        "base_rate": pa.float64(),
        "ratio": pa.float64(),
        "ratio_low": pa.float64(),
        "ratio_high": pa.float64(),
        "is_above": pa.bool_(),
    }
)
