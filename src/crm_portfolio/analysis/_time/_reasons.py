"""What does each line bring and take, what should be finished, and what limits that?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._inert import inert
from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._time._summary import Whole
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Row

__all__ = ["of_firm", "of_line", "of_project", "warnings"]

Summary = Mapping[str, Any]
Values = Mapping[str, ReasonValue]
_CORE: Final = {
    "core": "focus_core",
    "complementary": "focus_complementary",
    "mixed": "focus_mixed",
    "unclassified": "focus_unclassified",
}


def of_line(
    row: Row, pairs: pa.Table, summary: Summary, money: Values
) -> Iterator[Reason]:
    """What it is, brings, takes and is worth; who else could buy it, and with what."""
    yield Reason(_CORE[row["core"]])
    yield from _brought(row, money)
    yield from _taken(row, summary, money)
    yield from _space(row, money)
    yield from _beside(row, pairs)


def _brought(row: Row, money: Values) -> Iterator[Reason]:
    if row["revenue"] is None:
        yield Reason("focus_revenue_unknown", {"lines": row["line_count"]})
    elif row["revenue_share"] is None:
        yield Reason("focus_revenue", {"revenue": row["revenue"], **money})
    else:
        values = {"revenue": row["revenue"], "share": row["revenue_share"]}
        yield Reason("focus_revenue_share", values | dict(money))
    if row["margin"] is None:
        if row["line_count"]:
            yield Reason("focus_margin_unknown")
    else:
        yield Reason("focus_margin", {"margin": row["margin"], **money})


def _taken(row: Row, summary: Summary, money: Values) -> Iterator[Reason]:
    if row["hours"] is None:
        yield Reason("focus_hours_unknown")
    elif row["hours_share"] is None:
        yield Reason("focus_hours", {"hours": round(row["hours"], 1)})
    else:
        values = {"hours": round(row["hours"], 1), "share": row["hours_share"]}
        yield Reason("focus_hours_share", values)
    core = summary["core"]["margin_per_hour"]
    if row["margin_per_hour"] is None:
        return
    rate = {"rate": round(row["margin_per_hour"], 2), **money}
    if row["worth"] in _AGAINST_CORE:
        told = rate | {"core": round(core, 2)}
        yield Reason(_AGAINST_CORE[row["worth"]], told)
    else:
        yield Reason("focus_per_hour", rate)


_AGAINST_CORE: Final = {
    "above_core": "focus_above_core",
    "below_core": "focus_below_core",
}


def _space(row: Row, money: Values) -> Iterator[Reason]:
    if row["applicable_count"] is None:
        return
    values = {"bought": row["bought_count"], "n": row["applicable_count"]}
    yield Reason("focus_bought", values)
    if row["open_count"] and row["open_value"]:
        left = {"n": row["open_count"], "value": round(row["open_value"], 2)}
        yield Reason("focus_open", left | dict(money))


def _beside(row: Row, pairs: pa.Table) -> Iterator[Reason]:
    """What goes with it the most, if that is more than chance; and what the least."""
    name = row["line"]
    mine = pc.or_(pc.equal(pairs["line"], name), pc.equal(pairs["other_line"], name))
    rows = pairs.filter(pc.and_(mine, pairs["is_told"])).to_pylist()
    for code, found in (
        (
            "focus_goes_with",
            max(rows, key=lambda each: each["lift_low"], default=None),
        ),
        (
            "focus_goes_without",
            min(rows, key=lambda each: each["lift_high"], default=None),
        ),
    ):
        if found is None:
            continue
        is_more = code == "focus_goes_with"
        if found["lift_low"] <= 1 if is_more else found["lift_high"] >= 1:
            continue
        other = found["other_line"] if found["line"] == name else found["line"]
        lifts = {
            key: round(found[column], 2)
            for key, column in (
                ("lift", "lift"),
                ("low", "lift_low"),
                ("high", "lift_high"),
            )
        }
        counts = {"both": found["both_count"], "n": found["account_count"]}
        yield Reason(code, {"line": other, **lifts, **counts})


def of_firm(summary: Summary, money: Values) -> Iterator[Reason]:
    """Where the time goes, what is kept free, and how long we last."""
    yield from _shares(summary["core"])
    by_kind = summary["focus_index"]["kind"]
    if by_kind and by_kind["index"] is not None:
        values = {"index": round(by_kind["index"], 3), "n": by_kind["count"]}
        alike = round(by_kind["effective_number"], 1)
        yield Reason("focus_index", values | {"alike": alike})
    for kind, code in _AT_ONCE.items():
        now = summary["work_in_progress"][kind]
        if now["mean"] is not None:
            mean = round(now["mean"], 1)
            told = {"n": now["who_count"], "mean": mean, "most": now["most"]}
            yield Reason(code, told)
    yield from _new(summary["innovation"])
    yield from _lasting(summary["buffer"])
    yield from _begun(summary, money)


_AT_ONCE: Final = {
    "projects": "focus_projects_at_once",
    "opportunities": "focus_sales_at_once",
}


def _shares(core: Summary) -> Iterator[Reason]:
    for name, (code, unknown) in _SHARES.items():
        if core[name]["core"] is None:
            yield Reason(unknown)
        else:
            values = {
                "share": core[name]["core"],
                "unclassified": core[name]["unclassified"],
            }
            yield Reason(code, values)


_SHARES: Final = {
    "revenue": ("focus_core_revenue", "focus_core_revenue_unknown"),
    "hours": ("focus_core_hours", "focus_core_hours_unknown"),
    "margin": ("focus_core_margin", "focus_core_margin_unknown"),
}


def _new(found: Summary) -> Iterator[Reason]:
    if found["share"] is None:
        yield Reason("focus_new_unknown")
        return
    values = {"share": found["share"], "kinds": ", ".join(found["kinds"])}
    if found["unsorted_share"]:
        yield Reason("focus_new_at_least", values | {"un": found["unsorted_share"]})
    else:
        yield Reason("focus_new", values)
    if found["is_alert"]:
        yield _alert(found)


def _alert(found: Summary) -> Reason:
    return Reason(
        "below_target",
        {
            "n": found["under_count"],
            "target": found["target_share"],
            "since_on": found["under_since_on"],
        },
    )


def _lasting(buffer: Summary) -> Iterator[Reason]:
    if buffer["runway_months"] is not None:
        months = round(buffer["runway_months"], 1)
        yield Reason("focus_runway", {"months": months})
    elif buffer["runway_months_at_least"] is not None:
        months = round(buffer["runway_months_at_least"], 1)
        yield Reason("focus_runway_at_least", {"months": months})
    else:
        yield Reason("focus_runway_unknown")
    if buffer["young_revenue_share"] is not None:
        yield Reason("focus_young", {"share": buffer["young_revenue_share"]})
    if buffer["reviewed_count"] is not None and buffer["parked_count"]:
        values = {"seen": buffer["reviewed_count"], "n": buffer["parked_count"]}
        yield Reason("focus_reviewed", values)


def _begun(summary: Summary, money: Values) -> Iterator[Reason]:
    found = summary["unfinished"]
    if found["project_count"]:
        counts = {
            name: each["project_count"] for name, each in found["choices"].items()
        }
        yield Reason("focus_begun", {"n": found["project_count"], **counts})
    if found["project_count"] and found["value_per_hour"] is not None:
        rate = {"rate": round(found["value_per_hour"], 2), **money}
        yield Reason(_FROM[found["value_per_hour_from"]], rate)
    hours = summary["hours"]
    if hours and hours["abandoned_share"]:
        yield Reason("focus_abandoned", {"share": hours["abandoned_share"]})


_FROM: Final = {
    "settings": "focus_hour_from_settings",
    "open_sales": "focus_hour_from_open_sales",
}


def of_project(row: Row, summary: Summary, money: Values) -> Iterator[Reason]:
    """Finish, park, drop or ask, and by which figures."""
    who = {"project": inert(row["project_id"])}
    worth = summary["unfinished"]["value_per_hour"]
    if row["choice"] == "ask":
        yield Reason(_asked(row, worth), who)
    elif row["choice"] == "drop":
        yield Reason("focus_drop", who)
    elif not row["hours_to_finish"]:
        yield Reason("focus_finish_at_once", who)
    else:
        rates = {"rate": round(row["value_per_hour"], 2), "worth": round(worth, 2)}
        left = round(row["hours_to_finish"], 1)
        values = {**who, "hours": left, **rates, **money}
        yield Reason(_CHOSEN[row["choice"]], values)
    if row["hours_sunk"]:
        yield Reason("focus_sunk", {**who, "hours": round(row["hours_sunk"], 1)})


_CHOSEN: Final = {"finish": "focus_finish", "park": "focus_park"}


def _asked(row: Row, worth: float | None) -> str:
    """What is not known, the first of it."""
    if row["standing"] == "unknown":
        return "focus_ask_status"
    if row["expected_contribution"] is None:
        return "focus_ask_value"
    if row["is_overdue"]:
        return "focus_ask_deadline"
    if row["hours_to_finish"] is None:
        return "focus_ask_hours"
    assert worth is None
    return "focus_ask_worth"


def warnings(portfolio: Portfolio, whole: Whole, summary: Summary) -> Iterator[Reason]:
    """What limits the answer, and the one alert."""
    if summary["innovation"]["is_alert"]:
        yield _alert(summary["innovation"])
    yield from whole.facts.warnings()
    yield from _of_lines(portfolio, whole, summary)
    hours = whole.hours
    if hours.notes is None:
        yield Reason("focus_no_effort")
    elif unseen := _never_noted(whole):
        yield Reason("focus_new_kinds_unseen", {"kinds": inert(", ".join(unseen))})
    elif not hours.kinds:
        kinds = ", ".join(hours.kinds_noted) or "–"
        yield Reason("focus_new_kinds_unknown", {"kinds": kinds})
    if words := whole.projects.taken_as_under_way:
        yield Reason("focus_statuses_open", {"words": ", ".join(map(inert, words))})
    if asked := summary["unfinished"]["choices"]["ask"]["project_count"]:
        yield Reason("focus_unknown_ask", {"n": asked})


def _never_noted(whole: Whole) -> tuple[str, ...]:
    """The kinds that the settings name, where nobody ever noted any of them."""
    chosen = whole.settings.innovation_kinds
    noted = {*whole.hours.kinds_noted, *whole.projects.kinds}
    return tuple(chosen) if chosen and noted.isdisjoint(chosen) else ()


def _of_lines(portfolio: Portfolio, whole: Whole, summary: Summary) -> Iterator[Reason]:
    settings, lines = whole.settings, whole.lines
    if unclassified := summary["core"]["revenue"]["unclassified"]:
        yield Reason("unclassified_product", {"share": unclassified})
    if "product" not in portfolio:
        yield Reason("focus_no_products")
    elif lines.source == "product":
        yield Reason("focus_products_as_lines")
    for name, parts in lines.told().items():
        below = {each: minor for each, minor in parts.items() if minor < 0}
        if below:
            amount = whole.facts.amount(sum(below.values()))
            money: Values = {"amount": amount, "currency": whole.facts.currency}
            yield Reason(_BELOW[name], {"classes": ", ".join(below), **money})
    if left := whole.space.left_out:
        yield Reason("focus_lines_left_out", {"n": left, "most": settings.most_lines})
    told = summary["associations"]
    if few := told["pair_count"] - told["told_count"]:
        yield Reason("focus_too_few", {"n": few, "least": settings.least_count})
    if barred := summary["whitespace"]["barred_count"]:
        yield Reason("focus_barred", {"n": barred})


_BELOW: Final = {"revenue": "focus_negative_revenue", "margin": "focus_negative_margin"}
