"""What was known at the end of this month, is the work growing, and what to bear in mind?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._ahead._settings import PipelineSettings
from crm_portfolio.analysis._ahead._stages import Stages
from crm_portfolio.analysis._facts import AsKnown
from crm_portfolio.results import Row

__all__ = ["of_month", "of_trend", "warnings"]

Values = Mapping[str, ReasonValue]
_LABELS: Final = {
    "rising": "pipeline_is_rising",
    "falling": "pipeline_is_falling",
    "steady": "pipeline_is_steady",
}
_OF: Final = {
    "weighted_amount": "pipeline_of_weighted",
    "amount": "pipeline_of_amount",
    "live_count": "pipeline_of_count",
    "open_count": "pipeline_of_open",
}


def of_month(row: Row, money: Values, level: float) -> Iterator[Reason]:
    """What was open then, what it was worth, and what was entered, won and lost."""
    at = {"at_on": row["at_on"]}
    if row["amount_basis"] == "current_value":
        yield Reason("pipeline_open_only", {**at, "open": row["open_count"]})
        yield Reason("pipeline_amounts_of_today", {"amount": row["amount"], **money})
    else:
        counts = {name: row[f"{name}_count"] for name in ("open", "live", "stale")}
        yield Reason("pipeline_open", {**at, **counts})
    if row["open_count"] and row["amount_basis"] == "as_known":
        amounts = {"amount": row["amount"], "stale_amount": row["stale_amount"]}
        yield Reason("pipeline_worth", {**amounts, **money})
    if n := row["unknown_amount_count"]:
        yield Reason("pipeline_unpriced", {"n": n})
    if row["live_count"] and row["amount_basis"] == "as_known":
        yield from _weighed(row, money)
    if row["mean_age_days"] is not None:
        yield Reason("pipeline_age", {"days": round(row["mean_age_days"])})
    flow = {name: row[f"{name}_count"] for name in ("created", "won", "lost")}
    yield Reason("pipeline_flow", flow)
    if row["win_rate_share"] is not None:
        rates = {
            "share": row["win_rate_share"],
            "low": row["win_rate_low_share"],
            "high": row["win_rate_high_share"],
        }
        yield Reason("pipeline_win_rate", {**rates, "level": level})
    if row["median_cycle_days"] is not None:
        yield Reason("pipeline_cycle", {"days": round(row["median_cycle_days"])})


def _weighed(row: Row, money: Values) -> Iterator[Reason]:
    if row["weighted_amount"] is None:
        yield Reason("pipeline_not_weighed")
    else:
        values = {"weighted": row["weighted_amount"], "n": row["unweighted_count"]}
        yield Reason("pipeline_weighed", {**values, **money})
    if row["default_weighted_amount"] is not None:
        values = {"weighted": row["default_weighted_amount"]}
        yield Reason("pipeline_weighed_by_default", {**values, **money})


def of_trend(trend: Mapping[str, Any], money: Values) -> Iterator[Reason]:
    """The answer, and on what it stands."""
    if trend["of"] is None:
        yield Reason("pipeline_too_short", {"n": trend["open_count"]["points"]})
        return
    its = trend[trend["of"]]
    yield Reason(_LABELS[its["label"]])
    is_money = not trend["of"].endswith("_count")
    values = {name: its[name] for name in ("slope", "slope_low", "slope_high", "p")}
    if is_money:
        values = {name: _about(value) for name, value in values.items() if name != "p"}
        values |= {"p": its["p"], **money}
    yield Reason(_OF[trend["of"]], {"n": its["points"], **values})


def _about(value: float) -> float:
    return float(round(value))


def warnings(
    known: AsKnown,
    now: Mapping[str, Any],
    settings: PipelineSettings,
    *,
    has_history: bool,
    stages: Stages,
) -> Iterator[Reason]:
    """What to bear in mind about all of it."""
    if not has_history:
        yield Reason("pipeline_no_history")
    elif not stages.statuses:
        yield Reason("pipeline_no_stages")
    for field in known.untracked if has_history else ():
        yield Reason("pipeline_untracked", {"field": field})
    if known.judged_from is None:
        yield Reason("pipeline_no_silence")
    if has_history and now["live_count"] and now["weighted_amount"] is None:
        yield Reason("pipeline_few_closed", {"n": settings.min_closed})
    counts: dict[str, Any] = {
        "pipeline_stale": now["stale_count"],
        "pipeline_amounts_unknown": now["unknown_amount_count"],
        "pipeline_undated": known.undated,
        "pipeline_entered_closed": known.entered_closed,
    }
    for code, n in counts.items():
        if n:
            of = {"of": now["open_count"]} if code == "pipeline_stale" else {}
            yield Reason(code, {"n": n, **of})
