"""Is what was begun worth finishing, from here on?

Sheet 5.7 and 6.6. What it has cost so far is no argument of any function here.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags

__all__ = ["CHOICES", "choices", "rates"]

CHOICES: Final = ("finish", "park", "drop", "ask")
"""In the order of the numbers that `choices` gives."""
_FINISH, _PARK, _DROP, _ASK = range(4)


def choices(
    value: Amounts,
    is_valued: Flags,
    hours: Floats,
    value_per_hour: float | None,
    *,
    is_doubtful: Flags,
) -> npt.NDArray[np.int64]:
    """The place of each in `CHOICES`.

    Finish what brings at least as much an hour as the hours would elsewhere; park what
    brings something, but less; drop what brings nothing. Where that is not known, ask.

    Args:
        value: What finishing brings, in minor units.
        hours: Still needed; NaN where nobody knows.
        value_per_hour: Of an hour elsewhere, in minor units; None: nobody knows.
        is_doubtful: Whose value may no longer hold.
    """
    worth = np.nan if value_per_hour is None else value_per_hour
    # No hours are worth nothing, whatever an hour is worth.
    needed = np.where(hours == 0, 0.0, np.rint(worth * hours))
    is_known = is_valued & ~is_doubtful
    return np.select(
        [~is_known, value <= 0, np.isnan(needed), value >= needed],
        [_ASK, _DROP, _ASK, _FINISH],
        default=_PARK,
    ).astype(np.int64)


def rates(value: Amounts, is_valued: Flags, hours: Floats) -> Floats:
    """What an hour of finishing brings, in minor units; NaN where it is unknown."""
    is_known = is_valued & (hours > 0)
    found: Floats = np.divide(
        value, hours, where=is_known, out=np.full(value.shape, np.nan)
    )
    return found
