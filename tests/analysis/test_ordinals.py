"""Is what is kept by the ordinal of an opportunity what its id tells of it?"""

from __future__ import annotations

import pyarrow as pa
import pytest

from crm_portfolio import Calendar, Portfolio, samples
from crm_portfolio._frames import BACKENDS, from_arrow, nw
from crm_portfolio.analysis import _facts
from crm_portfolio.analysis._facts import Contacts
from crm_portfolio.analysis._facts._ordinals import touched

WHICH = Contacts(("automatic reply",), ("meeting",))


@pytest.fixture(scope="module")
def drawn():
    return samples.lost_book(opportunities=1_000, seed=8)


def portfolio(drawn, backend):
    return Portfolio.from_frames(
        as_of=drawn.truths["as_of"],
        currency=drawn.truths["currency"],
        calendar=Calendar(drawn.truths["time_zone"]),
        backend=backend,
        **drawn.tables,
    )


@pytest.fixture(scope="module", params=BACKENDS)
def book(drawn, request):
    return portfolio(drawn, request.param)


def told(rows):
    return _facts.collected(rows).to_pylist()


def ids_of(book):
    known = nw.from_native(_facts.numbered(book["opportunity"])).lazy()
    rows = told(known.select("ordinal", "opportunity_id"))
    return {row["ordinal"]: row["opportunity_id"] for row in rows}


def test_ordinals_go_up_with_the_ids_and_are_the_same_each_time(book):
    ids = ids_of(book)
    assert len(ids) == book.row_counts["opportunity"]
    assert sorted(ids) == [*range(len(ids))]
    assert [ids[each] for each in sorted(ids)] == sorted(ids.values())
    assert ids_of(book) == ids


def test_a_folder_numbers_them_as_memory_does(drawn, tmp_path):
    book = portfolio(drawn, "duckdb")
    book.save(tmp_path / "book")
    assert ids_of(Portfolio.load(tmp_path / "book", backend="duckdb")) == ids_of(book)


def test_activities_are_those_that_took_place_and_go_the_way_they_went(book):
    ids = ids_of(book)
    found = sorted(
        (ids[row["ordinal"]], row["occurred_at"], row["is_out"], row["is_in"])
        for row in told(touched(book, WHICH))
    )
    expected = []
    for row in book.arrow("activity").to_pylist():
        if row["opportunity_id"] is None or (row.get("status") or "held") != "held":
            continue
        is_both = row.get("kind") in WHICH.two_way_kinds
        is_contact = row.get("kind") not in WHICH.automatic_kinds
        comes_in = (row.get("direction") or "out") == "in"
        ways = is_both or not comes_in, is_both or comes_in
        both = tuple(is_contact and each for each in ways)
        expected.append((row["opportunity_id"], row["occurred_at"], *both))
    assert len(expected) > 300
    assert found == sorted(expected)


def test_changes_say_what_their_moves_say(book):
    ids = ids_of(book)
    changes, moves = _facts.moved(book, "stage")
    said = {row["move"]: (row["old"], row["new"]) for row in told(moves)}
    assert len(said) == len({*said.values()})
    found = sorted(
        (ids[row["ordinal"]], row["changed_at"], said[row["move"]])
        for row in told(changes)
    )
    expected = [
        (row["opportunity_id"], row["changed_at"], (row["old"], row["new"]))
        for row in book.arrow("opportunity_change").to_pylist()
        if row["field"] == "stage"
    ]
    assert found
    assert [each[:2] for each in found] == sorted(each[:2] for each in expected)
    assert {*found} == {*expected}


def test_a_text_that_is_not_there_is_none_and_not_an_empty_one(book):
    table = {"one": ["x", None, "", "x"], "other": [None, None, "y", None]}
    rows = nw.from_native(from_arrow(pa_table(table), book.backend)).lazy()
    coded, said = _facts.coded(rows, rows, ("one", "other"), "says")
    means = {row.pop("says"): row for row in told(said)}
    found = [means[row["says"]] for row in sorted(told(coded), key=lambda r: r["at"])]
    pairs = zip(table["one"], table["other"], strict=True)
    assert found == [{"one": one, "other": other} for one, other in pairs]
    assert len(means) == 3


def test_what_is_kept_is_kept_until_it_is_let_go(book):
    first = touched(book, WHICH)
    assert touched(book, WHICH) is first
    assert touched(book, Contacts()) is not first
    _facts.let_go(book)
    assert touched(book, WHICH) is not first


def pa_table(columns):
    kinds = dict.fromkeys(columns, pa.string())
    made = {name: pa.array(each, kinds[name]) for name, each in columns.items()}
    return pa.table(made | {"at": pa.array(range(4))})
