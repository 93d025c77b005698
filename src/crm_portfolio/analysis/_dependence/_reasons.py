"""Why is this account where it is, how much hangs on it, and what must be borne in mind?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crm_portfolio._methods import _indices as indices
from crm_portfolio._methods._ranking import League
from crm_portfolio._methods._resampled import FEW
from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._dependence._settings import ConcentrationSettings
from crm_portfolio.analysis._facts import RevenueFacts, parent_loops, partly_unknown
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Row, significant

__all__ = ["of_account", "warnings"]

Values = Mapping[str, ReasonValue]


def of_account(
    row: Row, summary: Mapping[str, Any], params: Mapping[str, Any]
) -> Iterator[Reason]:
    """Its place, what to be careful with, where it was before, and what hangs on it."""
    money: Values = {"currency": params["currency"]}
    yield _place(row, summary["by_account"]["n"], params["population"], money)
    yield from _cautions(row)
    yield from _history(row, money)
    yield _hangs(row, params["settings"])
    yield from _trend(row, summary["majors"])


def _place(row: Row, n: int, population: str, money: Values) -> Reason:
    if row["rank"] is None:
        return Reason("revenue_unknown", {"lines": row["line_count"]})
    if row["is_dormant"] and population == "with_lines":
        return Reason("rank_dormant", {"n": n})
    values = {key: row[key] for key in ("rank", "revenue", "share", "cum_share")}
    code = "rank" if row["share"] is not None else "rank_without_share"
    return Reason(code, {**values, "n": n, **money})


def _cautions(row: Row) -> Iterator[Reason]:
    yield from partly_unknown(row)
    if (row["revenue"] or 0) < 0:
        yield Reason("revenue_negative")
    if row["is_young"]:
        values = {"first_on": row["first_revenue_on"], "months": row["months_active"]}
        yield Reason("young", values)


def _history(row: Row, money: Values) -> Iterator[Reason]:
    change = row["rank_change"]
    if row["has_left"]:
        before = row["revenue_previous"]
        if before is None:
            yield Reason("rank_has_left_unknown")
        else:
            yield Reason("rank_has_left", {"revenue_previous": before, **money})
    elif row["is_new"]:
        yield Reason("rank_is_new")
    elif change is not None:
        values = {"places": abs(change), "rank_previous": row["rank_previous"]}
        code = "rank_up" if change > 0 else "rank_down" if change < 0 else "rank_same"
        yield Reason(code, values if change else {})


def _hangs(row: Row, settings: Mapping[str, float]) -> Reason:
    kind, group = row["dependence"], {"group_id": row["ultimate_parent_id"]}
    if kind == "unknown":
        if row["is_group_unknown"]:
            return Reason("dependence_unmeasured", group)
        if row["group_share"] is None:
            return Reason("dependence_unknown", group)
        return Reason("dependence_open", group | {"share": row["group_share"]})
    line = settings["dependent_share" if kind == "dependent" else "major_share"]
    values = group | {"share": row["group_share"], "threshold": line}
    members = row["group_member_count"]
    if members > 1:
        values |= {"members": members}
    return Reason(_DEPENDENCE[kind][members > 1], values)


_DEPENDENCE = {  # alone, and as a group
    "none": ("dependence_none", "dependence_none_group"),
    "major": ("dependence_major", "dependence_major_group"),
    "dependent": ("dependence_dependent", "dependence_dependent_group"),
}


def _trend(row: Row, majors: list[Mapping[str, Any]]) -> Iterator[Reason]:
    """Of a major: how old the relationship is, and whether more hangs on it than before."""
    group_id = row["ultimate_parent_id"]
    for major in majors:
        if major["ultimate_parent_id"] != group_id:
            continue
        values = {
            "group_id": group_id,
            "first_on": major["first_revenue_on"],
            "before": major["share_year_before"],
            "after": major["share_last_year"],
        }
        if values["before"] is not None and values["after"] is not None:
            yield Reason("dependence_trend", values)


def warnings(
    portfolio: Portfolio,
    facts: RevenueFacts,
    accounts: League,
    groups: League,
    settings: ConcentrationSettings,
) -> Iterator[Reason]:
    amounts = accounts.counted
    if facts.total is not None and facts.total <= 0:
        total = facts.amount(facts.total)
        yield Reason("non_positive_total", {"total": total, "currency": facts.currency})
    yield from facts.warnings()
    counts = {
        "negative_accounts": int((amounts < 0).sum()),
        "n_lt_30": amounts.size if amounts.size < FEW else 0,
        "dormant": int((~accounts.of.has_lines).sum()),
        "young_accounts": int(facts.is_young.sum()),
        "cycle_in_parents": parent_loops(portfolio),
    }
    yield from (Reason(code, {"n": n}) for code, n in counts.items() if n)
    if counts["negative_accounts"]:
        yield Reason(
            "negatives_used", {"reading": accounts.reading(settings.negatives)}
        )
        mass = significant(indices.negative_mass(amounts))
        if mass is not None:
            yield Reason("negative_mass", {"negative_mass": mass})
    if accounts.kinds != groups.kinds:
        by_account = {f"{kind}_accounts": n for kind, n in accounts.kinds.items()}
        by_group = {f"{kind}_groups": n for kind, n in groups.kinds.items()}
        yield Reason("level_differs", by_account | by_group)
