"""How likely is it that a standard normal value lies below this, and which value is it?

For arrays of any size, where `statistics.NormalDist` knows one value at a time.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from crm_portfolio._methods._indices import Floats

__all__ = ["below", "density", "quantile"]

_NEAR: Final = 7.07106781186547
_FAR: Final = 37.0
# Hart 1968, algorithm 5666, as printed by West 2005: 15 digits.
_OVER: Final = (
    *(3.52624965998911e-02, 0.700383064443688, 6.37396220353165, 33.912866078383),
    *(112.079291497871, 221.213596169931, 220.206867912376),
)
_UNDER: Final = (
    *(8.83883476483184e-02, 1.75566716318264, 16.064177579207, 86.7807322029461),
    *(296.564248779674, 637.333633378831, 793.826512519948, 440.413735824752),
)


def below(values: Any) -> Any:
    """Φ, in the precision of the values."""
    size = np.minimum(np.abs(values), _FAR)
    bell = np.exp(-(size * size) / 2)
    tail = bell * _polynomial(_OVER, size) / _polynomial(_UNDER, size)
    is_far = size > _NEAR
    if is_far.any():
        far = size[is_far]
        fraction = far + 0.65
        for k in (4, 3, 2, 1):
            fraction = far + k / fraction
        tail[is_far] = bell[is_far] / fraction / (2 * np.pi) ** 0.5
    return np.where(values > 0, 1 - tail, tail)


def density(values: Floats) -> Floats:
    """φ."""
    bell: Floats = np.exp(-(values**2) / 2) / (2 * np.pi) ** 0.5
    return bell


def quantile(odds: Floats) -> Floats:
    """Φ⁻¹; infinite at 0 and at 1."""
    tail = np.clip(np.minimum(odds, 1 - odds), 1e-300, 0.5)
    # A first guess (Abramowitz and Stegun 26.2.23), and Halley's steps from there.
    t = np.sqrt(-2 * np.log(tail))
    top = 2.515517 + t * (0.802853 + t * 0.010328)
    values = top / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t
    for _ in range(3):
        off = (below(values) - tail) / density(values)
        values = values - off / (1 + values * off / 2)
    found = np.where(odds > 0.5, -values, values)
    found = np.where(odds <= 0, -np.inf, found)
    return np.where(odds >= 1, np.inf, found)


def _polynomial(coefficients: tuple[float, ...], values: Any) -> Any:
    found = np.full_like(values, coefficients[0])
    for coefficient in coefficients[1:]:
        found *= values
        found += coefficient
    return found
