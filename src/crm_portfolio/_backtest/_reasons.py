"""How is it said what a list foresaw, and what must be borne in mind?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from crm_portfolio._backtest._rates import Count, lift
from crm_portfolio._backtest._replay import Replayed
from crm_portfolio._backtest._said import LISTS
from crm_portfolio._methods._risk import LEVELS
from crm_portfolio._wording import Reason
from crm_portfolio.results import Row

__all__ = ["measured", "of_forecast", "of_peace", "of_stops", "warnings"]

FEW: Final = 10
"""With fewer named of whom we know what came, nothing is concluded."""

_SAID: Final = {
    "rising": "backtest_said_rising",
    "risk": "backtest_said_risk",
    "win_back": "backtest_said_win_back",
}
_HITS: Final = {
    "rising": "backtest_hits_rising",
    "risk": "backtest_hits_risk",
    "win_back": "backtest_hits_win_back",
}
_MEANS: Final = {
    "rising": "backtest_means_rising",
    "risk": "backtest_means_risk",
    "win_back": "backtest_means_win_back",
}
_NOT_MADE: Final = {
    "rising": "backtest_no_rising",
    "risk": "backtest_no_risk",
    "win_back": "backtest_no_win_back",
}
_NO_BETTER: Final = {
    "rising": "backtest_no_better_rising",
    "risk": "backtest_no_better_risk",
    "win_back": "backtest_no_better_win_back",
}
_WORDS: Final = {"rising": "succession", "risk": "risk", "win_back": "win_back"}


def of_forecast(row: Row, settings: Mapping[str, Any]) -> Iterator[Reason]:
    """What was said, what came of it, of the others, and what that is to be held for."""
    name = row["list"]
    own = {"day": row["day_on"], "n": row["named_count"]}
    yield Reason(_SAID[name], own | {"others": row["others_count"]})
    yield Reason(_MEANS[name], _terms(name, row, settings))
    if row["state"] == "not_yet_known":
        yield Reason("backtest_not_yet", {"until": row["until_on"]})
        return
    if row["state"] == "nobody_named":
        yield Reason("backtest_nobody")
    elif row["state"] == "unknown":
        yield Reason("backtest_nothing_known", {"n": row["named_count"]})
    else:
        yield Reason(_HITS[name], _rates(row, "named", "hit"))
        if unknown := row["named_count"] - row["named_known_count"]:
            yield Reason("backtest_some_unknown", {"n": unknown})
    if row["others_known_count"]:
        yield Reason("backtest_base", _rates(row, "others", "base"))
    yield from _verdict(row)


def _terms(name: str, row: Row, settings: Mapping[str, Any]) -> dict[str, Any]:
    terms = {"until": row["until_on"]}
    return terms | ({"lost": settings["lost_share"]} if name == "risk" else {})


def _rates(row: Row, who: str, rate: str) -> dict[str, Any]:
    return {
        "hits": row[f"{who}_hit_count"],
        "known": row[f"{who}_known_count"],
        "rate": row[f"{rate}_rate"],
        "low": row[f"{rate}_rate_low"],
        "high": row[f"{rate}_rate_high"],
    }


def _verdict(row: Row) -> Iterator[Reason]:
    """More often than the others, less often, or no more than chance may do."""
    if row["gain"] is None:
        return
    # In points of per cent: a share of a share would be read as one of the other rate.
    values = {end: round(100 * row[f"gain_{end}"], 1) for end in ("low", "high")}
    if row["gain_low"] > 0:
        code = "backtest_better" if row["lift"] else "backtest_better_than_never"
        times = {"lift": round(row["lift"], 1)} if row["lift"] else {}
        yield Reason(code, values | times)
    elif row["gain_high"] < 0:
        yield Reason("backtest_worse", values)
    else:
        yield Reason("backtest_may_be_chance", values)


def of_peace(told: Mapping[str, Any]) -> Iterator[Reason]:
    """Who was to be left in peace, and was won all the same."""
    if found := told.get("leave_in_peace"):
        values = {"n": found["count"], "won": found["won_count"]}
        yield Reason("backtest_peace", values)


def of_stops(told: Mapping[str, Any], money: Mapping[str, str]) -> Iterator[Reason]:
    """What all stop rules together would have dropped that was won, and its price."""
    found = told.get("all")
    if not found:
        yield Reason("backtest_no_stops")
        return
    values = {
        "n": found["count"],
        "won": found["won_count"],
        "amount": found["won_amount"],
        **money,
    }
    yield Reason("backtest_stops", values)
    price = {"hours": found["unwon_hours"], "attempts": found["unwon_attempt_count"]}
    if price["hours"] is not None:
        yield Reason(
            "backtest_stops_price", price | {"n": found["count"] - found["won_count"]}
        )
    if found["contribution_per_hour"] is not None:
        hourly = {"value": round(found["contribution_per_hour"], 2), **money}
        yield Reason("backtest_stops_hour", hourly)
    if found["forgone"] is not None:
        code = "backtest_stops_cost" if found["forgone"] > 0 else "backtest_stops_spare"
        yield Reason(code, {"amount": round(abs(found["forgone"]), 2), **money})


def measured(params: Mapping[str, Any]) -> tuple[Reason, ...]:
    """Which days, and how long it may take."""
    days = params["settings"]["days"]
    values = {
        "n": len(days),
        "first": days[0],
        "last": days[-1],
        "months": params["settings"]["horizon_months"],
    }
    return (Reason("backtest_replayed", values),)


def warnings(
    replayed: Sequence[Replayed], summary: Mapping[str, Any]
) -> Iterator[Reason]:
    """What limits the answer."""
    lists = summary["lists"]
    for name in LISTS:
        if name not in lists:
            yield Reason(_NOT_MADE[name])
    if waiting := sum(each.came is None for each in replayed):
        yield Reason("backtest_days_not_over", {"n": waiting, "days": len(replayed)})
    if overlapping := _overlapping(lists):
        yield Reason("backtest_overlaps", {"n": overlapping})
    for name, found in lists.items():
        yield from _of_list(name, found)
    yield from _of_levels(summary["levels"].get("risk", {}))
    if unknown := max((each.unknown_columns for each in replayed), default=0):
        yield Reason("backtest_unknown_then", {"n": unknown})
    if "win_back" in lists:
        yield Reason("backtest_chosen_by_people")


def _overlapping(lists: Mapping[str, Any]) -> int:
    """How many days are over and yet not counted in the figures of all days."""
    return max(
        (
            each["known_day_count"] - len(each["counted_days"])
            for each in lists.values()
        ),
        default=0,
    )


def _of_list(name: str, found: Mapping[str, Any]) -> Iterator[Reason]:
    known = found["named_known_count"]
    if not found["known_day_count"] or not found["named_count"] + found["others_count"]:
        return
    named = found["named_count"]
    if not known:
        code = "backtest_none_known" if named else "backtest_none_named"
        yield Reason(code, {"list": _WORDS[name]} | ({"n": named} if named else {}))
    elif known < FEW:
        yield Reason("backtest_few", {"list": _WORDS[name], "n": known})
    elif found["gain"] is not None and found["gain"] <= 0:
        rates = {"rate": found["hit_rate"], "base": found["base_rate"], "n": known}
        yield Reason(_NO_BETTER[name], rates)


def _of_levels(levels: Mapping[str, Any]) -> Iterator[Reason]:
    """Where those of a graver level were hurt less often, and by more than chance."""
    known = [
        (level, levels[level])
        for level in LEVELS
        if level in levels and levels[level]["known_count"]
    ]
    for (lower, other), (graver, own) in pairwise(known):
        one, two = (
            Count(each["count"], each["known_count"], each["hurt_count"])
            for each in (own, other)
        )
        most = lift(one, two)["gain_high"]
        if most is not None and most < 0:
            rates = {"rate": own["hurt_rate"], "other": other["hurt_rate"]}
            yield Reason(
                "backtest_levels_unordered", {"graver": graver, "lower": lower, **rates}
            )
