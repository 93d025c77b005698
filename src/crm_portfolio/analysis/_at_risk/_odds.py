"""At which odds does each account leave within a year, and who says so?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import isnan
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import places_of
from crm_portfolio.errors import SettingsError, did_you_mean

__all__ = ["BASE_RATE", "GIVEN", "GONE", "POOLED_RATE", "RISK", "Odds"]

GIVEN: Final = "given"
RISK: Final = "risk"
GONE: Final = "gone"
BASE_RATE: Final = "base_rate"
POOLED_RATE: Final = "pooled_rate"
_NOBODY: Final[Mapping[str, float]] = {}
_LEFT: Final[Mapping[str, date]] = {}


@attrs.frozen(eq=False)
class Odds:
    """By place in the facts.

    Attributes:
        odds: NaN where nobody knows.
        source: ``given``, of the model that ``risk`` found to hold, the ``base_rate`` of
            its tier, the ``pooled_rate`` of all tiers where its own has none or never lost
            any, or nothing; ``gone`` where it cannot leave any more.
        tier: The tier each account is in; empty where it has none.
        left_on: Since when those are gone; NaT for all others.
    """

    odds: Floats
    source: npt.NDArray[np.str_]
    tier: npt.NDArray[np.str_]
    left_on: npt.NDArray[np.datetime64]

    @classmethod
    def of(
        cls,
        ids: pa.Array,
        tier: pa.Array,
        given: Mapping[str, float | None],
        rates: Mapping[str, float],
        *,
        learned: Mapping[str, float] = _NOBODY,
        departed: Mapping[str, date] = _LEFT,
    ) -> Odds:
        tiers = np.asarray(pc.fill_null(tier, "").to_pylist(), dtype=np.str_)
        odds = np.full(len(ids), np.nan)
        source = np.full(len(ids), "", dtype="<U11")
        # That nobody left among so few does not say that nobody can.
        if pooled := _pooled(tiers, rates):
            odds[:], source[:] = pooled, POOLED_RATE
        for name, rate in rates.items():
            if rate > 0:
                odds[tiers == name], source[tiers == name] = rate, BASE_RATE
        for told, name in ((learned, RISK), (given, GIVEN)):
            at, own = _given(ids, told)
            odds[at], source[at] = own, name
        left_on = np.full(len(ids), np.datetime64("NaT", "D"))
        gone = places_of(pa.array([*departed], pa.string()), ids).to_numpy()
        odds[gone], source[gone] = np.nan, GONE
        left_on[gone] = np.array([*departed.values()], dtype="datetime64[D]")
        return cls(odds, source, tiers, left_on)

    @property
    def is_gone(self) -> Flags:
        gone: Flags = self.source == GONE
        return gone

    @property
    def is_known(self) -> Flags:
        known: Flags = ~np.isnan(self.odds)
        return known


def _pooled(tiers: npt.NDArray[np.str_], rates: Mapping[str, float]) -> float | None:
    """What the tiers lose together, each by its accounts; None without any rate."""
    if not rates:
        return None
    sizes = np.array([int((tiers == name).sum()) for name in rates], dtype=np.float64)
    each = np.array([*rates.values()])
    return float((sizes @ each) / sizes.sum() if sizes.sum() else each.mean())


def _given(ids: pa.Array, given: Mapping[str, float | None]) -> tuple[Any, Floats]:
    """Places and odds of those that somebody gave; None and NaN are not given."""
    plain = {
        (key.as_py() if isinstance(key, pa.Scalar) else str(key)): value
        for key, value in given.items()
        if value is not None and not isnan(value)
    }
    at = places_of(pa.array([*plain], pa.string()), ids)
    if at.null_count:
        lost = [*plain][at.is_null().to_pylist().index(True)]
        near = did_you_mean(lost, ids.to_pylist())
        raise SettingsError(f"the portfolio has no account {lost!r}{near}")
    odds = np.array([*plain.values()], dtype=np.float64)
    wrong = odds[(odds < 0) | (odds > 1)]
    if wrong.size:
        raise SettingsError(f"odds are from 0 to 1, not {wrong[0]}")
    return at.to_numpy().astype(np.int64), odds
