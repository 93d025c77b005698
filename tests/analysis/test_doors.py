"""What leaves the engine and the folder when everything is analysed?"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import attrs
import duckdb
import numpy as np
import pyarrow as pa
import pytest
from door_watch import Watch, watched

from crm_portfolio import Calendar, Period, Portfolio, _frames, analyse, samples
from crm_portfolio.analysis import _facts

MOST = {
    "opportunity": 29,  # five look no more up there than the ordinals of ids
    "opportunity_change": 3,
    "activity": 10,
    "revenue_line": 21,
    "invoice": 5,
}
"""How often all analyses together ask for each; what two ask for alike is found once."""
BUYERS = 12  # so that what comes back by account and month is short


def long_book(folder: Path) -> dict[str, int]:
    """Saved in the folder: many sales, and very many lines of a few accounts."""
    book = samples.lost_book(opportunities=4_000)
    chance = np.random.default_rng(7)
    buyers = book.tables["account"]["account_id"].slice(0, BUYERS).to_numpy()

    def days(count: int) -> pa.Array:
        back = chance.integers(0, 1_000, count).tolist()
        return pa.array([date(2026, 6, 30) - timedelta(days=each) for each in back])

    def rows(letter: str, count: int) -> dict[str, Any]:
        ids = pa.array([f"{letter}{at:06}" for at in range(count)])
        whose = pa.array(buyers[chance.integers(0, BUYERS, count)], pa.string())
        amount = chance.integers(100, 90_000, count) / 100
        return {"id": ids, "account_id": whose, "amount": amount}

    line, bill = rows("L", 9_000), rows("I", 4_000)
    line |= {"booked_on": days(9_000), "line_id": line.pop("id")}
    bill |= {"issued_on": days(4_000), "invoice_id": bill.pop("id")}
    bill |= {"due_on": bill["issued_on"], "paid_on": days(4_000)}
    portfolio = Portfolio.from_frames(
        as_of=book.truths["as_of"],
        currency="EUR",
        calendar=Calendar(book.truths["time_zone"]),
        **book.tables,
        revenue_line=pa.table(line),
        invoice=pa.table(bill),
    )
    portfolio.save(folder)
    return dict(portfolio.row_counts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> tuple[Path, dict[str, int]]:
    place = tmp_path_factory.mktemp("long") / "book"
    return place, long_book(place)


@attrs.frozen
class Analysed:
    """What happened while everything was analysed."""

    names: set[str]
    watch: Watch
    asked: Counter[str]
    plans: list[str]


@pytest.fixture(scope="module")
def analysed(folder) -> Analysed:
    place, _ = folder
    asked: Counter[str] = Counter()
    plans: dict[str, str] = {}

    def opened(portfolio, name, real=Portfolio.__getitem__):
        asked[name] += 1
        return real(portfolio, name)

    def planned(frame, real=_frames.backend_of):
        """Whatever is worked out, or kept, is asked first what it is of."""
        engine = real(frame)
        if engine == "duckdb" and hasattr(frame, "explain"):
            asked_for = frame.sql_query()
            if "JOIN" in asked_for and asked_for not in plans:
                plans[asked_for] = frame.explain()
        return engine

    with pytest.MonkeyPatch.context() as patch, watched() as watch:
        patch.setattr(_frames, "backend_of", planned)
        patch.setattr(Portfolio, "__getitem__", opened)
        portfolio = Portfolio.load(place, backend="duckdb")
        names = {*analyse(portfolio)}
    return Analysed(names, watch, asked, [*plans.values()])


def test_no_long_table_leaves_its_engine_or_is_read_whole(folder, analysed):
    """What comes out is counted by account and month; a folder's files stay files.

    Nor is any read for the portfolio's id, which the folder says.
    """
    _, counts = folder
    assert not {"win_back", "pipeline", "receivables"} - analysed.names
    rows, way = analysed.watch.most
    assert 0 < rows < min(counts[name] for name in MOST) / 2, way
    asked = analysed.asked
    more_often = {name: asked[name] for name in MOST if asked[name] > MOST[name]}
    assert not more_often


@pytest.mark.skipif(
    duckdb.__version__ < "2", reason="kept tables are crossed with one row"
)
def test_no_table_is_laid_beside_another_but_where_something_is_the_same(analysed):
    """Pairs by range are as many as both tables multiplied, before any of them is left."""
    words = (
        "Nested Loop",
        "Blockwise NL",
        "Piecewise Merge",
        "IE Join",
        "Cross Product",
    )
    assert len(analysed.plans) > 50
    found = [plan for plan in analysed.plans if any(word in plan for word in words)]
    assert not found, found[0]


def test_what_several_analyses_ask_of_a_table_is_found_once(folder, monkeypatch):
    place, _ = folder
    portfolio = Portfolio.load(place, backend="duckdb")
    asked: Counter[str] = Counter()

    def opened(portfolio, name, real=Portfolio.__getitem__):
        asked[name] += 1
        return real(portfolio, name)

    monkeypatch.setattr(Portfolio, "__getitem__", opened)
    facts = _facts.revenue_facts(
        portfolio, Period.last_months(12), None, needed_by="this test"
    )
    reductions = (_facts.worked, _facts.attached, _facts.monthly_revenue)
    for reduction in (*reductions, _facts.purchases):
        reduction(portfolio, facts)
    before = asked.copy()
    for reduction in (*reductions, _facts.purchases):
        reduction(portfolio, facts)
    again = _facts.revenue_facts(
        portfolio, Period.last_months(12), "net_revenue", needed_by="another"
    )
    assert again is facts
    assert _facts.costs_of_lines(portfolio, facts.period).num_rows == BUYERS
    assert asked == before


def test_a_folder_is_read_where_it_lies_with_the_same_bytes(folder):
    place, _ = folder
    lying, held = (
        Portfolio.load(place, backend=backend) for backend in ("duckdb", "pyarrow")
    )
    assert lying.id == held.id
    for name in ("tiers", "receivables", "pipeline"):
        one, other = (analyse(each, only=name)[name] for each in (lying, held))
        assert one.arrow.equals(other.arrow)
        assert one.summary == other.summary
