"""What becomes of the truth when busy people write it down?

Of activities the part ``noise`` has a slip: it is missing, entered days later, without a
direction, twice, or by the firm's clock taken for UTC. As often the last stage of a sale
is one too early or too far, and its reason or its amount was never filled in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from crm_portfolio.samples import _courses, _workdays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crm_portfolio.samples._courses import Contacts

__all__ = ["Logged", "happens", "logged", "stages"]

# Of a sale whose mailbox was never connected nothing is known; that is rarer.
_UNCONNECTED: Final = 0.1
_MISSING, _LATE, _NO_DIRECTION, _TWICE, _LOCAL_TAKEN_FOR_UTC = range(5)


@attrs.define(eq=False)
class Logged:
    """Activities as the CRM has them."""

    contacts: Contacts
    has_direction: NDArray[np.bool_]
    is_utc: NDArray[np.bool_]


def happens(chance: np.random.Generator, noise: float, count: int) -> NDArray[np.bool_]:
    """Which of so many records a slip befalls."""
    found: NDArray[np.bool_] = chance.random(count) < noise
    return found


def logged(
    chance: np.random.Generator,
    contacts: Contacts,
    unlogged: NDArray[np.bool_],
    noise: float,
) -> Logged:
    """The contacts of sales that are logged at all, with all their slips."""
    unconnected = happens(chance, noise * _UNCONNECTED, len(unlogged))
    count = len(contacts.sale)
    slip = np.where(happens(chance, noise, count), chance.integers(0, 5, count), -1)
    known = ~(unlogged | unconnected)[contacts.sale] & (slip != _MISSING)
    rows = np.flatnonzero(known)
    again = np.concatenate([rows, np.flatnonzero(known & (slip == _TWICE))])
    delay = np.zeros(len(again), dtype=np.int64)
    delay[len(rows) :] = chance.integers(0, 5, size=len(again) - len(rows))
    found = _courses.Contacts(
        *(each[again] for each in attrs.astuple(contacts, recurse=False))
    )
    slip = slip[again]
    days = (slip == _LATE) * found.is_ours * chance.integers(1, 11, size=len(again))
    found.moment = found.moment + delay + days * _workdays.DAY
    return Logged(
        found, has_direction=slip != _NO_DIRECTION, is_utc=slip == _LOCAL_TAKEN_FOR_UTC
    )


def stages(
    chance: np.random.Generator, reached: NDArray[np.int64], noise: float
) -> NDArray[np.int64]:
    """The last stage each sale is said to have reached."""
    wrong = happens(chance, noise, len(reached))
    step = 2 * chance.integers(0, 2, size=len(reached)) - 1
    return np.clip(np.where(wrong, reached + step, reached), 0, 3)
