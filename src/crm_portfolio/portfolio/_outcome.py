"""Was an opportunity in play, won or lost at the end of a day, by the stage it was in?

What was closed then may have been opened again since: its row says so no more, but the
changes of its stage do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise import in_chains, is_after
from crm_portfolio.schema import OPPORTUNITY_CHANGE as CHANGE
from crm_portfolio.schema import arrow_type, local_day

__all__ = ["Outcome", "meanings", "outcome"]

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]

_STATUS: Final = pa.array(["open", "won", "lost"])
_OPEN: Final = 0
_UNKNOWN: Final = -1


@attrs.frozen(eq=False)
class Outcome:
    """What the stages of opportunities tell of the end of a day.

    Attributes:
        ids: Those whose stages tell whether they were in play, each once.
        status: What each of them was then.
        closed_on: The day it became so; null where it was open, or nobody knows.
        is_turned: Since then it became something else, as when it was opened again.
    """

    ids: pa.Array
    status: pa.Array
    closed_on: pa.Array
    is_turned: pa.Array


def meanings(stages: pa.Table | None) -> dict[str, str]:
    """What an opportunity in a stage is, where all pipelines agree on that."""
    if stages is None:
        return {}
    found: dict[str, set[str]] = {}
    rows = zip(stages["stage"].to_pylist(), stages["status"].to_pylist(), strict=True)
    for stage, status in rows:
        found.setdefault(stage, set()).add(status)
    return {stage: its.pop() for stage, its in found.items() if len(its) == 1}


def outcome(
    changes: pa.Table | None, means: Mapping[str, str], day: date, time_zone: str
) -> Outcome:
    """What stood at the end of that day.

    Only of an opportunity that its stages ever closed: who closes without a stage says
    nothing by one that is open.

    Args:
        changes: In the order of the portfolio; None: nobody kept any.
        means: What an opportunity in each stage is.
    """
    its = None
    if changes is not None and means:
        its = in_chains(changes.filter(pc.equal(changes["field"], "stage")))
    if its is None or not len(its):
        nothing = pa.array([], pa.bool_())
        ids, on = pa.array([], arrow_type(CHANGE["opportunity_id"])), pa.date32()
        return Outcome(ids, pa.array([], pa.string()), pa.array([], on), nothing)
    return _told(its, means, day, time_zone)


def _told(
    its: pa.Table, means: Mapping[str, str], day: date, time_zone: str
) -> Outcome:
    was, now = _codes(its, "old", means), _codes(its, "new", means)
    later = np.asarray(is_after(its["changed_at"], day, time_zone))
    ids = its["opportunity_id"].combine_chunks()
    of = pc.index_in(ids, value_set=pc.unique(ids)).to_numpy().astype(np.int64)
    turns = (was != _UNKNOWN) & (now != _UNKNOWN) & (was != now)
    # What was entered as closed was never in play: its own day of closing counts.
    closes = (was > _OPEN) | ((now > _OPEN) & _has(its, "old"))
    is_turned, last, turn = (
        _any(of, turns & later),
        _last(of, ~later),
        _last(of, turns & ~later),
    )
    # Where nothing was said by then, the first change after it tells what stood before.
    first = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
    stood = np.where(last != _UNKNOWN, now[last], was[first])
    is_told = _any(of, closes) & (stood != _UNKNOWN) & ((last != _UNKNOWN) | is_turned)
    has_day = (turn != _UNKNOWN) & (stood != _OPEN) & (now[turn] == stood)
    days = local_day(its["changed_at"].combine_chunks(), time_zone)
    told = pa.array(is_told)
    return Outcome(
        pc.unique(ids).filter(told),
        _STATUS.take(pa.array(stood, mask=~is_told)).filter(told),
        days.take(pa.array(turn, mask=~has_day)).filter(told),
        pa.array(is_turned).filter(told),
    )


def _codes(its: pa.Table, side: str, means: Mapping[str, str]) -> Codes:
    """The place in `_STATUS` of what each stage means."""
    if side not in its.column_names:
        return np.full(len(its), _UNKNOWN)
    stages = pa.array(list(means), pa.string())
    place = pc.index_in(pa.array(list(means.values()), pa.string()), _STATUS)
    found = place.take(pc.index_in(its[side].combine_chunks(), stages))
    codes: Codes = pc.fill_null(found, _UNKNOWN).to_numpy().astype(np.int64)
    return codes


def _has(its: pa.Table, side: str) -> Mask:
    if side not in its.column_names:
        return np.zeros(len(its), np.bool_)
    return np.asarray(its[side].is_valid())


def _any(of: Codes, which: Mask) -> Mask:
    """Whether any change of each opportunity is one of these."""
    found = np.zeros(of[-1] + 1, np.bool_)
    found[of[which]] = True
    return found


def _last(of: Codes, which: Mask) -> Codes:
    """Where the last of these changes of each opportunity stands; -1: there is none."""
    found = np.full(of[-1] + 1, _UNKNOWN)
    at = np.flatnonzero(which)
    found[of[at]] = at
    return found
