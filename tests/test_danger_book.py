"""Does the book of dangers hold the lives it tells, and the slips of busy people?"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio import Portfolio, samples
from crm_portfolio._frames import to_arrow
from crm_portfolio.errors import SettingsError


@pytest.fixture(scope="module")
def book() -> samples.Book:
    return samples.danger_book()


@pytest.fixture(scope="module")
def clean() -> samples.Book:
    return samples.danger_book(noise=0.0, seed=5)


def test_the_same_seed_gives_the_same_book_and_another_seed_another(
    book: samples.Book,
) -> None:
    again, other = samples.danger_book(), samples.danger_book(seed=1)
    for name, table in book.tables.items():
        assert table.equals(again.tables[name])
    assert book.truths["silent"] == again.truths["silent"]
    assert book.truths["silent"] != other.truths["silent"]


def test_all_of_it_is_taken_without_a_fault(book: samples.Book) -> None:
    portfolio = Portfolio.from_frames(
        as_of=book.truths["as_of"], currency="EUR", **book.tables
    )
    faults = to_arrow(portfolio.faults)
    assert set(faults["table"].to_pylist()) <= {"account"}  # planted loops of parents
    assert portfolio.row_counts["revenue_line"] == book.tables["revenue_line"].num_rows


@pytest.mark.parametrize("wrong", [{"accounts": 99}, {"noise": 0.6}, {"noise": -0.1}])
def test_a_book_too_small_or_too_noisy_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="book of dangers"):
        samples.danger_book(**wrong)  # type: ignore[arg-type]


def test_about_a_tenth_of_the_accounts_has_each_story(book: samples.Book) -> None:
    count = book.tables["account"].num_rows
    for name in ("late_payers", "loss_making", "silent"):
        assert 0.04 < len(book.truths[name]) / count < 0.16
    gone = book.truths["departures"]["left_on"]
    a_year = pc.greater(gone, pa.scalar(book.truths["as_of"] - timedelta(days=365)))
    assert 0.06 < pc.sum(a_year).as_py() / count < 0.14


def test_the_stories_do_not_follow_from_one_another(book: samples.Book) -> None:
    late, costly = (set(book.truths[name]) for name in ("late_payers", "loss_making"))
    both = len(late & costly) / len(costly)
    assert both < 0.25


def test_nobody_orders_after_leaving_but_for_a_slip(
    book: samples.Book, clean: samples.Book
) -> None:
    for each, most in ((clean, 0), (book, 0.1)):
        gone = dict(
            zip(
                *(each.truths["departures"][n].to_pylist() for n in COLUMNS),
                strict=True,
            )
        )
        late = [
            row
            for row in each.tables["revenue_line"].to_pylist()
            if row["account_id"] in gone and row["booked_on"] > gone[row["account_id"]]
        ]
        bought = [row for row in late if row["cost"]]
        assert len({row["account_id"] for row in late}) <= 2 * most * len(gone)
        assert len(bought) <= most * len(gone)


COLUMNS = ("account_id", "left_on")


def test_who_holds_money_back_does_so_on_most_bills(clean: samples.Book) -> None:
    late = set(clean.truths["late_payers"])
    days: dict[bool, list[int]] = {True: [], False: []}
    for row in clean.tables["invoice"].to_pylist():
        if row["paid_on"] and not row["is_disputed"]:
            days[row["account_id"] in late].append(
                (row["paid_on"] - row["due_on"]).days
            )
    assert np.median(days[True]) > 30
    assert np.median(days[False]) <= 0
    assert 0.02 < np.mean(np.array(days[False]) > 10) < 0.06


def test_the_season_of_one_in_ten_ends_in_october(clean: samples.Book) -> None:
    lines = clean.tables["revenue_line"]
    winter = pc.is_in(pc.month(lines["booked_on"]), value_set=pa.array([11, 12, 1, 2]))
    bought = set(lines["account_id"].to_pylist())
    in_winter = set(lines.filter(winter)["account_id"].to_pylist())
    few = lines.group_by("account_id").aggregate([("line_id", "count")])
    many = set(
        few.filter(pc.greater(few["line_id_count"], 30))["account_id"].to_pylist()
    )
    assert 0.05 < len((bought - in_winter) & many) / len(many) < 0.15


def test_slips_spoil_one_record_in_twenty(book: samples.Book) -> None:
    invoice = book.tables["invoice"]
    undated = invoice["due_on"].null_count / invoice.num_rows
    assert 0.02 < undated < 0.03  # the other half was booked late
    missing = 1 - book.tables["effort"].num_rows / invoice.num_rows
    assert 0.02 < missing < 0.03


def test_nothing_is_of_the_future(book: samples.Book) -> None:
    last = book.truths["as_of"]
    for name, column in (
        ("revenue_line", "booked_on"),
        ("invoice", "issued_on"),
        ("invoice", "paid_on"),
        ("effort", "worked_on"),
        ("activity", "occurred_at"),
        ("ticket", "opened_at"),
    ):
        days = book.tables[name][column].cast(pa.date32())
        assert date(2022, 7, 1) <= pc.min(days).as_py()
        assert pc.max(days).as_py() <= last
