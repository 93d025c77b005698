"""What does each analysis, and each part of what it tells, take to be made?

One entry a noun. A test holds that each is true: with what it names the part is known,
without any one of it it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import attrs

__all__ = ["NEEDS", "Need", "Needs", "Part", "Way"]

Way: TypeAlias = str | tuple[str, ...]
"""One thing that will do, or several that do together."""


@attrs.frozen
class Need:
    """One thing that is needed: any of these ways will do.

    Attributes:
        any_of: Tables by their name, rows of one kind as ``rating[ethics]``, columns as
            ``revenue_line.cost``, settings as in the file,
            ``[receivables] financing_rate``; the best first.
    """

    any_of: tuple[Way, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """All that is named in it, each once."""
        return tuple(dict.fromkeys(one for way in self.ways for one in way))

    @property
    def ways(self) -> tuple[tuple[str, ...], ...]:
        """All that each of the ways takes, even where it is one thing."""
        return tuple((way,) if isinstance(way, str) else way for way in self.any_of)


@attrs.frozen
class Part:
    """Something an analysis tells where it can.

    Attributes:
        shown_in: The column of the frame that holds it, or the ``/path`` of a figure.
        needs: All of them, besides what the analysis itself needs.
        unknown_as: What stands there where it is unknown, if that is not null.
    """

    shown_in: str
    needs: tuple[Need, ...]
    unknown_as: str | float | None = None


@attrs.frozen
class Needs:
    """Of one analysis: what it cannot be made without, and what its parts take."""

    whole: tuple[Need, ...]
    parts: Mapping[str, Part] = attrs.field(factory=dict)


def _any(*any_of: Way) -> Need:
    return Need(any_of)


def _criterion(code: str, *needs: Need) -> Part:
    """One of the exit review; where nothing measures it, people may rate it too."""
    return Part(f"/criteria/{code}/known_count", needs, 0)


def _judged(code: str, name: str) -> Part:
    """One that only people can say."""
    return _criterion(code, _any(f"rating[{name}]"))


REVENUE: Final = _any("revenue_line", "opportunity")
RELATIONSHIP: Final = _any("rating[relationship]")
_HOURS: Final = _any("effort", "activity.minutes")
_MARGIN: Final = _any("revenue_line.cost", "[loss_scenario] variable_cost_share")
_COSTED: Final = _any(
    *("revenue_line.cost", "cost", "[loss_scenario] variable_cost_share")
)
_FIXED: Final = _any("[loss_scenario] fixed_costs")
_SOLD: Final = _any("revenue_line.product_id")
_DUE: Final = _any("invoice.due_on")
_LISTED: Final = (
    ("revenue_line.quantity", "revenue_line.list_price"),
    ("revenue_line.quantity", "revenue_line.product_id"),
)
"""Without a list price the product's own, or what was paid for it, is taken for one."""
_HOUR_VALUE: Final = "[exit_review.rules] hour_value"
_RATE: Final = _any("[receivables] financing_rate", "[receivables] financing_rates")

