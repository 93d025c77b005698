"""Which rows of a replica count, when a flag may be a boolean, a number or text?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

from crm_portfolio._frames import nw, to_arrow
from crm_portfolio.connectors.warehouse._layouts import Layout
from crm_portfolio.errors import SettingsError

__all__ = ["flag", "todays"]

_TRUE: Final = ("true", "1")
_FALSE: Final = ("false", "0")
# No load of ours is later: a row that ends then is one whose end is not known.
_NEVER: Final = 2100


def flag(frame: Any, column: str, table: str) -> Any:
    """Whether a flag is set, as its engine can ask it; null where nothing is said.

    Raises:
        SettingsError: It holds text that is no flag; no value is shown.
    """
    kind = frame.collect_schema()[column]
    if kind.is_numeric():
        return nw.col(column) != 0
    if kind != nw.String:
        return nw.col(column)
    said = nw.col(column).str.strip_chars().str.to_lowercase()
    # An engine has no error of its own for a word it does not know: it is looked for.
    other = frame.filter(~said.is_in([*_TRUE, *_FALSE, ""])).select(column).head(1)
    if len(to_arrow(nw.to_native(other))):
        raise SettingsError(
            f"{table}.{column}: what the replica holds as text is no boolean: "
            "it must be true, false, 1 or 0"
        )
    is_false = nw.when(said.is_in([*_FALSE])).then(nw.lit(value=False))
    return nw.when(said.is_in([*_TRUE])).then(nw.lit(value=True)).otherwise(is_false)


def todays(frame: Any, layout: Layout, table: str) -> Any:
    """The rows that hold now, of a table that may keep those of the past too."""
    columns = {name.lower(): name for name in frame.collect_schema().names()}
    if active := columns.get(layout.active):
        frame = frame.filter(flag(frame, active, table).fill_null(value=True))
    if until := columns.get(layout.valid_to):
        end, never = nw.col(until), _never(frame.collect_schema()[until])
        is_open = end.is_null()
        frame = frame.filter(is_open if never is None else is_open | (end >= never))
    return frame


def _never(kind: Any) -> Any:
    """From when on a moment of this kind stands for none."""
    if kind == nw.String:
        return nw.lit(str(_NEVER))  # years come first in it
    if kind == nw.Date:
        return nw.lit(date(_NEVER, 1, 1))
    if kind == nw.Datetime:
        zone = UTC if getattr(kind, "time_zone", None) else None
        return nw.lit(datetime(_NEVER, 1, 1, tzinfo=zone))
    return None
