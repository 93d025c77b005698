"""What do people judge of the relationship, and has anyone a veto?"""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._risk import LEVELS, group_medians, under_threshold
from crm_portfolio._places import places_of
from crm_portfolio.analysis._dangers._danger import (
    Danger,
    Days,
    days_between,
    days_of,
)
from crm_portfolio.analysis._dangers._settings import RiskSettings
from crm_portfolio.analysis._facts import RevenueFacts, named, ratings
from crm_portfolio.portfolio import Portfolio

__all__ = ["relationship_of"]

_VETO_AT: Final = 0.0
_CRITICAL: Final = LEVELS.index("critical")
_SAID: Final = (
    *("risk_relationship", "risk_veto"),
    *("risk_relationship_undated", "risk_veto_undated"),
)
"""By whether its day is unknown, and whether it is a veto."""


@attrs.frozen(eq=False)
class _Judged:
    """The worst of an account's criteria: a median over its raters, sheet 8.5."""

    rating: Floats
    raters: Groups
    spread: Floats
    on: Days

    @classmethod
    def by(cls, found: pa.Table, count: int) -> _Judged:
        """Of as many accounts; NaN where nobody judged."""
        empty = np.full(count, np.nan)
        judged = cls(
            empty,
            np.zeros(count, dtype=np.int64),
            empty.copy(),
            np.full(count, np.datetime64("NaT", "D")),
        )
        if not found.num_rows:
            return judged
        place, value = _numbers(found["place"]), found["value"].to_numpy()
        criterion = _numbers(
            found["criterion"].combine_chunks().dictionary_encode().indices
        )
        starts, middle, spread = group_medians((place, criterion), value)
        sizes = np.diff([*starts, value.size])
        order = np.lexsort((value, criterion, place))
        newest = np.maximum.reduceat(_days(found)[order], starts)
        # The worst first, and each account once.
        worst = np.lexsort((middle, place[order][starts]))
        own, at = np.unique(place[order][starts][worst], return_index=True)
        chosen = worst[at]
        judged.rating[own], judged.spread[own] = middle[chosen], spread[chosen]
        judged.raters[own], judged.on[own] = sizes[chosen], newest[chosen]
        return judged


def relationship_of(
    portfolio: Portfolio, facts: RevenueFacts, settings: RiskSettings
) -> Danger:
    """The newest rating of each rater; the median of them; the worst criterion."""
    count = len(facts.by_account.ids)
    found = _found(portfolio, facts, settings)
    is_veto = pc.is_in(
        found["criterion"], pa.array(settings.veto_criteria, pa.string())
    )
    judged = _Judged.by(found.filter(pc.invert(is_veto)), count)
    vetoes = found.filter(pc.and_(is_veto, pc.less_equal(found["value"], _VETO_AT)))
    vetoes = vetoes.sort_by([("rated_on", "descending"), ("criterion", "ascending")])
    own, first = np.unique(_numbers(vetoes["place"]), return_index=True)
    has_veto = np.zeros(count, dtype=bool)
    has_veto[own] = True
    veto = np.full(count, None, dtype=object)
    veto[own] = vetoes["criterion"].take(pa.array(first)).to_pylist()
    on = judged.on.copy()
    on[own] = _days(vetoes)[first]
    level = under_threshold(
        judged.rating, settings.rating, ~np.isnan(judged.rating), reached=True
    )
    level[has_veto] = _CRITICAL
    is_undated = on <= np.datetime64("0001-01-01", "D")
    age = days_between(on, np.full(count, np.datetime64(portfolio.as_of, "D")))
    nobody = np.isnan(judged.rating)
    columns = {
        "relationship_rating": pa.array(judged.rating, mask=nobody),
        "rater_count": pa.array(judged.raters),
        "rating_spread": pa.array(judged.spread, mask=nobody),
        "raters_differ": pa.array(judged.spread > settings.rater_spread, mask=nobody),
        "rated_on": days_of(on, is_undated),
        "is_rating_old": pa.array(age > settings.old_rating_days, mask=np.isnat(on)),
        "veto": pa.array(veto, pa.string()),
    }
    said = is_undated.astype(np.int8) * 2 + has_veto
    return Danger.made(
        "relationship",
        level,
        told_as=named(said, _SAID),
        told_on=columns["rated_on"],
        columns=columns,
    )


def _found(
    portfolio: Portfolio, facts: RevenueFacts, settings: RiskSettings
) -> pa.Table:
    """The ratings that matter, with the place of their account."""
    if "rating" not in portfolio:
        return _NO_RATING
    criteria = (*settings.relationship_criteria, *settings.veto_criteria)
    found = ratings(portfolio["rating"], criteria)
    place = places_of(found["account_id"], facts.by_account.ids)
    found = found.append_column("place", place).filter(pc.is_valid(place))
    return found.filter(pc.is_valid(found["value"]))


_NO_RATING = pa.schema(
    {
        "account_id": pa.string(),
        "criterion": pa.string(),
        "rated_by": pa.string(),
        "value": pa.float64(),
        "rated_on": pa.date32(),
        "place": pa.int32(),
    }
).empty_table()


def _numbers(column: Any) -> Groups:
    numbers: Groups = column.cast(pa.int64()).to_numpy()
    return numbers


def _days(found: pa.Table) -> Days:
    days: Days = found["rated_on"].to_numpy().astype("datetime64[D]")
    return days
