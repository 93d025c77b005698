"""To how many digits are statistics told?"""

from __future__ import annotations

from typing import Final

import numpy as np

from crm_portfolio._methods._indices import Floats

__all__ = ["twelve_digits"]

_DIGITS: Final = 12
_TINY: Final = 1e-200
_LEAST, _MOST = -201, 308  # the powers of ten of what is not tiny, and finite
_SCALES: Final = np.array(
    [float(f"1e{_DIGITS - 1 - power}") for power in range(_LEAST, _MOST + 1)]
)
"""As near as a number can be to each power of ten; what a machine computes may be off."""


def twelve_digits(values: Floats) -> Floats:
    """Where all engines and machines agree, so that a threshold falls on one night."""
    size = np.abs(values)
    is_none = ~(np.isfinite(size) & (size > _TINY))
    size[is_none] = 1.0
    power = np.floor(np.log10(size, out=size), out=size)
    scale = _SCALES[power.astype(np.intp) - _LEAST]
    rounded: Floats = values * scale
    np.rint(rounded, out=rounded)
    rounded /= scale
    rounded[is_none] = values[is_none]
    rounded += 0.0  # no negative nought
    return rounded
