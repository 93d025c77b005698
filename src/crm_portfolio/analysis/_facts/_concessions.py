"""What was conceded on what was sold, when, to whom, by whom and why?

A concession stands on its own day, or on that of the line it corrects. Of a refund and a
credit note with one origin the credit note counts, and of the refund what goes beyond it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, kept, nw
from crm_portfolio._methods._indices import Amounts
from crm_portfolio.analysis._facts._lines import collected, completed
from crm_portfolio.analysis._facts._once import once_per_portfolio
from crm_portfolio.analysis._facts._two_periods import (
    CONCESSIONS,
    Span,
    added_up,
    of,
    one,
    summed,
    true,
    whole,
    within,
)
from crm_portfolio.portfolio import Portfolio

__all__ = [
    "DATED",
    "beside_discounts",
    "conceded",
    "concessions",
    "grossed",
    "perhaps_twice",
    "repeated",
]

DATED: Final = ("issued", "issued_before", "origin", "origin_before")
"""In this period and in the one before, by a concession's own day and by its origin's."""

_TEXT, _DAY, _NUMBER = pa.string(), pa.date32(), pa.float64()
_KEYS: Final = ("account_id", "kind", "reason", "granted_by")


def grossed(frame: NativeFrame, span: Span) -> pa.Table:
    """By account: what its sales of both periods were invoiced at, and were to cost.

    ``gap`` is list price times quantity less the amount, of the ``priced_lines`` that say
    both and that no discount line names; ``overlaps`` counts those one does name.
    """
    sold = _dated_now(_read(frame, span.digits), span).filter(
        ~_is_concession()
        & ~nw.col("minor").is_null()
        & (nw.col("is_now") | nw.col("is_before"))
    )
    gap = nw.col("listed") - nw.col("minor")
    is_priced = ~nw.col("listed").is_null()
    has_discount = nw.col("is_discounted")
    is_negative = nw.col("kind").is_null() & (nw.col("minor") < 0)
    sums: dict[str, Any] = {}
    counts: dict[str, Any] = {}
    for when, is_in in (("", nw.col("is_now")), ("_before", nw.col("is_before"))):
        sums |= {
            f"invoiced{when}": of(is_in, nw.col("minor")),
            f"gap{when}": of(is_in & is_priced & ~has_discount, gap),
        }
        counts |= {
            f"sold_lines{when}": is_in,
            f"priced_lines{when}": is_in & is_priced,
            f"overlaps{when}": is_in & has_discount & is_priced & (gap != 0),
            f"unsorted{when}": is_in & is_negative,
        }
    return added_up(beside_discounts(frame, sold), ("account_id",), sums, counts)


def beside_discounts(frame: NativeFrame, rows: Any) -> Any:
    """The rows, and ``is_discounted`` of each: whether a discount line of all names it."""
    lines, origin = nw.from_native(frame).lazy(), nw.col("origin_line_id")
    if "origin_line_id" not in lines.collect_schema().names():
        return rows.with_columns(is_discounted=nw.lit(value=False))
    discounts = nw.from_native(completed(frame, {"kind": _TEXT})).lazy()
    named = (
        discounts.filter(true(nw.col("kind") == "discount") & ~origin.is_null())
        .select("origin_line_id")
        .unique()
        .select(named=origin, discounted=origin)
    )
    found = rows.join(named, left_on="line_id", right_on="named", how="left")
    return found.with_columns(is_discounted=~nw.col("discounted").is_null())


@once_per_portfolio
def concessions(portfolio: Portfolio) -> Any:
    """Each concession with the sale it goes back to, kept for all that is asked below."""
    return kept(_rooted(_read(portfolio["revenue_line"], portfolio.minor_digits)))


def conceded(frame: NativeFrame, span: Span) -> pa.Table:
    """By account, kind, reason and who granted it, in any order: what was given, below 0.

    ``positive`` counts those that are more: taken back, or entered without their sign.

    Args:
        frame: The lines, or the `concessions` among them; so too below.
    """
    found = _given(frame, span)
    is_known = ~nw.col("minor").is_null()
    minor = nw.col("minor").fill_null(0)
    sums = {name: of(condition, minor) for name, condition in _dated(span).items()}
    is_unmatched = nw.col("above_day").is_null() & is_known
    is_wrong = (nw.col("is_now") | nw.col("is_before")) & (minor > 0)
    sums |= {
        "unmatched_minor": of(nw.col("is_now") & is_unmatched, minor),
        "positive_minor": of(is_wrong, minor),
    }
    counts = {
        "lines": nw.col("is_now") & is_known,
        "lines_before": nw.col("is_before") & is_known,
        "unmatched": nw.col("is_now") & is_unmatched,
        "positive": is_wrong,
    }
    named = found.with_columns(
        nw.col("reason").fill_null(""), nw.col("granted_by").fill_null("")
    )
    return added_up(named, _KEYS, sums, counts)


def repeated(frame: NativeFrame, span: Span) -> pa.Table:
    """The refunds that repeat a credit note of the same origin, and how much of each.

    Few lines: only those of an origin that has both. The oldest are taken first.
    """
    found = _given(frame, span).filter(~nw.col("minor").is_null())
    notes = (
        found.filter(nw.col("kind") == "credit_note")
        .group_by("root")
        .agg(credit=nw.col("minor").sum())
        .select(credited=nw.col("root"), credit=nw.col("credit"))
    )
    both = (
        found.filter(nw.col("kind") == "refund")
        .join(notes, left_on="root", right_on="credited", how="inner")
        .select(
            *("root", "day", "line_id", *_KEYS, "minor", "credit"),
            **{name: one(condition) for name, condition in _dated(span).items()},
        )
    )
    rows = collected(both).sort_by([(each, "ascending") for each in _ORDER])
    for name in ("reason", "granted_by"):
        at = rows.column_names.index(name)
        rows = rows.set_column(at, name, pc.fill_null(rows[name], ""))
    return rows.append_column("repeats", pa.array(_repeats(rows)))


_ORDER: Final = ("root", "day", "line_id")


def _repeats(rows: pa.Table) -> Amounts:
    """Of each refund, in minor units: what credit notes of its origin have said already."""
    refunds, credit = (
        -rows[name].cast(pa.int64()).to_numpy() for name in ("minor", "credit")
    )
    roots = rows["root"].combine_chunks().dictionary_encode()
    group = roots.indices.to_numpy().astype(np.int64) if len(rows) else refunds
    sums = np.cumsum(refunds)
    is_first = np.diff(group, prepend=-1) != 0
    # What had been refunded when the origin began, carried along all its refunds.
    base = np.maximum.accumulate(np.where(is_first, np.arange(group.size), 0))
    upto = sums - (sums[base] - refunds[base])
    # Of a credit note of less than nothing both are the same: no refund repeats it.
    told = np.clip(upto, 0, credit) - np.clip(upto - refunds, 0, credit)
    repeats: Amounts = told.astype(np.int64)
    return repeats


def perhaps_twice(frame: NativeFrame, span: Span) -> tuple[int, int]:
    """Refunds of this period as large as a credit note of the same account.

    One of the two names no origin, so that nobody knows: how many, and minor units.
    """
    found = _given(frame, span).filter(nw.col("is_now") & (nw.col("minor") < 0))
    keys = ("account_id", "minor")
    both = [
        summed(
            found.filter(nw.col("kind") == kind),
            keys,
            {kind: nw.lit(1)},
            {f"{kind}_alone": nw.col("origin").is_null()},
        )
        for kind in ("refund", "credit_note")
    ]
    pairs = both[0].join(both[1], list(keys), join_type="inner")
    alone = pc.add(pairs["refund_alone"], pairs["credit_note_alone"])
    count = pc.min_element_wise(pairs["refund"], pairs["credit_note"], alone)
    minor = pc.sum(pc.multiply(count, pairs["minor"].cast(pa.int64()))).as_py() or 0
    return pc.sum(count).as_py() or 0, -minor


def _given(frame: NativeFrame, span: Span) -> Any:
    if isinstance(frame, nw.LazyFrame):
        return _dated_now(frame, span)
    return _dated_now(_rooted(_read(frame, span.digits)), span)


def _dated_now(lines: Any, span: Span) -> Any:
    return lines.with_columns(
        is_now=within(nw.col("day"), span.now),
        is_before=within(nw.col("day"), span.before),
    )


def _read(frame: NativeFrame, digits: int) -> Any:
    kinds = {"kind": _TEXT, "quantity": _NUMBER, "list_price": _NUMBER}
    kinds |= {"amount": _NUMBER, "reason": _TEXT, "granted_by": _TEXT}
    kinds |= {"origin_line_id": _TEXT, "booked_on": _DAY}
    lines = nw.from_native(completed(frame, kinds)).lazy()
    scale = float(10**digits)
    listed = whole(nw.col("list_price").abs() * nw.col("quantity").abs() * scale)
    return lines.select(
        "line_id",
        "account_id",
        "kind",
        "reason",
        "granted_by",
        origin=nw.col("origin_line_id"),
        day=nw.col("booked_on"),
        minor=whole(nw.col("amount") * scale),
        # What is cancelled takes back the gross too, whatever sign its quantity has.
        listed=nw.when(nw.col("amount") < 0).then(0 - listed).otherwise(listed),
    )


def _is_concession() -> Any:
    return true(nw.col("kind").is_in(CONCESSIONS))


def _rooted(lines: Any) -> Any:
    """The concessions, each with the sale it goes back to, and the day of that.

    A refund may name the credit note it pays out: then both go back to the same sale.
    """
    given = lines.filter(_is_concession())
    above = _named(lines, given.select("origin")).select(
        above_id=nw.col("line_id"),
        above_day=nw.col("day"),
        above_origin=nw.when(_is_concession()).then(nw.col("origin")),
    )
    found = given.join(
        above, left_on="origin", right_on="above_id", how="left"
    ).with_columns(farther=nw.coalesce(nw.col("above_origin"), nw.col("origin")))
    # One that names no sale is its own, of its own day.
    roots = _named(lines, found.select(origin=nw.col("farther"))).select(
        root_id=nw.col("line_id"), root_day=nw.col("day")
    )
    return found.join(
        roots, left_on="farther", right_on="root_id", how="left"
    ).with_columns(
        root=nw.coalesce(nw.col("farther"), nw.col("line_id")),
        root_day=nw.coalesce(nw.col("root_day"), nw.col("day")),
    )


def _named(lines: Any, origins: Any) -> Any:
    """Those of many lines that these few name."""
    named = origins.filter(~nw.col("origin").is_null()).unique()
    return lines.join(
        named.select(named=nw.col("origin")),
        left_on="line_id",
        right_on="named",
        how="inner",
    )


def _dated(span: Span) -> dict[str, Any]:
    issued, origin = nw.col("day"), nw.col("root_day")
    return {
        "issued": within(issued, span.now),
        "issued_before": within(issued, span.before),
        "origin": within(origin, span.now),
        "origin_before": within(origin, span.before),
    }
