"""Were those of a graver level hurt more often, and what became of each recommendation?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._backtest._rates import Count, told
from crm_portfolio._backtest._replay import Replayed
from crm_portfolio._backtest._said import COMPONENTS
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._risk import LEVELS
from crm_portfolio.results import Json, significant

__all__ = [
    "LEVEL_NAMES",
    "RECOMMENDATIONS",
    "level_counts",
    "level_table",
    "levels_together",
    "recommendation_table",
    "recommendations_together",
]

LEVEL_NAMES: Final = (*LEVELS, "unknown")
RECOMMENDATIONS: Final = (
    *("try", "wait", "ask_first", "unknown", "stop", "leave_in_peace"),
)
_COLUMN: Final = {"risk": "risk_level"} | {name: f"{name}_level" for name in COMPONENTS}
_ByLevel = Mapping[tuple[str, str], Count]


def level_counts(each: Replayed) -> _ByLevel:
    """By component and level, the whole first: how many, and how many were hurt."""
    if each.came is None or each.came.risk is None:
        return {}
    fate = each.came.risk
    known, everyone = fate.is_known, np.ones(fate.is_known.size, dtype=bool)
    groups = (everyone, known, known & fate.happened, known & fate.worst)
    found = {}
    for name, column in _COLUMN.items():
        levels = each.said.texts("risk", column)
        code = pc.index_in(levels, pa.array(LEVEL_NAMES)).to_numpy()
        sizes = [np.bincount(code[who], minlength=len(LEVEL_NAMES)) for who in groups]
        for level, own in zip(LEVEL_NAMES, np.stack(sizes, axis=1), strict=True):
            found[name, level] = Count(*own.tolist())
    return found


def level_table(replayed: Sequence[Replayed]) -> pa.Table:
    """A row for each day, component and level of those whose horizon is over."""
    rows = [
        {"day_on": each.day, "component": name, "level": level, **_hurt(count)}
        for each in replayed
        for (name, level), count in level_counts(each).items()
        if count.said
    ]
    return pa.Table.from_pylist(rows, schema=_LEVELS)


def levels_together(replayed: Sequence[Replayed]) -> dict[str, Json]:
    """The same of these days together."""
    days = [found for each in replayed if (found := level_counts(each))]
    if not days:
        return {}
    together = {key: Count.all(found[key] for found in days) for key in days[0]}
    return {
        name: {
            level: _hurt(together[name, level])
            for level in LEVEL_NAMES
            if together[name, level].said
        }
        for name in _COLUMN
    }


def _hurt(count: Count) -> dict[str, Any]:
    return told(count, hits="hurt", rate="hurt") | {"left_count": count.worst}


def recommendation_table(replayed: Sequence[Replayed]) -> pa.Table:
    """A row for each day and recommendation: how many were opened again, and won."""
    rows = [
        {"day_on": each.day, "recommendation": name, **_sold([each], name)}
        for each in replayed
        for name in RECOMMENDATIONS
        if _has(each, name)
    ]
    return pa.Table.from_pylist(rows, schema=_AGAIN)


def recommendations_together(replayed: Sequence[Replayed]) -> dict[str, Json]:
    """The same of these days together."""
    own = [each for each in replayed if each.came and each.came.win_back]
    return {
        name: _sold(own, name)
        for name in RECOMMENDATIONS
        if any(_has(each, name) for each in own)
    }


def _has(each: Replayed, name: str) -> bool:
    if each.came is None or each.came.win_back is None:
        return False
    return bool(_said(each, name).any())


def _said(each: Replayed, name: str) -> Flags:
    told = each.said.texts("win_back", "recommendation")
    flags: Flags = told.to_numpy(zero_copy_only=False) == name
    return flags


def _sold(replayed: Sequence[Replayed], name: str) -> dict[str, Any]:
    counts, reopened, amounts = [], 0, []
    for each in replayed:
        assert each.came is not None
        sold, who = each.came.win_back, _said(each, name)
        assert sold is not None
        counts.append(Count.of(who, sold.is_known, sold.won, sold.won))
        reopened += int((who & sold.reopened).sum())
        amounts.append(sold.amount[who & sold.won])
    return {
        **told(Count.all(counts), hits="won", rate="won"),
        "reopened_count": reopened,
        "won_amount": summed(np.concatenate(amounts)) if amounts else None,
    }


def summed(amounts: Floats) -> float | None:
    """All that is known of it; None where there is something and none of it is known."""
    if amounts.size and np.isnan(amounts).all():
        return None
    return significant(float(np.nansum(amounts)))


_COUNTS: Final = [("count", pa.int64()), ("known_count", pa.int64())]
_LEVELS: Final = pa.schema(
    [
        ("day_on", pa.date32()),
        *((name, pa.string()) for name in ("component", "level")),
        *_COUNTS,
        ("hurt_count", pa.int64()),
        *((f"hurt_rate{end}", pa.float64()) for end in ("", "_low", "_high")),
        ("left_count", pa.int64()),
    ]
)
_AGAIN: Final = pa.schema(
    [
        ("day_on", pa.date32()),
        ("recommendation", pa.string()),
        *_COUNTS,
        ("won_count", pa.int64()),
        *((f"won_rate{end}", pa.float64()) for end in ("", "_low", "_high")),
        ("reopened_count", pa.int64()),
        ("won_amount", pa.float64()),
    ]
)
