"""What an account says for all that it owns: does it, or one above it, say so?"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._upwards import least_above
from crm_portfolio._places import in_one, places_of

__all__ = ["from_above", "opted_out"]

_NEVER: Final = np.iinfo(np.int64).max
_NO_DAY: Final = np.datetime64("NaT", "D")


def opted_out(
    account: pa.Table,
) -> tuple[npt.NDArray[np.datetime64], Groups]:
    """By account: the first day it or one that owns it opted out, and where that stands.

    NaT and −1 where none did.
    """
    if "do_not_contact_on" not in account.column_names:
        size = account.num_rows
        return np.full(size, _NO_DAY), np.full(size, -1, dtype=np.int64)
    column = account["do_not_contact_on"].combine_chunks()
    days = column.cast(pa.date32()).to_numpy(zero_copy_only=False)
    return from_above(account, days.astype("datetime64[D]"))


def from_above(
    account: pa.Table, days: npt.NDArray[np.datetime64], *, is_last: bool = False
) -> tuple[npt.NDArray[np.datetime64], Groups]:
    """By account: the first or last of these days, its own or of one that owns it."""
    numbers = days.astype(np.int64)
    values = np.where(np.isnat(days), _NEVER, -numbers if is_last else numbers)
    who = least_above(values, _parents(account))
    is_said = ~np.isnat(days[who])
    return np.where(is_said, days[who], _NO_DAY), np.where(is_said, who, -1)


def _parents(account: pa.Table) -> Groups:
    if "parent_id" not in account.column_names:
        return np.full(account.num_rows, -1, dtype=np.int64)
    above = places_of(account["parent_id"], in_one(account["account_id"]))
    at = pc.fill_null(above, -1)
    found: Groups = at.to_numpy(zero_copy_only=False).astype(np.int64)
    return found
