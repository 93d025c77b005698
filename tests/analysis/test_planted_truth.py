"""Are those found who were unseen, late, neglected, pursued, and they alone?

The books are drawn from how people behave, not from the rules; one record in twenty of
them has a slip.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio import Calendar, Portfolio, analysis, samples
from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import (
    LostOpportunitiesResult,
    LostOpportunitiesSettings,
    WinBackSettings,
)

CLASSES = (
    "data_insufficient",
    "disqualified",
    "lost_client",
    "missed_unseen",
    "missed_late",
    "missed_neglected",
    "missed_underinvested",
    "pursued_lost",
    "no_decision",
)
LEAST = 0.9

Scores = dict[str, tuple[float, float]]


def of(book: samples.Book, *without: str) -> Portfolio:
    """The book's portfolio, without some columns of its opportunities."""
    opportunity = book.tables["opportunity"].drop_columns(list(without))
    return Portfolio.from_frames(
        as_of=book.truths["as_of"],
        currency="EUR",
        calendar=Calendar(time_zone=book.truths["time_zone"]),
        **{**book.tables, "opportunity": opportunity},
    )


def usual(book: samples.Book) -> LostOpportunitiesSettings:
    """What this firm would say of itself."""
    return LostOpportunitiesSettings(
        holidays=book.truths["holidays"],
        working_hours=(9.0, 18.0),
        automatic_kinds=("automatic reply",),
    )


def scores(book: samples.Book, result: LostOpportunitiesResult) -> Scores:
    """By class: how many of those it is true of are found, and of how many found it is.

    Second entries have no story, and are asked about apart.
    """
    lost = book.truths["lost"]
    truths = dict(
        zip(*(lost[n].to_pylist() for n in ("record_id", "class")), strict=True)
    )
    found = result.records_arrow().select(["record_id", "class"])
    pairs = Counter(
        (truths[row["record_id"]], row["class"])
        for row in found.to_pylist()
        if row["record_id"] in truths
    )
    told: Scores = {}
    for name in CLASSES:
        both = pairs[name, name]
        true = sum(n for (truth, _), n in pairs.items() if truth == name)
        said = sum(n for (_, label), n in pairs.items() if label == name)
        told[name] = both / true, both / max(said, 1)
    return told


@pytest.fixture(scope="module", params=[1, 2, 3])
def drawn(request: pytest.FixtureRequest) -> samples.Book:
    return samples.lost_book(opportunities=10_000, seed=request.param)


@pytest.fixture(scope="module")
def book() -> samples.Book:
    return samples.lost_book(opportunities=4_000, seed=4)


@pytest.fixture(scope="module")
def lost(book: samples.Book) -> LostOpportunitiesResult:
    return analysis.lost_opportunities(of(book), usual(book))


def test_each_class_is_found_and_little_else(drawn: samples.Book) -> None:
    result = analysis.lost_opportunities(of(drawn), usual(drawn))
    found = scores(drawn, result)
    assert {name: each for name, each in found.items() if min(each) < LEAST} == {}


def test_where_people_forget_nothing_next_to_all_is_found() -> None:
    clean = samples.lost_book(opportunities=4_000, noise=0.0, seed=6)
    found = scores(clean, analysis.lost_opportunities(of(clean), usual(clean)))
    assert {name: each for name, each in found.items() if min(each) < 0.95} == {}


RECALL, PRECISION = 0, 1


@pytest.mark.parametrize(
    ("broken", "name", "measure"),
    [
        ({"min_capture_share": 0.0}, "data_insufficient", RECALL),
        ({"disqualifying_reasons": ("competitor",)}, "disqualified", RECALL),
        ({"automatic_kinds": ()}, "missed_unseen", RECALL),
        ({"response_hours": 2_000.0}, "missed_late", RECALL),
        (
            {"working_weekdays": tuple(range(1, 8)), "working_hours": (0.0, 24.0)},
            "missed_late",
            PRECISION,
        ),
        ({"silence_days": 300}, "missed_neglected", RECALL),
        ({"min_touch_share": 0.0}, "missed_underinvested", RECALL),
        ({"value_share": 0.0}, "missed_underinvested", PRECISION),
        ({"no_decision_reasons": ("silence",)}, "no_decision", RECALL),
        ({"no_decision_reasons": ("silence",)}, "pursued_lost", PRECISION),
    ],
)
def test_a_rule_that_is_broken_is_noticed(
    book: samples.Book, broken: dict[str, Any], name: str, measure: int
) -> None:
    settings = attrs.evolve(usual(book), **broken)
    found = scores(book, analysis.lost_opportunities(of(book), settings))
    assert found[name][measure] < LEAST


@pytest.mark.parametrize(
    ("column", "name", "measure"),
    [
        ("kind", "lost_client", RECALL),
        ("loss_reason", "pursued_lost", RECALL),
    ],
)
def test_so_is_a_column_that_is_not_looked_at(
    book: samples.Book, column: str, name: str, measure: int
) -> None:
    result = analysis.lost_opportunities(of(book, column), usual(book))
    assert scores(book, result)[name][measure] < LEAST


