"""What stood at several days at once, of each opportunity that was open then?

Spans say what a field said from one place to before another. They are laid over each
other as spans, and only what was open then is told place by place.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import pyarrow as pa

from crm_portfolio._frames import NativeFrame, nw, same_kind
from crm_portfolio.analysis._facts._base import Base
from crm_portfolio.analysis._facts._changes import FIELDS, number_of
from crm_portfolio.analysis._facts._grid import (
    A_DAY,
    Expr,
    Frame,
    Grid,
    at_place,
    places,
    status_of,
)
from crm_portfolio.analysis._facts._lines import completed, floor_div, nearest

__all__ = ["held_ones", "signs_of", "standing"]

_TEXT = pa.string()
_ID: Final = "ordinal"
_NUMERAL: Final = r"^-?[0-9]+[.]?[0-9]*$|^-?[0-9]+[.]?[0-9]*[eE][+-]?[0-9]+$"
_DUE: Final = "expected_close_on"
_ABSURD: Final = 2.0**53 / 100  # beyond it no float holds a cent
_LEAP: Final = (
    "(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)"
)
_IN_YEAR: Final = (
    "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8])"
)
# pandas warns of groups that are kept.
_A_DAY: Final = f"^(?:[1-9][0-9][0-9][0-9]-(?:{_IN_YEAR})|{_LEAP}-02-29)(?:[T ]|$)"
"""A day, or the moment it began; no other text tells one."""
_BITS: Final = 60
"""So many places have their bits in one number."""


def signs_of(log: Frame, base: Base, grid: Grid) -> Frame:
    """At which places an activity is not too long ago: a bit of a number for each.

    Of those only that are so old, and open for so long, that they could be silent.

    Args:
        log: The activities that took place, by ``ordinal``.
    """
    open_until = _larger(nw.col("open_until"), nw.col("closed_at"))
    is_old = nw.col("quiet_from") < open_until
    old = nw.concat([rows.filter(is_old).select(_ID) for rows in base.kept_parts])
    at = nw.col("occurred_at")
    # What was silent again by the first place asked about says nothing of any.
    rows = log.filter((at >= grid.quiet[1]) & (at < grid.edges[grid.count - 1]))
    is_near = {
        f"near_{place}": (at >= grid.quiet[place]) & (at < grid.edges[place])
        for place in range(1, grid.count)
    }
    rows = rows.join(old, on=_ID, how="semi").select(_ID, **is_near)
    rows = rows.group_by(_ID).agg(nw.col(*is_near).any())
    signs = dict.fromkeys(_signs(grid), _whole(0))
    for place in range(1, grid.count):
        bit = nw.when(nw.col(f"near_{place}")).then(_whole(_bit(place)))
        signs[_sign(place)] = signs[_sign(place)] + bit.otherwise(_whole(0))
    return rows.select(_ID, **signs)


def held_ones(activity: NativeFrame) -> Frame:
    """The activities that took place and are about an opportunity."""
    kinds = dict.fromkeys(("opportunity_id", "status"), _TEXT)
    rows = nw.from_native(completed(activity, kinds)).lazy()
    took_place = nw.col("status").fill_null("held") == "held"
    rows = rows.filter(took_place & ~nw.col("opportunity_id").is_null())
    return rows.select("opportunity_id", "occurred_at")


def standing(
    base: Base,
    spans: Frame | None,
    signs: Frame | None,
    grid: Grid,
    *,
    fields: Collection[str],
) -> Frame:
    """Those open at each place after the first, by what was known of them.

    Args:
        fields: What the spans tell of.
    """
    # Without a history the stage of today is that of today only.
    since = grid.count - 1 if spans is None else grid.dark
    parts = [_open(base.rest, None, (), grid, since)]
    if base.told is not None:
        told = [field for field in FIELDS if field in fields]
        parts.append(_open(base.told, spans, told, grid, since))
    rows = nw.concat(parts)
    if signs is None:
        return _told(_each_place(rows, grid), grid)
    rows = rows.join(signs, on=_ID, how="left")
    rows = rows.with_columns(nw.col(*_signs(grid)).fill_null(0))
    return _told(_each_place(rows, grid), grid, _is_active(grid))


def _open(
    rows: Frame, spans: Frame | None, told: Collection[str], grid: Grid, since: int
) -> Frame:
    """While they were open, and what they were then, cut where that changed.

    Args:
        told: The fields that the spans tell of.
        since: From which place on the stage of today says what it was.
    """
    first, end = nw.col("first"), nw.col("end")
    rows = rows.filter(~nw.col("born").is_null()).with_columns(
        first=_larger(nw.col("born_at"), at_place(1)), end=at_place(grid.count)
    )
    is_ever_open = (nw.col("turned") == 1) | (nw.col("closed_at") > first)
    rows = rows.filter((first < end) & is_ever_open)
    for field in told:
        rows = _laid_over(rows, spans, field)
        if field == "stage":
            rows = rows.filter(~_is_over(grid))
    rows = _while_open(rows, grid, has_stages="stage" in told)
    rows = _cut(rows, grid.dark, "knows")
    return _said(_cut(rows, since, "knows_stage"), told, grid)


def _laid_over(rows: Frame, spans: Frame | None, field: str) -> Frame:
    """The rows cut where this field changed, with what it said in each part."""
    assert spans is not None
    its = spans.filter(nw.col("field") == number_of(field)).select(
        _ID,
        since="first",
        until="end",
        **{f"{field}_said": "value", f"has_{field}": "has"},
    )
    rows = rows.join(its, on=_ID, how="left").with_columns(
        nw.col(f"has_{field}").fill_null(0),
        first=_larger(nw.col("first"), nw.col("since")),
        end=_smaller(nw.col("end"), nw.col("until")),
    )
    return rows.filter(nw.col("first") < nw.col("end")).drop("since", "until")


def _is_over(grid: Grid) -> Expr:
    status = status_of(nw.col("stage_said"), grid)
    return (nw.col("turned") == 1) & status.is_in(["won", "lost"])


def _while_open(rows: Frame, grid: Grid, *, has_stages: bool) -> Frame:
    """Cut to what was open: by the stage where it ever turned, else by the last day."""
    end, by_day = nw.col("end"), _smaller(nw.col("end"), nw.col("closed_at"))
    if has_stages:
        is_open = status_of(nw.col("stage_said"), grid) == "open"
        is_open &= nw.col("turned") == 1
        by_day = nw.when(is_open).then(end).otherwise(by_day)
    return rows.with_columns(end=by_day).filter(nw.col("first") < end)


def _cut(rows: Frame, since: int, knows: str) -> Frame:
    """Cut at the place since which what stands today says something: ``knows`` is 1 or 0."""
    first, end = nw.col("first"), nw.col("end")
    later = rows.with_columns(
        first=_larger(first, at_place(since)), **{knows: nw.lit(1)}
    )
    if since <= 1:
        return later.filter(first < end)
    before = rows.with_columns(end=_smaller(end, at_place(since)), **{knows: nw.lit(0)})
    return nw.concat([before.filter(first < end), later.filter(first < end)])


def _said(rows: Frame, told: Collection[str], grid: Grid) -> Frame:
    """What was said of it; else what stands today, where that says anything of then.

    And all that follows from it for several places at once. ``due`` is told of what is
    open at the last place.
    """

    def then(field: str, knows: str) -> Expr:
        today = nw.when(nw.col(knows) == 1).then(nw.col(field))
        if field not in told:
            return today
        has_it = nw.col(f"has_{field}") == 1
        return nw.when(has_it).then(nw.col(f"{field}_said")).otherwise(today)

    stage, day = then("stage", "knows_stage"), nw.col(_DUE)
    # One that is open and was ever in a closed stage only: its changes are lost.
    is_open = status_of(stage, grid).is_in(["open", ""])
    day = nw.when(nw.col("knows_stage") == 1).then(day)
    text: Expr = day.cast(nw.String)
    overdue_from: Expr = places(day, grid.days)
    if _DUE in told:
        has_it, said = nw.col(f"has_{_DUE}") == 1, _as_day(f"{_DUE}_said")
        by_text = places(said, [each.isoformat() for each in grid.days])
        overdue_from = nw.when(has_it).then(by_text).otherwise(overdue_from)
        text = nw.when(has_it).then(said).otherwise(text)
    is_last = nw.col("end") == grid.count
    due = nw.when(is_last).then(text).fill_null("").str.slice(0, 10)
    return rows.select(
        *(_ID, "first", "end", "born", "quiet_from", "currency"),
        pipeline=then("pipeline", "knows").fill_null(""),
        owner_id=then("owner_id", "knows").fill_null(""),
        stage=nw.when(is_open).then(stage).fill_null(""),
        due=due,
        overdue_from=nw.coalesce(overdue_from, at_place(grid.count)),
        number=_number_then(told),
    )


def _each_place(rows: Frame, grid: Grid) -> Frame:
    """A row for each place of each span, with all that differs between them."""
    spans = [(first, end) for end in range(grid.count + 1) for first in range(1, end)]
    at = [(first, end, place) for first, end in spans for place in range(first, end)]
    names = zip(("first", "end", "place"), zip(*at, strict=True), strict=True)
    columns = {name: pa.array(each, pa.int16()) for name, each in names}
    its = [place for _, _, place in at]
    columns["edge"] = pa.array([grid.second(place) for place in its], pa.int64())
    columns["bit"] = pa.array([_bit(place) for place in its], pa.int64())
    for number, rates in enumerate(grid.rates.values()):
        told = [rates[place] for place in its]
        columns[f"rate_{number}"] = pa.array(told, pa.float64())
    steps = nw.from_native(same_kind(pa.table(columns), nw.to_native(rows))).lazy()
    return rows.join(steps, on=["first", "end"], how="inner")


def _told(rows: Frame, grid: Grid, is_active: Expr | None = None) -> Frame:
    """What the groups are made of, and what is added up in them."""
    place, worth = nw.col("place"), nw.col("number") * _rate(grid)
    is_quiet = place >= nw.col("quiet_from")
    if is_active is not None:
        is_quiet &= ~is_active
    return rows.select(
        *("place", "pipeline", "owner_id", "stage"),
        due=nw.when(place == grid.count - 1).then(nw.col("due")).otherwise(nw.lit("")),
        is_overdue=nw.when(place >= nw.col("overdue_from")).then(1).otherwise(0),
        is_quiet=nw.when(is_quiet).then(1).otherwise(0),
        minor=nearest(worth.fill_null(0.0) * float(10**grid.digits)),
        unpriced=nw.when(worth.is_null()).then(1).otherwise(0),
        age=floor_div(nw.col("edge") - nw.col("born"), A_DAY),
        count=nw.lit(1),
    )


def _number_then(told: Collection[str]) -> Expr:
    """The amount in the opportunity's own currency."""
    number: Expr = nw.when(nw.col("knows") == 1).then(nw.col("amount"))
    for field in ("amount", "original_amount"):
        if field in told:
            said = _as_number(f"{field}_said")
            has_it = nw.col(f"has_{field}") == 1
            number = nw.when(has_it).then(said).otherwise(number)
    return number


