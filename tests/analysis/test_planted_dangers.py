"""Are those found who pay late, cost more than they bring or went silent, and they alone?

The books are drawn from how people buy, pay and leave, not from the rules; one record in
twenty of them has a slip.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio import Portfolio, analysis, samples
from crm_portfolio.analysis import ReceivablesSettings, RiskSettings

LEAST = 0.9
SILENT = ("high", "critical")


def of(book: samples.Book) -> Portfolio:
    return Portfolio.from_frames(
        as_of=book.truths["as_of"], currency="EUR", **book.tables
    )


def scores(
    found: Iterable[str], true: Iterable[str], may: Iterable[str] | None = None
) -> tuple[float, float]:
    """Recall of those it is true of, precision of those found; ``may`` be found too."""
    named, real = set(found), set(true)
    allowed = real if may is None else set(may)
    return len(named & real) / len(real), len(named & allowed) / len(named)


def named(result: Any, column: str, *values: str) -> list[str]:
    frame = result.arrow
    is_in = pc.is_in(frame[column], value_set=pa.array(values, pa.string()))
    found: list[str] = frame.filter(is_in)["account_id"].to_pylist()
    return found


@pytest.fixture(scope="module", params=[1, 2, 3])
def drawn(request: pytest.FixtureRequest) -> samples.Book:
    return samples.danger_book(seed=request.param)


@pytest.fixture(scope="module")
def book() -> samples.Book:
    return samples.danger_book(accounts=400, seed=4)


def late(book: samples.Book, **settings: Any) -> tuple[float, float]:
    result = analysis.receivables(of(book), ReceivablesSettings(**settings))
    return scores(named(result, "pays", "slow"), book.truths["late_payers"])


def costly(book: samples.Book) -> tuple[float, float]:
    result = analysis.profitability(of(book))
    found = named(result, "standing", "loss_making")
    return scores(found, book.truths["loss_making"])


def silent(book: samples.Book, **settings: Any) -> tuple[float, float]:
    """Who left long ago, or too lately to be missed, is no false alarm."""
    result = analysis.risk(of(book), RiskSettings(odds="rates", **settings))
    gone = book.truths["departures"]["account_id"].to_pylist()
    found = named(result, "silence_level", *SILENT)
    return scores(found, book.truths["silent"], gone)


def test_who_pays_late_is_found_and_few_others(drawn: samples.Book) -> None:
    assert min(late(drawn)) >= LEAST


def test_the_same_are_in_danger_by_their_payment(drawn: samples.Book) -> None:
    result = analysis.risk(of(drawn), RiskSettings(odds="rates"))
    found = named(result, "payment_level", "medium", "high", "critical")
    assert min(scores(found, drawn.truths["late_payers"])) >= LEAST


def test_who_costs_more_than_it_brings_is_found_and_few_others(
    drawn: samples.Book,
) -> None:
    assert min(costly(drawn)) >= LEAST


def test_who_went_silent_is_found_and_hardly_any_that_stayed(
    drawn: samples.Book,
) -> None:
    assert min(silent(drawn)) >= LEAST


def test_a_model_of_who_leaves_is_better_than_rates_on_all_of_them(
    drawn: samples.Book,
) -> None:
    odds: Any = analysis.risk(of(drawn)).summary["odds"]
    assert odds["verdict"] == "better"
    assert odds["model"]["lift_top_tenth"] > 4


def test_where_nobody_slips_next_to_all_is_found() -> None:
    clean = samples.danger_book(noise=0.0, seed=6)
    assert min(*late(clean), *costly(clean), *silent(clean)) >= 0.95


RECALL, PRECISION = 0, 1


def test_a_rule_that_is_broken_is_noticed(book: samples.Book) -> None:
    assert late(book, slow_days=60.0)[RECALL] < LEAST
    assert late(book, slow_days=0.5)[PRECISION] < LEAST
    assert silent(book, silence=(0.2, 1e-12, 1e-15))[RECALL] < LEAST
    assert silent(book, silence=(0.99, 0.6, 0.5))[PRECISION] < LEAST


def test_what_is_contested_would_be_taken_for_lateness(book: samples.Book) -> None:
    invoice = book.tables["invoice"].drop_columns(["is_disputed"])
    blind = samples.Book({**book.tables, "invoice": invoice}, book.truths)
    assert late(blind, slow_days=3.0)[PRECISION] < late(book, slow_days=3.0)[PRECISION]


def test_without_the_hours_nobody_knows_who_costs_too_much(book: samples.Book) -> None:
    tables = {name: each for name, each in book.tables.items() if name != "effort"}
    blind = samples.Book(tables, book.truths)
    found = named(analysis.profitability(of(blind)), "standing", "loss_making")
    assert len(set(found) & set(book.truths["loss_making"])) < LEAST * len(
        book.truths["loss_making"]
    )
