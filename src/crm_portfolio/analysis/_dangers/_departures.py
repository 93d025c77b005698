"""Who left when, as somebody says it?"""

from __future__ import annotations

from datetime import date
from typing import Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, to_arrow
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.errors import SettingsError, did_you_mean

__all__ = ["NEVER", "Departures"]

NEVER: Final = int(np.iinfo(np.int64).min)
"""The day on which an account left that has not."""


@attrs.frozen(eq=False)
class Departures:
    """Who left when, as somebody says it: places of accounts, and days since 1970."""

    place: Groups
    on: Groups

    @classmethod
    def of(cls, frame: NativeFrame, ids: pa.Array) -> Departures:
        """Of a frame with ``account_id`` and ``left_on``; rows without a day tell nothing."""
        table = to_arrow(frame)
        for name in ("account_id", "left_on"):
            if name not in table.column_names:
                raise SettingsError(f"departures lack the column {name}")
        account = table["account_id"].cast(pa.string()).combine_chunks()
        day = table["left_on"].cast(pa.date32()).combine_chunks()
        at = pc.index_in(account, ids)
        if at.null_count:
            lost = account.filter(at.is_null())[0].as_py()
            near = did_you_mean(str(lost), ids.to_pylist())
            raise SettingsError(f"departures: there is no account {lost!r}{near}")
        is_dated = day.is_valid()
        return cls(
            at.filter(is_dated).to_numpy().astype(np.int64),
            day.filter(is_dated).cast(pa.int32()).to_numpy().astype(np.int64),
        )

    def between(self, after: date, until: date, count: int) -> Flags:
        """Which of so many accounts left after the first day, by the second."""
        is_in = (self.on > _number(after)) & (self.on <= _number(until))
        left = np.zeros(count, dtype=bool)
        left[self.place[is_in]] = True
        return left

    def last(self, until: date, count: int) -> Groups:
        """The last day by then on which each left."""
        is_in = self.on <= _number(until)
        found = np.full(count, NEVER, dtype=np.int64)
        np.maximum.at(found, self.place[is_in], self.on[is_in])
        return found


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days
