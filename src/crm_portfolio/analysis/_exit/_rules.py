"""By which rules is a relationship measured?"""

from __future__ import annotations

from typing import Any, Literal

import attrs

from crm_portfolio._takes import is_above, is_count, is_no_less
from crm_portfolio.errors import SettingsError

__all__ = ["MeasureRules"]


def _is_rating(_: object, field: attrs.Attribute[float], value: float) -> None:
    if not 0 <= value <= 10:
        raise SettingsError(f"measures.{field.name} is from 0 to 10, not {value}")


def _is_scale(
    _: object, field: attrs.Attribute[Any], value: tuple[float, float] | None
) -> None:
    if value is not None and not (len(value) == 2 and value[0] != value[1]):
        raise SettingsError(
            f"measures.{field.name} is the worst and the best, as (1.0, 5.0), not {value}"
        )


@attrs.frozen
class MeasureRules:
    """By which rules the criteria are measured.

    Attributes:
        overlap_policy: What F1 is of: the gross margin, where F2 to F4 weigh what comes after
            it, or the avoidable contribution, where F1 stands alone for all of them.
        reference_contribution: What F1 is held against, an hour (or a unit of revenue where
            no hours are known); None: the median of the accounts, which moves with them,
            or that of the profitable ones where it is a loss.
        hour_value: What an hour brings elsewhere; None: as ``win_back`` says, else
            ``freed_capacity``.
        least_hours: Of fewer hours F2 and F7 are drawn to the mean of the tier.
        special_kinds: Kinds of effort that are requests out of the ordinary.
        obsolete_products, obsolete_lines: What we sell only because we always did.
        new_offer_months: A product is new that nobody bought before that.
        joint_kinds: Kinds of projects that account and we carry together.
        controversy_kinds: Kinds of events that harm who is seen with the account.
        controversy_rating: While such an event is on record, its reputation is no better.
        controversy_days: For how long after its last day.
        satisfaction_scale: The worst and the best that tickets can say; None: what they
            say of satisfaction is shown, and counts for nothing.
        least_tickets: With fewer that say it, satisfaction counts for nothing.
        strategic: Ids of accounts that are kept for more than what they bring.
        new_months: So long an account is new.
        old_rating_days: An older rating is pointed out; it counts all the same.
        rater_spread: Raters further apart than this are pointed out.
    """

    overlap_policy: Literal["gross_margin", "avoidable_contribution"] = "gross_margin"
    reference_contribution: float | None = attrs.field(default=None, validator=is_above)
    hour_value: float | None = attrs.field(default=None, validator=is_no_less)
    least_hours: float = attrs.field(default=10.0, validator=is_no_less)
    special_kinds: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    obsolete_products: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    obsolete_lines: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    new_offer_months: int = attrs.field(default=24, validator=is_count)
    joint_kinds: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    controversy_kinds: tuple[str, ...] = attrs.field(
        default=("controversy",), converter=tuple
    )
    controversy_rating: float = attrs.field(default=3.0, validator=_is_rating)
    controversy_days: int = attrs.field(default=365, validator=is_count)
    satisfaction_scale: tuple[float, float] | None = attrs.field(
        default=None, validator=_is_scale
    )
    least_tickets: int = attrs.field(default=5, validator=is_count)
    strategic: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    new_months: int = attrs.field(default=12, validator=is_count)
    old_rating_days: int = attrs.field(default=365, validator=is_count)
    rater_spread: float = attrs.field(default=3.0, validator=is_no_less)
