"""How long does the law of a million buyers take to fit, here and in `lifetimes`?

`lifetimes` is no dependency of the project: its development stopped in 2020. It is asked
for where it can be imported, from the folder that ``LIFETIMES`` names or as installed:

    pip install --no-deps --target FOLDER lifetimes==0.11.3 autograd dill

Its fitter still runs with today's numpy and pandas; its sample data do not load.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any, Final

from benchmarks._process import ONE_CORE, in_turn, timed
from benchmarks._stage import Measured

__all__ = ["fitted_in_turn", "is_there"]

_LAW: Final = (0.8, 60.0, 0.6, 3.0)  # r, alpha, a, b, in days
_DIGITS: Final = 5  # to which both must find the same optimum: theirs stops at 1e-7


def is_there() -> bool:
    _look_in_folder()
    return importlib.util.find_spec("lifetimes") is not None


def fitted_in_turn(buyers: int, *, times: int) -> tuple[Measured, Measured]:
    """Ours and theirs; both find the same."""
    ours, theirs = in_turn(
        "_buyers", ("ours", "lifetimes"), buyers, times=times, **ONE_CORE
    )
    return ours, theirs


def _look_in_folder() -> None:
    folder = os.environ.get("LIFETIMES")
    if folder and folder not in sys.path:
        sys.path.append(folder)


# In the processes


def _buyers(count: int) -> tuple[Any, Any, Any]:
    """How often each came again, when last, and how long it has been known, in days."""
    import numpy as np

    chance = np.random.default_rng(20)
    r, alpha, a, b = _LAW
    rate, leaves = chance.gamma(r, 1 / alpha, count), chance.beta(a, b, count)
    age = chance.integers(30, 730, count).astype(float)
    now, x, last = np.zeros(count), np.zeros(count), np.zeros(count)
    there = np.arange(count)
    while there.size:
        now[there] += chance.exponential(1 / rate[there])
        there = there[now[there] <= age[there]]
        x[there] += 1
        last[there] = np.minimum(np.ceil(now[there]), age[there])
        there = there[chance.random(there.size) >= leaves[there]]
    return x, last, age


def _ours(count: int) -> Callable[[], tuple[float, ...]]:
    import scipy.optimize
    import scipy.special  # noqa: F401 - imports are not what is compared

    from crm_portfolio._methods._bg_nbd import Streams, fitted

    x, last, age = _buyers(count)

    def run() -> tuple[float, ...]:
        law = fitted(Streams.of(x, last, age))
        assert law is not None
        return law.r, law.alpha, law.a, law.b

    return run


def _lifetimes(count: int) -> Callable[[], tuple[float, ...]]:
    _look_in_folder()
    warnings.simplefilter("ignore")  # theirs, and of what they were written for
    from lifetimes import BetaGeoFitter

    x, last, age = _buyers(count)

    def run() -> tuple[float, ...]:
        law = BetaGeoFitter().fit(x, last, age).params_
        return law["r"], law["alpha"], law["a"], law["b"]

    return run


if __name__ == "__main__":
    name, count = sys.argv[1:]
    measured, law = timed({"ours": _ours, "lifetimes": _lifetimes}[name](int(count)))
    found = [f"{each:.{_DIGITS}g}" for each in law]
    print(json.dumps({"measured": measured, "found": found}))
