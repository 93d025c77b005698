"""From where on was an opportunity missed, and not lost?"""

from __future__ import annotations

from datetime import date
from typing import Any

import attrs

from crm_portfolio._methods._working_hours import WEEKDAYS
from crm_portfolio._takes import is_count, is_no_less, is_share
from crm_portfolio.analysis._lost._causes import NO_ANSWERS
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period

__all__ = ["LostOpportunitiesSettings"]

_LAST_YEAR = Period.last_months(12)


def _are_weekdays(_: object, field: attrs.Attribute[Any], value: Any) -> None:
    if not value or not set(value) <= set(range(1, 8)):
        raise SettingsError(
            f"{field.name} are days from 1, Monday, to 7, Sunday, not {value}"
        )


def _are_hours(_: object, field: attrs.Attribute[Any], value: Any) -> None:
    if len(value) != 2 or not 0 <= value[0] < value[1] <= 24:
        raise SettingsError(
            f"{field.name} are when work begins and ends, from 0 to 24, not {value}"
        )


@attrs.frozen
class LostOpportunitiesSettings:
    """From where on an opportunity was missed, and not lost.

    Attributes:
        period: Opportunities lost in it; enquiries that came in it.
        min_capture_share: Of the won ones, how many must have an activity, so that those
            lost can be judged by theirs.
        min_won_count: Owners, and stages, with fewer won ones are held to the measure of
            all.
        response_hours: Working hours within which we answer.
        working_weekdays: 1 is Monday.
        working_hours: When work begins and ends, by the clocks of the org's time zone.
        holidays: Days on which nobody works.
        silence_days: How long nothing may happen, at the least.
        silence_gaps: And how many times the median gap between the activities of won ones.
        min_touch_share: Of the won ones that left the stage this one reached, how many
            may have had fewer activities by then, before one of value was given too few.
        pursued_share: Of all won ones, how many may have had fewer, before it was
            pursued.
        value_share: From this place on, among all that closed, an amount is of value.
        disqualifying_reasons: Reasons to let go ourselves, in any case and spelling of
            blanks; it takes contact both ways to know them.
        duplicate_reasons: Reasons that say that it was entered twice; nobody had to
            contact anyone about the second entry.
        no_decision_reasons: Reasons that say that nobody chose anyone.
        closed_enquiry_statuses: Statuses of enquiries that nobody is to follow up any
            more, in any case and spelling of blanks: silence is no neglect then.
        automatic_kinds: Kinds of activity that a machine sends: neither contact nor
            response.
        two_way_kinds: Kinds at which both sides are present.
        duplicate_days, duplicate_share: A lost one is probably the same as one its account
            won, if they were entered within so many days of each other, for amounts that
            differ by no more than this share.
        unclassified_share: Above it, a warning.
        unknown_reasons: Reasons that give none, in any case and spelling of blanks.
        unknown_reasons_share: Above it, the reasons are not to be read as a ranking.
        recent_months: A cause is fixed if its share fell in so many full months, against
            as many before.
        draws: How many are drawn for the intervals of shares of amounts.
        seed: Of those draws.
    """

    period: Period = _LAST_YEAR
    min_capture_share: float = attrs.field(default=0.5, validator=is_share)
    min_won_count: int = attrs.field(default=5, validator=is_count)
    response_hours: float = attrs.field(default=24.0, validator=is_no_less)
    working_weekdays: tuple[int, ...] = attrs.field(
        default=WEEKDAYS, validator=_are_weekdays
    )
    working_hours: tuple[float, float] = attrs.field(
        default=(9.0, 17.0), validator=_are_hours
    )
    holidays: tuple[date, ...] = ()
    silence_days: int = attrs.field(default=30, validator=is_count)
    silence_gaps: float = attrs.field(default=2.0, validator=is_no_less)
    min_touch_share: float = attrs.field(default=0.25, validator=is_share)
    pursued_share: float = attrs.field(default=0.5, validator=is_share)
    value_share: float = attrs.field(default=0.5, validator=is_share)
    disqualifying_reasons: tuple[str, ...] = (*("not a fit", "no budget", "ethics"),)
    duplicate_reasons: tuple[str, ...] = ("duplicate", "duplicate entry", "doublon")
    no_decision_reasons: tuple[str, ...] = (
        *("no decision", "no response", "budget frozen", "project cancelled"),
        *("project canceled", "postponed", "timing", "on hold", "did nothing"),
    )
    closed_enquiry_statuses: tuple[str, ...] = (
        *("unqualified", "disqualified", "closed", "closed not converted"),
    )
    automatic_kinds: tuple[str, ...] = ("automatic reply",)
    two_way_kinds: tuple[str, ...] = ("meeting",)
    duplicate_days: int = attrs.field(default=7, validator=is_no_less)
    duplicate_share: float = attrs.field(default=0.05, validator=is_share)
    unclassified_share: float = attrs.field(default=0.05, validator=is_share)
    unknown_reasons: tuple[str, ...] = NO_ANSWERS
    unknown_reasons_share: float = attrs.field(default=0.3, validator=is_share)
    recent_months: int = attrs.field(default=6, validator=is_count)
    draws: int = attrs.field(default=1000, validator=is_count)
    seed: int = 2026
