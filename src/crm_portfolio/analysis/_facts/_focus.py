"""What do the long tables say of lines of products, of hours and of work begun?

What comes back has one row per product, per account and line it bought, per project or
per person: never one per sale or note of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, nw, same_kind
from crm_portfolio.analysis._facts._attached import moment_in
from crm_portfolio.analysis._facts._lines import (
    Measure,
    collected,
    completed,
    seconds_given,
)
from crm_portfolio.analysis._facts._sold import sold
from crm_portfolio.portfolio import Period, Portfolio

__all__ = [
    "NOWHERE",
    "bought_lines",
    "first_noted",
    "hours_spent",
    "kinds_noted",
    "open_by_owner",
    "project_hours",
    "sold_products",
    "young_revenue",
]

NOWHERE: Final = -1
"""The place of what is in no line, no project, no sale or no step."""

_TEXT, _DAY = pa.string(), pa.date32()
_MOMENT = pa.timestamp("us", "UTC")


def sold_products(portfolio: Portfolio, measure: Measure, span: Period) -> pa.Table:
    """By product, empty where none is named: revenue of the span, and what it cost.

    ``sold_minor`` is what lines that sell something bring, ``costed_minor`` what those of
    them do that say their cost.
    """
    minor, cost = nw.col("minor"), nw.col("cost_minor")
    is_sold = (minor > 0).fill_null(value=False)
    is_costed = is_sold & ~cost.is_null()
    of = sold(portfolio, measure)
    found = collected(
        of.lines.filter(_in(span, "day"))
        .select(
            "product",
            minor=minor.fill_null(0),
            lines=nw.lit(1, dtype=nw.Int64),
            known_lines=(~minor.is_null()).cast(nw.Int64),
            cost=cost.fill_null(0),
            sold_minor=minor.fill_null(0) * is_sold.cast(nw.Int64),
            costed_minor=minor.fill_null(0) * is_costed.cast(nw.Int64),
        )
        .group_by("product")
        .agg(nw.col(*_SOLD).sum())
    ).sort_by("product")
    # Products stand in the order of their ids, and what names none before them.
    ids = pa.chunked_array([pa.array([""], _TEXT), *of.products["product_id"].chunks])
    named = ids.take(pc.add(found["product"], 1))
    return found.select(_SOLD).add_column(0, "product_id", named)


_SOLD = ("minor", "lines", "known_lines", "cost", "sold_minor", "costed_minor")


def bought_lines(
    portfolio: Portfolio, measure: Measure, span: Period, place_of: pa.Table
) -> pa.Table:
    """By account and place of a line: whether it ever bought, and for how much of late.

    Accounts are told by their places too. In no order: these may be millions, and nothing that is made of them has any.

    Args:
        place_of: ``product_id`` and ``place``; products that are not in it do not count.
    """
    of, minor = sold(portfolio, measure), nw.col("minor")
    at = pc.index_in(of.products["product_id"], place_of["product_id"].combine_chunks())
    in_lines = pa.table(
        {
            "product": np.arange(len(of.products), dtype=np.int32),
            "place": place_of["place"].take(at),
        }
    ).drop_null()
    is_now = _in(span, "day").cast(nw.Int64)
    is_hidden = minor.is_null().cast(nw.Int64)
    lines = of.lines.filter(nw.col("day") < span.end)
    by = ["account_id", "place"]
    sums = ("minor", "hidden", "minor_ever", "hidden_ever")
    found = collected(
        _with(lines, in_lines, "product", how="inner")
        .select(
            *by,
            minor=minor.fill_null(0) * is_now,
            hidden=is_hidden * is_now,
            minor_ever=minor.fill_null(0),
            hidden_ever=is_hidden,
        )
        .group_by(*by)
        .agg(nw.col(*sums).sum())
        .filter((nw.col("minor_ever") > 0) | (nw.col("hidden_ever") > 0))
    )
    return found.select([*by, *sums])


def young_revenue(
    portfolio: Portfolio, measure: Measure, steps: Sequence[Period], months: int
) -> pa.Table:
    """By step: revenue, and how much of it is of young accounts or young products.

    Young is what first brought revenue less than so many months before the step's end.
    ``hidden`` counts lines without an amount. ``begins_on`` is the book's first day.
    """
    of = sold(portfolio, measure)
    day, offered = nw.col("day"), of.products["offered_on"]
    came = of.lines.group_by("account_id").agg(came_on=day.min())
    firsts = pa.table(
        {"product": np.arange(len(offered), dtype=np.int32), "offered_on": offered}
    )
    is_young = nw.lit(value=False)
    for step in steps:
        edge = step.months_before_end(months)
        is_offer_young = (nw.col("offered_on") > edge).fill_null(value=False)
        is_young = is_young | (
            _in(step, "day") & ((nw.col("came_on") > edge) | is_offer_young)
        )
    minor = nw.col("minor").fill_null(0)
    inside = of.lines.filter(_in_any(steps, "day")).join(
        came, on="account_id", how="left"
    )
    found = collected(
        _with(inside, firsts, "product", how="left")
        .select(
            step=_step(steps, "day"),
            minor=minor,
            young=minor * is_young.cast(nw.Int64),
            hidden=nw.col("minor").is_null().cast(nw.Int64),
        )
        .group_by("step")
        .agg(nw.col("minor", "young", "hidden").sum())
    )
    return found.select(["step", "minor", "young", "hidden"]).sort_by("step")


def hours_spent(
    portfolio: Portfolio,
    span: Period,
    steps: Sequence[Period],
    *,
    products: pa.Table,
    projects: pa.Table,
) -> pa.Table:
    """Seconds worked, by step and whether in the span, by kind, product, project and sale.

    Args:
        products: ``product_id``, its ``place`` and ``is_core`` (1, 0, or NOWHERE).
        projects: ``project_id``, ``standing``, ``project_kind`` and ``of_core``.
    """
    texts = ("kind", "product_id", "project_id", "opportunity_id")
    frame = completed(portfolio["effort"], dict.fromkeys(texts, _TEXT))
    notes = (
        nw.from_native(frame)
        .lazy()
        .filter(_in_any([span, *steps], "worked_on"))
        .select(
            *(nw.col(each).fill_null("") for each in texts),
            step=_step(steps, "worked_on"),
            is_main=_in(span, "worked_on").cast(nw.Int64),
            day=nw.col("worked_on"),
            seconds=seconds_given(),
        )
    )
    for table, key in ((products, "product_id"), (projects, "project_id")):
        notes = _with(notes, table, key, how="left")
    notes = _with_sales(notes, portfolio)
    codes = ("place", "is_core", "standing", "of_core")
    by = ["step", "is_main", "kind", *codes, "project_kind", "sale"]
    found = collected(
        notes.select(
            "step",
            "is_main",
            "kind",
            "day",
            "seconds",
            *(nw.col(each).fill_null(NOWHERE).cast(nw.Int64) for each in codes),
            nw.col("project_kind").fill_null(""),
            nw.col("sale").fill_null(""),
        )
        .group_by(*by)
        .agg(nw.col("seconds").sum(), first_on=nw.col("day").min())
    )
    order = [(each, "ascending") for each in by]
    return found.select([*by, "seconds", "first_on"]).sort_by(order)


def _with_sales(notes: Any, portfolio: Portfolio) -> Any:
    if "opportunity" not in portfolio:
        return notes.with_columns(sale=nw.lit(""))
    sales = nw.from_native(portfolio["opportunity"]).lazy()
    of_sale = sales.select("opportunity_id", sale=nw.col("status"))
    return notes.join(of_sale, on="opportunity_id", how="left")


def first_noted(portfolio: Portfolio) -> date | None:
    """The first day that any time was noted for."""
    found: date | None = collected(
        nw.from_native(portfolio["effort"])
        .lazy()
        .select(first_on=nw.col("worked_on").min())
    )["first_on"][0].as_py()
    return found


def project_hours(
    portfolio: Portfolio, span: Period, review_kinds: Sequence[str]
) -> pa.Table:
    """By project and role: seconds ever worked, first and last day, reviews in the span."""
    kinds = dict.fromkeys(("kind", "project_id", "role"), _TEXT)
    is_review = nw.col("kind").fill_null("").is_in(list(review_kinds))
    found = collected(
        nw.from_native(completed(portfolio["effort"], kinds))
        .lazy()
        .filter(~nw.col("project_id").is_null())
        .select(
            nw.col("project_id"),
            nw.col("role").fill_null(""),
            nw.col("worked_on"),
            seconds=seconds_given(),
            reviews=(is_review & _in(span, "worked_on")).cast(nw.Int64),
        )
        .group_by("project_id", "role")
        .agg(
            nw.col("seconds", "reviews").sum(),
            first_on=nw.col("worked_on").min(),
            last_on=nw.col("worked_on").max(),
        )
    )
    return found.sort_by([("project_id", "ascending"), ("role", "ascending")])


def kinds_noted(portfolio: Portfolio) -> tuple[str, ...]:
    """Every kind of work that time was ever noted for, sorted; empty where none says."""
    frame = nw.from_native(completed(portfolio["effort"], {"kind": _TEXT})).lazy()
    found = collected(
        frame.filter(~nw.col("kind").is_null())
        .group_by("kind")
        .agg(nw.col("kind").count().alias("rows"))
    )
    return tuple(sorted(found["kind"].to_pylist()))


def open_by_owner(portfolio: Portfolio, days: Sequence[date]) -> pa.Table:
    """By owner: how many of its sales were open before each of these days began.

    A sale that is closed on a day was still open before it. One that is closed and does
    not say when is left out, as is one that does not say when it was entered.
    """
    kinds = {"owner_id": _TEXT, "created_at": _MOMENT, "closed_on": _DAY}
    zone = portfolio.calendar.time_zone
    closed = nw.col("closed_on")
    open_at = {
        f"at_{at}": (
            moment_in(Period.between(date.min, day), "created_at", zone)
            & (closed.is_null() | (closed >= day))
        )
        .fill_null(value=False)
        .cast(nw.Int64)
        for at, day in enumerate(days)
    }
    found = collected(
        nw.from_native(completed(portfolio["opportunity"], kinds))
        .lazy()
        .filter((nw.col("status") == "open") | ~closed.is_null())
        .select(
            nw.col("owner_id").fill_null(""),
            dated=(~nw.col("created_at").is_null()).cast(nw.Int64),
            **open_at,
        )
        .group_by("owner_id")
        .agg(nw.col("dated", *open_at).sum())
    )
    return found.select(["owner_id", "dated", *open_at]).sort_by("owner_id")


def _with(lines: Any, table: pa.Table, key: str, *, how: Any) -> Any:
    """The lines with the columns of a small table of ours."""
    own: NativeFrame = same_kind(table, nw.to_native(lines))
    return lines.join(nw.from_native(own).lazy(), on=key, how=how)


def _in(span: Period, column: str) -> Any:
    return (nw.col(column) >= span.start) & (nw.col(column) < span.end)


def _in_any(spans: Sequence[Period], column: str) -> Any:
    found = _in(spans[0], column)
    for span in spans[1:]:
        found = found | _in(span, column)
    return found


def _step(steps: Sequence[Period], column: str) -> Any:
    """The place of the step that holds the day; NOWHERE where none does."""
    place = nw.lit(NOWHERE, dtype=nw.Int64)
    for at, step in enumerate(steps):
        place = nw.when(_in(step, column)).then(at).otherwise(place)
    return place.cast(nw.Int64)
