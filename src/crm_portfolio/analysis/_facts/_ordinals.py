"""Which whole number tells each opportunity, where the long tables name it by its id?

Engines join and group whole numbers several times as fast as ids, and keep them in a
fraction of the room. So each long table looks its ids up once, and keeps what is asked of
it by the ``ordinal`` of the opportunity; texts of which there are few are told by a number
too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import pyarrow as pa

from crm_portfolio._frames import NativeFrame, kept, nw
from crm_portfolio._frames import numbered as with_numbers
from crm_portfolio.analysis._facts._lines import (
    completed,
    one_of,
    seconds_given,
)
from crm_portfolio.analysis._facts._once import once_per_portfolio
from crm_portfolio.portfolio import Portfolio

__all__ = [
    "by_ordinal",
    "changed",
    "changes_by_ordinal",
    "coded",
    "dated_contacts",
    "let_go",
    "moved",
    "noted",
    "numbered",
    "touched",
    "uncoded",
]

_TEXT: Final = pa.string()
_ID: Final = "opportunity_id"
_FIELDS: Final = (
    *("stage", "status", "pipeline", "owner_id", "expected_close_on"),
    *("amount", "original_amount"),
)
"""Of which any analysis asks how each opportunity went; what else changes is long."""
_UNSAID: Final = "\ue000"
"""Stands for a text that is not there, as engines join nothing to nothing."""


def numbered(frame: NativeFrame) -> NativeFrame:
    """Opportunities with the ``ordinal`` of each."""
    return with_numbers(frame, "ordinal", _ID)


def let_go(portfolio: Portfolio) -> None:
    """Keep nothing of it longer; who asks again has it made again."""
    _kept_of(portfolio).clear()


@once_per_portfolio
def _kept_of(portfolio: Portfolio) -> dict[tuple[object, ...], Any]:
    """A place for what is kept of it."""
    del portfolio
    return {}


def touched(portfolio: Portfolio, contacts: Any) -> Any:
    """`_touched` of activities that are such contacts or not, kept by the engine."""
    automatic, two_way = (
        tuple(each) for each in (contacts.automatic_kinds, contacts.two_way_kinds)
    )
    known, key = _kept_of(portfolio), ("activity", automatic, two_way)
    if key not in known:
        known[key] = kept(_touched(portfolio, automatic, two_way))
    return known[key]


def dated_contacts(portfolio: Portfolio, contacts: Any) -> Any:
    """`touched`, where the moment of those that are no contacts is null.

    Who compares moments drops them so. Filtered, DuckDB would take the table for a fifth
    as long, and lay it by for a join with what is shorter.
    """
    is_contact = nw.col("is_out") | nw.col("is_in")
    at = nw.when(is_contact).then(nw.col("occurred_at"))
    return touched(portfolio, contacts).with_columns(occurred_at=at)


def noted(portfolio: Portfolio) -> Any | None:
    """`touched` where it is kept by now, for who does not ask what a contact is."""
    known = _kept_of(portfolio)
    return next((known[key] for key in known if key[0] == "activity"), None)


def _touched(
    portfolio: Portfolio, automatic: tuple[str, ...], two_way: tuple[str, ...]
) -> Any:
    """Activities that took place and are about an opportunity: of which, when, which way.

    ``is_out`` is ours, ``is_in`` theirs; one that does not say which way it went is ours:
    we noted it. Neither is one that a machine sent.
    """
    kinds = dict.fromkeys((_ID, "kind", "direction", "status"), _TEXT)
    frame = completed(portfolio["activity"], kinds | {"minutes": pa.float64()})
    kind = nw.col("kind").fill_null("")
    is_both, is_in = one_of(kind, two_way), nw.col("direction").fill_null("out") == "in"
    ways = {"is_out": is_both | ~is_in, "is_in": is_both | is_in}
    if automatic:
        is_contact = ~one_of(kind, automatic)
        ways = {name: is_contact & each for name, each in ways.items()}
    took_place = nw.col("status").fill_null("held") == "held"
    # What has no id joins nothing. Filtered, DuckDB would take this table for a fifth as
    # long, so for shorter than the opportunities, and lay it by for the join, not them.
    told = (
        nw.from_native(frame)
        .lazy()
        .select(
            "occurred_at",
            **{_ID: nw.when(took_place).then(nw.col(_ID))},
            **ways,
            seconds=seconds_given().fill_null(0),
        )
    )
    return by_ordinal(portfolio["opportunity"], told)


def by_ordinal(opportunity: NativeFrame, rows: Any) -> Any:
    """The rows with the ``ordinal`` of each opportunity in the place of its id."""
    frame = nw.from_native(opportunity)
    is_told = "ordinal" in frame.collect_schema().names()
    known = (frame if is_told else nw.from_native(numbered(opportunity))).lazy()
    joined = rows.join(known.select(_ID, "ordinal"), on=_ID, how="inner")
    return joined.drop(_ID)


def moved(portfolio: Portfolio, field: str) -> tuple[Any, Any]:
    """Of what was `changed`, one field."""
    rows, moves = changed(portfolio)
    its = moves.filter(nw.col("field") == field).drop("field")
    return rows.join(its.select("move"), on="move", how="semi"), its


def changed(portfolio: Portfolio) -> tuple[Any, Any]:
    """`changes_by_ordinal`, kept by the engine."""
    known, key = _kept_of(portfolio), ("opportunity_change",)
    if key not in known:
        both = portfolio["opportunity_change"], portfolio["opportunity"]
        rows, moves = changes_by_ordinal(*both)
        known[key] = kept(rows), moves
    found: tuple[Any, Any] = known[key]
    return found


def changes_by_ordinal(
    changes: NativeFrame, opportunity: NativeFrame
) -> tuple[Any, Any]:
    """When which opportunity changed, and what each ``move`` of these says.

    A move is of a ``field`` from ``old`` to ``new``; there are few of them, where there
    are few stages.
    """
    kinds = {"old": _TEXT, "new": _TEXT, "until_at": pa.timestamp("us", "UTC")}
    rows = nw.from_native(completed(changes, kinds)).lazy()
    texts = ("field", "old", "new")
    rows = rows.filter(nw.col("field").is_in(_FIELDS))
    told = rows.select(_ID, "changed_at", "until_at", *texts)
    by_move, moves = coded(told, told, texts, "move")
    return by_ordinal(opportunity, by_move), moves


def coded(rows: Any, source: Any, columns: Sequence[str], name: str) -> tuple[Any, Any]:
    """The rows with one whole number in the place of these texts; what each one says.

    Args:
        source: Where the texts are, each of them at least once; cheap to look through.
    """
    said = [nw.col(each).fill_null(_UNSAID) for each in columns]
    one = nw.lit(1, dtype=nw.Int32)
    found = source.select(*said, n=one).group_by(*columns).agg(nw.col("n").max())
    codes = kept(
        kept(found)
        .select(*columns)
        .with_row_index(name, order_by=list(columns))
        .with_columns(nw.col(name).cast(nw.Int32))
    )
    told = rows.with_columns(*said).join(codes, on=list(columns), how="inner")
    return told.drop(*columns), uncoded(codes, columns)


def uncoded(codes: Any, columns: Collection[str]) -> Any:
    """What was not said is null again."""
    is_said = {each: nw.col(each) != _UNSAID for each in columns}
    texts = {each: nw.when(is_said[each]).then(nw.col(each)) for each in columns}
    return kept(codes.with_columns(**texts))