def test_who_was_worth_little_was_not_under_invested(
    book: samples.Book, lost: LostOpportunitiesResult
) -> None:
    truth = book.truths["lost"]
    small = truth.filter(pc.equal(truth["story"], "small_and_gone"))["record_id"]
    labels = lost.records_arrow(ids=small.to_pylist())["class"].to_pylist()
    assert labels.count("missed_underinvested") <= len(labels) / 10


def test_what_was_missed_can_be_helped_before_it_is_decided(
    lost: LostOpportunitiesResult,
) -> None:
    rows = lost.records_arrow().select(["class", "timing", "stance"]).to_pylist()
    pairs = {(r["class"], r["timing"], r["stance"]) for r in rows}
    assert {each[1:] for each in pairs if each[0].startswith("missed_")} == {
        ("before_the_decision", "proactive")
    }
    assert {
        each[1:] for each in pairs if each[0] in ("pursued_lost", "lost_client")
    } == {("after_the_decision", "reactive")}


def test_rivals_are_named_and_what_no_record_shows_is_said(
    book: samples.Book, lost: LostOpportunitiesResult
) -> None:
    rows = {r["opportunity_id"]: r for r in book.tables["opportunity"].to_pylist()}
    found = lost.records_arrow("pursued_lost").to_pylist()
    assert all(r["competitor"] == rows[r["record_id"]]["competitor"] for r in found)
    assert sum(r["competitor"] is not None for r in found) > len(found) / 10
    assert "lost_blind_spot" in {warning.code for warning in lost.warnings}


def test_enquiries_are_judged_by_the_same_rules(
    book: samples.Book, lost: LostOpportunitiesResult
) -> None:
    truth = book.truths["lost"]
    asked = truth.filter(pc.equal(truth["record"], "enquiry")).to_pylist()
    stories = {row["record_id"]: row["class"] for row in asked}
    rows = lost.records_arrow(ids=list(stories)).to_pylist()
    assert {row["record"] for row in rows} == {"enquiry"}
    pairs = Counter((stories[row["record_id"]], row["class"]) for row in rows)
    missed = ("missed_unseen", "missed_late")
    for name in missed:
        true = sum(truth["class"] == name for truth in asked)
        said = sum(n for (_, label), n in pairs.items() if label == name)
        assert pairs[name, name] / true >= LEAST
        assert pairs[name, name] / said >= LEAST
    assert sum(pairs.values()) < len(asked)  # who was answered in time is none of these


def test_a_second_entry_of_what_was_won_is_set_apart(
    book: samples.Book, lost: LostOpportunitiesResult
) -> None:
    apart = set(lost.records_arrow("probable_duplicate")["record_id"].to_pylist())
    rows = {r["opportunity_id"]: r for r in book.tables["opportunity"].to_pylist()}
    twice = []
    for original in book.truths["duplicates"].to_pylist():
        first, again = rows[original], rows["D" + original[1:]]
        is_in_time = again["closed_on"] >= date(2025, 7, 1)
        if first["status"] == "won" and first["amount"] is not None and is_in_time:
            twice.append(again["opportunity_id"])
    assert len(twice) > 20
    assert set(twice) <= apart


EAGER = WinBackSettings(
    base_rate=0.5,
    hours=1.0,
    cost_per_hour=1.0,
    hour_value=0.0,
    variable_cost_share=0.1,
    needs_news=False,
)
"""A firm to which every loss is worth another attempt."""


def test_who_refused_is_never_proposed(
    book: samples.Book, lost: LostOpportunitiesResult
) -> None:
    frame = to_arrow(analysis.win_back(of(book), EAGER, lost=lost).frame)
    asks = pc.is_in(frame["recommendation"], pa.array(["try", "wait", "ask_first"]))
    proposed = frame.filter(asks)
    assert len(proposed) > len(frame) / 3
    assert not set(proposed["opportunity_id"].to_pylist()) & set(
        book.truths["refused"].to_pylist()
    )
    assert not set(proposed["account_id"].to_pylist()) & set(
        book.truths["left_in_peace"].to_pylist()
    )


def test_where_nobody_maps_refusals_every_row_says_to_ask_first(
    book: samples.Book,
) -> None:
    deaf = of(book, "refused_on")
    lost = analysis.lost_opportunities(deaf, usual(book))
    frame = to_arrow(analysis.win_back(deaf, EAGER, lost=lost).frame)
    told = set(frame["recommendation"].to_pylist())
    assert "ask_first" in told
    assert not told & {"try", "wait"}


def test_attempts_after_the_loss_are_counted(
    book: samples.Book, lost: LostOpportunitiesResult
) -> None:
    frame = to_arrow(analysis.win_back(of(book), EAGER, lost=lost).frame)
    truth = {
        r["record_id"]: r["attempt_count"] for r in book.truths["lost"].to_pylist()
    }
    careful = [
        (truth[row["opportunity_id"]], row["attempt_count"])
        for row in frame.to_pylist()
        if truth.get(row["opportunity_id"])
    ]
    assert len(careful) > 100
    assert sum(true == said for true, said in careful) >= LEAST * len(careful)
