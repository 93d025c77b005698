"""How much of what was said one day was said again the next, and how much went to and fro?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._backtest._said import HELD, Said, named
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.results import Json, significant

__all__ = ["stability", "stability_table", "together"]


@attrs.frozen(eq=False)
class _Step:
    """From one day to the next: of those there on both.

    Attributes:
        weight: What they were worth on the earlier day, ``same_weight`` of those of whom
            the same was said.
        returned: Of those that moved, how many are where they were two days before;
            ``could`` how many were there then too.
        stayed: How many of those on the list before are on it again; ``came`` are new.
    """

    what: str
    before: Said
    now: Said
    both: int
    same: int
    weight: float
    same_weight: float
    could: int
    returned: int
    was_named: int
    stayed: int
    came: int


def stability(said: Sequence[Said]) -> list[_Step]:
    """By what is said, and by day in each."""
    return [
        _step(what, said[at - 2] if at > 1 else None, said[at - 1], said[at])
        for what, (noun, _) in HELD.items()
        for at in range(1, len(said))
        if all(noun in each.tables for each in said)
    ]


def _step(what: str, earlier: Said | None, before: Said, now: Said) -> _Step:
    noun, column = HELD[what]
    at = _places(before, now, noun)
    is_both = at >= 0
    was = before.texts(noun, column)
    is_ = now.texts(noun, column)
    same = _equal(was, is_, at)
    weights: Floats = before.weights(noun)
    could, returned = _returned(earlier, before, now, what)
    lists = named(before, what), named(now, what)
    was_named, stayed, came = _churn(lists, at)
    return _Step(
        what=what,
        before=before,
        now=now,
        both=int(is_both.sum()),
        same=int(same.sum()),
        weight=float(weights[is_both].sum()),
        same_weight=float(weights[same].sum()),
        could=could,
        returned=returned,
        was_named=was_named,
        stayed=stayed,
        came=came,
    )


def _places(of: Said, within: Said, noun: str) -> np.ndarray:
    """Where each record of one day stands on the other; −1 nowhere."""
    at = pc.index_in(of.ids(noun), within.ids(noun))
    places: np.ndarray = pc.fill_null(at, -1).to_numpy().astype(np.int64)
    return places


def _equal(was: pa.Array, is_: pa.Array, at: np.ndarray) -> Flags:
    there = is_.take(pa.array(at, mask=at < 0))
    found = pc.fill_null(pc.equal(was, there), fill_value=False)
    flags: Flags = found.to_numpy(zero_copy_only=False).astype(bool)
    return flags


def _returned(
    earlier: Said | None, before: Said, now: Said, what: str
) -> tuple[int, int]:
    """Moves of those there on all three days, and those of them that undid one."""
    if earlier is None:
        return 0, 0
    noun, column = HELD[what]
    first, second, third = (each.texts(noun, column) for each in (earlier, before, now))
    to_second, to_third = (_places(earlier, each, noun) for each in (before, now))
    there = (to_second >= 0) & (to_third >= 0)
    back = there & ~_equal(first, second, to_second) & _equal(first, third, to_third)
    middle = second.take(pa.array(to_second, mask=to_second < 0))
    moved = there & ~_equal(middle, third, to_third)
    return int(moved.sum()), int(back.sum())


def _churn(lists: tuple[Flags | None, Flags | None], at: np.ndarray) -> tuple[int, ...]:
    was, is_ = lists
    if was is None or is_ is None:
        return 0, 0, 0
    stayed = was & (at >= 0) & np.append(is_, False)[at]
    return int(was.sum()), int(stayed.sum()), int(is_.sum()) - int(stayed.sum())


def stability_table(steps: Sequence[_Step]) -> pa.Table:
    """A row for each step and what is said."""
    rows = [
        {
            "what": step.what,
            "before_on": step.before.day,
            "day_on": step.now.day,
            **_told([step]),
        }
        for step in steps
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def together(steps: Sequence[_Step]) -> dict[str, Json]:
    """By what is said: all steps together."""
    return {
        what: _told(own)
        for what in HELD
        if (own := [step for step in steps if step.what == what])
    }


def _told(steps: Sequence[_Step]) -> dict[str, Any]:
    def total(name: str) -> Any:
        return sum(getattr(step, name) for step in steps)

    def share(part: str, of: str) -> float | None:
        return significant(total(part) / total(of)) if total(of) else None

    is_list = steps[0].what in _LISTS
    return {
        "both_count": total("both"),
        "same_count": total("same"),
        "same_share": share("same", "both"),
        "same_worth_share": share("same_weight", "weight"),
        "moved_count": total("could"),
        "returned_count": total("returned"),
        "returned_share": share("returned", "could"),
        "named_before_count": total("was_named") if is_list else None,
        "stayed_count": total("stayed") if is_list else None,
        "came_count": total("came") if is_list else None,
        "stayed_share": share("stayed", "was_named") if is_list else None,
    }


_LISTS: Final = ("rising", "risk", "win_back")
_SCHEMA: Final = pa.schema(
    [
        ("what", pa.string()),
        *((name, pa.date32()) for name in ("before_on", "day_on")),
        *((name, pa.int64()) for name in ("both_count", "same_count")),
        *((name, pa.float64()) for name in ("same_share", "same_worth_share")),
        *((name, pa.int64()) for name in ("moved_count", "returned_count")),
        ("returned_share", pa.float64()),
        *(
            (n, pa.int64())
            for n in ("named_before_count", "stayed_count", "came_count")
        ),
        ("stayed_share", pa.float64()),
    ]
)
