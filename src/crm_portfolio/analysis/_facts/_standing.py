"""What stood at several days at once, of each opportunity that was open then?

Spans say what a field said from one place to before another. They are laid over each
other as spans, and only what was open then is told place by place.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from crm_portfolio._frames import NativeFrame, backend_of, nw, same_kind
from crm_portfolio.analysis._facts._changes import FIELDS
from crm_portfolio.analysis._facts._clock import seconds
from crm_portfolio.analysis._facts._grid import (
    A_DAY,
    Expr,
    Frame,
    Grid,
    places,
    status_of,
)
from crm_portfolio.analysis._facts._lines import completed, nearest

__all__ = ["held_ones", "signs_of", "standing"]

_TEXT = pa.string()
_ID: Final = "opportunity_id"
_NUMERAL: Final = r"^-?[0-9]+[.]?[0-9]*$|^-?[0-9]+[.]?[0-9]*[eE][+-]?[0-9]+$"


def signs_of(activity: NativeFrame, grid: Grid) -> Frame:
    """At which places an activity is not too long ago: ``is_active`` there."""
    at = nw.col("at")
    # What was silent again by the first place asked about says nothing of any.
    rows = held_ones(activity).filter(
        (at >= grid.quiet[1]) & (at < grid.edges[grid.count - 1])
    )
    rows = rows.select(
        _ID, first=_later(places(at, grid.edges), 1), end=places(at, grid.quiet)
    )
    rows = rows.group_by(_ID, "first").agg(nw.col("end").max())
    rows = _each_place(rows.filter(nw.col("first") < nw.col("end")), grid)
    signs = rows.select(_ID, "place", is_active=nw.lit(1))
    return signs.group_by(_ID, "place").agg(nw.col("is_active").max())


def held_ones(activity: NativeFrame) -> Frame:
    rows = nw.from_native(completed(activity, {_ID: _TEXT, "status": _TEXT})).lazy()
    took_place = nw.col("status").fill_null("held") == "held"
    rows = rows.filter(took_place & ~nw.col(_ID).is_null())
    return rows.select(_ID, at=seconds(nw.col("occurred_at"), backend_of(activity)))


def standing(
    base: Frame,
    spans: Frame | None,
    signs: Frame | None,
    grid: Grid,
) -> Frame:
    """Those open at each place after the first, by what was known of them."""
    rows = base.with_columns(
        first=_later(nw.col("born_at"), 1),
        end=nw.lit(grid.count, dtype=nw.Int64),
    )
    rows = rows.filter(nw.col("first") < nw.col("end"))
    has_spans = spans is not None
    if spans is not None:
        rows = _laid_over(rows, spans, "stage")
    rows = _while_open(rows, grid, has_spans)
    if spans is not None:
        for field in FIELDS[1:]:
            rows = _laid_over(rows, spans, field)
    asked = _asked(grid, like=base, has_history=has_spans)
    rows = _each_place(rows, grid).join(asked, on="place", how="inner")
    if signs is None:
        rows = rows.with_columns(is_active=nw.lit(0))
    else:
        rows = rows.join(signs, on=[_ID, "place"], how="left")
        rows = rows.with_columns(nw.col("is_active").fill_null(0))
    then = {
        field: _then(field, "knows", has_spans) for field in ("pipeline", "owner_id")
    }
    for field in ("stage", "expected_close_on"):
        then[field] = _then(field, "knows_stage", has_spans)
    return _told(rows.with_columns(**then, number=_number_then(has_spans)), grid)


def _laid_over(rows: Frame, spans: Frame, field: str) -> Frame:
    """The rows cut where this field changed, with what it said in each part."""
    its = spans.filter(nw.col("field") == field).select(
        _ID,
        since="first",
        until="end",
        **{f"{field}_said": "value", f"has_{field}": "has"},
    )
    first, end = nw.col("first"), nw.col("end")
    since, until = nw.col("since"), nw.col("until")
    rows = rows.join(its, on=_ID, how="left").with_columns(
        nw.col(f"has_{field}").fill_null(0),
        first=nw.when(since > first).then(since).otherwise(first),
        end=nw.when(until < end).then(until).otherwise(end),
    )
    return rows.filter(first < end).drop("since", "until")


def _while_open(rows: Frame, grid: Grid, has_spans: bool) -> Frame:  # noqa: FBT001
    """Cut to what was open: by the stage where it ever turned, else by the last day."""
    end, closed_at = nw.col("end"), nw.col("closed_at")
    by_day = nw.when(closed_at < end).then(closed_at).otherwise(end)
    if has_spans:
        status, turned = status_of(nw.col("stage_said"), grid), nw.col("turned") == 1
        is_over = turned & ((status == "won") | (status == "lost"))
        rows = rows.filter(~is_over)
        by_day = nw.when(turned & (status == "open")).then(end).otherwise(by_day)
    return rows.with_columns(end=by_day).filter(nw.col("first") < nw.col("end"))


def _each_place(rows: Frame, grid: Grid) -> Frame:
    """A row for each place of each span."""
    lengths = [(length, at) for length in range(1, grid.count) for at in range(length)]
    table = pa.table(
        {
            "length": pa.array([length for length, _ in lengths], pa.int64()),
            "at": pa.array([at for _, at in lengths], pa.int64()),
        }
    )
    steps = nw.from_native(same_kind(table, nw.to_native(rows))).lazy()
    rows = rows.with_columns(length=nw.col("end") - nw.col("first"))
    rows = rows.join(steps, on="length", how="inner")
    rows = rows.with_columns(place=nw.col("first") + nw.col("at"))
    return rows.drop("first", "end", "length", "at")


def _later(place: Expr, least: int) -> Expr:
    return nw.when(place < least).then(nw.lit(least, dtype=nw.Int64)).otherwise(place)


def _asked(grid: Grid, *, like: Frame, has_history: bool) -> Frame:
    """A row for each place, with all that differs between them."""
    last, places_ = grid.count - 1, range(1, grid.count)
    columns = {
        "place": pa.array([*places_], pa.int64()),
        "day": pa.array([grid.days[at].isoformat() for at in places_]),
        "edge": pa.array([grid.edges[at] for at in places_], pa.int64()),
        "quiet": pa.array([grid.quiet[at] for at in places_], pa.int64()),
        "knows": pa.array([int(at >= grid.dark) for at in places_], pa.int64()),
        "knows_stage": pa.array(
            [int(at >= grid.dark and (has_history or at == last)) for at in places_],
            pa.int64(),
        ),
    }
    for number, rates in enumerate(grid.rates.values()):
        its = [rates[at] for at in places_]
        columns[f"rate_{number}"] = pa.array(its, pa.float64())
    native = same_kind(pa.table(columns), nw.to_native(like))
    return nw.from_native(native).lazy()


def _told(rows: Frame, grid: Grid) -> Frame:
    """What the groups are made of, and what is added up in them."""
    status, due = status_of(nw.col("stage"), grid), nw.col("expected_close_on")
    worth = nw.col("number") * _rate(grid) * float(10**grid.digits)
    minor = nearest(worth.fill_null(0.0))
    is_quiet = (nw.col("is_active") == 0) & (nw.col("born") < nw.col("quiet"))
    is_overdue = (due < nw.col("day")).fill_null(value=False)
    # One that is open and was ever in a closed stage only: its changes are lost.
    stage = nw.when((status == "open") | (status == "")).then(nw.col("stage"))
    return rows.select(
        "place",
        *(nw.col(name).fill_null("") for name in ("pipeline", "owner_id")),
        stage=stage.fill_null(""),
        due=due.fill_null("").str.slice(0, 10),
        is_overdue=nw.when(is_overdue).then(1).otherwise(0),
        is_quiet=nw.when(is_quiet).then(1).otherwise(0),
        minor=minor,
        unpriced=nw.when(worth.is_null()).then(1).otherwise(0),
        age=(nw.col("edge") - nw.col("born")) // A_DAY,
        count=nw.lit(1),
    )


def _then(field: str, knows: str, has_spans: bool) -> Expr:  # noqa: FBT001
    """What was said of it; else what stands today, where that says anything of then."""
    today = nw.when(nw.col(knows) == 1).then(nw.col(field))
    if not has_spans:
        return today
    has_it = nw.col(f"has_{field}") == 1
    return nw.when(has_it).then(nw.col(f"{field}_said")).otherwise(today)


def _number_then(has_spans: bool) -> Expr:  # noqa: FBT001
    """The amount in the opportunity's own currency."""
    today = nw.when(nw.col("knows") == 1).then(nw.col("amount"))
    if not has_spans:
        return today
    own, plain = (nw.col(f"has_{name}") for name in ("original_amount", "amount"))
    return (
        nw.when(own == 1)
        .then(_as_number("original_amount_said"))
        .otherwise(nw.when(plain == 1).then(_as_number("amount_said")).otherwise(today))
    )


def _as_number(name: str) -> Expr:
    is_number = nw.col(name).str.contains(_NUMERAL).fill_null(value=False)
    return nw.when(is_number).then(nw.col(name)).cast(nw.Float64)


def _rate(grid: Grid) -> Expr:
    """What a unit of the opportunity's currency was worth; null where nobody knows."""
    code, rate = nw.col("currency"), nw.lit(None, dtype=nw.Float64)
    for number, currency in enumerate(grid.rates):
        rate = nw.when(code == currency).then(nw.col(f"rate_{number}")).otherwise(rate)
    return nw.when(code.is_null()).then(nw.lit(1.0)).otherwise(rate)