def _as_number(name: str) -> Expr:
    is_number = nw.col(name).str.contains(_NUMERAL).fill_null(value=False)
    number = nw.when(is_number).then(nw.col(name)).cast(nw.Float64)
    return nw.when(number.abs() <= _ABSURD).then(number)


def _as_day(name: str) -> Expr:
    """The text, which sorts like the day it tells; null where it tells none."""
    text = nw.col(name)
    return nw.when(text.str.contains(_A_DAY).fill_null(value=False)).then(text)


def _rate(grid: Grid) -> Expr:
    """What a unit of the opportunity's currency was worth; null where nobody knows."""
    code, rate = nw.col("currency"), nw.lit(None, dtype=nw.Float64)
    for number, currency in enumerate(grid.rates):
        rate = nw.when(code == currency).then(nw.col(f"rate_{number}")).otherwise(rate)
    return nw.when(code.is_null()).then(nw.lit(1.0)).otherwise(rate)


def _is_active(grid: Grid) -> Expr:
    """Whether the bit of the place is set."""
    signs, *more = _signs(grid)
    number = nw.col(signs)
    for at, later in enumerate(more, start=1):
        is_before = nw.col("place") < _BITS * at
        number = nw.when(is_before).then(number).otherwise(nw.col(later))
    shifted = number // nw.col("bit")
    return shifted - shifted // 2 * 2 == 1


def _signs(grid: Grid) -> list[str]:
    return [f"signs_{at}" for at in range((grid.count - 1) // _BITS + 1)]


def _sign(place: int) -> str:
    """The number that has the bit of this place."""
    return f"signs_{place // _BITS}"


def _bit(place: int) -> int:
    return 1 << place % _BITS


def _whole(number: int) -> Expr:
    return nw.lit(number, dtype=nw.Int64)


def _larger(one: Expr, other: Expr) -> Expr:
    """The larger number; the first where the other is unknown."""
    return nw.when(other > one).then(other).otherwise(one)


def _smaller(one: Expr, other: Expr) -> Expr:
    """The smaller number; the first where the other is unknown."""
    return nw.when(other < one).then(other).otherwise(one)
