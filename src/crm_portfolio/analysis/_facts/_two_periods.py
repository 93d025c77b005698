"""What did each account, and each product, bring in two periods, and in which currency?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs
import pyarrow as pa

from crm_portfolio._frames import NativeFrame, nw
from crm_portfolio.analysis._facts._lines import Measure, collected, completed
from crm_portfolio.portfolio import Period

__all__ = [
    "CONCESSIONS",
    "PARTS",
    "Span",
    "added_up",
    "of",
    "one",
    "products_of_two",
    "summed",
    "true",
    "two_periods",
    "whole",
    "within",
]

PARTS: Final = 10_000
"""Parts of a unit that quantities, and amounts in other currencies, are summed in."""
CONCESSIONS: Final = ("discount", "credit_note", "refund", "goodwill", "rebate")

_GESTURES: Final = ("discount", "goodwill", "rebate")

_TEXT, _DAY, _NUMBER = pa.string(), pa.date32(), pa.float64()


@attrs.frozen
class Span:
    """The days that are held against each other.

    Attributes:
        later: The same days as ``before``, twelve months on: who was conceded something
            then, and is still there.
    """

    now: Period
    before: Period
    later: Period
    digits: int
    home: str


def two_periods(frame: NativeFrame, measure: Measure, span: Span) -> pa.Table:
    """By account and currency (empty: the portfolio's own): sums of both periods.

    ``face`` and ``face_before`` are in parts of the other currency, the last without signs,
    as ``worth_before`` is: what one was worth then is their quotient. ``line_cost`` is of
    all lines: goods that came back cost less, those given away cost as much as others.
    Who has lines of other days alone, and in the portfolio's own currency, is left out.
    """
    is_foreign = nw.col("currency") != ""
    days = (nw.col(f"is_{when}") for when in ("now", "before", "later", "undated"))
    is_told = nw.any_horizontal(is_foreign, *days, ignore_nulls=False)
    lines = _read(frame, measure, span).filter(is_told)
    known = nw.col("minor").fill_null(0)
    face = nw.col("face").fill_null(0)
    has_face = is_foreign & ~nw.col("minor").is_null()
    is_sold = nw.col("minor").fill_null(0) > 0
    has_cost = is_sold & ~nw.col("cost").is_null()
    is_now, is_before = nw.col("is_now"), nw.col("is_before")
    is_undated, is_known = nw.col("is_undated"), ~nw.col("minor").is_null()
    sums = {
        "minor": of(is_now, known),
        "minor_before": of(is_before, known),
        "minor_later": of(nw.col("is_later"), known),
        "line_cost": of(is_now, nw.col("cost").fill_null(0)),
        "line_cost_before": of(is_before, nw.col("cost").fill_null(0)),
    }
    counts = {
        "lines": is_now | is_undated,
        "lines_before": is_before | is_undated,
        "known_lines": is_now & is_known,
        "known_lines_before": is_before & is_known,
        "sold_lines": is_now & is_sold,
        "sold_lines_before": is_before & is_sold,
        "costed_lines": is_now & has_cost,
        "costed_lines_before": is_before & has_cost,
    }
    abroad = {
        "face": of(is_now & has_face, face),
        "face_before": of(is_before & has_face, face.abs()),
        "worth_before": of(is_before & has_face, known.abs()),
    }
    of_some = lines.filter(~nw.col("account_id").is_null())
    if _names_currencies(frame):
        keys = ("account_id", "currency")
        return added_up(of_some, keys, sums | abroad, counts)
    # As all are of the portfolio's own, an engine is spared three sums and a key.
    found = added_up(of_some, ("account_id",), sums, counts)
    return _with(found, {"currency": "", **dict.fromkeys(abroad, 0)})


def _with(found: pa.Table, same: Mapping[str, str | int]) -> pa.Table:
    """With columns that say the same of all."""
    for name, value in same.items():
        found = found.append_column(name, pa.repeat(value, len(found)))
    return found


def _names_currencies(frame: NativeFrame) -> bool:
    names = nw.from_native(frame).collect_schema().names()
    return {"currency", "original_amount"}.issubset(names)


def products_of_two(
    frame: NativeFrame,
    span: Span,
    *,
    by: Literal["product", "product_and_account"],
) -> pa.Table:
    """By product (and account) and currency: revenue and quantity of both periods.

    ``part`` is ``measured`` where a line says product, quantity and amount; else what it is:
    one of the ``concessions``, or ``unmeasured``; ``unknown`` without an amount. A discount,
    gesture or rebate brings no goods back, whatever quantity it repeats.
    """
    lines = _read(frame, "net_revenue", span).with_columns(part=_part())
    is_measured, nobody = nw.col("part") == "measured", nw.lit("")
    lines = lines.with_columns(
        product_id=nw.when(is_measured).then(nw.col("product_id")).otherwise(nobody),
        account_id=nw.when(is_measured).then(nw.col("account_id")).otherwise(nobody),
        quantity=nw.when(is_measured).then(nw.col("quantity")).otherwise(0),
    )
    known, face = nw.col("minor").fill_null(0), nw.col("face").fill_null(0)
    is_now, is_before = nw.col("is_now"), nw.col("is_before")
    sums = {
        "minor": of(is_now, known),
        "minor_before": of(is_before, known),
        "quantity": of(is_now, nw.col("quantity")),
        "quantity_before": of(is_before, nw.col("quantity")),
    }
    counts = {"lines": is_now, "lines_before": is_before}
    keys: tuple[str, ...] = ("part", "product_id")
    same: dict[str, str | int] = {}
    if by == "product_and_account":
        keys += ("account_id",)
    else:
        same["account_id"] = ""
    if _names_currencies(frame):
        keys += ("currency",)
        sums["face"] = of(is_now & (nw.col("currency") != ""), face)
    else:
        same |= {"currency": "", "face": 0}
    return _with(summed(lines.filter(is_now | is_before), keys, sums, counts), same)


def _part() -> Any:
    """What a line can be told of: see `products_of_two`."""
    is_gesture = true(nw.col("kind").is_in(_GESTURES))
    has_quantity = ~nw.col("product_id").is_null() & ~nw.col("quantity").is_null()
    unsold = (
        nw.when(nw.col("kind").is_in(CONCESSIONS))
        .then(nw.lit("concessions"))
        .otherwise(nw.lit("unmeasured"))
    )
    known = (
        nw.when(has_quantity & ~is_gesture).then(nw.lit("measured")).otherwise(unsold)
    )
    return nw.when(nw.col("minor").is_null()).then(nw.lit("unknown")).otherwise(known)


def _read(frame: NativeFrame, measure: Measure, span: Span) -> Any:
    """The lines with their amounts in whole parts, and the period each lies in."""
    day = "closed_on" if measure == "booked" else "booked_on"
    kinds = {"account_id": _TEXT, day: _DAY, "amount": _NUMBER, "kind": _TEXT}
    kinds |= {"original_amount": _NUMBER, "currency": _TEXT, "cost": _NUMBER}
    kinds |= {"product_id": _TEXT, "quantity": _NUMBER}
    lines = nw.from_native(completed(frame, kinds)).lazy()
    if measure == "booked":
        lines = lines.filter(nw.col("status") == "won")
    is_home = nw.col("currency").is_null() | (nw.col("currency") == span.home)
    on, scale = nw.col(day), float(10**span.digits)
    size = whole(nw.col("quantity").abs() * float(PARTS))
    return lines.select(
        "account_id",
        "kind",
        "product_id",
        currency=nw.when(is_home | nw.col("original_amount").is_null())
        .then(nw.lit(""))
        .otherwise(nw.col("currency")),
        minor=whole(nw.col("amount") * scale),
        cost=whole(nw.col("cost") * scale),
        face=whole(nw.col("original_amount") * float(PARTS)),
        # Ledgers differ in whether what comes back has a sign of its own: the amount has.
        quantity=nw.when(nw.col("amount") < 0)
        .then(0 - size)
        .otherwise(whole(nw.col("quantity") * float(PARTS))),
        is_now=within(on, span.now),
        is_before=within(on, span.before),
        is_later=within(on, span.later),
        is_undated=on.is_null(),
    )


def within(day: Any, period: Period) -> Any:
    """Whether a day is known and lies in the period."""
    return true((day >= period.start) & (day < period.end))


def true(condition: Any) -> Any:
    return nw.when(condition).then(nw.lit(value=True)).otherwise(nw.lit(value=False))


def whole(values: Any) -> Any:
    """To the nearest whole number, a half up: the same in every engine."""
    return (values + 0.5).floor().cast(nw.Int64)


def of(condition: Any, values: Any) -> Any:
    return nw.when(condition).then(values).otherwise(0)


def one(condition: Any) -> Any:
    return nw.when(condition).then(1).otherwise(0).cast(nw.Int32)


def summed(
    lines: Any,
    keys: tuple[str, ...],
    sums: Mapping[str, Any],
    counts: Mapping[str, Any] | None = None,
) -> pa.Table:
    """`added_up` in the order of the keys."""
    table = added_up(lines, keys, sums, counts or {})
    return table.sort_by([(name, "ascending") for name in keys])


def added_up(
    lines: Any,
    keys: tuple[str, ...],
    sums: Mapping[str, Any],
    counts: Mapping[str, Any],
) -> pa.Table:
    """By these keys the sums, and how often each condition holds, in any order.

    Engines count several times as fast as they add ones up.
    """
    held = {name: nw.when(each).then(1) for name, each in counts.items()}
    found = collected(
        lines.select(*keys, **sums, **held)
        .group_by(*keys)
        .agg(
            *(nw.col(name).sum() for name in sums),
            *(nw.col(name).count() for name in counts),
        )
    )
    names = (*sums, *counts)
    whole = {name: found[name].cast(pa.int64()) for name in names}
    return pa.table({name: found[name] for name in keys} | whole).combine_chunks()
