"""Which question gives the rows of one kind of record, in the order of their keys?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import reduce
from operator import and_, or_
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import nw, to_arrow
from crm_portfolio.connectors.warehouse._conditions import flag, todays
from crm_portfolio.connectors.warehouse._layouts import Layout
from crm_portfolio.connectors.warehouse._parts import Link, Part
from crm_portfolio.connectors.warehouse._place import Asked, Place
from crm_portfolio.connectors.warehouse._refusals import is_of_values
from crm_portfolio.connectors.warehouse._vendors import KEYS
from crm_portfolio.errors import SettingsError

__all__ = ["GONE", "INTO", "STAMP", "named", "newest", "question", "seconds"]

# What comes beside the CRM's own fields.
STAMP, GONE, INTO = "_stamp", "_gone", "_into"
_KEY: Final = "_key"
# The second from which on a load can have been; dlt is younger by far.
_EARLIEST: Final = 1e9


def question(part: Part, layout: Layout, place: Place, since: float | None) -> Asked:
    """The rows behind a key: the fields as ``f0``, ``f1``, …; live ones and gone ones.

    Args:
        since: Only what was loaded then or later, in seconds since 1970.
    """
    rows = _rows(part, layout, place)
    for link in part.links:
        if link.source in part.wanted:
            rows = _linked(rows, part, link, layout, place)
    picked = _picked(part, layout, rows)
    if since is not None:
        picked = picked.filter(_from(picked, since))

    def asked(after: Any) -> Any:
        behind = picked if after is None else picked.filter(nw.col(_KEY) > after)
        return behind.sort(_KEY)

    return asked


def named(part: Part) -> Mapping[str, str]:
    """The columns of the answer → the CRM's names of the fields in them."""
    known = [
        source
        for source in part.wanted
        if source in part.sources or any(source == link.source for link in part.links)
    ]
    return {f"f{place}": source for place, source in enumerate(known)}


def newest(part: Part, layout: Layout, place: Place) -> float | None:
    """When a row of this kind was last loaded, in seconds since 1970; None: not said."""
    stamps = [
        _latest(place, table, column, layout)
        for table, column in [
            (part.names.table, part.names.column(layout.stamp)),
            *(
                (link.names.table, link.names.column(layout.stamp))
                for link in part.links
            ),
        ]
        if column is not None
    ]
    known = [stamp for stamp in stamps if stamp is not None]
    has_own = part.names.column(layout.stamp) is not None
    return max(known) if known and has_own else None


def _latest(place: Place, table: str, column: str, layout: Layout) -> float | None:
    frame = place.frame(table)
    stamp = _stamp(frame, column, layout)
    told = frame.select(stamp.min().alias("_first"), stamp.max().alias(STAMP))
    try:
        found = to_arrow(nw.to_native(told))
    except Exception as error:
        is_text = frame.collect_schema()[column] == nw.String
        if is_text and is_of_values(error):
            raise _no_stamp(table, column, layout) from None
        raise
    first, last = (
        seconds(found[name].combine_chunks())[0].as_py() for name in ("_first", STAMP)
    )
    # SQLite makes a 0 of text that is no number.
    if layout.stamp_is == "seconds" and first is not None and first < _EARLIEST:
        raise _no_stamp(table, column, layout)
    return None if last is None else float(last)


def _no_stamp(table: str, column: str, layout: Layout) -> SettingsError:
    is_moment = layout.stamp_is == "moment"
    wanted = "moment" if is_moment else "second since 1970, as the loader has it"
    return SettingsError(
        f"{table}.{column} does not say when rows were loaded: a value is no {wanted}; "
        "give the table as a view with such values, or without the column, and batches "
        "have no cursors"
    )


def seconds(stamps: pa.Array) -> pa.Array:
    """Stamps as seconds since 1970; a moment without a zone is one of UTC."""
    if pa.types.is_timestamp(stamps.type):
        counted = stamps.cast(pa.timestamp("us", stamps.type.tz)).cast(pa.int64())
        return pc.divide(counted.cast(pa.float64()), 1e6)
    return stamps.cast(pa.float64())


def _stamp(frame: Any, column: str, layout: Layout) -> Any:
    """When a row was loaded, as its engine compares it."""
    if layout.stamp_is == "seconds":
        return nw.col(column).cast(nw.Float64)
    is_text = frame.collect_schema()[column] == nw.String
    return nw.col(column).cast(nw.Datetime("us")) if is_text else nw.col(column)


def _from(picked: Any, since: float) -> Any:
    """That a row was loaded then or later."""
    kind = picked.collect_schema()[STAMP]
    if kind == nw.Float64:
        return nw.col(STAMP) >= since
    then = datetime.fromtimestamp(since, UTC)
    zone = getattr(kind, "time_zone", None)
    return nw.col(STAMP) >= nw.lit(then if zone else then.replace(tzinfo=None))