NEEDS: Final[Mapping[str, Needs]] = {
    "concentration": Needs((REVENUE,)),
    "tiers": Needs((REVENUE,)),
    "allocation": Needs(
        (REVENUE,),
        {
            "hours": Part(
                "/hours/total",
                (
                    _any(
                        *("capacity", "effort", "activity.minutes"),
                        "[allocation] hours",
                    ),
                ),
            ),
            "hours_spent": Part("hours_spent", (_HOURS,)),
        },
    ),
    "succession": Needs(
        (REVENUE,),
        {
            "breadth": Part("has_breadth", (_SOLD,)),
            "interest": Part("has_interest", (_any("activity", "enquiry"),)),
        },
    ),
    "loss_scenario": Needs(
        (REVENUE,),
        {
            "contribution": Part("/before/contribution", (_MARGIN,)),
            "profit": Part("/before/profit", (_MARGIN, _FIXED)),
            "receivable": Part("receivable", (_any("invoice"),)),
            "hours_freed": Part("hours_freed", (_HOURS,)),
        },
    ),
    "freed_capacity": Needs(
        (REVENUE, _HOURS),
        {
            "hours_per_sale": Part(
                "/hours_per_sale/sale_count",
                (_any("opportunity"), _any("effort.opportunity_id")),
            )
        },
    ),
    "revenue_at_risk": Needs((REVENUE,)),
    "receivables": Needs(
        (_any("invoice"),),
        {
            "days_late": Part("days_late", (_DUE,)),
            "cost_of_lateness": Part("cost_of_lateness", (_DUE, _RATE), 0.0),
        },
    ),
    "profitability": Needs(
        (REVENUE,),
        {
            "delivery_cost": Part("delivery_cost", (_COSTED,), unknown_as=0.0),
            "cost_to_serve": Part(
                "cost_to_serve", (_HOURS, _any("capacity.cost_per_hour"))
            ),
            "late_cost": Part("late_cost", (_DUE, _RATE), 0.0),
            "overhead": Part(
                "overhead", (_any("cost", "[loss_scenario] fixed_costs"),)
            ),
            "acquisition": Part("/acquisition/spent", (_any("cost[acquisition]"),)),
            "discounts": Part("/discounts/waterfall", (_any(*_LISTED),)),
        },
    ),
    "risk": Needs(
        (REVENUE,),
        {
            "payment": Part("payment_level", (_DUE,), "unknown"),
            "relationship": Part("relationship_level", (RELATIONSHIP,), "unknown"),
            "renewal": Part("renewal_level", (_any("contract"),), "unknown"),
        },
    ),
    "lifetime_value": Needs(
        (REVENUE,),
        {
            "margin": Part("/value_is", (_COSTED,), "revenue"),
            "contracts": Part("contracts_running", (_any("contract"),)),
        },
    ),
    "lost_opportunities": Needs(
        (_any("opportunity"),),
        {
            # What was pursued is told from what was missed by what was done.
            "classes": Part("/capture/captured_share", (_any("activity"),), 0.0),
            "enquiries": Part("/enquiries", (_any("enquiry"),)),
            "reasons": Part(
                "/reasons/unknown_share", (_any("opportunity.loss_reason"),), 1.0
            ),
        },
    ),
    "win_back": Needs(
        (_any("opportunity"),),
        {
            "attempts": Part("attempt_count", (_any("activity"),)),
            "hours": Part(
                "hours",
                (
                    _any("activity"),
                    _any("effort.opportunity_id", "[win_back] hours"),
                ),
            ),
            "refusals": Part(
                "/has_refusals", (_any("opportunity.refused_on"),), unknown_as=False
            ),
        },
    ),
    "focus": Needs(
        (REVENUE,),
        {
            "core": Part("/core/revenue/core", (_any("product.is_core"), _SOLD)),
            "hours": Part("hours", (_any("effort"),)),
            "margin": Part("margin", (_any("revenue_line.cost"),)),
            "whitespace": Part("bought_share", (_any("product"), _SOLD)),
            "unfinished": Part("/unfinished/project_count", (_any("project"),), 0),
        },
    ),
    "review": Needs(
        (REVENUE,),
        {
            "concessions": Part("gross", (_any("revenue_line"),)),
            "prices": Part(
                "/price_mix/price",
                (_any("revenue_line.quantity"), _SOLD),
            ),
            "operating_profit": Part(
                "/operating/now/operating_profit", (_any("cost"),)
            ),
            "slope": Part("/slope", (_any("[review] target"),)),
        },
    ),
    "pipeline": Needs(
        (_any("opportunity"),),
        {
            "weighted_amount": Part(
                "weighted_amount", (_any("opportunity_change"), _any("stage"))
            ),
            "stale": Part("stale_count", (_any("opportunity_change"),)),
        },
    ),
    "exit_review": Needs(
        (REVENUE,),
        {
            "profitability": _criterion("F1", _COSTED),
            "service_cost": _criterion("F2", _HOURS, _any("capacity.cost_per_hour")),
            "payment": _criterion("F3", _DUE),
            "discounts": _criterion(
                "F4",
                _any("opportunity.discount_share", *_LISTED, "rating[discounts]"),
            ),
            "reputation": _judged("F5", "reputation"),
            "ethics": _judged("F6", "ethics"),
            "complexity": _criterion("F7", _HOURS),
            "relationship": _judged("F8", "relationship"),
            "innovation": _criterion(
                "F9",
                _any(
                    ("effort.product_id", "[exit_review.rules] obsolete_products"),
                    "rating[innovation]",
                ),
            ),
            "vision": _judged("F10", "vision"),
            "displacement": _criterion(
                "F12",
                _any(
                    ("effort", _HOUR_VALUE),
                    ("activity.minutes", _HOUR_VALUE),
                    "rating[displacement]",
                ),
            ),
            "potential": _criterion(
                "F13",
                _any(
                    "account.account_turnover",
                    "account.employee_count",
                    "rating[potential]",
                ),
            ),
        },
    ),
}
