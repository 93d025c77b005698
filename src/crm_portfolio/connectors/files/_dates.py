"""Which day, or which moment, does each cell of a column mean?

``2026-02-01`` is clear, ``01/02/2026`` is not. So every cell is read both ways, and the
cells that allow only one (``13/02/2026``) decide for the whole column.
"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors.files._proposal import Confidence
from crm_portfolio.connectors.files._reading import (
    Conventions,
    Reading,
    blank_as_null,
    examples,
    plain,
    tidied,
)
from crm_portfolio.connectors.files._settings import DateOrder

__all__ = ["days", "moments"]

_YEAR_FIRST: Final = (
    r"(?P<year>[0-9]{4})[-/.](?P<month>[0-9]{1,2})[-/.](?P<day>[0-9]{1,2})"
)
_YEAR_LAST: Final = (
    r"(?P<one>[0-9]{1,2})[-/.](?P<two>[0-9]{1,2})[-/.](?P<last>[0-9]{4})"
)
_CELL: Final = (
    rf"^(?:{_YEAR_FIRST}|{_YEAR_LAST})"
    r"(?:(?:T|,? )(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
    r"(?: ?(?P<zone>Z|UTC|GMT|[-+][0-9]{2}:?[0-9]{2}))?)?$"
)
_NAMES: Final = (
    "year month day one two last hour minute second fraction half zone".split()  # noqa: SIM905
)
_CANONICAL_DAY: Final = r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}\s*$"
_CANONICAL_MOMENT: Final = (
    r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}"
    r"(:[0-9]{2}(\.[0-9]+)?)?(Z|[-+][0-9]{2}:?[0-9]{2})?\s*$"
)
_HINT: Final = "write a date that exists, such as 2026-02-28 or 2026-02-28 13:45"
_MINUTE: Final = np.timedelta64(1, "m")

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
Moments = np.ndarray[tuple[int], np.dtype[np.datetime64]]


@attrs.frozen(eq=False)
class _Parts:
    """The pieces of each cell as numbers, and which cells have the form of a date."""

    numbers: dict[str, Numbers]
    half: pa.Array
    zone: pa.Array
    is_date: Mask

    def __getitem__(self, name: str) -> Numbers:
        return self.numbers[name]

    @property
    def year_comes_last(self) -> Mask:
        return self.is_date & (self["last"] > 0)

    def fields(self, order: DateOrder) -> tuple[Numbers, Numbers, Numbers]:
        """Year, month and day of each cell, read in this order."""
        day, month = ("one", "two") if order == "dmy" else ("two", "one")
        last = self.year_comes_last
        return (
            np.where(last, self["last"], self["year"]),
            np.where(last, self[month], self["month"]),
            np.where(last, self[day], self["day"]),
        )

    def exists(self, order: DateOrder) -> Mask:
        """True where that reading is a day of the calendar, 29 February included."""
        year, month, day = self.fields(order)
        fits = self.is_date & (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
        return fits & (
            day <= _month_lengths(np.where(fits, year, 1), np.where(fits, month, 1))
        )


@attrs.frozen
class _Decision:
    """The order of a column, or what to ask a person."""

    order: DateOrder
    confidence: Confidence
    question: str = ""


def days(cells: pa.Array, conventions: Conventions) -> Reading:
    """The day of each cell; of a moment with an offset, the day in the time zone."""
    filled = blank_as_null(cells)
    if conventions.is_canonical and _is_canonical(filled, _CANONICAL_DAY):
        return plain(pc.utf8_trim_whitespace(filled))
    parts = _parts(filled)
    choice = _decided(filled, parts, conventions.date_order)
    clock, is_good = _clock(parts, choice.order)
    local = pa.array(clock, mask=~is_good)
    if parts.zone.null_count < len(cells):
        there = pc.local_timestamp(
            _minus_offset(clock, parts.zone, is_good).cast(
                pa.timestamp("us", conventions.time_zone)
            )
        )
        local = pc.if_else(parts.zone.is_valid(), there, local)
    values = pc.floor_temporal(local, unit="day").cast(pa.date32())
    return _reading(values, filled, parts, choice)


def moments(cells: pa.Array, conventions: Conventions) -> Reading:
    """The UTC moment of each cell; a clock time without offset is the time zone's."""
    filled = blank_as_null(cells)
    if conventions.is_canonical and _is_canonical(filled, _CANONICAL_MOMENT):
        return plain(pc.utf8_trim_whitespace(filled))
    parts = _parts(filled)
    choice = _decided(filled, parts, conventions.date_order)
    clock, is_good = _clock(parts, choice.order)
    local = pa.array(clock, mask=~is_good)
    # The hour that autumn repeats is its first, the one that spring skips begins after it.
    values = pc.assume_timezone(
        local, conventions.time_zone, ambiguous="earliest", nonexistent="latest"
    ).cast(pa.timestamp("us", "UTC"))
    if parts.zone.null_count < len(cells):
        exact = _minus_offset(clock, parts.zone, is_good).cast(values.type)
        values = pc.if_else(parts.zone.is_valid(), exact, values)
    return _reading(values, filled, parts, choice, conventions.time_zone)


