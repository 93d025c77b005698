"""How likely is it that another try wins, and by what do we know?"""

from __future__ import annotations

from typing import Final, Literal

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._persistence import odds_left
from crm_portfolio._methods._shrinkage import Kind, beta_binomial
from crm_portfolio.analysis._again._candidates import Candidates
from crm_portfolio.analysis._again._model import Trial, features, trial
from crm_portfolio.analysis._again._past import (
    FAMILY,
    Past,
    group_of,
    hazards_of,
    months_between,
    no_reasons,
    reasons_of,
)
from crm_portfolio.analysis._again._settings import WinBackSettings
from crm_portfolio.portfolio import Portfolio

__all__ = ["Odds", "Source"]

Source = Literal["rates", "logistic", "settings", "unknown"]
_TEXT: Final = pa.string()


@attrs.frozen(eq=False)
class Odds:
    """Of winning with the attempts that are left, in the order of the candidates.

    Attributes:
        value: NaN where nothing tells; ``low`` and ``high`` hold nine tenths, and are NaN
            where it is not a rate.
        whole: With all attempts, before the first of them.
        tries: Of the group whose rate it is; ``wins`` of them were won.
        never: Where nobody of the tried was ever won: then 0 is but the least it may be.
        always: Where all of them were: then 1 is but the most.
        hazards: Of the first, second, … attempt, if those before it failed.
        groups: What the rates stand on, a row for each class and reason.
        knows_reasons: Whether the past tells reasons; else they are by class alone.
    """

    value: Floats
    whole: Floats
    low: Floats
    high: Floats
    tries: Groups
    wins: Groups
    never: bool
    always: bool
    source: Source
    hazards: Floats
    hazard_tries: Groups
    hazard_wins: Groups
    groups: pa.Table
    trial: Trial
    knows_reasons: bool

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        found: Candidates,
        past: Past,
        settings: WinBackSettings,
    ) -> Odds:
        hazards, tries, wins = hazards_of(past, settings.max_attempts)
        family, reason = kinds_of(found, past)
        rated = _rated(past, family, reason)
        tested = trial(past, settings)
        source: Source = "rates" if past.tries else "unknown"
        if source == "unknown" and settings.base_rate is not None:
            source = "settings"
            rated = attrs.evolve(rated, value=np.full(found.size, settings.base_rate))
            hazards = _level(settings.base_rate, settings.max_attempts)
        elif tested.model is not None:
            source = "logistic"
            as_of = np.datetime64(portfolio.as_of, "D")
            months = months_between(found.closed_on, np.full(found.size, as_of))
            values = features(family, reason, found.amount, months, settings)
            own = tested.model.odds(values[:, : tested.coefficients])
            nowhere = np.full(found.size, np.nan)
            rated = attrs.evolve(rated, value=own, low=nowhere, high=nowhere)
        known = np.nan_to_num(hazards)
        left = odds_left(known, found.attempts)
        return cls(
            value=rated.value * left,
            whole=rated.value,
            low=rated.low * left,
            high=rated.high * left,
            tries=rated.tries,
            wins=rated.wins,
            never=rated.kind == "never" and source == "rates",
            always=rated.kind == "always" and source == "rates",
            source=source,
            hazards=hazards,
            hazard_tries=tries,
            hazard_wins=wins,
            groups=rated.groups,
            trial=tested,
            knows_reasons=past.knows_reasons,
        )


def kinds_of(found: Candidates, past: Past) -> tuple[pa.Array, pa.Array]:
    """What each candidate is counted with, and why it was lost, if the past says it."""
    label = found.table["class"].combine_chunks()
    at = pc.index_in(label, pa.array([*FAMILY], _TEXT))
    family = pc.fill_null(pa.array([*FAMILY.values()], _TEXT).take(at), "missed")
    reason = reasons_of(found.table["loss_reason"])
    return family, reason if past.knows_reasons else no_reasons(found.size)


@attrs.frozen(eq=False)
class _Rated:
    value: Floats
    low: Floats
    high: Floats
    tries: Groups
    wins: Groups
    kind: Kind
    groups: pa.Table


def _rated(past: Past, family: pa.Array, reason: pa.Array) -> _Rated:
    """The shrunken rate of each one's class and reason; of all where none is like it."""
    known = pa.array(past.is_known)
    names = group_of(past.family, past.reason).filter(known)
    table = pa.table(
        {
            "family": past.family.filter(known),
            "reason": past.reason.filter(known),
            "group": names,
            "wins": pa.array(past.is_won[past.is_known].astype(np.int64)),
            "tries": pa.array(np.ones(len(names), dtype=np.int64)),
        }
    )
    groups = table.group_by(["group", "family", "reason"], use_threads=False)
    sums = groups.aggregate([("wins", "sum"), ("tries", "sum")]).sort_by("group")
    sums = sums.rename_columns(["group", "family", "reason", "wins", "tries"])
    wins, tries = (sums[name].to_numpy() for name in ("wins", "tries"))
    shrunk = beta_binomial(wins, tries)
    at = pc.index_in(group_of(family, reason), sums["group"].combine_chunks())
    place = pc.fill_null(at, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    prior = shrunk.prior
    # Where nobody was won, or all, what is like nothing tried is like all that were.
    alike = prior.tries if prior.kind in {"never", "always"} else 0
    alone = prior.shrunk([0], [alike])
    rates = {"rate": shrunk.rates, "rate_low": shrunk.low, "rate_high": shrunk.high}
    ends = (alone.rates, alone.low, alone.high)
    value, low, high = (
        np.concatenate([own, of_none])[place]
        for own, of_none in zip(rates.values(), ends, strict=True)
    )
    for name, values in rates.items():
        shown = pa.array(values, mask=np.isnan(values))
        sums = sums.append_column(name, shown)
    return _Rated(
        value=value,
        low=low,
        high=high,
        tries=np.append(tries, 0)[place].astype(np.int64),
        wins=np.append(wins, 0)[place].astype(np.int64),
        kind=prior.kind,
        groups=sums.drop_columns(["group"]),
    )


def _level(rate: float, most: int) -> Floats:
    """The same odds at each of so many attempts, that come to this together."""
    each = 1 - (1 - rate) ** (1 / most)
    return np.full(most, each)
