"""Does the book of lost sales hold the stories it tells, and the slips of busy people?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.compute as pc
import pytest

from crm_portfolio import Calendar, Portfolio, samples
from crm_portfolio._frames import to_arrow
from crm_portfolio.errors import SettingsError

CLASSES = {
    "data_insufficient",
    "disqualified",
    "lost_client",
    "missed_late",
    "missed_neglected",
    "missed_underinvested",
    "missed_unseen",
    "no_decision",
    "pursued_lost",
    "unclassified",
}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def book() -> samples.Book:
    return samples.lost_book()


@pytest.fixture(scope="module")
def clean() -> samples.Book:
    """The same people, writing everything down at once."""
    return samples.lost_book(opportunities=3_000, noise=0.0, seed=5)


@pytest.fixture(scope="module")
def told(clean: samples.Book) -> dict[str, list[Row]]:
    """By class: its opportunities, each with what was said until it was closed."""
    careless = set(clean.truths["careless_owners"].to_pylist())
    rows = {r["opportunity_id"]: r for r in clean.tables["opportunity"].to_pylist()}
    for row in rows.values():
        row["contacts"] = []
    for each in clean.tables["activity"].to_pylist():
        row = rows[each["opportunity_id"]]
        ended = row["closed_on"] or clean.truths["as_of"]
        if each["status"] == "held" and each["kind"] != "automatic reply":
            each["is_before"] = each["occurred_at"].date() <= ended
            row["contacts"].append(each)
    found: dict[str, list[Row]] = {}
    for truth in clean.truths["lost"].to_pylist():
        if truth["record"] == "opportunity" and truth["owner_id"] not in careless:
            row = rows[truth["record_id"]]
            before = [each for each in row["contacts"] if each["is_before"]]
            before.sort(key=lambda each: each["occurred_at"])
            found.setdefault(truth["class"], []).append(
                row | {"contacts": before, "story": truth["story"]}
            )
    return found


def _ways(row: Row) -> str:
    return "".join(each["direction"][0] for each in row["contacts"])


def _working_days(book: samples.Book, first: datetime, last: datetime) -> int:
    zone = ZoneInfo(book.truths["time_zone"])
    begins, ends = (each.astimezone(zone).date() for each in (first, last))
    return int(np.busday_count(begins, ends, holidays=book.truths["holidays"]))


class TestItsShape:
    def test_the_same_seed_gives_the_same_book(self, book: samples.Book) -> None:
        again = samples.lost_book()
        assert all(again.tables[n].equals(t) for n, t in book.tables.items())
        assert again.truths["lost"].equals(book.truths["lost"])
        other = samples.lost_book(seed=7)
        assert not other.tables["activity"].equals(book.tables["activity"])

    @pytest.mark.parametrize("asked", [{"opportunities": 999}, {"noise": 0.6}])
    def test_what_cannot_be_drawn_is_refused(self, asked: Any) -> None:
        with pytest.raises(SettingsError, match="a book of lost sales needs"):
            samples.lost_book(**asked)

    def test_it_tells_the_truth_of_every_lost_sale_and_every_enquiry(
        self, book: samples.Book
    ) -> None:
        opportunity, truth = book.tables["opportunity"], book.truths["lost"]
        lost = opportunity.filter(pc.equal(opportunity["status"], "lost"))
        ids = {each for each in lost["opportunity_id"].to_pylist() if each[0] == "O"}
        asked = book.tables["enquiry"].filter(
            pc.is_null(book.tables["enquiry"]["opportunity_id"])
        )
        ids |= set(asked["enquiry_id"].to_pylist())
        assert set(truth["record_id"].to_pylist()) == ids
        assert len(truth) == len(ids)
        assert set(truth["class"].to_pylist()) - {None} == CLASSES

    def test_no_class_is_rare(self, book: samples.Book) -> None:
        counts = book.truths["lost"]["class"].value_counts().to_pylist()
        assert min(each["counts"] for each in counts) >= 60

    def test_it_is_a_portfolio_without_any_fault_that_stops(
        self, book: samples.Book
    ) -> None:
        truths = book.truths
        portfolio = Portfolio.from_frames(
            as_of=truths["as_of"],
            currency=truths["currency"],
            calendar=Calendar(time_zone=truths["time_zone"]),
            **book.tables,
        )
        faults = set(to_arrow(portfolio.faults)["fault"].to_pylist())
        known = {"after_as_of", "open_without_amount", "parent_loop"}
        assert faults <= known | {"won_without_amount"}

    def test_two_hundred_thousand_sales_take_no_loop(self) -> None:
        large = samples.lost_book(opportunities=200_000)
        assert large.tables["activity"].num_rows > 1_600_000

    def test_nothing_closes_before_it_was_created_or_after_the_last_day(
        self, book: samples.Book
    ) -> None:
        for row in book.tables["opportunity"].to_pylist():
            ended = row["closed_on"] or book.truths["as_of"]
            assert row["created_at"].date() - timedelta(days=1) <= ended
            assert ended <= book.truths["as_of"]


class TestItsStories:
    """What the classes mean, read off the records of people who forget nothing."""

    def test_whom_nobody_saw_nobody_wrote_to(self, told: dict[str, list[Row]]) -> None:
        rows = told["missed_unseen"]
        assert not any("o" in _ways(row) for row in rows)
        assert sum(bool(row["contacts"]) for row in rows) > len(rows) / 2

    def test_who_was_late_answered_days_later_and_heard_no_more(
        self, clean: samples.Book, told: dict[str, list[Row]]
    ) -> None:
        for row in told["missed_late"]:
            ways = _ways(row)
            answer = row["contacts"][ways.index("o")]["occurred_at"]
            assert _working_days(clean, row["created_at"], answer) >= 4
            assert "i" not in ways[ways.index("o") :]

    def test_all_others_were_answered_within_two_working_days(
        self, clean: samples.Book, told: dict[str, list[Row]]
    ) -> None:
        slow = {"missed_unseen", "missed_late", "data_insufficient"}
        for name in CLASSES - slow:
            for row in told[name]:
                first = row["contacts"][_ways(row).index("o")]["occurred_at"]
                is_slow = _working_days(clean, row["created_at"], first) > 2
                assert is_slow == (row["story"] == "slow_to_begin")

    def test_many_of_those_answered_at_once_waited_over_a_weekend(
        self, told: dict[str, list[Row]]
    ) -> None:
        quiet = [row for row in told["no_decision"] if row["story"] == "went_quiet"]
        waits = [
            row["contacts"][_ways(row).index("o")]["occurred_at"] - row["created_at"]
            for row in quiet
        ]
        assert sum(wait > timedelta(days=1) for wait in waits) > len(waits) / 5

    def test_what_was_left_lying_had_begun_as_a_talk(
        self, told: dict[str, list[Row]]
    ) -> None:
        for row in told["missed_neglected"]:
            last = row["contacts"][-1]["occurred_at"].date()
            assert {"i", "o"} <= set(_ways(row))
            assert (row["closed_on"] - last).days >= 39
            assert (
                row["next_step"] is None or row["expected_close_on"] < row["closed_on"]
            )

    def test_what_was_hardly_tried_was_worth_more_and_got_less(
        self, told: dict[str, list[Row]]
    ) -> None:
        tried, pursued = told["missed_underinvested"], told["pursued_lost"]
        worth = [
            np.median([row["amount"] for row in rows]) for rows in (tried, pursued)
        ]
        talks = [
            np.median([len(_ways(row)) for row in rows]) for rows in (tried, pursued)
        ]
        assert worth[0] > 2 * worth[1]
        assert talks[0] < talks[1] / 2
        assert max(len(_ways(row)) for row in tried) <= 5

    def test_who_was_turned_away_was_heard_first(
        self, told: dict[str, list[Row]]
    ) -> None:
        for row in told["disqualified"]:
            assert {"i", "o"} <= set(_ways(row))
            assert row["loss_reason_by"] == "seller"

    def test_a_lost_account_was_to_renew(self, told: dict[str, list[Row]]) -> None:
        assert {row["kind"] for row in told["lost_client"]} == {"renewal"}
        others = [row for name in CLASSES - {"lost_client"} for row in told[name]]
        assert {row["kind"] for row in others} == {"new"}

    def test_who_chose_otherwise_said_why_and_who_chose_nothing_too(
        self, told: dict[str, list[Row]]
    ) -> None:
        chose = {row["loss_reason"] for row in told["pursued_lost"]}
        nothing = {row["loss_reason"] for row in told["no_decision"]}
        assert None not in chose | nothing
        assert not chose & nothing

    def test_the_careless_log_next_to_nothing(self, clean: samples.Book) -> None:
        careless = set(clean.truths["careless_owners"].to_pylist())
        logged = set(clean.tables["activity"]["opportunity_id"].to_pylist())
        shares = {True: [0, 0], False: [0, 0]}
        for row in clean.tables["opportunity"].to_pylist():
            if row["status"] == "won":
                count = shares[row["owner_id"] in careless]
                count[0] += row["opportunity_id"] in logged
                count[1] += 1
        assert shares[True][0] / shares[True][1] < 0.25
        assert shares[False][0] / shares[False][1] > 0.9

    def test_nobody_writes_again_to_who_refused(self, clean: samples.Book) -> None:
        truths = clean.truths["lost"].to_pylist()
        assert len(clean.truths["refused"]) > 20
        assert not any(row["attempt_count"] for row in truths if row["refused_on"])
        assert sum((row["attempt_count"] or 0) > 1 for row in truths) > 20

    def test_what_was_won_back_says_so_in_its_history(
        self, clean: samples.Book
    ) -> None:
        back = set(clean.truths["won_back"].to_pylist())
        moves: dict[str, list[tuple[str, str]]] = {}
        change = clean.tables["opportunity_change"].sort_by("changed_at")
        for row in change.to_pylist():
            if row["field"] == "stage":
                moves.setdefault(row["opportunity_id"], []).append(
                    (row["old"], row["new"])
                )
        reopened = {
            sale for sale, steps in moves.items() if ("Lost", "Negotiation") in steps
        }
        assert back == reopened
        assert all(moves[sale][-1] == ("Negotiation", "Won") for sale in back)

    def test_who_took_over_was_not_who_let_it_lie(self, clean: samples.Book) -> None:
        change = clean.tables["opportunity_change"]
        passed = change.filter(pc.equal(change["field"], "owner_id")).to_pylist()
        now = {r["opportunity_id"]: r for r in clean.tables["opportunity"].to_pylist()}
        then = {r["record_id"]: r for r in clean.truths["lost"].to_pylist()}
        assert passed
        for row in passed:
            sale = row["opportunity_id"]
            assert row["old"] == then[sale]["owner_id"]
            assert row["new"] == now[sale]["owner_id"]
            assert then[sale]["class"] == "missed_neglected"


class TestItsSlips:
    def test_about_one_record_in_twenty_has_a_slip(self, book: samples.Book) -> None:
        activity, opportunity = book.tables["activity"], book.tables["opportunity"]
        for column, nulls in (
            (activity["direction"], 0.01),
            (opportunity["amount"], 0.05),
            (opportunity["kind"], 0.05),
        ):
            assert column.null_count / len(column) == pytest.approx(nulls, rel=0.2)
        assert len(book.truths["duplicates"]) > 100

    def test_without_noise_nothing_is_missing(self, clean: samples.Book) -> None:
        assert clean.tables["activity"]["direction"].null_count == 0
        assert clean.tables["opportunity"]["amount"].null_count == 0
        assert len(clean.truths["duplicates"]) == 0

    def test_a_second_entry_is_that_of_a_sale(self, book: samples.Book) -> None:
        rows = {r["opportunity_id"]: r for r in book.tables["opportunity"].to_pylist()}
        for original in book.truths["duplicates"].to_pylist():
            first, again = rows[original], rows["D" + original[1:]]
            for name in ("account_id", "name", "amount"):
                assert first[name] == again[name]
            later = again["created_at"] - first["created_at"]
            assert timedelta() < later < timedelta(days=3)

    def test_automatic_replies_cancelled_plans_and_circulars_answer_nobody(
        self, book: samples.Book
    ) -> None:
        truths = {r["record_id"]: r["class"] for r in book.truths["lost"].to_pylist()}
        closed = {
            r["opportunity_id"]: r["closed_on"]
            for r in book.tables["opportunity"].to_pylist()
        }
        found = {"automatic": 0, "planned": 0, "after": 0}
        for row in book.tables["activity"].to_pylist():
            sale = row["opportunity_id"]
            if truths.get(sale) != "missed_unseen" or row["direction"] != "out":
                continue
            found["automatic"] += row["kind"] == "automatic reply"
            found["planned"] += row["status"] != "held"
            found["after"] += row["occurred_at"].date() > closed[sale]
        assert min(found.values()) > 20

    def test_moments_are_those_of_paris(self, clean: samples.Book) -> None:
        zone = ZoneInfo(clean.truths["time_zone"])
        hours = {True: set(), False: set()}  # type: dict[bool, set[int]]
        for row in clean.tables["activity"].to_pylist():
            if row["direction"] == "out" and row["kind"] == "call":
                local = row["occurred_at"].astimezone(zone)
                hours[local.dst() == timedelta(0)].add(local.hour)
        assert hours[True] == hours[False] == set(range(9, 18))

    def test_nobody_of_us_works_on_holidays(self, clean: samples.Book) -> None:
        zone = ZoneInfo(clean.truths["time_zone"])
        holidays = set(clean.truths["holidays"])
        days: set[date] = {
            row["occurred_at"].astimezone(zone).date()
            for row in clean.tables["activity"].to_pylist()
            if row["direction"] == "out"
            and row["kind"] != "automatic reply"
            and row["status"] == "held"
        }
        assert date(2025, 12, 24) in days
        assert not days & holidays
        assert max(day.weekday() for day in days) == 4
        assert datetime(2026, 6, 30, tzinfo=UTC).date() >= max(days)
