"""Over how many months, and from when on is an opportunity stale?"""

from __future__ import annotations

from datetime import date

import attrs

from crm_portfolio.errors import SettingsError

__all__ = ["PipelineSettings"]


def _is_count(_: object, field: attrs.Attribute[int], value: int) -> None:
    if value < 1:
        raise SettingsError(f"{field.name} is no less than 1, not {value}")


def _is_between(_: object, field: attrs.Attribute[float], value: float) -> None:
    if not 0 < value < 1:
        raise SettingsError(f"{field.name} is between 0 and 1, not {value}")


@attrs.frozen
class PipelineSettings:
    """How far back the work ahead is rebuilt, and what counts as work.

    Attributes:
        months: So many full months, the last of them the last that is over.
        stale_after_days: An open opportunity without an activity for longer is stale, and
            so is one whose expected day of closing has passed.
        history_from: What was changed before this day is not kept; what stood then is
            unknown. None: all changes are there.
        min_closed: So many have to be won or lost before their rates weigh anything.
        alpha: A trend is told where chance alone is less likely.
        level: Of the intervals of rates.
    """

    months: int = attrs.field(default=24, validator=_is_count)
    stale_after_days: int = attrs.field(default=90, validator=_is_count)
    history_from: date | None = None
    min_closed: int = attrs.field(default=10, validator=_is_count)
    alpha: float = attrs.field(default=0.05, validator=_is_between)
    level: float = attrs.field(default=0.9, validator=_is_between)
