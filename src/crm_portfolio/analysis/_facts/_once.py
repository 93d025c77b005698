"""Which reductions of a portfolio are made once, however many analyses ask for them?"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import attrs
import numpy as np

from crm_portfolio._unread import reading
from crm_portfolio.portfolio import Portfolio

__all__ = ["forget", "once_per_portfolio"]

_Asked = ParamSpec("_Asked")
_Found = TypeVar("_Found")

_MOST: Final = 4
"""So many answers of one reduction stay: a book is looked at in a few spans of days."""


def once_per_portfolio(
    reduce: Callable[Concatenate[Portfolio, _Asked], _Found],
) -> Callable[Concatenate[Portfolio, _Asked], _Found]:
    """The same, with what it found kept for who asks the same of the same portfolio.

    A portfolio is frozen, so what was found of it stays true; it goes with the portfolio,
    or when newer answers take its place. All who ask are handed the same arrays, which
    cannot be written to. What it finds is of the size of the accounts.
    """
    found: WeakKeyDictionary[Portfolio, dict[Hashable, _Found]] = WeakKeyDictionary()

    @wraps(reduce)
    def once(
        portfolio: Portfolio, /, *asked: _Asked.args, **named: _Asked.kwargs
    ) -> _Found:
        known = found.setdefault(portfolio, {})
        key = asked, tuple(sorted(named.items()))
        if key not in known:
            with reading():  # DuckDB opens files for each step, not when it runs alone
                known[key] = _for_all(reduce(portfolio, *asked, **named))
            # A yes or no takes no place.
            large = [each for each in known if not isinstance(known[each], bool)]
            for oldest in large[:-_MOST]:
                del known[oldest]
        return known[key]

    once.__dict__["found"] = found
    return once


def forget(portfolio: Portfolio, *reductions: Callable[..., Any]) -> None:
    """What these have found of a portfolio; who asks again has it found again."""
    for each in reductions:
        each.__dict__["found"].pop(portfolio, None)


def _for_all(found: _Found) -> _Found:
    for each in _arrays(found):
        each.flags.writeable = False
    return found


def _arrays(found: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Those that it is made of."""
    if isinstance(found, np.ndarray):
        yield found
    elif attrs.has(type(found)):
        for field in attrs.fields(type(found)):
            yield from _arrays(getattr(found, field.name))
    elif isinstance(found, Mapping):
        for each in found.values():
            yield from _arrays(each)
    elif isinstance(found, tuple | list):
        for each in found:
            yield from _arrays(each)
