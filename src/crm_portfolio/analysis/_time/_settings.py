"""What is new work, what is kept free, and what is an hour worth?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from crm_portfolio._takes import is_count, is_inside, is_no_less, is_share
from crm_portfolio.analysis._facts import Measure, fits
from crm_portfolio.portfolio import Period

__all__ = ["INNOVATION_KINDS", "FocusSettings"]

INNOVATION_KINDS: Final = ("innovation", "new_offer")
"""What is looked for where nobody says which kinds of work are for the new."""

_LAST_YEAR = Period.last_months(12)


@attrs.frozen(field_transformer=fits("focus"))
class FocusSettings:
    """What counts as new, as finished and as enough; what the firm has to live on.

    Attributes:
        period: Whose revenue and hours are looked at.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        step_months: Hours are followed over spans of so many months.
        steps: Over how many of them, counted back from the end of the period.
        innovation_kinds: The kinds of effort and of project that are work on the new;
            None: ``innovation`` and ``new_offer``, and unknown where neither is noted.
        innovation_target_share: Of the hours; without one there is no verdict.
        alert_steps: So many steps in a row under the target are an alert.
        review_kinds: The kinds of effort by which a parked idea is looked at again.
        finished_statuses: How the CRM calls projects that are done, in capitals or not:
            your own words, in your own language.
        dropped_statuses: The same of projects that were given up.
        parked_statuses: The same of projects that rest. Any other word is taken for under
            way, and a warning lists those words; where there is none, nobody knows how
            the project stands, and the choice is to ask.
        cash: What the firm has; without it the runway is unknown.
        backlog_contribution: What firm orders will leave of theirs.
        fixed_costs: A year's; without them the runway is unknown.
        young_months: Accounts and products are young for so long after their first line.
        value_per_hour: What an hour brings elsewhere; None: what it does in the last open
            sale that the hours given to sales suffice for.
        variable_cost_share: Of revenue, where the lines do not say their cost.
        least_count: A lift needs so many buyers of either line.
        level: Of the intervals of rates and lifts.
        lookalike_count: With fewer buyers among its own, an account's revenue is expected
            to be that of the line's buyers everywhere.
        list_count: The length of the list of what could be sold to whom.
        most_lines: The largest so many lines are held against each other.
        not_for: By line: the segments it is not made for.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    step_months: int = attrs.field(default=3, validator=is_count)
    steps: int = attrs.field(default=8, validator=is_count)
    innovation_kinds: tuple[str, ...] | None = None
    innovation_target_share: float | None = attrs.field(
        default=None, validator=is_share
    )
    alert_steps: int = attrs.field(default=2, validator=is_count)
    review_kinds: tuple[str, ...] = ("review",)
    finished_statuses: tuple[str, ...] = ("done", "finished", "completed", "closed")
    dropped_statuses: tuple[str, ...] = ("abandoned", "cancelled", "dropped")
    parked_statuses: tuple[str, ...] = ("parked",)
    cash: float | None = None
    backlog_contribution: float | None = None
    fixed_costs: float | None = attrs.field(default=None, validator=is_no_less)
    young_months: int = attrs.field(default=24, validator=is_count)
    value_per_hour: float | None = attrs.field(default=None, validator=is_no_less)
    variable_cost_share: float | None = attrs.field(default=None, validator=is_share)
    least_count: int = attrs.field(default=20, validator=is_count)
    level: float = attrs.field(default=0.9, validator=is_inside)
    lookalike_count: int = attrs.field(default=5, validator=is_count)
    list_count: int = attrs.field(default=200, validator=is_count)
    most_lines: int = attrs.field(default=40, validator=is_count)
    not_for: Mapping[str, tuple[str, ...]] | None = None
