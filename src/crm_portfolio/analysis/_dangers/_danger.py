"""What is one of the five dangers, whatever it is made of?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._risk import UNKNOWN, Levels
from crm_portfolio.analysis._facts import RevenueFacts, found_at, named, placed

__all__ = ["COMPONENTS", "Danger", "Days", "by_place", "days_between", "days_of"]

COMPONENTS: Final = ("silence", "erosion", "payment", "relationship", "renewal")
"""In the order in which two equally grave ones are told."""

Days = npt.NDArray[np.datetime64]


@attrs.frozen(eq=False)
class Danger:
    """One component by account, in the order of the facts.

    Attributes:
        level: 0 low to 3 critical, ``UNKNOWN`` where it is not known.
        told_as: The code of the reason that is written where it is a danger.
        told_on: The day of its evidence.
        columns: What the frame shows of it.
        is_open: Where a null level is a gap in what we know, and no "does not apply".
    """

    name: str
    level: Levels
    told_as: pa.Array
    told_on: pa.Array
    columns: Mapping[str, pa.Array]
    is_open: Flags

    @classmethod
    def made(
        cls,
        name: str,
        level: Levels,
        *,
        told_as: str | pa.Array,
        told_on: pa.Array,
        columns: Mapping[str, pa.Array],
        is_open: Flags | None = None,
    ) -> Danger:
        if isinstance(told_as, str):
            told_as = named(np.zeros(level.size, dtype=np.int64), [told_as])
        if is_open is None:
            is_open = np.ones(level.size, dtype=bool)
        return cls(name, level, told_as, told_on, columns, is_open)

    @property
    def is_unknown(self) -> Flags:
        unknown: Flags = (self.level == UNKNOWN) & self.is_open
        return unknown


def by_place(facts: RevenueFacts, found: pa.Table, names: tuple[str, ...]) -> Any:
    """Columns of a scan in the order of the accounts; 0 (or NaT) where it has none."""
    at = found_at(found["account_id"], facts.by_account.ids)
    for name in names:
        column = found[name]
        is_day = pa.types.is_date(column.type)
        place = placed(column, at)
        yield place.astype("datetime64[D]") if is_day else place


def days_of(days: Days, mask: Flags | None = None) -> pa.Array:
    """As a column; NaT, and what the mask names, become null."""
    hidden = np.isnat(days) if mask is None else np.isnat(days) | mask
    return pa.array(days, pa.date32(), mask=hidden)


def days_between(first: Days, last: Days) -> npt.NDArray[np.int64]:
    """0 where one of the two is not known."""
    span = (last - first).astype("timedelta64[D]")
    return np.where(np.isnat(span), 0, span.astype(np.int64))