def _is_canonical(cells: pa.Array, form: str) -> bool:
    """Whether reading in other conventions has nothing to add; the rest is judged later."""
    odd = cells.filter(pc.invert(pc.match_substring_regex(cells, form)))
    return not pc.any(pc.match_substring_regex(tidied(odd), _CELL)).as_py()


def _parts(cells: pa.Array) -> _Parts:
    found = pc.extract_regex(tidied(cells), pattern=_CELL)
    text = {name: pc.struct_field(found, name) for name in _NAMES}
    text["fraction"] = pc.utf8_slice_codeunits(
        pc.utf8_rpad(text["fraction"], 6, padding="0"), 0, 6
    )
    figures = {}
    for name in _NAMES[:-2]:
        filled = pc.if_else(pc.equal(text[name], ""), "0", text[name]).fill_null("0")
        figures[name] = filled.cast(pa.int64()).to_numpy(zero_copy_only=False)
    nothing = pa.scalar(None, pa.string())
    zone = pc.if_else(pc.equal(text["zone"], ""), nothing, text["zone"])
    half = pc.utf8_lower(text["half"]).fill_null("")
    return _Parts(figures, half, zone, found.is_valid().to_numpy(zero_copy_only=False))


def _decided(cells: pa.Array, parts: _Parts, setting: DateOrder | None) -> _Decision:
    last = parts.year_comes_last
    dmy, mdy = parts.exists("dmy") & last, parts.exists("mdy") & last
    is_dmy, is_mdy = bool((dmy & ~mdy).any()), bool((mdy & ~dmy).any())
    if is_dmy and is_mdy:
        first, second = (
            examples(cells, pa.array(mask)) for mask in (dmy & ~mdy, mdy & ~dmy)
        )
        question = (
            f"writes days first ({first}) and months first ({second}): say "
            'date_order="dmy" or date_order="mdy", and the other cells are reported'
        )
        return _Decision(setting or "dmy", "given", "" if setting else question)
    if is_dmy or is_mdy:
        return _Decision("dmy" if is_dmy else "mdy", "certain")
    either = dmy & mdy & (parts["one"] != parts["two"])
    if not either.any():
        return _Decision("dmy", "certain")
    question = (
        f"holds only dates such as {examples(cells, pa.array(either))}, day or month first: "
        'say date_order="dmy" or date_order="mdy"'
    )
    return _Decision(setting or "dmy", "given", "" if setting else question)


def _clock(parts: _Parts, order: DateOrder) -> tuple[Moments, Mask]:
    """What the clock on the wall showed, and which cells say so rightly."""
    half = parts.half.to_numpy(zero_copy_only=False)
    has_half, hour = half != "", parts["hour"]
    fits = np.where(has_half, (hour >= 1) & (hour <= 12), hour < 24)
    hour = np.where(has_half, hour % 12 + 12 * (half == "p"), hour)
    good = parts.exists(order) & fits & (parts["minute"] < 60) & (parts["second"] < 60)
    year, month, day = (np.where(good, part, 1) for part in parts.fields(order))
    midnight = _first_of(year, month) + (day - 1).astype("timedelta64[D]")
    seconds = hour * 3600 + parts["minute"] * 60 + parts["second"]
    micros = seconds * 1_000_000 + parts["fraction"]
    return midnight.astype("datetime64[us]") + micros.astype("timedelta64[us]"), good


def _first_of(year: Numbers, month: Numbers) -> Moments:
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    first: Moments = months.astype("datetime64[D]")
    return first


def _month_lengths(year: Numbers, month: Numbers) -> Numbers:
    length = _first_of(year, month + 1) - _first_of(year, month)
    return length.astype(np.int64)  # type: ignore[no-any-return,unused-ignore]


def _minus_offset(clock: Moments, zone: pa.Array, is_good: Mask) -> pa.Array:
    """Moments whose offset from UTC is taken away; a cell without one stays as it is."""
    signed = pc.replace_substring_regex(zone, r"^(?:Z|UTC|GMT)$", "+0000").fill_null(
        "+0000"
    )
    found = pc.extract_regex(
        signed, r"^(?P<sign>[-+])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})$"
    )
    hours, minutes = (
        pc.struct_field(found, name).cast(pa.int64()).to_numpy(zero_copy_only=False)
        for name in ("hours", "minutes")
    )
    sign = np.where(
        pc.equal(pc.struct_field(found, "sign"), "-").to_numpy(zero_copy_only=False),
        -1,
        1,
    )
    moved = clock - sign * (hours * 60 + minutes) * _MINUTE
    return pa.array(moved.astype("datetime64[us]"), mask=~is_good).cast(
        pa.timestamp("us", "UTC")
    )


def _reading(
    values: pa.Array,
    cells: pa.Array,
    parts: _Parts,
    choice: _Decision,
    time_zone: str = "",
) -> Reading:
    forms = [
        *(["YYYY-MM-DD"] if (parts["year"] > 0).any() else []),
        *(
            ["DD/MM/YYYY" if choice.order == "dmy" else "MM/DD/YYYY"]
            if (parts["last"] > 0).any()
            else []
        ),
        *([f"clock of {time_zone}"] if time_zone and parts.is_date.any() else []),
    ]
    return Reading(
        values,
        pc.and_(cells.is_valid(), values.is_null()),
        how=", ".join(forms),
        confidence=choice.confidence,
        hint=_HINT,
        question=choice.question,
    )
