"""Over how many months, and from when on is an opportunity stale?"""

from __future__ import annotations

from datetime import date

import attrs

from crm_portfolio._takes import is_count, is_inside

__all__ = ["PipelineSettings"]


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

    months: int = attrs.field(default=24, validator=is_count)
    stale_after_days: int = attrs.field(default=90, validator=is_count)
    history_from: date | None = None
    min_closed: int = attrs.field(default=10, validator=is_count)
    alpha: float = attrs.field(default=0.05, validator=is_inside)
    level: float = attrs.field(default=0.9, validator=is_inside)
