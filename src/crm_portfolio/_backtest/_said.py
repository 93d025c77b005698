"""What did the analyses say on one day, by what was known then?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, Literal, get_args

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._analyse import Findings
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags

__all__ = ["COMPONENTS", "HELD", "LISTS", "NOUNS", "ListName", "Said", "named"]

ListName = Literal["rising", "risk", "win_back"]
"""Lists that foresee something."""
LISTS: Final[tuple[ListName, ...]] = get_args(ListName)
COMPONENTS: Final = ("silence", "erosion", "payment", "relationship", "renewal")
NOUNS: Final[Mapping[str, tuple[str, ...]]] = {
    "tiers": ("account_id", "tier", "revenue"),
    "concentration": ("account_id", "dependence", "revenue"),
    "succession": (
        "account_id",
        "rising",
        "tier",
        "score",
        "is_exploration",
        "revenue",
    ),
    "risk": (
        *("account_id", "risk_level", "revenue"),
        *(f"{name}_level" for name in COMPONENTS),
    ),
    "win_back": (
        *("opportunity_id", "recommendation", "otherwise", "rule", "amount"),
        *("value", "hours", "attempt_count"),
    ),
}
"""The analyses that are replayed, and what is kept of each."""
HELD: Final[Mapping[str, tuple[str, str]]] = {
    "tier": ("tiers", "tier"),
    "dependence": ("concentration", "dependence"),
    "rising": ("succession", "rising"),
    "risk": ("risk", "risk_level"),
    "win_back": ("win_back", "recommendation"),
}
"""What may stay the same from day to day: of which analysis, in which column."""


@attrs.frozen(eq=False)
class Said:
    """One day's answers, cut down to what can be held against what came.

    Attributes:
        tables: By analysis, sorted by the id of the record; one that could not be made is
            not there.
        hour: What an hour cost that day, and what it would have brought elsewhere.
        settings: Of each analysis, as its result echoes them.
    """

    day: date
    tables: Mapping[str, pa.Table]
    hour: Mapping[str, float | None]
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, day: date, findings: Findings) -> Said:
        tables, settings = {}, {}
        hour: Mapping[str, Any] = {}
        for name, columns in NOUNS.items():
            if name not in findings:
                continue
            found = findings[name]
            table = found.arrow.select(list(columns))
            tables[name] = table.sort_by(columns[0]).combine_chunks()
            settings[name] = found.params["settings"]
            if name == "win_back":
                told = found.summary["hour"]
                assert isinstance(told, Mapping)
                hour = {key: told[key] for key in ("cost", "value")}
        return cls(day, tables, hour, settings)

    def ids(self, noun: str) -> pa.Array:
        return self.tables[noun][NOUNS[noun][0]].combine_chunks()

    def texts(self, noun: str, column: str) -> pa.Array:
        """A code for each record; ``unknown`` where there is none."""
        return pc.fill_null(self.tables[noun][column], "unknown").combine_chunks()

    def weights(self, noun: str) -> Floats:
        """What each record is worth: revenue or amount, where it is above nothing."""
        name = "amount" if noun == "win_back" else "revenue"
        values: Floats = pc.fill_null(
            self.tables[noun][name].cast(pa.float64()), 0.0
        ).to_numpy()
        return np.maximum(values, 0.0)


def named(said: Said, what: str) -> Flags | None:
    """Who is on the list; None where it is no list or was not made."""
    noun, _ = HELD[what]
    if noun not in said.tables:
        return None
    table = said.tables[noun]
    if what == "rising":
        return _is(table["rising"], "yes")
    if what == "risk":
        return _is(table["risk_level"], "high", "critical")
    if what == "win_back":
        # Where nobody records refusals each row says to ask first: it is named all the same.
        is_now = _is(table["recommendation"], "try", "ask_first")
        return is_now & _is(table["otherwise"], "try")
    return None


def _is(column: pa.ChunkedArray, *values: str) -> Flags:
    found = pc.is_in(column, value_set=pa.array(values, pa.string()))
    flags: Flags = found.to_numpy().astype(bool)
    return flags
