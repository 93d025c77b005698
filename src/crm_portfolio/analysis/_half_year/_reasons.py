"""What did this account do, what moved all in all, and what must be borne in mind?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc

from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._facts import parent_loops
from crm_portfolio.analysis._half_year._given import Given
from crm_portfolio.analysis._half_year._halves import Halves
from crm_portfolio.analysis._half_year._moves import Moves
from crm_portfolio.analysis._half_year._prices import Prices
from crm_portfolio.analysis._half_year._span import Days
from crm_portfolio.analysis._half_year._story import slope_warnings
from crm_portfolio.results import Row

__all__ = ["of_account", "of_whole", "warnings"]

Summary = Mapping[str, Any]
Values = Mapping[str, ReasonValue]

_MOVED: Final = {
    "absent": "review_absent",
    "new": "review_new",
    "returned": "review_returned",
    "expanded": "review_expanded",
    "contracted": "review_contracted",
    "unchanged": "review_unchanged",
    "lost": "review_lost",
    "perimeter": "review_perimeter",
    "unknown": "review_unknown",
}
_GROUP_MOVED: Final = {
    "absent": "review_group_absent",
    "new": "review_group_new",
    "returned": "review_group_returned",
    "expanded": "review_group_expanded",
    "contracted": "review_group_contracted",
    "unchanged": "review_group_unchanged",
    "lost": "review_group_lost",
    "perimeter": "review_perimeter",
    "unknown": "review_unknown",
}
_GIVEN: Final = {
    "discounts": "review_gave_discounts",
    "credit_notes": "review_gave_credit_notes",
    "refunds": "review_gave_refunds",
    "goodwill": "review_gave_goodwill",
    "rebates": "review_gave_rebates",
}


def of_account(row: Row, money: Values, *, level: str) -> Iterator[Reason]:
    """What moved, what exchange rates did to it, and what was conceded."""
    values = {"before": row["revenue_before"], "revenue": row["revenue"], **money}
    if row["movement"] is None:
        yield Reason("review_without_before", values)
    elif level == "group":
        group = {"group_id": row["ultimate_parent_id"]}
        yield Reason(_GROUP_MOVED[row["movement"]], values | group)
    else:
        yield Reason(_MOVED[row["movement"]], values)
    if row["left_on"] is not None and row["line_count"]:
        yield Reason("review_left_and_bought", {"left_on": row["left_on"]})
    if row["movement"] is not None and row["fx_change"]:
        yield Reason("review_fx", {"fx": row["fx_change"], **money})
    if row["gross"] is not None:
        yield from _conceded(row, money)


def _conceded(row: Row, money: Values) -> Iterator[Reason]:
    given = row["gross"] - row["net"]
    if row["concession_share"] is not None and given:
        share = {"share": row["concession_share"], "gross": row["gross"]}
        yield Reason("review_conceded", {"conceded": given, **share, **money})
    for name, code in _GIVEN.items():
        if row[name]:
            yield Reason(code, {"amount": -row[name], **money})
    if row["concession_share_before"]:
        share = {"share": row["concession_share_before"]}
        yield Reason("review_conceded_before", share)


def of_whole(summary: Summary, money: Values) -> Iterator[Reason]:
    """What moved between the two periods, all accounts together."""
    bridge = summary["bridge"]
    if bridge["change"] is None:
        return
    ends = {"before": bridge["revenue_before"], "after": bridge["revenue"]}
    yield Reason("review_whole", {**ends, "change": bridge["change"], **money})
    if bridge["like_for_like_share"] is not None:
        share = {"share": bridge["like_for_like_share"]}
        yield Reason("review_like_for_like", share)
    steps = (summary["gross_to_net"] or {}).get("now")
    if steps and steps["conceded_share"] is not None:
        values = {"conceded": steps["conceded"], "share": steps["conceded_share"]}
        yield Reason(
            "review_conceded_whole", {**values, "gross": steps["gross"], **money}
        )
    kept = summary["retention"]
    if kept and None not in (each["kept_share"] for each in kept.values()):
        told = {
            f"{name}_{key}": each[source]
            for name, each in kept.items()
            for key, source in (("n", "account_count"), ("share", "kept_share"))
        }
        yield Reason("review_kept", told)
    beside = summary["operating"]["now"]
    if beside["exceptional"]:
        yield Reason("review_exceptional", {"amount": beside["exceptional"], **money})


def warnings(halves: Halves) -> Iterator[Reason]:
    """What limits the answer."""
    days, moves, facts = halves.days, halves.moves, halves.facts
    yield from _of_days(days, moves)
    yield from (
        each for each in facts.warnings() if each.code != "amounts_unknown_before"
    )
    yield from _of_lines(moves)
    if halves.settings.level == "group" and (loops := parent_loops(halves.portfolio)):
        yield Reason("cycle_in_parents", {"n": loops})
    for code, minor in moves.without_rate.items():
        money: Values = {"amount": facts.amount(minor), "currency": facts.currency}
        yield Reason("review_rate_unknown", {"code": code, **money})
    if halves.prices is not None and days.has_before:
        yield from _of_prices(halves.prices)
    if halves.given is None:
        yield Reason("review_without_lines")
    else:
        yield from _of_concessions(halves.given, days)
    yield from _of_costs(halves)
    yield from _of_records(halves)
    if halves.beside.strangers:
        named = {"accounts": ", ".join(halves.beside.strangers)}
        yield Reason("review_perimeter_unknown", named)
    yield from slope_warnings(halves.slope)


def _of_days(days: Days, moves: Moves) -> Iterator[Reason]:
    before, now = days.span.before, days.span.now
    if days.missing_days:
        yield Reason(
            "review_not_over", {"n": days.missing_days, "last_day": now.last_day}
        )
    if not days.has_before:
        if moves.lines.any():
            yield Reason("review_no_period_before")
        return
    if not days.is_same_season:
        yield Reason("seasonal_window")
    assert before.start is not None
    assert before.end is not None
    assert now.start is not None
    assert now.end is not None
    lengths = [(each.end - each.start).days for each in (before, now)]  # type: ignore[operator]
    if abs(lengths[0] - lengths[1]) > _LEAP:
        values = {"days_before": lengths[0], "days": lengths[1]}
        yield Reason("review_lengths_differ", values)
    if days.is_partly_before:
        begins_on: date | None = days.begins_on
        yield Reason("review_partly_before", {"begins_on": begins_on})


_LEAP: Final = 3
"""Months of one name, and quarters and halves side by side, differ by so many days."""


def _of_lines(moves: Moves) -> Iterator[Reason]:
    without = moves.lines_before - moves.known_lines_before
    if without.any():
        accounts = int((without > 0).sum())
        values = {"lines": int(without.sum()), "accounts": accounts}
        yield Reason("review_amounts_unknown_before", values)


def _of_prices(prices: Prices) -> Iterator[Reason]:
    whole = prices.measured + prices.unmeasured
    if prices.unmeasured and whole:
        yield Reason("qty_missing", {"share": prices.unmeasured / whole})


def _of_concessions(given: Given, days: Days) -> Iterator[Reason]:
    facts = given.facts
    money: dict[str, ReasonValue] = {"currency": facts.currency}
    share = given.priced_share
    if share is not None and share < 1:
        yield Reason("review_gross_unknown", {"share": share})
    unmatched = pc.sum(given.rows["unmatched"]).as_py() or 0
    if unmatched:
        minor = pc.sum(given.rows["unmatched_minor"]).as_py() or 0
        values = {"n": unmatched, "amount": facts.amount(-minor), **money}
        yield Reason("unmatched_concession", values)
    if given.repeat_count:
        minor = given.repeats[0] + given.repeats[1]
        values = {"n": given.repeat_count, "amount": facts.amount(minor), **money}
        yield Reason("review_counted_once", values)
    yield from _positive(given)
    overlaps = int(given.sold["overlaps"].sum() + given.sold["overlaps_before"].sum())
    if overlaps:
        yield Reason("review_discount_named", {"n": overlaps})
    if given.perhaps[0]:
        count, minor = given.perhaps
        values = {"n": count, "amount": facts.amount(minor), **money}
        yield Reason("possible_double_count", values)
    unsorted = int(given.sold["unsorted"].sum() + given.sold["unsorted_before"].sum())
    if unsorted:
        yield Reason("review_kind_unknown", {"n": unsorted})
    if given.is_conceded.any():
        known = days.is_later_known
        yield Reason("review_observed" if known else "review_too_early")


def _positive(given: Given) -> Iterator[Reason]:
    """Of which nobody knows whether they are taken back, or entered without their sign."""
    wrong = given.rows.filter(pc.greater(given.rows["positive"], 0))
    if wrong.num_rows:
        facts = given.facts
        values: dict[str, ReasonValue] = {
            "n": pc.sum(wrong["positive"]).as_py(),
            "amount": facts.amount(pc.sum(wrong["positive_minor"]).as_py()),
            "kinds": ", ".join(sorted(set(wrong["kind"].to_pylist()))),
            "currency": facts.currency,
        }
        yield Reason("concession_positive", values)


def _of_costs(halves: Halves) -> Iterator[Reason]:
    """Where what it cost is not known, or perhaps told twice."""
    beside = halves.beside
    if beside.costs_begin is not None:
        yield Reason("review_costs_begin", {"begins_on": beside.costs_begin})
    both = zip(beside.delivery, halves.moves.line_costs, strict=True)
    twice = sum(min(table, lines) for table, lines in both if lines)
    if twice > 0:
        values = {"amount": halves.facts.amount(twice)}
        yield Reason("review_costs_twice", values | {"currency": halves.facts.currency})


def _of_records(halves: Halves) -> Iterator[Reason]:
    """Where what one table says does not agree with another."""
    beside, facts = halves.beside, halves.facts
    if beside.told_twice:
        yield Reason("review_event_told_twice", {"n": beside.told_twice})
    has_left = np.asarray(pc.is_valid(beside.left_on))
    still = int((has_left & (halves.moves.lines > 0)).sum())
    if still:
        yield Reason(
            "review_left_contradicted", {"n": still, "of": int(has_left.sum())}
        )
    accounts, more = beside.paid_above
    if accounts:
        values = {"n": accounts, "amount": facts.amount(more)}
        yield Reason("review_paid_above", values | {"currency": facts.currency})
