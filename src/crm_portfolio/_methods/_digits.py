"""To how many digits are statistics told?"""

from __future__ import annotations

from typing import Final

import numpy as np

from crm_portfolio._methods._indices import Floats

__all__ = ["twelve_digits"]

_DIGITS: Final = 12
_TINY: Final = 1e-200


def twelve_digits(values: Floats) -> Floats:
    """Where all engines and machines agree, so that a threshold falls on one night."""
    size = np.abs(values)
    is_some = np.isfinite(size) & (size > _TINY)
    power = np.floor(np.log10(np.where(is_some, size, 1.0)))
    scale = 10.0 ** (_DIGITS - 1 - power)
    rounded: Floats = np.where(is_some, np.round(values * scale) / scale, values) + 0.0
    return rounded
