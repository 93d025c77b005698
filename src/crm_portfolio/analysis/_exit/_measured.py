"""What do the books say of each account by those criteria that can be measured?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import nw
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._drawn_to import drawn_to_mean
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import places_of, rows_of
from crm_portfolio.analysis._exit._criteria import Code, Source, source
from crm_portfolio.analysis._exit._given import Given
from crm_portfolio.analysis._exit._rules import MeasureRules
from crm_portfolio.analysis._facts import RevenueFacts
from crm_portfolio.analysis._facts._requests import (
    PARTS_OF_SATISFACTION,
    asked_of_us,
    controversies,
    efforts_by_kind,
    joint_projects,
    new_offers,
    old_offers,
)
from crm_portfolio.analysis._tier import Potential, Promise
from crm_portfolio.portfolio import Portfolio

__all__ = ["Measured", "Said", "net_revenue"]

_A_THOUSAND: Final = 1000.0
_BEST: Final = 10.0
_NO_POTENTIAL: Final = "unknown"

Evidence = dict[str, Floats]


@attrs.frozen(eq=False)
class Said:
    """What is measured by one criterion; NaN where nothing measures it.

    Attributes:
        by: The table that says it, or of each account the place of its own.
        is_partial: A part of it is unknown, and is not in the value.
    """

    values: Floats
    by: Source | npt.NDArray[np.int64]
    is_partial: Flags | None = None


@attrs.frozen(eq=False)
class Measured:
    """The measured criteria, accounts in the order of the facts.

    Attributes:
        evidence: By name: counts, shares and amounts that stand beside the values.
        reference: What F1 is held against, for each ``hour`` or unit of ``revenue``.
        controversy_on: The last day of a controversy that still counts; else NaT.
    """

    said: Mapping[Code, Said]
    evidence: Mapping[str, Floats]
    reference: float
    basis: str
    hour_value: float
    hour_value_from: str
    controversy_on: npt.NDArray[np.datetime64]

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        rules: MeasureRules,
        given: Given,
    ) -> Measured:
        hour_value, told_by = given.hour_value(rules)
        rate, reference, basis = _profit(facts, rules, given)
        evidence: Evidence = {
            **_requested(portfolio, facts, rules),
            **_offered(portfolio, facts, rules),
            f"contribution_per_{basis}": twelve_digits(rate),
        }
        found: dict[Code, Said] = {
            "F1": Said(_ratio(rate, np.full(rate.size, reference)), _lines_of(facts)),
            "F3": Said(given.numbers("receivables", "days_late"), "invoice"),
            **_discounted(given, evidence),
            **_served(facts, rules, given, hour_value),
            **_content(rules, evidence),
            "F9": Said(
                evidence["old_hours_share"],
                "effort",
                evidence["named_hours_share"] < 1,
            ),
            "F11": Said(
                given.numbers("concentration", "group_share"), _lines_of(facts)
            ),
            "F13": _promised(portfolio, facts, given),
        }
        return cls(
            {
                code: attrs.evolve(each, values=twelve_digits(each.values))
                for code, each in found.items()
            },
            evidence,
            reference,
            basis,
            hour_value,
            told_by,
            _controversial(portfolio, facts, rules),
        )


def net_revenue(facts: RevenueFacts) -> Floats:
    """Of each account in the period; NaN where it is unknown."""
    of = facts.by_account
    return np.where(of.is_known, facts.money(of.revenue), np.nan)


def _lines_of(facts: RevenueFacts) -> Source:
    return "revenue_line" if facts.measure == "net_revenue" else "opportunity"


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """NaN where one is unknown, or nothing is divided by."""
    is_known = ~np.isnan(top) & (np.nan_to_num(bottom) > 0)
    found = np.full(top.size, np.nan)
    found[is_known] = top[is_known] / bottom[is_known]
    return found


def _profit(
    facts: RevenueFacts, rules: MeasureRules, given: Given
) -> tuple[Floats, float, str]:
    """What is left of an hour, or of revenue where no hours are known; and the usual.

    Where more is credited than sold, of what is credited: a loss is a loss.
    """
    left = given.numbers("profitability", rules.overlap_policy)
    rate, basis = _ratio(left, given.numbers("profitability", "hours")), "hour"
    if np.isnan(rate).all():
        rate, basis = _ratio(left, np.abs(net_revenue(facts))), "revenue"
    usual = rules.reference_contribution
    return rate, _usual(rate) if usual is None else usual, basis


def _usual(rate: Floats) -> float:
    """The median; of those that earn something where it is no profit, so that it divides.

    Where nobody does, that of the losses: all are below nothing then.
    """
    known = rate[~np.isnan(rate)]
    for asked in (known, known[known > 0], np.abs(known)):
        if asked.size and (found := float(np.median(asked))) > 0:
            return found
    return float("nan")


def _served(
    facts: RevenueFacts, rules: MeasureRules, given: Given, hour_value: float
) -> dict[Code, Said]:
    """What it costs to win and serve, the hours it takes, and what those keep us from.

    Each a part of the revenue, so that none of them says how large the account is.
    """
    names = ("hours", "cost_to_serve", "acquisition_cost")
    hours, service, won = (given.numbers("profitability", each) for each in names)
    revenue, tier = net_revenue(facts), given.groups("tiers", "tier")
    said_by: Source = "activity" if given.hours_from == "activity" else "effort"

    def drawn(top: Floats) -> Floats:
        return drawn_to_mean(top, revenue, hours, tier, enough=rules.least_hours)

    costs = drawn(service + np.nan_to_num(won))
    return {
        "F2": Said(costs, said_by, np.isnan(won)),
        "F7": Said(drawn(hours * _A_THOUSAND), said_by),
        "F12": Said(_ratio(hours * hour_value, revenue), said_by),
    }


def _discounted(given: Given, evidence: Evidence) -> dict[Code, Said]:
    """The larger of two shares: offers with a discount, and list value lost unexplained."""
    asked = given.numbers("profitability", "discounted_offer_share")
    leaked = _ratio(
        given.numbers("profitability", "unexplained_leakage"),
        given.numbers("profitability", "list_value"),
    )
    evidence["discounted_offer_share"], evidence["leaked_share"] = asked, leaked
    is_one = np.isnan(asked) | np.isnan(leaked)
    by_leaks = ~np.isnan(leaked) & ~(asked > leaked)
    sources = np.where(by_leaks, source("revenue_line"), source("opportunity"))
    return {"F4": Said(np.fmax(asked, leaked), sources, is_one)}


def _content(rules: MeasureRules, evidence: Evidence) -> dict[Code, Said]:
    """What accounts say of our service, in tenths, where the scale of it is known."""
    if rules.satisfaction_scale is None:
        return {}
    worst, best = rules.satisfaction_scale
    tenths = _BEST * (evidence["satisfaction"] - worst) / (best - worst)
    is_enough = evidence["satisfaction_count"] >= rules.least_tickets
    held = np.where(is_enough, np.clip(tenths, 0.0, _BEST), np.nan)
    return {"F8": Said(held, "ticket")}


def _requested(
    portfolio: Portfolio, facts: RevenueFacts, rules: MeasureRules
) -> Evidence:
    """Special requests, hours on what we only sell because we did, and tickets."""
    found = _Placed(facts)
    names = ("old_hours_share", "named_hours_share", "satisfaction")
    for name in (*names, "satisfaction_count"):
        found.told[name] = np.full(len(found.ids), np.nan)
    if "effort" in portfolio:
        obsolete = _obsolete(portfolio, rules)
        scan = efforts_by_kind(
            portfolio["effort"],
            facts.period,
            special=rules.special_kinds,
            obsolete=obsolete,
        )
        seconds = found.of(scan, "seconds")
        worked = np.where(seconds > 0, seconds, np.nan)
        found.told["effort_kind_count"] = found.of(scan, "kinds")
        if rules.special_kinds:
            found.told["special_request_count"] = found.of(scan, "special_kinds")
            special = found.of(scan, "special_seconds")
            found.told["special_hours_share"] = special / worked
        if obsolete:
            named = found.of(scan, "named_seconds")
            found.told["old_hours_share"] = _ratio(found.of(scan, "old_seconds"), named)
            found.told["named_hours_share"] = named / worked
    if "ticket" in portfolio:
        zone = portfolio.calendar.time_zone
        scan = asked_of_us(portfolio["ticket"], facts.period, zone)
        tickets, told = (found.of(scan, each, 0.0) for each in ("tickets", "told"))
        escalated, rated = (found.of(scan, each) for each in ("escalated", "rated"))
        content = found.of(scan, "satisfied") / PARTS_OF_SATISFACTION
        found.told["ticket_count"] = tickets
        found.told["escalated_share"] = _ratio(escalated, told)
        found.told["satisfaction_count"] = np.nan_to_num(rated)
        found.told["satisfaction"] = _ratio(content, rated)
    return found.told


def _offered(
    portfolio: Portfolio, facts: RevenueFacts, rules: MeasureRules
) -> Evidence:
    """Old offers kept for it, new ones it took up, projects carried together."""
    found, months = _Placed(facts), rules.new_offer_months
    if "revenue_line" in portfolio:
        frame = portfolio["revenue_line"]
        obsolete = _obsolete(portfolio, rules)
        if obsolete:
            scan = old_offers(frame, facts.period, obsolete)
            found.told["old_offer_count"] = found.of(scan, "products", 0.0)
            found.told["old_offer_alone_count"] = found.of(scan, "alone", 0.0)
        since = facts.period.months_before_end(months)
        if _tells_products(portfolio) and _begins_before(facts, since):
            scan = new_offers(frame, facts.period, since)
            found.told["new_offer_count"] = found.of(scan, "products", 0.0)
    if "project" in portfolio and rules.joint_kinds:
        scan = joint_projects(portfolio["project"], rules.joint_kinds)
        found.told["joint_project_count"] = found.of(scan, "projects", 0.0)
    return found.told


def _tells_products(portfolio: Portfolio) -> bool:
    lines = nw.from_native(portfolio["revenue_line"])
    return "product_id" in lines.collect_schema().names()


def _begins_before(facts: RevenueFacts, day: date) -> bool:
    """Whether the book does; else all that is sold would be new."""
    first = facts.by_account.first_on
    return bool((first < np.datetime64(day, "D")).any())


def _obsolete(portfolio: Portfolio, rules: MeasureRules) -> list[str]:
    """The products that are so, and those of the lines that are."""
    named = set(rules.obsolete_products)
    if "product" in portfolio and rules.obsolete_lines:
        table = portfolio.arrow("product")
        if "line" in table.column_names:
            lines = pa.array(rules.obsolete_lines, pa.string())
            own = table.filter(pc.is_in(table["line"], lines))
            named.update(own["product_id"].to_pylist())
    return sorted(named)


def _controversial(
    portfolio: Portfolio, facts: RevenueFacts, rules: MeasureRules
) -> npt.NDArray[np.datetime64]:
    days = np.full(len(facts.by_account.ids), np.datetime64("NaT", "D"))
    if "event" not in portfolio or not rules.controversy_kinds:
        return days
    scan = controversies(
        portfolio["event"],
        rules.controversy_kinds,
        as_of=portfolio.as_of,
        days=rules.controversy_days,
    )
    at = places_of(scan["account_id"], facts.by_account.ids)
    inside = pc.is_valid(at)
    days[at.filter(inside).to_numpy()] = scan["last_on"].filter(inside).to_numpy()
    return days


def _promised(portfolio: Portfolio, facts: RevenueFacts, given: Given) -> Said:
    """What could become of it; unknown where too little of that is known."""
    if given.tiers is not None and given.tiers.columns("potential").num_columns:
        score = given.numbers("tiers", "potential_score")
        coverage = given.numbers("tiers", "potential_coverage")
        name = given.texts("tiers", "potential")
    else:
        growth = given.numbers("succession", "up_rate")
        promise = Promise.of(portfolio, facts, Potential(), growth)
        score, coverage = promise.score, promise.coverage
        name = np.array(promise.name.to_pylist(), dtype=object)
    held = np.where(name == _NO_POTENTIAL, np.nan, score)
    return Said(held, "account", coverage < 1)


class _Placed:
    """Scans placed account by account, and what they say under its name."""

    def __init__(self, facts: RevenueFacts) -> None:
        self.ids = facts.by_account.ids
        self.told: Evidence = {}
        self._at: tuple[pa.Table | None, Any] = None, None

    def of(self, scan: pa.Table, column: str, other: float = np.nan) -> Floats:
        """The column of these accounts, and what all others have."""
        if self._at[0] is not scan:
            self._at = scan, rows_of(self.ids, scan["account_id"])
        placed: Any = scan[column].combine_chunks().cast(pa.float64()).take(self._at[1])
        values: Floats = pc.fill_null(placed, other).to_numpy(zero_copy_only=False)
        return values
