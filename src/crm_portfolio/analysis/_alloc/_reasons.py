"""Why does this account get these minutes, and what must be borne in mind?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._alloc._growth import Growth
from crm_portfolio.analysis._alloc._shares import Shares
from crm_portfolio.analysis._alloc._use import Use
from crm_portfolio.analysis._facts import partly_unknown
from crm_portfolio.results import Row

__all__ = ["of_account", "of_firm", "warnings"]

Summary = Mapping[str, Any]
Values = Mapping[str, ReasonValue]


def of_account(
    row: Row, tier: Row | None, summary: Summary, money: Values
) -> Iterator[Reason]:
    """Its minutes, what it took and brought, and the service that goes with its tier."""
    if row["tier"] == "new" and row["served_as"] not in ("new", None):
        values = {"tier": row["served_as"], "revenue": row["revenue"], **money}
        yield Reason("alloc_new", values)
    yield _minutes(row, tier, summary)
    if row["minutes"]:
        yield from _where_from(summary)
    yield from _spent(row)
    yield from partly_unknown(row)
    if tier is not None:
        yield from _service(tier)


def _minutes(row: Row, tier: Row | None, summary: Summary) -> Reason:
    served_as = row["served_as"]
    if served_as is None or tier is None:
        return Reason("alloc_unknown")
    if served_as == "none":
        return Reason("alloc_none")
    if row["minutes"] is None:
        return _without_minutes(row, tier, summary["hours"])
    return _with_minutes(row, tier, summary["hours"])


def _without_minutes(row: Row, tier: Row, hours: Summary) -> Reason:
    if hours["is_affordable"] is False:
        return Reason("alloc_not_affordable", _floor(hours))
    if row["hours_share"] is None:
        return Reason("alloc_no_total_floor")
    values = {"share": row["hours_share"], "groups": hours["group_count"]}
    tiered = {"tier": row["served_as"], "n": tier["account_count"]}
    return Reason("alloc_no_total", values | tiered)


def _with_minutes(row: Row, tier: Row, hours: Summary) -> Reason:
    values: dict[str, ReasonValue] = {
        "tier": row["served_as"],
        "n": tier["account_count"],
        "minutes": row["minutes"],
        "each": _hours(row["hours"]),
    }
    if row["is_at_floor"]:
        equal = hours["total"] / hours["group_count"] / tier["account_count"]
        return Reason("alloc_floor", values | {"equal": _hours(equal)})
    values |= {"of_tier": _hours(tier["hours"]), "total": _hours(hours["total"])}
    if hours["floored_count"]:
        return Reason("alloc_gives", values | {"floor": _hours(hours["floor"])})
    return Reason("alloc_equal", values | {"groups": hours["group_count"]})


def _floor(hours: Summary) -> dict[str, ReasonValue]:
    keys = ("floor", "total", "affordable_floor")
    return {"n": hours["account_count"]} | {key: _hours(hours[key]) for key in keys}


def _hours(hours: float | None) -> ReasonValue:
    """Whole hours as such; others to the hundredth, which is less than a minute."""
    if hours is None:
        return None
    return int(hours) if hours == int(hours) else round(hours, 2)


_FROM: Final = {
    "settings": "alloc_from_settings",
    "capacity": "alloc_from_capacity",
    "spent": "alloc_from_spent",
}


def _where_from(summary: Summary) -> Iterator[Reason]:
    hours = summary["hours"]
    if hours["source"] is not None:
        yield Reason(_FROM[hours["source"]], {"total": _hours(hours["total"])})


def _spent(row: Row) -> Iterator[Reason]:
    if row["hours_spent"] is None:
        yield Reason("alloc_spent_unknown")
        return
    values = {"spent": _hours(row["hours_spent"])}
    if row["spent_share"] is None:
        yield Reason("alloc_spent", values)
    else:
        over = row["hours_over"]
        code = "alloc_spent_over" if over > 0 else "alloc_spent_under"
        used = {"used": row["spent_share"], "over": _hours(abs(over))}
        yield Reason(code, values | used)
    if row["intensity"] is not None:
        taken, brought = row["hours_spent_share"], row["revenue_share_of_noted"]
        shares = {"hours_share": taken, "revenue_share": brought}
        yield Reason("alloc_intensity", {"intensity": row["intensity"], **shares})


_OWNERS: Final = {
    "management": "service_management",
    "account_manager": "service_account_manager",
    "team": "service_team",
}
_CHANNELS: Final = {
    "visit": "service_visit",
    "call": "service_call",
    "online": "service_online",
}


def _service(tier: Row) -> Iterator[Reason]:
    own = {"tier": tier["tier"], "review_months": tier["review_months"]}
    yield Reason(_OWNERS[tier["owner_role"]], own)
    if tier["discount_share"]:
        yield Reason("service_discount", {"discount": tier["discount_share"]})
    else:
        yield Reason("service_no_discount")
    names = ("contact_days", "response_hours", "automation_share")
    yield Reason(_CHANNELS[tier["channel"]], {name: tier[name] for name in names})


def of_firm(summary: Summary, money: Values) -> Iterator[Reason]:
    """Whether the small ones eat the effort, and whether growth is only workload."""
    tail, growth = summary["tail"], summary["growth"]
    if tail["hours_share"] is not None:
        yield Reason(_TAIL[tail["is_over_limit"]], _tail(tail))
    before, now = growth["before"], growth["now"]
    for name, code in (("hours", "growth_hours"), ("revenue", "growth_revenue")):
        if growth[f"{name}_elasticity"] is not None:
            counts = {"before": before["account_count"], "now": now["account_count"]}
            yield Reason(code, counts | {"elasticity": growth[f"{name}_elasticity"]})
    pair = (growth["hours_elasticity"], growth["revenue_elasticity"])
    if None not in pair:
        rates = [round(each["revenue_per_hour"], 2) for each in (before, now)]
        values = {"before": rates[0], "now": rates[1], **money}
        yield Reason("growth_per_hour", values)


_TAIL: Final = {
    True: "alloc_tail_over",
    False: "alloc_tail_within",
    None: "alloc_tail_open",
}


def _tail(tail: Summary) -> dict[str, ReasonValue]:
    names = ["tail_share", "account_count", "hours_share", "revenue_share"]
    if tail["is_over_limit"] is None:
        names.append("noted_count")
    return {name: tail[name] for name in names} | {"cut": tail["limit_share"]}


def warnings(
    use: Use, shares: Shares, growth: Growth, summary: Summary
) -> Iterator[Reason]:
    """What limits the answer."""
    yield from use.facts.warnings()
    hours, tail = summary["hours"], summary["tail"]
    if shares.labels and hours["is_affordable"] is None:
        yield Reason("alloc_total_unknown")
    if hours["is_affordable"] is False:
        yield Reason("floor_not_affordable", _floor(hours))
    covered = shares.total.covered_share
    if covered is not None and covered < 1:
        yield Reason("capacity_partly_known", {"covered": covered})
    if without := shares.served_as.null_count:
        yield Reason("alloc_tier_unknown", {"n": without})
    is_served = shares.group >= 0
    unnoted = int((is_served & ~use.given.is_known).sum())
    if unnoted:
        yield Reason("effort_unknown", {"n": unnoted, "of": shares.count})
    if use.given.negative_count:
        yield Reason("effort_negative", {"n": use.given.negative_count})
    if tail["is_over_limit"]:
        yield Reason("alloc_tail_over", _tail(tail))
    elif tail["is_over_limit"] is None and tail["hours_share"] is not None:
        yield Reason("alloc_tail_open", _tail(tail))
    if growth.is_unchanged:
        yield Reason("no_change_in_n", {"n": growth.now.accounts})
