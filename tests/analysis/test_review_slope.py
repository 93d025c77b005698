"""Sheet 5.4 and 5.8: the slope to the target, and the months with what happened."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio import analysis
from crm_portfolio._analyse import analyse
from crm_portfolio._frames import BACKENDS, from_arrow, to_arrow
from crm_portfolio.analysis import ReviewSettings, review
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Calendar, Period, Portfolio
from crm_portfolio.settings import Settings

JUNE = date(2026, 6, 30)
NBSP = "\N{NO-BREAK SPACE}"


def book(
    months: dict[tuple[int, int], float | None],
    *,
    as_of: date = JUNE,
    day: int = 10,
    events=(),
    backend="pyarrow",
    year_starts: int = 1,
    **tables,
) -> Portfolio:
    """A line a month; an event is an id, its first and its last day, and its account.

    A line has an amount; where one lacks it, each is an opportunity that was won.
    """
    lines = {
        "line_id": pa.array(
            [f"L{year}{month:02}" for year, month in months], pa.string()
        ),
        "account_id": pa.array(["A"] * len(months), pa.string()),
        "booked_on": pa.array([date(*each, day) for each in months], pa.date32()),
        "amount": pa.array([*months.values()], pa.float64()),
    }
    frames = {"account": pa.table({"account_id": ["A"]}), **tables}
    if None in months.values():
        won = {"opportunity_id": lines["line_id"], "status": ["won"] * len(months)}
        won |= {"account_id": lines["account_id"], "closed_on": lines["booked_on"]}
        frames["opportunity"] = pa.table(won | {"amount": lines["amount"]})
    else:
        frames["revenue_line"] = pa.table(lines)
    if events:
        ids, begins, ends, accounts = zip(*events, strict=True)
        frames["event"] = pa.table(
            {
                "event_id": ids,
                "from_on": begins,
                "to_on": pa.array(ends, pa.date32()),
                "label": ids,
                "kind": ["story"] * len(ids),
                "account_id": pa.array(accounts, pa.string()),
            }
        )
    return Portfolio.from_frames(
        as_of=as_of,
        currency="EUR",
        calendar=Calendar(year_starts=year_starts),
        **{name: from_arrow(each, backend) for name, each in frames.items()},
    )


def year(number: int, amounts: list[float]) -> dict[tuple[int, int], float]:
    return {(number, at + 1): amount for at, amount in enumerate(amounts)}


FLAT = year(2026, [80.0] * 6)
SEASON = [7.0, 7.0, 8.0, 8.0, 8.0, 8.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0]


def slope_of(portfolio: Portfolio, target: float = 1200.0, **chosen) -> dict:
    return review(portfolio, ReviewSettings(target=target, **chosen)).summary["slope"]


def codes(result) -> list[str]:
    return [each.code for each in result.warnings]


class TestTheSlope:
    def test_it_is_that_of_the_sheet(self):
        """[H] Target 1200, 480 after 6 months: required 120, current 80, 1.5 times."""
        told = slope_of(book(FLAT))
        assert (told["achieved"], told["missing"], told["left_months"]) == (480, 720, 6)
        assert (told["required"], told["current"], told["steepness"]) == (120, 80, 1.5)
        assert (told["start"], told["last_day"]) == ("2026-01-01", "2026-12-31")
        assert told["season"] is None

    def test_the_season_is_that_of_the_sheet(self):
        """[H] .46 by June: expected 552, gap −72, projection 1043.48."""
        past = year(2024, SEASON) | year(2025, [10 * each for each in SEASON])
        told = slope_of(book(past | FLAT))["season"]
        assert told == {
            "years": [2024, 2025],
            "elapsed_share": 0.46,
            "expected": 552.0,
            "gap": -72.0,
            "projection": 1043.48,
        }

    def test_one_past_year_is_no_season_and_that_is_said(self):
        found = review(book(year(2025, SEASON) | FLAT), ReviewSettings(target=1200.0))
        assert found.summary["slope"]["season"] is None
        assert "slope_without_season" in codes(found)

    def test_so_many_past_years_are_asked_as_is_said(self):
        past = {}
        for number in (2022, 2023, 2024, 2025):
            past |= year(number, SEASON if number > 2022 else [100.0] + [0.0] * 11)
        assert slope_of(book(past | FLAT))["season"]["years"] == [2023, 2024, 2025]
        told = slope_of(book(past | FLAT), season_years=4)["season"]
        assert told["years"] == [2022, 2023, 2024, 2025]
        assert told["elapsed_share"] == pytest.approx((0.46 * 3 + 1) / 4)

    def test_a_past_year_that_is_not_whole_makes_no_season(self):
        begins = {(2024, 2): 5.0} | year(2025, SEASON)
        assert slope_of(book(begins | FLAT))["season"] is None
        holes = year(2024, SEASON) | year(2025, SEASON) | {(2025, 3): None}
        assert slope_of(book(holes | FLAT))["season"] is None

    def test_without_a_target_there_is_none_and_it_is_said(self):
        found = review(book(FLAT))
        assert found.summary["slope"] is None
        assert to_arrow(found.slope).num_rows == 0
        assert "review.target" in found.in_words()
        assert "review.target" in found.in_words(lang="fr")
        assert not [each for each in codes(found) if each.startswith("slope")]

    @pytest.mark.parametrize(
        ("target", "is_met", "said"),
        [(480, True, "was reached"), (481, False, "short")],
    )
    def test_once_the_time_is_over_it_was_reached_or_not(self, target, is_met, said):
        half = Period.between(date(2026, 1, 1), date(2026, 7, 1))
        chosen = ReviewSettings(target=target, target_period=half)
        found = review(book(FLAT), chosen)
        told = found.summary["slope"]
        assert (told["is_met"], told["left_months"]) == (is_met, 0)
        assert told["required"] is None
        assert told["steepness"] is None
        assert told["missing"] == max(target - 480, 0)
        assert said in found.in_words()
        assert not [each for each in codes(found) if each.startswith("slope")]

    def test_a_target_that_is_met_requires_nothing(self):
        found = review(book(FLAT), ReviewSettings(target=480.0))
        told = found.summary["slope"]
        assert (told["is_met"], told["required"], told["steepness"]) == (True, 0, 0)
        assert "nothing more is required" in found.in_words()
        assert not [each for each in codes(found) if each.startswith("slope")]

    def test_months_that_never_bring_anything_require_nothing_by_the_season(self):
        """All of the past years was made by June: what is left has no share to go by."""
        first_half = [10.0] * 6 + [0.0] * 6
        past = year(2024, first_half) | year(2025, first_half)
        found = review(book(past | FLAT), ReviewSettings(target=1200.0))
        assert found.summary["slope"]["season"]["elapsed_share"] == 1.0
        rows = to_arrow(found.slope).to_pylist()
        assert {row["required_by_season"] for row in rows} == {None}
        assert rows[-1]["required"] == 120.0

    @pytest.mark.parametrize("amount", [0.0, -5.0])
    def test_after_nothing_or_less_there_is_no_steepness(self, amount):
        found = review(book(year(2026, [amount] * 6)), ReviewSettings(target=1200.0))
        told = found.summary["slope"]
        assert told["steepness"] is None
        assert told["required"] == (1200 - 6 * amount) / 6
        assert "nothing to compare" in found.in_words()

    def test_a_month_that_is_not_over_is_left_and_stands_apart(self):
        now = book(FLAT | {(2026, 7): 55.0}, as_of=date(2026, 7, 20))
        whole = Period.between(date(2026, 2, 1), date(2026, 8, 1))
        told = slope_of(now, period=whole)
        assert (told["elapsed_months"], told["left_months"]) == (6, 6)
        assert (told["achieved"], told["current"], told["required"]) == (480, 80, 120)
        assert told["running"] == 55.0
        months = review(now, ReviewSettings(period=whole)).timeline
        assert to_arrow(months)["month"].to_pylist()[-1] == "2026-06"
        usual = slope_of(now)
        assert (usual["achieved"], usual["running"]) == (480.0, None)

    def test_an_unknown_amount_leaves_the_slope_unknown(self):
        found = review(book(FLAT | {(2026, 3): None}), ReviewSettings(target=1200.0))
        told = found.summary["slope"]
        for name in ("achieved", "missing", "is_met", "required", "current"):
            assert told[name] is None
        assert told["unknown_line_count"] == 1
        assert f"1{NBSP}line" in found.in_words() or "1 line" in found.in_words()
        rows = to_arrow(found.slope).to_pylist()
        assert {row["cumulative"] for row in rows} == {None}
        assert {row["required"] for row in rows} == {None}

    def test_the_year_is_the_business_year(self):
        told = slope_of(book(FLAT, year_starts=4))
        assert (told["start"], told["last_day"]) == ("2026-04-01", "2027-03-31")
        assert (told["elapsed_months"], told["achieved"]) == (3, 240.0)

    def test_a_year_that_ends_on_29_february_is_a_year(self):
        past = {(2027, m): 10.0 for m in range(3, 13)} | {(2028, 1): 10.0}
        leap = book(past | {(2028, 2): 10.0}, as_of=date(2028, 2, 29), day=28)
        told = review(
            leap, ReviewSettings(target=120.0, target_period=Period.last_months(12))
        ).summary["slope"]
        assert (told["start"], told["last_day"]) == ("2027-03-01", "2028-02-29")
        assert (told["is_met"], told["left_months"]) == (True, 0)

    def test_a_book_that_begins_within_the_year_says_so(self):
        found = review(
            book({(2026, 3): 80.0, (2026, 6): 80.0}), ReviewSettings(target=480.0)
        )
        assert "slope_begins_within" in codes(found)
        assert found.summary["slope"]["achieved"] == 160.0

    def test_its_months_add_up_to_the_target_both_ways(self):
        past = year(2024, SEASON) | year(2025, SEASON)
        found = review(book(past | FLAT), ReviewSettings(target=1200.0))
        rows = to_arrow(found.slope).to_pylist()
        assert [row["is_over"] for row in rows] == [True] * 6 + [False] * 6
        assert [row["month"] for row in rows][::11] == ["2026-01", "2026-12"]
        assert [row["cumulative"] for row in rows[5:7]] == [480.0, None]
        assert rows[5]["expected_cumulative"] == 552.0
        for name in ("required", "required_by_season"):
            assert [row[name] for row in rows[:6]] == [None] * 6
            assert sum(row[name] for row in rows[6:]) == pytest.approx(720.0, abs=0.05)

    @pytest.mark.parametrize("target", [0.0, -1.0, float("inf"), float("nan")])
    def test_a_target_is_more_than_nothing(self, target):
        with pytest.raises(SettingsError, match=r"review\.target"):
            ReviewSettings(target=target)

    def test_the_months_of_a_target_are_whole(self):
        broken = Period.between(date(2026, 1, 15), date(2027, 1, 1))
        for period in (broken, Period.all()):
            with pytest.raises(SettingsError, match="full months"):
                slope_of(book(FLAT), target_period=period)


def opportunities(due: date, amount: float | None = 100.0) -> pa.Table:
    """Half of twenty were won at their stage; ten more are open there."""
    closed = ["won"] * 10 + ["lost"] * 10
    return pa.table(
        {
            "opportunity_id": [f"O{at:02}" for at in range(30)],
            "account_id": ["A"] * 30,
            "status": closed + ["open"] * 10,
            "stage": [*(each.title() for each in closed), *["Offer"] * 10],
            "pipeline": ["Sales"] * 30,
            "amount": pa.array([amount] * 30, pa.float64()),
            "created_at": [datetime(2026, 1, 5, tzinfo=UTC)] * 30,
            "closed_on": pa.array([date(2026, 4, 1)] * 20 + [None] * 10, pa.date32()),
            "expected_close_on": [due] * 30,
        }
    )


def history() -> pa.Table:
    """Those that are closed came from the stage the others stand at."""
    at = datetime(2026, 4, 1, 12, tzinfo=UTC)
    return pa.table(
        {
            "opportunity_id": [f"O{at:02}" for at in range(20)],
            "changed_at": [at] * 20,
            "field": ["stage"] * 20,
            "old": ["Offer"] * 20,
            "new": ["Won"] * 10 + ["Lost"] * 10,
        }
    )


HISTORY = {
    "opportunity_change": history(),
    "stage": pa.table(
        {
            "pipeline": ["Sales"] * 3,
            "stage": ["Offer", "Won", "Lost"],
            "position": [0, 1, 2],
            "status": ["open", "won", "lost"],
        }
    ),
}


class TestTheWorkAhead:
    def test_what_is_due_by_then_is_held_against_what_is_missing(self):
        tables = {"opportunity": opportunities(date(2026, 9, 1))}
        found = review(
            book(FLAT, **tables, **HISTORY),
            ReviewSettings(target=1200.0),
        )
        told = found.summary["slope"]
        weighted = told["due"]["weighted_amount"]
        assert told["due"]["live_count"] == 10
        assert weighted == pytest.approx(500.0, abs=30)
        assert told["coverage_share"] == pytest.approx(weighted / 720)
        assert "bookings, not revenue" in found.in_words()
        assert found.params["pipeline"]["settings"]["stale_after_days"] == 90

    def test_work_that_is_due_later_covers_nothing(self):
        tables = {"opportunity": opportunities(date(2027, 1, 1))}
        told = slope_of(book(FLAT, **tables, **HISTORY))
        assert (told["due"]["weighted_amount"], told["coverage_share"]) == (0.0, 0.0)

    def test_work_of_unknown_worth_is_unknown_not_nothing(self):
        tables = {"opportunity": opportunities(date(2026, 9, 1), None)}
        found = review(book(FLAT, **tables), ReviewSettings(target=1200.0))
        assert found.summary["slope"]["coverage_share"] is None
        assert "slope_work_unweighed" in codes(found)

    def test_the_work_of_today_says_nothing_of_a_period_long_over(self):
        tables = {"opportunity": opportunities(date(2026, 9, 1))}
        quarter = Period.between(date(2026, 1, 1), date(2026, 4, 1))
        found = review(
            book(FLAT, **tables, **HISTORY),
            ReviewSettings(target=1200.0, period=quarter),
        )
        told = found.summary["slope"]
        assert (told["left_months"], told["due"]) == (9, None)
        assert "slope_without_work" in codes(found)

    def test_it_may_be_given_and_is_of_the_same_portfolio(self):
        tables = {"opportunity": opportunities(date(2026, 9, 1))}
        mine = book(FLAT, **tables, **HISTORY)
        own = analysis.PipelineSettings(min_closed=21)
        ahead = analysis.pipeline(mine, own)
        found = review(mine, ReviewSettings(target=1200.0), ahead=ahead)
        assert found.params["pipeline"]["settings"]["min_closed"] == 21
        assert found.summary["slope"]["coverage_share"] is None
        with pytest.raises(SettingsError, match="another portfolio"):
            review(book(FLAT), ahead=ahead)

    def test_the_settings_of_the_pipeline_hold_for_it_too(self):
        tables = {"opportunity": opportunities(date(2026, 9, 1))}
        chosen = Settings(
            review=ReviewSettings(target=1200.0),
            pipeline=analysis.PipelineSettings(min_closed=21),
        )
        portfolio = book(FLAT, **tables, **HISTORY)
        found = analyse(portfolio, chosen, only=["review"])["review"]
        assert found.params["pipeline"]["settings"]["min_closed"] == 21


def steady(count: int, *, step_at: int | None = None) -> dict[tuple[int, int], float]:
    """A hundred a month up to June 2026; from a place on, fifty less."""
    last = 2026 * 12 + 5
    months = [divmod(last - count + 1 + at, 12) for at in range(count)]
    return {
        (number, month + 1): 50.0 if step_at is not None and at >= step_at else 100.0
        for at, (number, month) in enumerate(months)
    }


def events_of(portfolio: Portfolio, **chosen) -> list[dict]:
    return to_arrow(review(portfolio, ReviewSettings(**chosen)).events).to_pylist()


class TestTheTimeline:
    DAY = ("E1", date(2025, 6, 15), None, None)

    def test_before_during_and_after_are_told_apart_by_month(self):
        """[H] 17 months of 100 before, one month of 100, then 12 of 50."""
        (row,) = events_of(book(steady(30, step_at=18), events=[self.DAY]))
        assert [row[f"months_{each}"] for each in ("before", "during", "after")] == [
            *(12, 1, 12)
        ]
        assert (row["revenue_before"], row["revenue_during"]) == (100.0, 100.0)
        assert (row["revenue_after"], row["revenue_after_change"]) == (50.0, -50.0)
        assert row["revenue_during_change"] == 0.0
        assert (row["accounts_before"], row["lines_after_change"]) == (1.0, 0.0)
        assert (row["level_change"], row["slope_change"]) == (-50.0, 0.0)
        assert (row["level_change_error"], row["lags"]) == (0.0, 3)

    def test_an_event_that_names_no_end_is_of_one_day(self):
        ends = ("E2", self.DAY[1], self.DAY[1], None)
        one, other = events_of(book(steady(30), events=[self.DAY, ends]))
        same = {"event_id", "label", "to_on"}
        assert {name: each for name, each in one.items() if name not in same} == {
            name: each for name, each in other.items() if name not in same
        }

    def test_months_in_which_it_lasted_belong_to_neither_side(self):
        long = ("E1", date(2025, 3, 31), date(2025, 6, 1), None)
        amounts = steady(30) | {(2025, 4): 9e9, (2025, 3): -9e9, (2025, 6): 1.0}
        (row,) = events_of(book(amounts, events=[long]))
        assert row["months_during"] == 4
        assert (row["revenue_before"], row["revenue_after"]) == (100.0, 100.0)
        assert (row["level_change"], row["level_change_error"]) == (0.0, 0.0)

    @pytest.mark.parametrize(("count", "is_told"), [(17 + 4, True), (16 + 4, False)])
    def test_a_line_needs_eight_months_on_each_side(self, count, is_told):
        """The event is in the tenth-last to thirteenth-last month; twelve follow it."""
        (row,) = events_of(book(steady(count), events=[self.DAY]))
        assert row["months_before"] == count - 13
        assert (row["level_change"] is not None) == is_told
        words = review(book(steady(count), events=[self.DAY])).events_in_words()
        assert ("Fewer than 8" in words) != is_told

    def test_an_unknown_month_is_no_month(self):
        amounts = steady(30) | {(2025, 1): None, (2025, 6): None}
        portfolio = book(amounts, events=[self.DAY])
        (row,) = events_of(portfolio)
        assert (row["months_before"], row["months_during"]) == (11, 0)
        assert row["revenue_during"] is None
        assert row["revenue_during_change"] is None
        months = to_arrow(review(portfolio).timeline).to_pylist()
        (told,) = [each for each in months if each["month"] == "2025-01"]
        assert (told["revenue"], told["unknown_line_count"]) == (None, 1)

    def test_a_month_without_a_line_brought_nothing(self):
        amounts = steady(30)
        del amounts[(2025, 1)]
        months = to_arrow(review(book(amounts)).timeline).to_pylist()
        (told,) = [each for each in months if each["month"] == "2025-01"]
        assert (told["revenue"], told["account_count"]) == (0.0, 0)

    def test_events_beside_these_months_are_not_on_it(self):
        events = [
            ("E1", date(2020, 1, 1), None, None),
            ("E2", date(2023, 6, 30), date(2023, 7, 1), None),
            ("E3", date(2026, 6, 30), date(2027, 1, 1), None),
            ("E4", date(2023, 6, 30), None, None),
        ]
        portfolio = book(steady(60), events=events)
        rows = events_of(portfolio)
        assert [row["event_id"] for row in rows] == ["E2", "E3"]
        assert [row["months_before"] for row in rows] == [0, 12]
        assert [row["revenue_after"] for row in rows] == [100.0, None]
        assert [row["revenue_before"] for row in rows] == [None, 100.0]
        assert len(events_of(portfolio, timeline_months=60)) == 3

    def test_an_event_on_29_february_is_of_that_month(self):
        leap = ("E1", date(2024, 2, 29), None, None)
        portfolio = book(steady(36), events=[leap])
        months = to_arrow(review(portfolio).timeline).to_pylist()
        assert [each["month"] for each in months if each["event_ids"]] == ["2024-02"]
        assert events_of(portfolio)[0]["months_before"] == 7

    def test_what_befell_one_account_is_set_aside_unless_its_kind_is_asked_for(self):
        one = ("E1", date(2025, 6, 15), None, "A")
        portfolio = book(steady(30), events=[one])
        found = review(portfolio)
        assert to_arrow(found.events).num_rows == 0
        assert found.summary["timeline"]["set_aside_event_count"] == 1
        assert "No event" in found.events_in_words()
        assert len(events_of(portfolio, timeline_kinds=("story",))) == 1

    def test_the_words_describe_and_do_not_attribute(self):
        found = review(book(steady(30, step_at=18), events=[self.DAY]))
        english, french = (found.events_in_words(lang=lang) for lang in ("en", "fr"))
        assert "does not say what an event did" in english
        assert "ne dit pas ce qu'un événement a fait" in french
        assert f"−50{NBSP}EUR a month" in english
        for word in ("because", "caused", "due to", "impact"):
            assert word not in english

    def test_so_many_months_are_averaged_as_is_said(self):
        portfolio = book(steady(30), events=[self.DAY])
        (row,) = events_of(portfolio, event_months=3)
        assert (row["months_before"], row["months_after"]) == (3, 3)

    def test_an_empty_book_has_no_month(self):
        found = review(book({}, events=[self.DAY]))
        assert to_arrow(found.timeline).num_rows == 0
        assert to_arrow(found.events).num_rows == 0
        assert found.summary["timeline"]["first_month"] is None


def test_every_threshold_is_echoed():
    chosen = ReviewSettings(
        target=5.0,
        target_period=Period.between(date(2026, 1, 1), date(2026, 7, 1)),
        season_years=4,
        timeline_months=20,
        timeline_kinds=("x",),
        event_months=6,
    )
    told = review(book(FLAT), chosen).params["settings"]
    assert (told["target"], told["season_years"], told["event_months"]) == (5.0, 4, 6)
    assert (told["timeline_months"], told["timeline_kinds"]) == (20, ["x"])
    assert told["target_period"]["start"] == "2026-01-01"


def test_the_settings_file_says_the_target(tmp_path):
    file = tmp_path / "portfolio.toml"
    file.write_text(
        "[review]\ntarget = 1200\nseason_years = 2\n"
        "target_period = {start = 2026-01-01, end = 2026-07-01}\n"
    )
    assert Settings.load(file).review == ReviewSettings(
        target=1200.0,
        season_years=2,
        target_period=Period.between(date(2026, 1, 1), date(2026, 7, 1)),
    )


def test_its_tables_are_kept_in_the_workbook_and_the_json(tmp_path):
    portfolio = book(steady(30), events=[TestTheTimeline.DAY])
    found = review(portfolio, ReviewSettings(target=1200.0))
    found.save(tmp_path / "review.xlsx")
    import openpyxl

    sheets = openpyxl.load_workbook(tmp_path / "review.xlsx").sheetnames
    assert {"slope", "timeline", "events"} <= {*sheets}
    told = json.loads(json.dumps(found.to_dict()))
    assert told["timeline"][0]["month"] == "2024-01"
    assert told["events"][0]["from_on"] == "2025-06-15"


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_engine_says_the_same(backend):
    past = year(2024, SEASON) | year(2025, SEASON) | FLAT
    tables = {
        "opportunity": opportunities(date(2026, 9, 1)),
        **HISTORY,
    }
    chosen = ReviewSettings(target=1200.0)
    day = TestTheTimeline.DAY
    mine = review(book(past, events=[day], backend=backend, **tables), chosen)
    other = review(book(past, events=[day], **tables), chosen)
    assert json.dumps(mine.to_dict()) == json.dumps(other.to_dict())


cents = st.one_of(st.none(), st.integers(-10_000, 50_000))


@given(
    st.lists(cents, min_size=1, max_size=36),
    st.integers(1, 2_000_000),
    st.integers(1, 12),
)
@settings(max_examples=20, deadline=None)
def test_whatever_the_months_the_slope_leads_to_the_target(amounts, target, starts):
    last = 2026 * 12 + 5
    months = {
        ((last - at) // 12, (last - at) % 12 + 1): None if each is None else each / 100
        for at, each in enumerate(amounts)
    }
    portfolio = book(months, year_starts=starts)
    told = slope_of(portfolio, target / 100)
    rows = to_arrow(review(portfolio, ReviewSettings(target=target / 100)).slope)
    assert told["elapsed_months"] + told["left_months"] == 12 == rows.num_rows
    if told["achieved"] is None:
        assert told["unknown_line_count"] > 0
        return
    if told["left_months"]:
        reached = told["achieved"] + told["left_months"] * told["required"]
        aim = max(target / 100, told["achieved"])
        assert reached == pytest.approx(aim, abs=0.005 * 12)
    assert told["is_met"] == (round(100 * told["achieved"]) >= target)


class TestPictures:
    def drawn(self, result, method, lang="en"):
        ax = pytest.importorskip("matplotlib.figure").Figure().subplots()
        assert getattr(result, method)(ax=ax, lang=lang) is ax
        return ax

    def test_the_slope_runs_from_what_is_reached_to_the_target(self):
        past = year(2024, SEASON) | year(2025, SEASON)
        ax = self.drawn(
            review(book(past | FLAT), ReviewSettings(target=1200.0)), "plot_slope"
        )
        lines = {line.get_label(): line for line in ax.lines}
        even = lines["Required, the same each month"].get_ydata()
        assert (even[5], round(even[-1], 6)) == (480.0, 1200.0)
        season = lines["Required, by the season"].get_ydata()
        assert round(season[-1], 1) == 1200.0
        assert lines["Reached"].get_ydata()[5] == 480.0
        assert [*lines["Target"].get_ydata()] == [1200.0, 1200.0]

    def test_without_a_target_the_picture_says_so(self):
        ax = self.drawn(review(book(FLAT)), "plot_slope")
        assert not ax.lines
        assert "review.target" in ax.texts[0].get_text()

    def test_the_months_stand_with_what_happened(self):
        events = [TestTheTimeline.DAY, ("$E$", date(2026, 1, 1), None, None)]
        amounts = steady(30) | {(2025, 1): None}
        ax = self.drawn(review(book(amounts, events=events)), "plot_timeline", "fr")
        assert len(ax.patches) == 30
        said = [text.get_text() for text in ax.texts]
        assert said == ["?", "A", "B"]
        legend = [text.get_text() for text in ax.get_legend().get_texts()]
        assert legend == ["A  E1", "B  $E$"]
        assert ax.get_title(loc="left") == "Mois par mois, et ce qui est arrivé"

    def test_an_empty_book_draws_no_bar(self):
        assert not self.drawn(review(book({})), "plot_timeline").patches
