"""What did opportunities say at the end of a day that is long past?

The last change up to that day says it; where there was none yet, the first one after it
says what stood before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise import in_chains, is_after
from crm_portfolio.schema import (
    OPPORTUNITY,
    arrow_type,
    fault_table,
    faults_of,
    read_rows,
)
from crm_portfolio.schema import (
    OPPORTUNITY_CHANGE as CHANGE,
)

__all__ = ["SAID", "Past", "pasts", "unreadable"]

Mask = npt.NDArray[np.bool_]

SAID: Final = "original_amount"
"""Under this name stand the changes of all amounts: changes of what was said."""

# What is said while a record is entered, it has said from the beginning.
_ENTERING: Final = pa.scalar(timedelta(minutes=1), pa.duration("us"))
_ABSURD: Final = 2.0**53 / 100  # beyond it no float holds a cent


@attrs.frozen(eq=False)
class Past:
    """What the changes of one column say of the end of a day.

    Attributes:
        ids: The opportunities it ever changed in, each once.
        values: What each of them said then.
        first_at: When it first changed, if that was later.
        first: What it said after that.
        is_tracked: By that day somebody kept the changes of this column: what has none
            did not change.
        faults: Past values that cannot be read; they are null.
    """

    ids: pa.Array
    values: pa.Array
    first_at: pa.Array
    first: pa.Array
    is_tracked: bool
    faults: pa.Table

    def told(self, ids: pa.Array, now: pa.Array, created_at: pa.Array) -> pa.Array:
        """What these said then; where it never changed, what they say now."""
        place = pc.index_in(ids, value_set=self.ids)
        then, first = self.values.take(place), self.first.take(place)
        first_at = self.first_at.take(place)
        is_entered = pc.less_equal(pc.subtract(first_at, created_at), _ENTERING)
        is_entered = pc.and_(pc.fill_null(is_entered, fill_value=False), then.is_null())
        return pc.if_else(place.is_valid(), pc.if_else(is_entered, first, then), now)


def pasts(
    changes: pa.Table | None, columns: Iterable[str], day: date, time_zone: str
) -> dict[str, Past]:
    """By column, what its changes say of the end of that day.

    Args:
        changes: In the order of the portfolio; None: nobody kept any.
    """
    return {
        name: _nothing(name)
        if changes is None
        else _past(name, _of_column(changes, name), day, time_zone)
        for name in columns
    }


def _nothing(name: str) -> Past:
    ids, at, none = (
        pa.array([], arrow_type(column))
        for column in (
            CHANGE["opportunity_id"],
            CHANGE["changed_at"],
            OPPORTUNITY[name],
        )
    )
    return Past(ids, none, at, none, is_tracked=False, faults=fault_table())


def _of_column(changes: pa.Table, name: str) -> pa.Table:
    if name != SAID:
        return in_chains(changes.filter(pc.equal(changes["field"], name)))
    # An org that came to have several currencies speaks of either.
    its = changes.filter(
        pc.is_in(changes["field"], value_set=pa.array(["amount", SAID]))
    )
    one_name = pa.repeat(pa.scalar(SAID), len(its))
    its = its.set_column(its.column_names.index("field"), "field", one_name)
    order = ("opportunity_id", "changed_at")
    return in_chains(its.sort_by([(each, "ascending") for each in order]))


def _past(name: str, its: pa.Table, day: date, time_zone: str) -> Past:
    later = np.asarray(is_after(its["changed_at"], day, time_zone))
    begins, ends = _edges(its["opportunity_id"])
    last_before = ~later & (ends | np.append(later[1:], True))
    chosen = pa.array(last_before | (later & begins))
    is_later = pa.array(later).filter(chosen)
    at, old, new = (
        _column(its, side).filter(chosen) for side in ("changed_at", "old", "new")
    )
    then, faults = _typed(name, pc.if_else(is_later, old, new), time_zone)
    first, _ = _typed(name, new, time_zone)
    return Past(
        _column(its, "opportunity_id").filter(chosen),
        then,
        pc.if_else(is_later, at, pa.scalar(None, at.type)),
        first,
        is_tracked=not later.all(),
        faults=faults,
    )


def _edges(ids: pa.ChunkedArray) -> tuple[Mask, Mask]:
    """Where another opportunity begins, and where one ends."""
    one = ids.combine_chunks()
    if not len(one):
        return np.empty(0, np.bool_), np.empty(0, np.bool_)
    differs = np.asarray(pc.not_equal(one[1:], one[:-1]))
    return np.insert(differs, 0, values=True), np.append(differs, values=True)


def _column(its: pa.Table, name: str) -> pa.Array:
    if name not in its.column_names:
        return pa.nulls(len(its), pa.string())
    return its[name].combine_chunks()


def _typed(name: str, texts: pa.Array, time_zone: str) -> tuple[pa.Array, pa.Table]:
    """Text as the column's type, null where it says nothing sensible."""
    typed, found = read_rows(OPPORTUNITY, pa.table({name: texts}), time_zone)
    values = typed[name].combine_chunks()
    bad = np.zeros(len(values), np.bool_)
    for faults in found:
        bad[np.asarray(faults["row"])] = True
    if name == SAID:
        bad |= np.asarray(pc.fill_null(pc.greater(pc.abs(values), _ABSURD), False))  # noqa: FBT003
    if not bad.any():
        return values, fault_table()
    hidden = pc.if_else(pa.array(bad), pa.scalar(None, values.type), values)
    shown = pc.unique(texts.filter(pa.array(bad)))
    return hidden, unreadable(name, shown)


def unreadable(name: str, texts: Sequence[str] | pa.Array) -> pa.Table:
    """That these are no past values of the column."""
    rows, field = [None] * len(texts), "amount" if name == SAID else name
    code, table = "unreadable_change", "opportunity_change"
    return faults_of(table, field, code, rows=rows, values=pa.array(texts, pa.string()))