def _rows(part: Part, layout: Layout, place: Place) -> Any:
    """The records that belong to the table, those that are gone among them."""
    names, table = part.names, part.names.table
    rows = todays(place.frame(table), layout, table)
    for column, value in part.replica.only.items():
        if (there := names.column(column)) is not None:
            rows = rows.filter(nw.col(there) == value)
    for column in part.replica.without:
        if (there := names.column(column)) is not None:
            rows = rows.filter(~flag(rows, there, table).fill_null(value=False))
    for column in part.replica.known:
        if (there := names.column(column)) is not None:
            rows = rows.filter(~nw.col(there).is_null())
    return rows


def _linked(rows: Any, part: Part, link: Link, layout: Layout, place: Place) -> Any:
    """The records, each with the one that it belongs to.

    That is the primary one or the only one; null where nobody has said which of several.
    """
    names, linked = link.names, link.linked
    own, other = names.columns[linked.own], names.columns[linked.other]
    pairs = _pairs(link, layout, place)
    gone = _any(
        flag(pairs, column, names.table)
        for name in layout.deleted
        if (column := names.column(name)) is not None
    )
    there = nw.when(~gone).then(nw.col(other))
    marks = [
        nw.col(column) == value
        for name, value in linked.primary.items()
        if (column := names.column(name)) is not None
    ]
    first = nw.when(reduce(and_, marks, ~gone)).then(nw.col(other)) if marks else None
    stamp = names.column(layout.stamp)
    found = pairs.select(
        _own=nw.col(own),
        _other=there,
        _first=there if first is None else first,
        _when=nw.lit(None) if stamp is None else _stamp(pairs, stamp, layout),
    )
    found = found.group_by("_own").agg(
        _least=nw.col("_other").min(),
        _most=nw.col("_other").max(),
        _first=nw.col("_first").min(),
        _when=nw.col("_when").max(),
    )
    lone = nw.when(nw.col("_least") == nw.col("_most")).then(nw.col("_least"))
    settled = lone if first is None else nw.coalesce(nw.col("_first"), lone)
    when = nw.col("_when").alias(f"_when{link.source}")
    found = found.select("_own", when, settled.alias(link.source))
    key = part.sources[KEYS[layout.vendor]]
    kind, theirs = (f.collect_schema() for f in (rows, found))
    if kind[key] != theirs["_own"]:  # text beside numbers, as loaders will have it
        found = found.with_columns(nw.col("_own").cast(kind[key]))
    return rows.join(found, left_on=key, right_on="_own", how="left")


def _pairs(link: Link, layout: Layout, place: Place) -> Any:
    """The links of today; those of a nested table are of today as its root's rows are."""
    pairs = todays(place.frame(link.names.table), layout, link.names.table)
    root, rooted = link.root, link.linked.rooted
    if root is None or rooted is None or root.column(layout.valid_to) is None:
        return pairs
    row, by = root.column(rooted.row), map(link.names.column, rooted.by)
    known = next(filter(None, by), None)
    if row is None or known is None:
        return pairs
    rows = todays(place.frame(root.table), layout, root.table)
    here = rows.select(_row=nw.col(row))
    return pairs.join(here, left_on=known, right_on="_row", how="semi")


def _picked(part: Part, layout: Layout, rows: Any) -> Any:
    """The key, the fields, and what is to be known of each row beside them."""
    names = part.names
    fields = [
        nw.col(part.sources.get(source, source)).alias(alias)
        for alias, source in named(part).items()
    ]
    flags = [names.column(name) for name in layout.deleted]
    gone = _any(flag(rows, column, names.table) for column in flags if column)
    into = names.column(layout.merged_into) if layout.merged_into else None
    return rows.select(
        nw.col(part.sources[KEYS[layout.vendor]]).alias(_KEY),
        *fields,
        gone.alias(GONE),
        (nw.lit(None, nw.String) if into is None else nw.col(into)).alias(INTO),
        _loaded(part, layout, rows, gone).alias(STAMP),
    )


def _any(flags: Iterable[Any]) -> Any:
    said = [one.fill_null(value=False) for one in flags]
    return reduce(or_, said) if said else nw.lit(value=False)


def _loaded(part: Part, layout: Layout, rows: Any, gone: Any) -> Any:
    """When a row was loaded, or that which it is linked by; who is gone is linked by none."""
    column = part.names.column(layout.stamp)
    if column is None:
        return nw.lit(None, nw.Float64)
    own = _stamp(rows, column, layout)
    links = [
        nw.col(f"_when{link.source}")
        for link in part.links
        if link.source in part.wanted and link.names.column(layout.stamp)
    ]
    if not links:
        return own
    return nw.when(gone).then(own).otherwise(nw.max_horizontal(own, *links))
