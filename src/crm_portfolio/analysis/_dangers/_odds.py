"""What is shown and said of the odds that an account leaves?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from crm_portfolio._methods._calibration import Line
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._dangers._learned import (
    MODEL,
    RATE,
    Leaving,
    Scores,
    Verdict,
)
from crm_portfolio.analysis._dangers._leaving import TIERS, History
from crm_portfolio.analysis._dangers._settings import RiskSettings
from crm_portfolio.analysis._facts import named
from crm_portfolio.results import Json, Row, significant

__all__ = [
    "odds_columns",
    "odds_summary",
    "odds_warnings",
    "of_odds",
    "reliability_table",
]

_WARNED: Final[Mapping[Verdict, str]] = {
    "too_short": "risk_odds_too_short",
    "few_events": "risk_odds_few_events",
    "no_extra": "risk_odds_no_extra",
    "not_better": "risk_odds_not_better",
    "by_chance": "risk_odds_by_chance",
    "not_calibrated": "risk_odds_not_calibrated",
    "not_as_many": "risk_odds_not_as_many",
}
_BINS: Final = pa.schema(
    [
        ("bin", pa.int64()),
        ("account_count", pa.int64()),
        ("left_count", pa.int64()),
        ("said_odds", pa.float64()),
        ("left_share", pa.float64()),
        ("left_share_low", pa.float64()),
        ("left_share_high", pa.float64()),
    ]
)


def odds_columns(found: Leaving, history: History) -> dict[str, pa.Array]:
    """The odds of each account, their source, the tier whose rate they may be, who left."""
    return {
        "leave_odds": _known(found.odds),
        "odds_source": pa.array(found.source, pa.string(), mask=found.source == ""),
        "odds_tier": named(found.tier, TIERS),
        "left_on": pa.nulls(found.odds.size, pa.date32())
        if history.left_on is None
        else pa.array(history.left_on),
    }


def reliability_table(found: Leaving) -> pa.Table:
    """The odds of the model on the later window against what came; empty without one."""
    bins = found.trial.bins
    if bins is None:
        return _BINS.empty_table()
    shares = (bins.said, bins.came, bins.low, bins.high)
    columns = [
        np.arange(1, bins.counts.size + 1),
        *(bins.counts, bins.events),
        *map(twelve_digits, shares),
    ]
    return pa.table([pa.array(each) for each in columns], names=_BINS.names)


def odds_summary(found: Leaving, settings: RiskSettings) -> dict[str, Json]:
    """What was tried, on whom, how well it did, and what is used."""
    trial, tried = found.trial, found.trial.tried
    known = ~np.isnan(found.odds)
    used = MODEL if found.forecast is not None else RATE
    return {
        "verdict": trial.verdict,
        "used": used if known.any() else None,
        "horizon_months": settings.horizon_months,
        "at_risk_count": int((found.tier >= 0).sum()),
        "with_odds_count": int(known.sum()),
        "split_on": trial.split_on.isoformat() if trial.split_on else None,
        "trained_count": trial.trained,
        "trained_left_count": trial.trained_left,
        "tested_count": trial.tested,
        "tested_left_count": trial.tested_left,
        "kind": tried.kind if tried else None,
        "calibration": _calibration(found),
        "features": list(found.names[: tried.columns]) if tried else [],
        "gain": _figure(trial.gain),
        "gain_error": _figure(trial.gain_error),
        "model": _scores(trial.model),
        "baseline": _scores(trial.baseline),
        "rates": [
            {
                "tier": name,
                "account_count": int(found.counts[at]),
                "left_count": int(found.left[at]),
                "rate": None if np.isnan(rate) else significant(float(rate)),
            }
            for at, (name, rate) in enumerate(
                zip(TIERS, found.rates.tolist(), strict=True)
            )
        ],
    }


def _calibration(found: Leaving) -> str | None:
    tried = found.trial.tried
    if tried is None or tried.correction is None:
        return None
    return "sigmoid" if tried.correction.line else "isotonic"


def _scores(found: Scores | None) -> Json:
    if found is None:
        return None
    line = found.line or Line(float("nan"), float("nan"))
    return {
        "log_loss": _figure(found.log_loss),
        "brier": _figure(found.brier),
        "reliability": _figure(found.parts.reliability),
        "resolution": _figure(found.parts.resolution),
        "uncertainty": _figure(found.parts.uncertainty),
        "in_the_large": _figure(found.in_the_large),
        "auc": _figure(found.auc),
        "calibration_intercept": _figure(line.intercept),
        "calibration_slope": _figure(line.slope),
        "lift_top_tenth": _figure(found.lift),
        "value_captured_top_tenth": _figure(found.captured),
    }


def odds_warnings(
    found: Leaving, history: History, settings: RiskSettings
) -> Iterator[Reason]:
    """Who has not left after all, and why odds to be learned are but rates of tiers."""
    if history.gainsaid:
        values = {"n": history.said, "still": history.gainsaid}
        yield Reason("risk_departures_gainsaid", values)
    trial = found.trial
    if trial.verdict not in _WARNED:
        return
    more: dict[str, ReasonValue] = {"months": settings.horizon_months}
    if trial.verdict == "few_events":
        # A later window in which nobody left, or nobody stayed, tells as little.
        more |= {"left": trial.trained_left, "then": trial.tested_left}
        more |= {"least": settings.fewest_events}
    if trial.model is not None and trial.baseline is not None:
        more |= {"model": trial.model.log_loss, "rates": trial.baseline.log_loss}
    if trial.verdict == "not_calibrated" and trial.model and trial.model.line:
        more |= {"slope": trial.model.line.slope}
    if trial.verdict == "not_as_many" and trial.model:
        said = trial.tested_left + trial.model.in_the_large * trial.tested
        more |= {"said": round(said), "came": trial.tested_left}
    rounded = {
        key: round(each, 4) if isinstance(each, float) else each
        for key, each in more.items()
    }
    yield Reason(_WARNED[trial.verdict], rounded)


def of_odds(row: Row, odds: Mapping[str, Any], label: str) -> Iterator[Reason]:
    """At which odds it leaves, whence they are, and what leaving is.

    Args:
        odds: As the summary tells of them, and ``label`` as the parameters do.
    """
    if row["left_on"] is not None:
        yield Reason("risk_has_left", {"left_on": row["left_on"]})
        return
    values = {"odds": row["leave_odds"], "months": odds["horizon_months"]}
    if row["odds_source"] == MODEL:
        tried = {"split": odds["split_on"], "n": odds["tested_count"]}
        yield Reason("risk_odds_of_model", {**values, **tried})
    elif row["odds_source"] == RATE:
        rates = {each["tier"]: each for each in odds["rates"]}
        own = rates[row["odds_tier"]]
        stands = {"n": own["account_count"], "left": own["left_count"]}
        yield Reason("risk_odds_of_tier", {**values, **stands})
    elif row["odds_tier"] is not None:
        yield Reason("risk_odds_unknown", {"months": odds["horizon_months"]})
    if row["odds_source"] is not None:
        is_said = label == "departures"
        yield Reason("risk_odds_left_as_said" if is_said else "risk_odds_left_by_rule")


def _known(values: Floats) -> pa.Array:
    return pa.array(twelve_digits(values), mask=np.isnan(values))


def _figure(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else significant(value)
