"""How is the slope to the target, and what happened around each event, said?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._half_year._slope import Slope
from crm_portfolio.results import Row

__all__ = ["of_event", "of_events", "of_slope", "slope_warnings"]

Values = Mapping[str, ReasonValue]
Told = Mapping[str, Any]


def of_slope(told: Told | None, money: Values) -> Iterator[Reason]:
    """What is left, what it takes, what the season and the work ahead say."""
    if told is None:
        yield Reason("slope_without_target")
        return
    until = {"target": told["target"], "last_day": told["last_day"], **money}
    if told["achieved"] is None:
        lines = {"n": told["unknown_line_count"]}
        yield Reason("slope_unknown", until | lines)
        return
    achieved = {name: told[name] for name in ("achieved", "missing")}
    if not told["left_months"]:
        code = "slope_reached" if told["is_met"] else "slope_missed"
        yield Reason(code, until | achieved)
        return
    months = {name: told[f"{name}_months"] for name in ("elapsed", "left")}
    yield Reason("slope_stands", until | achieved | months)
    if told["running"] is not None:
        yield Reason("slope_running", {"amount": told["running"], **money})
    if told["is_met"]:
        yield Reason("slope_met")
        return
    yield from _required(told, money)
    if told["coverage_share"] is not None:
        due = told["due"]
        values = {"share": told["coverage_share"], "n": due["live_count"]}
        values["weighted"] = due["weighted_amount"]
        yield Reason("slope_covered", {**values, **money})


def _required(told: Told, money: Values) -> Iterator[Reason]:
    rates = {name: told[name] for name in ("required", "current", "steepness")}
    code = "slope_steep" if told["steepness"] is not None else "slope_from_nothing"
    yield Reason(code, {**rates, **money})
    if season := told["season"]:
        values = {
            name: season[name]
            for name in ("elapsed_share", "expected", "gap", "projection")
        }
        code = "slope_season"
        if season["projection"] is None:
            code = "slope_season_alone"
        yield Reason(code, {"n": len(season["years"]), **values, **money})


def slope_warnings(slope: Slope | None) -> Iterator[Reason]:
    """What limits the slope; nothing is said of one that nobody asked for."""
    if slope is None or slope.achieved is None:
        return
    if slope.before_book:
        yield Reason("slope_begins_within", {"n": slope.before_book})
    if not slope.left or slope.achieved >= slope.target:
        return
    if slope.weights is None:
        yield Reason("slope_without_season", {"n": len(slope.years)})
    if slope.due is None:
        yield Reason("slope_without_work")
    elif slope.due["weighted_amount"] is None:
        yield Reason("slope_work_unweighed", {"n": slope.due["live_count"]})
    elif slope.due["unweighted_count"]:
        values = {"n": slope.due["unweighted_count"], "of": slope.due["live_count"]}
        yield Reason("slope_work_partly_unweighed", values)


def of_events(rows: list[Row], money: Values) -> Iterator[Reason]:
    """Event by event, and that none of it says why."""
    for row in rows:
        yield from of_event(row, money)
    yield Reason("event_described" if rows else "event_none")


def of_event(row: Row, money: Values) -> Iterator[Reason]:
    begins: date = row["from_on"]
    values = {"event_id": row["event_id"], "from_on": begins, **money}
    ends = row["to_on"]
    if ends is not None and ends > begins:
        yield Reason("event_lasted", {**values, "to_on": ends})
    else:
        yield Reason("event_on", values)
    sides = {side: row[f"revenue_{side}"] for side in ("before", "during", "after")}
    counts = {f"n_{side}": row[f"months_{side}"] for side in sides}
    means = {**sides, **counts, **money}
    yield Reason("event_means", means)
    if row["revenue_after_change"] is not None:
        yield Reason("event_after", {"change": row["revenue_after_change"], **money})
    elif row["revenue_during_change"] is not None:
        change = {"change": row["revenue_during_change"]}
        yield Reason("event_during", {**change, **money})
    if row["level_change"] is None:
        yield Reason("event_too_short")
        return
    parts = ("level_change", "slope_change")
    its = {
        f"{name}{part}": row[f"{name}{part}"]
        for name in parts
        for part in ("", "_low", "_high")
    }
    yield Reason("event_interrupted", {**its, **money})
