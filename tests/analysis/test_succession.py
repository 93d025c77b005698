from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import attrs
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio import samples
from crm_portfolio._frames import from_arrow, to_arrow
from crm_portfolio._methods._rates import wilson
from crm_portfolio.analysis import Bands, SuccessionSettings, succession
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Period, Portfolio

AS_OF = date(2026, 6, 30)
LAST, BEFORE = date(2026, 1, 15), date(2025, 1, 15)
FOUNDED = date(2023, 1, 5)
FOLLOWS, DAY = date(2025, 12, 1), timedelta(days=1)
BANDS = Bands((1000, 100))
AMOUNTS = (2000.0, 500.0, 50.0, None)  # of tier A, B, C by these bands, and of nobody
COUNTS = [[16, 3, 0, 1], [2, 30, 6, 2], [0, 5, 80, 15]]
PLAIN = SuccessionSettings(method=BANDS, smoothing=0)


def quarter(back: int) -> date:
    """A day in the quarter so many before the last, which has the number 0."""
    month = 2026 * 12 + 4 - 3 * back
    return date(month // 12, month % 12 + 1, 14)


def portfolio_of(
    lines, *, parents=(), as_of=AS_OF, accounts=(), backend="pyarrow", **more
):
    """A book of lines (account, day, amount[, product]); who is there is in them."""
    rows = [(*line, None)[:4] for line in lines]
    ids = sorted({row[0] for row in rows} | set(accounts))
    parent = dict(parents)
    tables = {
        "account": pa.table(
            {
                "account_id": pa.array(ids, pa.string()),
                "parent_id": pa.array([parent.get(each) for each in ids], pa.string()),
            }
        ),
        "revenue_line": pa.table(
            {
                "line_id": pa.array(
                    [f"L{at:06}" for at in range(len(rows))], pa.string()
                ),
                "account_id": pa.array([row[0] for row in rows], pa.string()),
                "booked_on": pa.array([row[1] for row in rows], pa.date32()),
                "amount": pa.array([row[2] for row in rows], pa.float64()),
                "product_id": pa.array([row[3] for row in rows], pa.string()),
            }
        ),
    } | more
    frames = {name: from_arrow(table, backend) for name, table in tables.items()}
    return Portfolio.from_frames(as_of=as_of, currency="EUR", **frames)


def founded(ids):
    """A cent and its reversal long ago, so that nobody is new."""
    return [(each, FOUNDED, cent) for each in ids for cent in (0.01, -0.01)]


def moving(counts):
    """Accounts that move between the two years as these counts say."""
    lines, ids = [], []
    for was, row in enumerate(counts):
        for now, count in enumerate(row):
            for each in range(count):
                account = f"{was}{now}-{each:03}"
                ids.append(account)
                for day, tier in ((BEFORE, was), (LAST, now)):
                    if AMOUNTS[tier] is not None:
                        lines.append((account, day, AMOUNTS[tier]))
    return [*founded(ids), *lines]


def series(account, amounts, product="P"):
    """One line a quarter, the oldest first; None where there is none."""
    last = len(amounts) - 1
    return [
        (account, quarter(last - at), amount, product)
        for at, amount in enumerate(amounts)
        if amount is not None
    ]


def rows_of(result):
    return {row["account_id"]: row for row in to_arrow(result.frame).to_pylist()}


def codes(result):
    return [warning.code for warning in result.warnings]


def said(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def moved():
    return succession(portfolio_of(moving(COUNTS)), PLAIN)


class TestTheMovesBetweenTiers:
    def test_they_are_counted_as_they_were_planted(self, moved):
        """Sheet 3.2 [H]: N (A,B,C -> A,B,C,Lost) and P."""
        told = moved.summary["transitions"]
        assert told["states"] == ["A", "B", "C", "lost"]
        assert told["counts"] == COUNTS
        assert told["shares"] == [
            [0.80, 0.15, 0, 0.05],
            [0.05, 0.75, 0.15, 0.05],
            [0, 0.05, 0.80, 0.15],
        ]
        assert (told["from_on"], told["to_on"]) == ("2025-06-30", "2026-06-30")
        assert told["row_counts"] == [20, 40, 100]

    def test_what_follows_from_them_is_that_of_the_sheet(self, moved):
        """Sheet 3.2 [H]: expected years 13.5714, 11.4286, 7.8571; Shorrocks .325."""
        years = [tier["years_to_loss"] for tier in moved.summary["tiers"]]
        assert years == pytest.approx([13.5714, 11.4286, 7.8571], abs=5e-5)
        assert moved.summary["transitions"]["mobility"] == pytest.approx(0.325)
        # Next year starts from those who are in the tiers now: 18, 38 and 86.
        assert [*moved.summary["projection"][0].values()] == [0, 18, 38, 86, 0]
        assert moved.leaving_rates == {"A": 0.05, "B": 0.05, "C": 0.15}

    def test_half_as_many_are_to_come_into_the_top_as_leave_it(self):
        """Sheet 3.4 [H]: with 3.2's counts A gains .05*40 = 2 and loses 4: .5 by count."""
        still = [[20, 0, 0, 0], [0, 40, 0, 0], [0, 0, 100, 0]]
        book = portfolio_of(moving(still))
        assert succession(book, PLAIN).summary["replacement"]["expected_rate"] is None
        told = succession(portfolio_of(moving(COUNTS)), PLAIN).summary["replacement"]
        # From 18, 38, 86: 38 * .05 come, 18 * .2 go.
        assert told["expected_entering_count"] == pytest.approx(1.9)
        assert told["expected_leaving_count"] == pytest.approx(3.6)

    def test_rows_lean_on_those_of_all_tiers(self):
        """Sheet 3.2: P = (N_ij + m*p0_j)/(N_i + m), m = 4, p0 the pooled row."""
        result = succession(
            portfolio_of(moving(COUNTS)), attrs.evolve(PLAIN, smoothing=4)
        )
        assert result.leaving_rates == {
            "A": pytest.approx((1 + 4 * 18 / 160) / 24),
            "B": pytest.approx((2 + 4 * 18 / 160) / 44),
            "C": pytest.approx((15 + 4 * 18 / 160) / 104),
        }
        assert result.params["matrix"] == "smoothed"

    def test_few_moves_of_a_tier_are_warned_of(self, moved):
        assert "row_lt_10" not in codes(moved)
        few = succession(
            portfolio_of(moving([[1, 1, 0, 0], [0, 9, 0, 0], [0, 0, 10, 0]])), PLAIN
        )
        (warning,) = [each for each in few.warnings if each.code == "row_lt_10"]
        assert warning.values["tiers"] == "A, B"

    def test_a_year_unlike_the_one_before_is_warned_of(self):
        """Sheet 3.2: compare two years' matrices by chi-square before using powers."""
        lines = moving([[60, 0, 0, 0], [0, 20, 20, 20], [0, 0, 20, 0]])
        same = [(account, BEFORE - timedelta(days=365), amount)
                for account, day, amount in lines if day == BEFORE]  # fmt: skip
        result = succession(portfolio_of([*lines, *same]), PLAIN)
        stability = result.summary["transitions"]["stability"]
        # Of 60 in B all stayed, then 20: two by three ways to go, chi-square 60.
        assert (stability["chi_square"], stability["degrees_of_freedom"]) == (60, 2)
        assert stability["p"] < 1e-9
        assert "unstable_matrix" in codes(result)

    def test_who_was_not_there_a_year_before_is_in_no_row(self):
        lines = [*moving(COUNTS), ("N1", LAST, 2000.0), ("N2", quarter(0), 500.0)]
        result = succession(portfolio_of(lines), PLAIN)
        told, found = result.summary["transitions"], rows_of(result)
        assert told["counts"] == COUNTS
        assert told["new_count"] == 1  # N2 came less than three months before
        assert [found[each]["tier"] for each in ("N1", "N2")] == ["A", "new"]
        assert found["N1"]["tier_year_ago"] == "none"

    def test_who_comes_back_is_counted_apart(self):
        lines = [
            *moving(COUNTS),
            *founded(["W"]),
            ("W", date(2024, 1, 5), 500.0),
            ("W", LAST, 500.0),
        ]
        told = succession(portfolio_of(lines), PLAIN).summary["transitions"]
        assert (told["counts"], told["returned_count"]) == (COUNTS, 1)

    def test_lines_that_come_to_nothing_are_a_loss(self):
        """Amendment 15: lines but net <= 0 -> Lost."""
        lines = [
            *founded(["A"]),
            ("A", BEFORE, 500.0),
            ("A", LAST, 9.0),
            ("A", LAST, -9.0),
        ]
        result = succession(portfolio_of(lines), PLAIN)
        assert result.summary["transitions"]["counts"][1] == [0, 0, 0, 1]
        assert rows_of(result)["A"]["tier"] == "lost"

    def test_an_account_merged_into_its_group_is_not_lost(self):
        """Sheet 3.2: never treat a merged account as lost (use parent)."""
        lines = [*founded("AB"), ("A", BEFORE, 500.0), ("B", LAST, 500.0)]
        alone = succession(portfolio_of(lines), PLAIN)
        group = succession(portfolio_of(lines, parents={"A": "B"}), PLAIN)
        assert alone.summary["transitions"]["counts"][1] == [0, 0, 0, 1]
        assert group.summary["transitions"]["counts"][1] == [0, 0, 0, 0]
        assert group.summary["transitions"]["moved_in_group_count"] == 1
        assert rows_of(group)["A"]["tier"] == "merged"
        assert "merged_in_group" in codes(group)
        assert "its group goes on" in group.explain("A")
        assert group.summary["retention"]["net"] == 1
        assert alone.summary["retention"]["net"] == 0

    @pytest.mark.parametrize(
        ("spans", "tier"),
        [
            ([(BEFORE, date(2028, 1, 1))], "under_contract"),
            ([(BEFORE, date(2026, 1, 1))], "lost"),
            ([(BEFORE, FOLLOWS - DAY), (FOLLOWS, None)], "under_contract"),
            ([(FOLLOWS - DAY, None), (BEFORE, FOLLOWS)], "under_contract"),
            ([(BEFORE, FOLLOWS - 2 * DAY), (FOLLOWS, None)], "lost"),
        ],
    )
    def test_an_account_that_paid_ahead_is_not_lost_while_it_is_under_contract(
        self, spans, tier
    ):
        starts, ends = zip(*spans, strict=True)
        agreed = pa.table(
            {
                "contract_id": [f"K{at}" for at in range(len(spans))],
                "account_id": ["A"] * len(spans),
                "starts_on": starts,
                "ends_on": ends,
            }
        )
        lines = [*founded("AB"), ("A", BEFORE, 500.0)]
        lines += [("B", each, 500.0) for each in (BEFORE, LAST)]
        result = succession(portfolio_of(lines, contract=agreed), PLAIN)
        is_agreed = tier == "under_contract"
        moves = result.summary["transitions"]
        assert moves["counts"][1] == [0, 1, 0, 0 if is_agreed else 1]
        assert moves["under_contract_count"] == int(is_agreed)
        assert rows_of(result)["A"]["tier"] == tier
        assert ("billed_elsewhen" in codes(result)) == is_agreed
        kept = result.summary["retention"]
        assert (kept["net"], kept["unknown_count"]) == (
            (1, 1) if is_agreed else (0.5, 0)
        )

    def test_an_account_whose_amounts_are_unknown_takes_no_part(self, booked):
        lines = [
            ("A", BEFORE, 500.0),
            ("A", LAST, None),
            ("B", BEFORE, 500.0),
            ("B", LAST, 500.0),
        ]
        result = succession(booked(["A", "B"], lines), PLAIN)
        assert result.summary["transitions"]["counts"][1] == [0, 1, 0, 0]
        found = rows_of(result)["A"]
        assert (found["tier"], found["revenue"], found["rising"]) == (
            None,
            None,
            "unknown",
        )

    def test_a_short_book_says_so(self):
        one = succession(portfolio_of([("A", LAST, 5.0)]), PLAIN)
        assert one.leaving_rates == {}
        assert one.summary["projection"] == []
        assert "no_year_before" in codes(one)
        two = succession(portfolio_of([("A", BEFORE, 5.0), ("A", LAST, 5.0)]), PLAIN)
        assert "year_before_partial" in codes(two)
        assert two.leaving_rates == {"A": 0, "B": 0, "C": 0}
        assert two.summary["tiers"][0]["years_to_loss"] is None

    def test_what_an_average_account_brings_from_now_on(self):
        """Sheet 3.2: V = (I - P/(1 + d))^-1 R: of 500 a year that stays with .8: 500/(1 - .8/1.1)."""
        lines = moving([[0, 0, 0, 0], [0, 8, 0, 2], [0, 0, 0, 0]])
        chosen = SuccessionSettings(method=Bands((100,)), smoothing=0)
        result = succession(
            portfolio_of(
                [*lines, *founded("Z"), ("Z", LAST, 50.0), ("Z", BEFORE, 50.0)]
            ),
            chosen,
        )
        assert result.summary["tiers"][0]["present_value"] == pytest.approx(
            500 / (1 - 0.8 / 1.1)
        )


class TestWhoIsLeft:
    def test_net_gross_and_logo_retention_of_the_sheet(self):
        """Sheet 3.3 [H]: start 100 80 60 40 20, end 120 80 45 0 25: .90, .816667, .80."""
        lines = founded("ABCDEX")
        for account, was, now in zip(
            "ABCDE", (100, 80, 60, 40, 20), (120, 80, 45, 0, 25)
        ):
            lines += [(account, BEFORE, float(was)), (account, LAST, float(now))]
        # A new client enters neither.
        told = succession(portfolio_of([*lines, ("X", LAST, 1000.0)])).summary[
            "retention"
        ]
        assert (told["net"], told["logo"]) == (0.9, 0.8)
        assert told["gross"] == pytest.approx(0.816667, abs=5e-7)
        assert (told["group_count"], told["kept_count"]) == (5, 4)
        assert told["logo_low"] < 0.8 < told["logo_high"]

    def test_less_than_nothing_counts_with_its_sign_in_net_and_is_warned_of(self):
        lines = [*founded("AB"), ("A", BEFORE, 100.0), ("B", BEFORE, 100.0)]
        lines += [("A", LAST, -50.0), ("B", LAST, 100.0)]
        result = succession(portfolio_of(lines))
        assert (
            result.summary["retention"]["gross"],
            result.summary["retention"]["net"],
        ) == (0.5, 0.25)
        assert "negative_end" in codes(result)

    def test_who_is_silent_in_its_own_rhythm_is_kept_by_silence(self):
        """Sheet 3.3: for project businesses: no revenue for 2 x the median interval."""
        slow = [
            ("S", date(2022, 1, 10), 9.0),
            ("S", date(2023, 7, 10), 9.0),
            ("S", date(2025, 1, 10), 9.0),
        ]
        brisk = [
            ("B", day, 9.0)
            for day in (date(2024, 11, 10), date(2024, 12, 10), date(2025, 1, 10))
        ]
        told = succession(portfolio_of([*slow, *brisk])).summary["retention"]
        assert (told["logo"], told["logo_by_silence"]) == (0, 0.5)

    def test_an_unknown_amount_is_neither_kept_nor_lost(self, booked):
        """Sheet 0.2: unknown is not zero; the interval is that of those we know."""
        ids = [f"A{at}" for at in range(10)]
        lines = [(each, BEFORE, 100.0) for each in ids]
        lines += [(each, LAST, 100.0 if each < "A5" else None) for each in ids]
        result = succession(booked(ids, lines))
        told = result.summary["retention"]
        assert (told["logo"], told["logo_by_silence"]) == (1, 1)
        assert (told["gross"], told["net"]) == (1, 1)
        counts = [told[f"{name}_count"] for name in ("group", "kept", "unknown")]
        assert counts == [5, 5, 5]
        assert told["logo_low"] == pytest.approx(wilson(5, 5)[0])
        (warning,) = [e for e in result.warnings if e.code == "retention_unknown"]
        assert warning.values == {"n": 5}

    def test_who_was_unknown_the_year_before_is_in_no_retention(self, booked):
        lines = [("A", BEFORE, None), ("A", LAST, 50.0), ("B", BEFORE, 100.0)]
        told = succession(booked("AB", lines)).summary["retention"]
        assert (told["group_count"], told["unknown_count"]) == (1, 1)
        assert (told["net"], told["start_revenue"]) == (0, 100)

    def test_a_group_with_a_hidden_member_is_unknown_as_one(self, booked):
        accounts = [
            {"account_id": "A", "parent_id": None},
            {"account_id": "B", "parent_id": "A"},
        ]
        lines = [("A", BEFORE, 100.0), ("B", BEFORE, 100.0)]
        lines += [("A", LAST, 100.0), ("B", LAST, None)]
        told = succession(booked(accounts, lines)).summary["retention"]
        assert (told["group_count"], told["unknown_count"]) == (0, 1)
        assert (told["logo"], told["gross"]) == (None, None)

    def test_a_known_part_is_enough_to_be_kept_but_not_to_be_lost(self, booked):
        lines = [(each, BEFORE, 100.0) for each in "AB"]
        lines += [("A", LAST, 30.0), ("A", LAST, None)]
        lines += [("B", LAST, -30.0), ("B", LAST, None)]
        told = succession(booked("AB", lines)).summary["retention"]
        assert (told["kept_count"], told["unknown_count"]) == (1, 1)

    def test_unknown_amounts_shrink_no_cohort(self, booked):
        lines = [(each, BEFORE, 100.0) for each in "ABCD"]
        lines += [("A", LAST, 50.0), ("B", LAST, None), ("C", LAST, 150.0)]
        rows = to_arrow(succession(booked([*"ABCD"], lines)).cohorts).to_pylist()
        start, later = rows
        assert (start["kept_share"], start["unknown_count"]) == (1, 0)
        assert (later["group_count"], later["unknown_count"]) == (4, 1)
        assert later["kept_count"] == 2
        assert later["kept_share"] == pytest.approx(2 / 3)
        assert later["revenue_share"] == pytest.approx(200 / 300)

    def test_a_cohort_of_unknown_amounts_has_no_share_and_is_drawn(self, booked):
        figure = pytest.importorskip("matplotlib.figure")
        result = succession(booked(["A"], [("A", BEFORE, 9.0), ("A", LAST, None)]))
        later = to_arrow(result.cohorts).to_pylist()[-1]
        assert (later["kept_share"], later["revenue"]) == (None, None)
        assert later["revenue_share"] is None
        result.plot_cohorts(ax=figure.Figure().subplots())

    def test_cohorts_grow_old_without_being_cut_short(self):
        lines = [
            ("A", date(2023, 8, 1), 10.0),
            ("A", date(2024, 8, 1), 20.0),
            ("A", LAST, 5.0),
        ]
        lines += [
            ("B", date(2023, 9, 1), 30.0),
            ("C", date(2024, 9, 1), 7.0),
            ("C", LAST, 7.0),
        ]
        rows = to_arrow(succession(portfolio_of(lines)).cohorts).to_pylist()
        found = [
            (
                row["cohort"],
                row["age"],
                row["kept_count"],
                row["group_count"],
                row["revenue"],
            )
            for row in rows
        ]
        assert found == [
            ("2023-07-01", 0, 2, 2, 40.0),
            ("2023-07-01", 1, 1, 2, 20.0),
            ("2023-07-01", 2, 1, 2, 5.0),
            ("2024-07-01", 0, 1, 1, 7.0),
            ("2024-07-01", 1, 1, 1, 7.0),
        ]
        assert [row["kept_share"] for row in rows[:3]] == [1, 0.5, 0.5]
        assert [row["revenue_share"] for row in rows[:3]] == [1, 0.5, 0.125]
        assert [row["is_first_of_book"] for row in rows] == [True] * 3 + [False] * 2

    def test_cohorts_may_be_of_any_length(self):
        lines = [("A", quarter(3), 1.0), ("B", quarter(1), 1.0), ("A", quarter(0), 1.0)]
        result = succession(portfolio_of(lines), SuccessionSettings(cohort_months=3))
        found = [
            (row["cohort"], row["age"], row["kept_count"])
            for row in to_arrow(result.cohorts).to_pylist()
        ]
        assert found == [
            ("2025-07-01", 0, 1), ("2025-07-01", 1, 0), ("2025-07-01", 2, 0), ("2025-07-01", 3, 1),
            ("2026-01-01", 0, 1), ("2026-01-01", 1, 0),
        ]  # fmt: skip


class TestTheTopTier:
    @staticmethod
    def stays():
        """In the top from the close after the first big line on: a year, as the sum has it."""
        lines = founded("ABCDT")
        lines += [
            ("A", date(2024, 2, 5), 2000.0)
        ]  # in at 2024-03-31, out at 2025-03-31
        lines += [("B", date(2024, 2, 5), 2000.0), ("B", date(2024, 8, 5), 2000.0)]
        lines += [("C", date(2025, 11, 5), 2000.0)]  # still in
        lines += [
            ("T", date(2023, 2, 5), 2000.0)
        ]  # there when the book's first year ends
        return portfolio_of(lines)

    def test_stays_are_measured_from_close_to_close(self):
        """Sheet 3.4: censored if still in; a first spell of unknown beginning is dropped."""
        result = succession(self.stays(), PLAIN)
        told = result.summary["top_tier"]
        assert (told["spell_count"], told["left_count"], told["truncated_count"]) == (
            3,
            2,
            1,
        )
        assert [
            (row["years"], row["at_risk"], row["left"]) for row in told["curve"]
        ] == [(1.0, 2, 1), (1.5, 1, 1)]
        assert told["half_life_years"] == 1.0
        assert "left_truncated" in codes(result)
        assert result.params["first_close_on"] == "2023-12-31"

    def test_where_nobody_has_left_the_half_life_is_not_reached(self):
        lines = [*founded("AB"), ("A", LAST, 2000.0), ("B", LAST, 50.0)]
        result = succession(portfolio_of(lines), PLAIN)
        told = result.summary["top_tier"]
        assert (told["half_life_years"], told["share_at_horizon"]) == (None, 1)
        assert "half_life_not_reached" in codes(result)

    def test_half_life_from_a_years_retention(self, moved):
        """Sheet 3.4 [H]: r = .80: 3.1063 years."""
        told = moved.summary["top_tier"]
        assert told["kept_share"] == pytest.approx(0.8)
        assert told["half_life_from_retention"] == pytest.approx(3.1063, abs=5e-5)

    def test_what_goes_on_in_its_group_has_not_left_the_top(self):
        lines = [*founded("AB"), ("A", BEFORE, 2000.0), ("B", LAST, 50.0)]
        for parents, count in (({}, 1), ({"A": "B"}, 0)):
            book = portfolio_of(lines, parents=parents)
            told = succession(book, PLAIN).summary["replacement"]["years"][-1]
            assert told["leaving_count"] == count

    def test_what_comes_in_is_held_against_what_leaves(self, moved):
        """Sheet 3.4: revenue entering from below or outside / revenue leaving it."""
        (year,) = moved.summary["replacement"]["years"][-1:]
        # 2 came up from B; 3 fell to B and 1 was lost.
        assert (year["entering_count"], year["leaving_count"]) == (2, 4)
        assert (year["entering_revenue"], year["leaving_revenue"]) == (4000, 8000)
        assert year["rate"] == 0.5


UP = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0]
FLAT = [50.0, 40.0, 60.0, 50.0, 40.0, 60.0, 50.0, 40.0]


def firm_with_one_rising(**more):
    """Two large accounts, ten small ones; R rises and buys one product more."""
    lines = founded(
        [*(f"B{at}" for at in range(2)), *(f"S{at}" for at in range(10)), "R"]
    )
    for at in range(2):
        lines += series(f"B{at}", [4000.0] * 8)
    for at in range(10):
        lines += series(f"S{at}", FLAT)
    lines += series("R", UP)
    lines += [("R", quarter(1), 1.0, "Q")]
    return portfolio_of(lines, **more)


TWO = SuccessionSettings(method=Bands((5000,)))


class TestTheListOfTomorrow:
    def test_an_account_that_rises_and_buys_more_is_on_it(self):
        result = succession(firm_with_one_rising(), TWO)
        found = rows_of(result)
        assert result.rising[0] == "R"
        assert found["R"]["rising"] == "yes"
        assert (
            found["R"]["trend"],
            found["R"]["has_trend"],
            found["R"]["has_breadth"],
        ) == ("rising", True, True)
        assert found["R"]["signal_count"] == 2
        assert {found[f"S{at}"]["rising"] for at in range(10)} == {"no"}
        assert found["B0"]["rising"] == "no"
        assert result.assignments().to_pylist()[0] == {
            "account_id": "R",
            "rising": "yes",
        }

    def test_its_parts_add_up_to_its_score(self):
        found = rows_of(succession(firm_with_one_rising(), TWO))["R"]
        parts = [
            found[f"score_{name}"]
            for name in ("trend", "odds", "potential", "breadth", "interest")
        ]
        assert sum(part or 0 for part in parts) == pytest.approx(found["score"])
        # One in eleven is √10 spreads above the mean of all: (1 - 1/11)/√(1/11 · 10/11).
        assert found["score_breadth"] == pytest.approx(10**0.5)
        assert found["score_potential"] is None

    def test_the_trend_says_how_fast_and_how_surely(self):
        found = rows_of(succession(firm_with_one_rising(), TWO))["R"]
        assert (found["slope_per_year"], found["trend_quarters"]) == (40, 8)
        assert found["slope_relative"] == pytest.approx(40 / 45.5, abs=0.02)
        assert found["trend_p"] == pytest.approx(0.000838, abs=5e-6)
        # 13 are tested: this is the only p so small.
        assert found["trend_q"] == pytest.approx(13 * found["trend_p"])

    def test_a_trend_among_many_may_be_chance(self):
        """Sheet 3.1: control false discoveries, Benjamini-Hochberg at 10 %."""
        lines = series("R", UP)
        for at in range(150):
            lines += series(f"S{at:03}", FLAT)
        lines += series("B", [4000.0] * 8)
        many = succession(
            portfolio_of([*founded({line[0] for line in lines}), *lines]), TWO
        )
        found = rows_of(many)["R"]
        assert found["trend_p"] < 0.001
        assert found["trend_q"] > 0.1
        assert found["trend"] == "flat"

    def test_a_rise_in_next_to_nothing_is_none(self):
        """Sheet 3.1: and the last 12 months > minimum amount."""
        least = attrs.evolve(TWO, min_revenue=261)
        assert rows_of(succession(firm_with_one_rising(), TWO))["R"]["revenue"] == 261
        assert (
            rows_of(succession(firm_with_one_rising(), least))["R"]["trend"] == "flat"
        )

    def test_the_slope_is_not_set_against_a_median_of_nothing(self):
        """Amendment 14: relative slope is null where the median is 0."""
        lines = series("A", [None, None, None, None, None, 5.0, 6.0, 7.0])
        found = rows_of(succession(portfolio_of([*founded("A"), *lines])))["A"]
        assert found["slope_relative"] is None
        assert found["slope_per_year"] is not None

    def test_nor_against_one_below_nothing(self):
        lines = series("A", [-5.0, -6.0, -5.0, -7.0, -5.0, 50.0, 60.0, 70.0])
        lines += series("B", [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, 90.0])
        found = rows_of(succession(portfolio_of([*founded("AB"), *lines])))
        assert found["B"]["slope_per_year"] < 0
        assert [found[each]["slope_relative"] for each in "AB"] == [None, None]

    def test_a_trend_begins_with_the_first_revenue(self):
        """Sheet 3.1: leading zeros before the first purchase are not data."""
        lines = series("A", [1.0] * 8) + series(
            "N", [None] * 3 + [5.0, 6.0, 7.0, 8.0, 9.0]
        )
        lines += series("Y", [None] * 4 + [5.0, 6.0, 7.0, 8.0])
        found = rows_of(succession(portfolio_of([*founded("A"), *lines])))
        assert (found["N"]["trend_quarters"], found["N"]["trend"]) == (5, "rising")
        assert found["N"]["trend_p"] == pytest.approx(2 / 120)
        assert (found["Y"]["trend_quarters"], found["Y"]["trend"]) == (4, "too_short")

    def test_who_has_too_short_a_past_is_unknown_and_may_be_drawn(self):
        """Sheet 3.5: not enough history -> unknown, eligible for the exploration slot."""
        lines = series("A", [4000.0] * 8) + series("Y", [None] * 6 + [5.0, 6.0])
        result = succession(portfolio_of([*founded("A"), *lines]), TWO)
        found = rows_of(result)["Y"]
        assert found["rising"] == "unknown"
        assert result.rising == ("Y",)
        assert found["is_exploration"]
        assert {"too_short", "unknown_history"} <= set(codes(result))
        assert "on the list by chance" in said(result.explain("Y")).lower()

    def test_a_new_one_may_be_drawn_unless_it_is_larger_than_the_small(self):
        lines = series("A", [4000.0] * 8) + series("S", FLAT)
        for new, amount in (("N", 50.0), ("G", 4000.0)):
            lines.append((new, quarter(0), amount, "P"))
        four = attrs.evolve(TWO, list_count=4, exploration_share=0.99)
        result = succession(portfolio_of([*founded("AS"), *lines]), four)
        assert set(result.rising) == {"N", "S"}
        found = rows_of(result)
        assert [found[each]["tier"] for each in "NG"] == ["new", "new"]
        assert [found[each]["rising"] for each in "NG"] == ["unknown", "unknown"]

    def test_an_unknown_amount_hides_a_trend(self, booked):
        days = [quarter(back) for back in range(8)]
        lines = [(each, day, 5.0) for each in "AB" for day in days]
        result = succession(booked(["A", "B"], [*lines, ("A", days[3], None)]))
        found = rows_of(result)
        assert (found["A"]["trend"], found["B"]["trend"]) == ("unknown", "flat")

    def test_it_is_no_longer_than_it_may_be_and_always_has_someone_drawn(self):
        """Sheet 3.5: capped, and always with a random control of small accounts."""
        lines = series("B", [4000.0] * 8)
        for at in range(9):
            lines += series(f"R{at}", [each + at for each in UP])
            lines += [(f"R{at}", quarter(1), 1.0, "Q")]
        lines += series("S0", FLAT) + series("S1", FLAT)
        book = portfolio_of([*founded({line[0] for line in lines}), *lines])
        short = attrs.evolve(TWO, list_count=4)
        result = succession(book, short)
        found = rows_of(result)
        assert len(result.rising) == 4
        assert [found[each]["is_exploration"] for each in result.rising] == [
            False
        ] * 3 + [True]
        assert result.summary["list"]["candidate_count"] == 9
        assert result.summary["list"]["listed_count"] == 3
        left_out = next(
            each
            for each in found
            if each.startswith("R") and found[each]["place"] is None
        )
        assert found[left_out]["rising"] == "no"
        assert "the list, which is full" in said(result.explain(left_out)).replace(
            "Not on ", ""
        )
        only = succession(book, attrs.evolve(TWO, list_count=1))
        assert len(only.rising) == 1
        assert rows_of(only)[only.rising[0]]["is_exploration"]

    @pytest.mark.parametrize(
        ("count", "english", "french"),
        [
            (1, "has room only for those drawn by chance: ", "tirés au sort"),
            (2, "and the 1 on it stands before.", "et celui qui y est passe avant."),
            (4, "and the 3 on it stand before.", "et ceux qui y sont passent avant."),
        ],
    )
    def test_who_has_no_place_is_told_who_has_them(self, count, english, french):
        lines = [line for at in range(9) for line in series(f"R{at}", UP)]
        lines += [(f"R{at}", quarter(1), 1.0, "Q") for at in range(9)]
        lines += series("B", [4000.0] * 8)
        book = portfolio_of([*founded({line[0] for line in lines}), *lines])
        result = succession(book, attrs.evolve(TWO, list_count=count))
        (left_out, *_) = [
            each
            for each, row in rows_of(result).items()
            if row["score"] is not None and row["place"] is None
        ]
        assert english in said(result.explain(left_out))
        assert french in said(result.explain(left_out, lang="fr"))

    def test_size_speaks_for_a_client_and_only_where_it_is_known(self):
        book = firm_with_one_rising()
        account = book["account"].append_column(
            "account_turnover",
            pa.array(
                [
                    None if each == "S1" else 1e9 if each == "S0" else 1e6
                    for each in book["account"]["account_id"].to_pylist()
                ],
                pa.float64(),
            ),
        )
        found = rows_of(succession(book.with_tables(account=account), TWO))
        assert (
            found["S0"]["has_potential"],
            found["S1"]["has_potential"],
            found["S2"]["has_potential"],
        ) == (True, None, False)

    def test_who_comes_more_often_than_is_usual_for_it_shows_interest(self):
        days = {"S0": (5, 200, 300), "S1": (5, 10, 300), "S2": ()}
        rows = [
            (account, AS_OF - timedelta(days=back))
            for account, each in days.items()
            for back in each
        ]
        activity = pa.table(
            {
                "activity_id": [str(at) for at in range(len(rows))],
                "account_id": [account for account, _ in rows],
                "occurred_at": pa.array(
                    [datetime(d.year, d.month, d.day, tzinfo=UTC) for _, d in rows],
                    pa.timestamp("us", "UTC"),
                ),
                "direction": ["in"] * len(rows),
            }
        )
        found = rows_of(succession(firm_with_one_rising(activity=activity), TWO))
        # 1 in three months against a quarter of 2, 2 against a quarter of 1, nothing.
        assert [found[f"S{at}"]["has_interest"] for at in range(3)] == [
            True,
            True,
            False,
        ]

    def test_odds_speak_for_a_tier_from_which_more_move_up_than_from_all_below(self):
        """Sheet 3.5: P(moves up one tier in 12 months) above the base rate."""
        bands = Bands((1000, 100, 10))
        lines = []
        for at in range(20):
            lines += [
                (f"C{at:02}", BEFORE, 50.0),
                (f"C{at:02}", LAST, 500.0 if at < 10 else 50.0),
            ]
            lines += [
                (f"D{at:02}", BEFORE, 5.0),
                (f"D{at:02}", LAST, 50.0 if at < 2 else 5.0),
            ]
        book = portfolio_of([*founded({line[0] for line in lines}), *lines])
        result = succession(book, SuccessionSettings(method=bands))
        found = rows_of(result)
        assert result.summary["list"]["base_rate"] == 12 / 40
        # Drawn towards the base rate by four moves.
        assert found["C19"]["up_rate"] == pytest.approx((10 + 4 * 0.3) / 24)
        assert found["D19"]["up_rate"] == pytest.approx((2 + 4 * 0.3) / 24)
        assert (found["C19"]["has_odds"], found["D19"]["has_odds"]) == (True, False)
        assert found["C00"]["up_rate"] is None

    def test_those_drawn_stay_the_same_all_year_whoever_comes(self):
        book, later = (
            firm_with_one_rising(),
            firm_with_one_rising(as_of=date(2026, 9, 30)),
        )
        more = portfolio_of([("NEW", date(2026, 7, 5), 3.0)], as_of=date(2026, 9, 30))
        grown = later.with_tables(
            account=pa.concat_tables(
                [
                    later["account"],
                    more["account"].select(later["account"].column_names),
                ]
            )
        )
        drawn = [
            set(succession(each, TWO).rising) - {"R"} for each in (book, later, grown)
        ]
        assert drawn[0] == drawn[1] == drawn[2]
        seeds = {
            succession(book, attrs.evolve(TWO, seed=seed)).rising for seed in range(6)
        }
        assert len(seeds) > 1


class TestTheListOfAYearAgo:
    @staticmethod
    def book():
        """R rose until a year ago, when it was small; now it is large. S stayed."""
        lines = series("B", [4000.0] * 12)
        for at in range(12):
            lines += series(f"S{at:02}", [*FLAT, *FLAT[:4]])
        lines += series("R", [*UP, *[2000.0] * 4])
        lines += [("R", quarter(5), 1.0, "Q")]
        return portfolio_of([*founded({line[0] for line in lines}), *lines])

    def test_what_became_of_it_is_told_against_those_it_left_out(self):
        """Sheet 3.5: back-test yearly: precision of last year's list against up-moves."""
        result = succession(self.book(), TWO)
        told = result.summary["back_test"]
        assert (
            told["list"]["count"],
            told["list"]["up_count"],
            told["list"]["up_rate"],
        ) == (1, 1, 1)
        assert told["exploration"]["count"] == 2
        assert told["exploration"]["up_rate"] == 0
        assert (told["others"]["count"], told["others"]["up_rate"]) == (10, 0)
        assert told["list"]["up_rate_low"] < 1
        assert rows_of(result)["R"]["was_listed"] == "signals"
        assert "The list of a year before" in result.explain("R")

    def test_nothing_that_came_later_is_in_it(self):
        """The list of a year ago is made of what was known then."""
        before = Portfolio.from_frames(
            as_of=date(2025, 6, 30),
            currency="EUR",
            account=self.book()["account"],
            revenue_line=self.book()["revenue_line"],
        )
        then, now = succession(before, TWO), rows_of(succession(self.book(), TWO))
        listed = {each for each, row in now.items() if row["was_listed"]}
        assert listed == set(then.rising)

    def test_the_sizes_of_today_are_not_in_it(self):
        book = self.book()
        lines = book["revenue_line"].to_pylist()
        lines.append(dict(lines[0], line_id="X", account_id="S00", product_id="Q"))
        lines[-1] |= {"booked_on": quarter(5), "amount": 1.0}
        ids = book["account"]["account_id"].to_pylist()
        turnover = [1e9 if each == "S00" else 1.0 for each in ids]
        book = book.with_tables(
            account=book["account"].append_column(
                "account_turnover", pa.array(turnover)
            ),
            revenue_line=pa.Table.from_pylist(lines, book["revenue_line"].schema),
        )
        found = rows_of(succession(book, TWO))
        assert found["S00"]["has_potential"] is True
        assert found["S00"]["was_listed"] != "signals"

    def test_a_list_that_found_nothing_is_warned_of(self):
        lines = series("B", [4000.0] * 12)
        for at in range(12):  # rise until a year ago, and stay small
            lines += series(f"R{at:02}", [*UP, *[80.0] * 4])
            lines += [(f"R{at:02}", quarter(5), 1.0, "Q")]
        lines += series("S0", FLAT + FLAT[:4])
        book = portfolio_of([*founded({line[0] for line in lines}), *lines])
        result = succession(book, attrs.evolve(TWO, exploration_share=0.01))
        assert result.summary["back_test"]["list"]["known_count"] == 12
        assert "list_no_better" not in codes(result)  # the others are one, and drawn
        lines += series("S1", FLAT + FLAT[:4])
        book = portfolio_of([*founded({line[0] for line in lines}), *lines])
        result = succession(book, attrs.evolve(TWO, exploration_share=0.01))
        assert "list_no_better" in codes(result)

    def test_without_anyone_to_choose_from_there_is_none(self):
        result = succession(portfolio_of([("A", LAST, 5.0)]))
        assert result.summary["back_test"] is None


class TestAsAResult:
    def test_nothing_changes_between_two_closes(self):
        """Quiet nights: what is assigned is the figure of the last period close."""
        june = firm_with_one_rising()
        lines = june["revenue_line"].to_pylist()
        lines += [
            dict(
                lines[-1],
                line_id="X",
                booked_on=date(2026, 7, 3),
                amount=9e6,
                account_id="S0",
            )
        ]
        july = Portfolio.from_frames(
            as_of=date(2026, 7, 20),
            currency="EUR",
            account=june["account"],
            revenue_line=pa.Table.from_pylist(
                lines, schema=june["revenue_line"].schema
            ),
        )
        before, after = succession(june, TWO), succession(july, TWO)
        whole = succession(july, attrs.evolve(TWO, period=Period.all()))
        assert whole.params["period"]["last_day"] == "2026-06-30"
        assert to_arrow(whole.frame).equals(to_arrow(after.frame))
        assert before.assignments().equals(after.assignments())
        assert before.rising == after.rising
        assert before.explain("R") == after.explain("R")

    def test_only_the_end_of_the_period_counts(self):
        june = succession(firm_with_one_rising(), TWO)
        for period in (
            Period.all(),
            Period.last_months(3),
            Period.between(date(2020, 1, 1), date(2026, 7, 1)),
        ):
            other = succession(firm_with_one_rising(), attrs.evolve(TWO, period=period))
            assert to_arrow(other.frame).equals(to_arrow(june.frame))
        assert june.params["period"]["last_day"] == "2026-06-30"

    @pytest.mark.parametrize("backend", ["pandas", "polars"])
    def test_every_kind_of_frame_gives_the_same_bytes(self, backend):
        same = [
            json.dumps(
                succession(firm_with_one_rising(backend=each), TWO).to_dict()
                | {"params": None},
                sort_keys=True,
            )
            for each in (backend, "pyarrow")
        ]
        assert same[0] == same[1]

    def test_the_order_of_the_lines_does_not_matter(self):
        book = firm_with_one_rising()
        turned = book.with_tables(
            revenue_line=book["revenue_line"].take(
                list(range(book["revenue_line"].num_rows))[::-1]
            )
        )
        assert succession(book, TWO).to_dict() == succession(turned, TWO).to_dict()

    def test_every_setting_is_echoed(self):
        told = succession(samples.firm(), SuccessionSettings()).params["settings"]
        assert set(told) == set(attrs.fields_dict(SuccessionSettings)) - {
            "period",
            "measure",
        }
        assert told["method"] == {"kind": "Slices", "count": 4}

    @pytest.mark.parametrize(
        "wrong",
        [
            {"quarters": 4}, {"alpha": 0}, {"smoothing": -1}, {"list_count": 0},
            {"exploration_share": 1.0}, {"cohort_months": 0}, {"discount_share": 0.0},
        ],
    )  # fmt: skip
    def test_a_setting_that_cannot_be_is_refused(self, wrong):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            SuccessionSettings(**wrong)

    def test_it_needs_revenue_and_nothing_else(self):
        book = Portfolio.from_frames(
            as_of=AS_OF, currency="EUR", account=pa.table({"account_id": ["A"]})
        )
        with pytest.raises(MissingTableError, match="succession"):
            succession(book)

    def test_an_account_is_explained_in_both_languages(self):
        result = succession(samples.firm())
        english, french = (
            said(result.explain("A07")),
            said(result.explain("A07", lang="fr")),
        )
        assert english.splitlines()[:2] == [
            "One of tomorrow's clients, 1st on the list: 2 signals speak for it, 2 are needed.",
            "Signal: its revenue rises, quarter by quarter.",
        ]
        assert french.startswith("Un des clients de demain, 1er de la liste")
        assert (
            "Rising over 8 quarters: a quarter brings 3,333.33 EUR more each year"
            in english
        )

    def test_two_rules_can_be_compared(self):
        one = succession(samples.firm())
        other = succession(samples.firm(), SuccessionSettings(min_signals=3))
        assert one.compared_with(other).moves == {("no", "yes"): 1}

    def test_it_is_saved_with_all_its_figures(self, tmp_path):
        pytest.importorskip("openpyxl")
        result = succession(samples.firm())
        for ending in ("xlsx", "html", "csv", "parquet"):
            result.save(tmp_path / f"succession.{ending}")
        assert "Succession" in (tmp_path / "succession.html").read_text("utf-8")


class TestThePictures:
    @pytest.fixture
    def ax(self):
        figure = pytest.importorskip("matplotlib.figure")
        return figure.Figure().subplots()

    def test_the_matrix_has_its_numbers_in_its_cells(self, ax, moved):
        moved.plot(ax=ax)
        texts = [text.get_text() for text in ax.texts]
        assert texts[:4] == ["80.0", "15.0", "0", "5.0"]
        assert ax.get_yticklabels()[0].get_text() == "A (n = 20)"
        assert [label.get_text() for label in ax.get_xticklabels()][-1] == "lost"
        assert (ax.get_xlabel(), ax.get_ylabel()) == (
            "At the last close",
            "A year before",
        )

    def test_what_comes_is_drawn_beside_what_leaves(self, ax, moved):
        moved.plot_replacement(ax=ax, lang="fr")
        assert [bar.get_height() for bar in ax.patches][-1] == 8000
        assert ax.get_ylabel() == "Chiffre d'affaires (EUR)"
        assert [each.get_text() for each in ax.get_legend().get_texts()] == [
            "Entré en première tranche",
            "Sorti de la première tranche",
        ]

    def test_cohorts_are_drawn_by_age(self, ax, moved):
        moved.plot_cohorts(ax=ax)
        assert [label.get_text() for label in ax.get_xticklabels()] == [
            "0",
            "1",
            "2",
            "3",
        ]

    def test_where_nothing_is_known_a_sentence_stands_instead(self, ax):
        succession(portfolio_of([("A", LAST, 5.0)])).plot(ax=ax)
        assert len(ax.texts) == 1


lines_of = st.lists(
    st.tuples(
        st.sampled_from([f"A{at}" for at in range(8)]),
        st.integers(0, 1200).map(lambda back: AS_OF - timedelta(days=back)),
        st.integers(-100, 1000).map(float),
        st.sampled_from(["P", "Q", None]),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=40)
@given(lines_of, st.integers(1, 6))
def test_whatever_the_book_the_rows_add_up_and_the_list_holds(lines, list_count):
    """Sheet 11.5: rows of P sum to 1; GRR <= 1; 11.12: no exception."""
    book = portfolio_of(lines)
    result = succession(book, SuccessionSettings(list_count=list_count))
    matrix = result.summary["transitions"]["smoothed"]
    for row in matrix or []:
        assert sum(row) == pytest.approx(1)
    gross = result.summary["retention"]["gross"]
    assert gross is None or 0 <= gross <= 1
    found = rows_of(result)
    assert len(result.rising) <= list_count
    assert {row["rising"] for row in found.values()} <= {"yes", "no", "unknown"}
    for account, row in found.items():
        is_listed = account in result.rising
        assert is_listed == (row["place"] is not None)
        assert (row["rising"] == "yes") == (is_listed and not row["is_exploration"])
    assert all(0 <= rate <= 1 for rate in result.leaving_rates.values())
    json.dumps(result.to_dict(), allow_nan=False)
