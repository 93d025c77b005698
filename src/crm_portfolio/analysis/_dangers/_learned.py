"""Does a model foresee who leaves better than the rates of the tiers, on a later day?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

import attrs
import numpy as np

from crm_portfolio._methods._calibration import (
    Bins,
    Line,
    Murphy,
    auc,
    brier,
    calibration_line,
    in_the_large,
    is_as_many,
    is_beyond_chance,
    lift_at_top,
    mean_and_error,
    murphy,
    reliability,
)
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._forecast import Forecast, forecast
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._logistic import log_loss, surprises
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._shrinkage import beta_binomial
from crm_portfolio.analysis._dangers._leaving import TIERS, Cases, History
from crm_portfolio.analysis._dangers._settings import RiskSettings
from crm_portfolio.errors import MissingExtraError

__all__ = ["MODEL", "RATE", "Leaving", "Scores", "Trial", "Verdict"]

Verdict = Literal[
    "not_asked",
    "too_short",
    "few_events",
    "no_extra",
    "not_better",
    "by_chance",
    "not_calibrated",
    "not_as_many",
    "better",
]
MODEL, RATE = "model", "tier_rate"


@attrs.frozen
class Scores:
    """How well odds did on the later window; lower losses are better."""

    log_loss: float
    brier: float
    parts: Murphy
    in_the_large: float
    auc: float | None
    line: Line | None
    lift: float | None
    captured: float | None

    @classmethod
    def of(cls, odds: Floats, cases: Cases) -> Scores:
        left = _known(cases)
        lift, captured = lift_at_top(odds, left, cases.worth)
        return cls(
            log_loss=log_loss(odds, left),
            brier=brier(odds, left),
            parts=murphy(odds, left),
            in_the_large=in_the_large(odds, left),
            auc=auc(odds, left),
            line=calibration_line(odds, left),
            lift=lift,
            captured=captured,
        )


@attrs.frozen(eq=False)
class Trial:
    """Two ways to foresee, both made from earlier windows and held against a later one.

    Attributes:
        trained, tested: Cases; ``trained_left`` and ``tested_left`` of them left.
        split_on: The day as of which the later window was foretold.
        gain, gain_error: Of log loss by the model, a case.
        bins: The odds of the model against what came.
    """

    verdict: Verdict
    trained: int = 0
    trained_left: int = 0
    tested: int = 0
    tested_left: int = 0
    split_on: date | None = None
    tried: Forecast | None = None
    model: Scores | None = None
    baseline: Scores | None = None
    gain: float | None = None
    gain_error: float | None = None
    bins: Bins | None = None


@attrs.frozen(eq=False)
class Leaving:
    """The odds that each account leaves within the window ahead, and whence they are.

    Attributes:
        odds: By account; NaN where it cannot leave, or nobody knows.
        source: ``model`` or ``tier_rate``; empty where there are none.
        tier: The place in ``TIERS``; −1 where it cannot leave.
        counts, left: By tier, of all windows that are over: what the rates stand on.
        rates: By tier, shrunken; NaN where none ever left, or nobody was there.
    """

    trial: Trial
    names: tuple[str, ...]
    odds: Floats
    source: np.ndarray[tuple[int], np.dtype[np.object_]]
    tier: Groups
    counts: Groups
    left: Groups
    rates: Floats
    forecast: Forecast | None

    @classmethod
    def of(cls, history: History, settings: RiskSettings, count: int) -> Leaving:
        """Of so many accounts; the model where it is asked for, and was the better one."""
        today, past = history.cases[0], history.cases[1:]
        fold = _folds(count, settings)
        tested = _tried(past, settings, fold)
        chosen = None
        if tested.verdict == "better":
            chosen = _fit(past, settings, fold)
        counts, left = _counted(past)
        rates = _rates(counts, left)
        odds, tier = np.full(count, np.nan), np.full(count, -1, dtype=np.int64)
        own = rates[today.tier] if chosen is None else chosen.odds(today.features)
        odds[today.places], tier[today.places] = own, today.tier
        source = np.full(count, "", dtype=object)
        source[~np.isnan(odds)] = RATE if chosen is None else MODEL
        return cls(
            *(tested, history.names, odds, source, tier, counts, left, rates, chosen)
        )


def _tried(past: Sequence[Cases], settings: RiskSettings, fold: Groups) -> Trial:
    """Fit to earlier windows, test on the last that is over."""
    if settings.odds == "rates":
        return Trial("not_asked")
    if len(past) < 2:
        return Trial("too_short")
    later, earlier = past[0], past[1:]
    happened, came = _left_of(earlier), _known(later)
    told = Trial(
        "few_events",
        trained=happened.size,
        trained_left=int(happened.sum()),
        tested=came.size,
        tested_left=int(came.sum()),
        split_on=later.day,
    )
    few = min(told.trained_left, told.trained - told.trained_left)
    if few < settings.fewest_events or not came.any() or came.all():
        return told
    try:
        model = _fit(earlier, settings, fold)
    except MissingExtraError:
        return attrs.evolve(told, verdict="no_extra")
    said, plain = model.odds(later.features), _rates(*_counted(earlier))[later.tier]
    gain, error = mean_and_error(surprises(plain, came) - surprises(said, came))
    told, scores = (
        attrs.evolve(told, gain=gain, gain_error=error),
        Scores.of(said, later),
    )
    is_many = is_as_many(said, came, settings.count_between, settings.gain_alpha)
    verdict = _verdict(told, scores, settings)
    return attrs.evolve(
        told,
        verdict=verdict if is_many or verdict != "better" else "not_as_many",
        tried=model,
        model=scores,
        baseline=Scores.of(plain, later),
        bins=reliability(said, came),
    )


def _verdict(trial: Trial, scores: Scores, settings: RiskSettings) -> Verdict:
    if not trial.gain or trial.gain <= 0:
        return "not_better"
    if not is_beyond_chance(trial.gain, trial.gain_error or 0.0, settings.gain_alpha):
        return "by_chance"
    low, high = settings.slope_between
    is_true = scores.line is None or low <= scores.line.slope <= high
    return "better" if is_true else "not_calibrated"


def _fit(past: Sequence[Cases], settings: RiskSettings, fold: Groups) -> Forecast:
    """To as many cases as there may be, drawn evenly from all windows."""
    features = np.concatenate([each.features for each in past])
    places = np.concatenate([each.places for each in past])
    happened = _left_of(past)
    if happened.size > settings.most_cases:
        chance = np.random.default_rng(settings.seed)
        rows = chance.choice(happened.size, settings.most_cases, replace=False)
        rows.sort()
        features, places, happened = features[rows], places[rows], happened[rows]
    return forecast(
        features,
        happened,
        fold[places],
        boosting_events=settings.boosting_events,
        isotonic_cases=settings.isotonic_cases,
    )


def _folds(count: int, settings: RiskSettings) -> Groups:
    """By account, so that no model is asked about one it has seen in another window."""
    order = np.random.default_rng(settings.seed).permutation(count)
    folds: Groups = order % settings.folds
    return folds


def _known(cases: Cases) -> Flags:
    assert cases.left is not None
    return cases.left


def _left_of(past: Sequence[Cases]) -> Flags:
    return np.concatenate([_known(each) for each in past])


def _counted(past: Sequence[Cases]) -> tuple[Groups, Groups]:
    """By tier: how many could leave, and how many did."""
    counts, left = (np.zeros(len(TIERS), dtype=np.int64) for _ in range(2))
    for each in past:
        counts += np.bincount(each.tier, minlength=len(TIERS))
        left += np.bincount(each.tier[_known(each)], minlength=len(TIERS))
    return counts, left


def _rates(counts: Groups, left: Groups) -> Floats:
    """That nobody left does not say that nobody can: NaN."""
    rates: Floats = beta_binomial(left, counts).rates
    return np.where(rates > 0, rates, np.nan)
