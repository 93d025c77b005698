"""Of those on each list, how many did it come true of, against those who were not on it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._backtest._days import apart
from crm_portfolio._backtest._rates import Count, lift, told
from crm_portfolio._backtest._replay import Replayed
from crm_portfolio._backtest._said import LISTS, ListName, Said, named
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.results import Json, significant

__all__ = ["Forecast", "forecasts", "named_table", "pooled", "table"]

_NOUN: Final[Mapping[ListName, str]] = {
    "rising": "succession",
    "risk": "risk",
    "win_back": "win_back",
}


@attrs.frozen(eq=False)
class Forecast:
    """One list of one day, and what came of it.

    Attributes:
        is_over: Whether the horizon is; until then all that came is not yet known.
        others: Those who might have been on the list and were not.
        drawn: Of the others, those drawn by chance.
        worth: Revenue, or amount, of those named; ``worth_hit`` of those it came true of.
    """

    name: ListName
    day: date
    until: date
    is_over: bool
    ids: pa.Array
    is_named: Flags
    is_known: Flags
    happened: Flags
    named: Count
    others: Count
    drawn: Count
    worth: float
    worth_hit: float

    @property
    def key(self) -> str:
        return f"{self.name} {self.day.isoformat()}"

    @property
    def state(self) -> str:
        if not self.is_over:
            return "not_yet_known"
        if not self.named.said:
            return "nobody_named"
        return "known" if self.named.known else "unknown"


def forecasts(replayed: Sequence[Replayed]) -> list[Forecast]:
    """By list, and by day in each."""
    return [
        _forecast(name, each)
        for name in LISTS
        for each in replayed
        if _NOUN[name] in each.said.tables
    ]


def _forecast(name: ListName, each: Replayed) -> Forecast:
    said = each.said
    is_named = named(said, name)
    assert is_named is not None
    might, drawn = _might(name, said)
    is_known, happened, worst = _fates(name, each, is_named.size)
    weights = said.weights(_NOUN[name])
    hit = is_named & is_known & happened

    def counted(who: Flags) -> Count:
        return Count.of(who, is_known, happened, worst)

    return Forecast(
        name=name,
        day=each.day,
        until=each.until,
        is_over=each.came is not None,
        ids=said.ids(_NOUN[name]),
        is_named=is_named,
        is_known=is_known,
        happened=happened,
        named=counted(is_named),
        others=counted(might & ~is_named),
        drawn=counted(drawn & ~is_named),
        worth=float(weights[is_named].sum()),
        worth_hit=float(weights[hit].sum()),
    )


def _might(name: ListName, said: Said) -> tuple[Flags, Flags]:
    """Who might have been on the list, and who was drawn by chance."""
    table = said.tables[_NOUN[name]]
    nobody = np.zeros(table.num_rows, dtype=bool)
    if name == "rising":
        drawn = table["is_exploration"].to_numpy().astype(bool)
        return table["score"].is_valid().to_numpy().astype(bool), drawn
    if name == "risk":
        return said.texts("risk", "risk_level").to_numpy(
            zero_copy_only=False
        ) != "unknown", nobody
    # Whom nobody was to speak to again is no measure of those who were.
    told = said.texts("win_back", "recommendation").to_numpy(zero_copy_only=False)
    return told != "leave_in_peace", nobody


def _fates(name: ListName, each: Replayed, size: int) -> tuple[Flags, Flags, Flags]:
    nobody = np.zeros(size, dtype=bool)
    if each.came is None:
        return nobody, nobody, nobody
    if name == "win_back":
        sold = each.came.win_back
        assert sold is not None
        return sold.is_known, sold.won, sold.won
    fate = each.came.rising if name == "rising" else each.came.risk
    assert fate is not None
    return fate.is_known, fate.happened, fate.worst


def table(found: Sequence[Forecast]) -> pa.Table:
    """A row for each list and day."""
    return pa.Table.from_pylist([*map(_row, found)], schema=_SCHEMA)


def _row(found: Forecast) -> dict[str, Any]:
    is_over = found.is_over
    row: dict[str, Any] = {
        "forecast": found.key,
        "list": found.name,
        "day_on": found.day,
        "until_on": found.until,
        "state": found.state,
        **_of(found.named, found.others),
        "drawn_count": found.drawn.said,
        "drawn_hit_count": found.drawn.hits,
        "worst_count": found.named.worst,
        "named_worth": significant(found.worth),
        "hit_worth": significant(found.worth_hit),
    }
    told_at_once = {"named_count", "others_count", "drawn_count", "named_worth"}
    kept = {"forecast", "list", "day_on", "until_on", "state"} | told_at_once
    if not is_over:
        row |= {name: None for name in row if name not in kept}
    return row


def _of(own: Count, others: Count) -> dict[str, Any]:
    return {
        **told(own, hits="hit", rate="hit", begin="named_"),
        **told(others, hits="hit", rate="base", begin="others_"),
        **lift(own, others),
    }


def pooled(found: Sequence[Forecast], months: int) -> dict[str, Json]:
    """By list: all days together, counting none twice; None where nothing is known yet.

    Days whose horizons overlap tell of the same months, so only those apart are counted.
    """
    every: dict[str, Json] = {}
    for name in LISTS:
        own = [each for each in found if each.name == name]
        if not own:
            continue
        over = [each for each in own if each.is_over]
        days = apart([each.day for each in over], months)
        counted = [each for each in over if each.day in days]
        sums = _of(
            Count.all(each.named for each in counted),
            Count.all(each.others for each in counted),
        )
        every[name] = {
            "day_count": len(own),
            "known_day_count": len(over),
            "counted_days": [day.isoformat() for day in days],
            **sums,
            "worst_count": Count.all(each.named for each in counted).worst,
            "named_worth": significant(sum(each.worth for each in counted)),
            "hit_worth": significant(sum(each.worth_hit for each in counted)),
        }
    return every


def named_table(found: Sequence[Forecast]) -> pa.Table:
    """Everyone on a list, and what became of it: the hits first, by day and list."""
    parts = [_NAMED.empty_table(), *_named(found)]
    return pa.concat_tables(parts).combine_chunks()


def _named(found: Sequence[Forecast]) -> Iterator[pa.Table]:
    for each in found:
        who = np.flatnonzero(each.is_named)
        count = who.size
        columns = {
            "forecast": pa.array([each.key] * count, pa.string()),
            "record_id": each.ids.take(pa.array(who)),
            "became": pa.array(_became(each)[who].tolist(), pa.string()),
        }
        yield pa.table(columns, schema=_NAMED)


def _became(each: Forecast) -> npt.NDArray[np.str_]:
    if not each.is_over:
        return np.full(each.is_named.size, "not_yet_known")
    known = np.where(each.happened, "hit", "miss")
    return np.where(each.is_known, known, "unknown")


_RATE: Final = ("", "_low", "_high")
_SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("forecast", "list")),
        *((name, pa.date32()) for name in ("day_on", "until_on")),
        ("state", pa.string()),
        *(
            (f"named_{name}", pa.int64())
            for name in ("count", "known_count", "hit_count")
        ),
        *((f"hit_rate{end}", pa.float64()) for end in _RATE),
        *(
            (f"others_{name}", pa.int64())
            for name in ("count", "known_count", "hit_count")
        ),
        *((f"base_rate{end}", pa.float64()) for end in _RATE),
        *((name, pa.float64()) for name in ("lift", "gain", "gain_low", "gain_high")),
        *(
            (name, pa.int64())
            for name in ("drawn_count", "drawn_hit_count", "worst_count")
        ),
        *((name, pa.float64()) for name in ("named_worth", "hit_worth")),
    ]
)
_NAMED: Final = pa.schema(
    [(name, pa.string()) for name in ("forecast", "record_id", "became")]
)
