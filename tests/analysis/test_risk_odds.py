"""Are the odds of leaving learned without looking ahead, and used only where they hold?"""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio import Portfolio, analyse, samples
from crm_portfolio._frames import BACKENDS, from_arrow
from crm_portfolio._wording import sentence
from crm_portfolio.analysis import (
    RevenueAtRiskSettings,
    RiskResult,
    RiskSettings,
    revenue_at_risk,
    risk,
)
from crm_portfolio.analysis._dangers import History, Leaving, odds_warnings
from crm_portfolio.analysis._dangers._leaving import Cases
from crm_portfolio.analysis._facts import revenue_facts
from crm_portfolio.errors import SettingsError

AS_OF = date(2026, 6, 30)
USUAL = RiskSettings()


def of(book: samples.Book, backend: Any = "pyarrow", **more: pa.Table) -> Portfolio:
    tables = {**book.tables, **more}
    frames = {name: from_arrow(each, backend) for name, each in tables.items()}
    return Portfolio.from_frames(as_of=AS_OF, currency="EUR", **frames)


@pytest.fixture(scope="module")
def book() -> samples.Book:
    return samples.danger_book(accounts=600, seed=2)


@pytest.fixture(scope="module")
def portfolio(book: samples.Book) -> Portfolio:
    return of(book)


@pytest.fixture(scope="module")
def learned(portfolio: Portfolio) -> RiskResult:
    return risk(portfolio)


def odds_of(result: RiskResult) -> dict[str, Any]:
    return dict(result.summary["odds"])  # type: ignore[arg-type]


def history(
    portfolio: Portfolio, settings: RiskSettings = USUAL, departures: Any = None
) -> History:
    facts = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="risk"
    )
    return History.of(portfolio, facts, settings, departures)


def noise(count: int = 400, seed: int = 5) -> dict[str, pa.Table]:
    """Accounts that buy every quarter of a year or not, by the throw of a coin alone."""
    chance = np.random.default_rng(seed)
    rows = []
    for year in range(5):
        for each in np.flatnonzero(chance.random(count) < 0.6):
            day = AS_OF - timedelta(days=365 * year + int(chance.integers(0, 300)))
            rows.append((f"A{each:04}", day))
    account, booked = zip(*rows, strict=True)
    return {
        "account": pa.table({"account_id": [f"A{each:04}" for each in range(count)]}),
        "revenue_line": pa.table(
            {
                "line_id": [f"L{at:05}" for at in range(len(rows))],
                "account_id": list(account),
                "booked_on": list(booked),
                "amount": [100.0] * len(rows),
            }
        ),
    }


# What is known, and when


@pytest.mark.parametrize("back", [1, 2, 3])
def test_features_are_those_of_the_book_as_it_was_known_that_day(
    book: samples.Book, back: int
) -> None:
    """Whoever looks ahead finds other features than those who lived that day."""
    now = of(book, contract=contracts(book))
    found = history(now)
    past = found.cases[back]
    then = history(now.at(past.day))
    assert found.names == then.names
    assert {"late", "tickets", "calls", "contracts", "ended"} <= set(found.names)
    assert past.places.tolist() == then.cases[0].places.tolist()
    assert np.array_equal(past.features, then.cases[0].features)
    assert np.array_equal(past.tier, then.cases[0].tier)


def contracts(book: samples.Book) -> pa.Table:
    """One each; those of who left end with it, some of the others go on by themselves."""
    ids = book.tables["account"]["account_id"]
    gone = book.truths["departures"]
    at = pc.index_in(ids.combine_chunks(), gone["account_id"].combine_chunks())
    count = ids.length()
    return pa.table(
        {
            "contract_id": ids,
            "account_id": ids,
            "starts_on": pa.array([date(2022, 9, 1)] * count),
            "ends_on": gone["left_on"].take(at),
            "auto_renews": pa.array([False] * count),
        }
    )


def test_what_comes_after_the_split_changes_no_feature_and_no_odds_of_the_trial(
    book: samples.Book, learned: RiskResult
) -> None:
    """Lines, payments, calls and tickets of the last window: other ones, same features."""
    split = date(2025, 6, 30)
    kept = {}
    for name, day in (
        ("revenue_line", "booked_on"),
        ("invoice", "issued_on"),
        ("activity", "occurred_at"),
        ("ticket", "opened_at"),
    ):
        table = book.tables[name]
        kept[name] = table.filter(
            pc.less_equal(table[day].cast(pa.date32()), pa.scalar(split))
        )
    before, after = history(of(book)).cases[1], history(of(book, **kept)).cases[1]
    assert before.day == split
    assert np.array_equal(before.features, after.features)
    assert before.left is not None
    assert after.left is not None
    assert not before.left.all()
    assert after.left.all()  # without later lines all of them look lost


def test_a_book_whose_next_year_is_a_coin_has_no_model_that_foresees() -> None:
    """With a feature that knows the outcome it would be found at once."""
    result = risk(
        Portfolio.from_frames(as_of=AS_OF, currency="EUR", **noise()),
        RiskSettings(training_windows=2),
    )
    odds = odds_of(result)
    assert odds["verdict"] in {"not_better", "by_chance"}
    assert odds["used"] == "tier_rate"
    assert abs(odds["model"]["auc"] - 0.5) < 0.1
    assert result.leaving_odds == {}


def test_features_by_hand() -> None:
    """B came but lately, C for most of a year, and D bought once, on the last day."""
    lines = {
        "B": [date(2026, 4, 1), date(2026, 5, 1)],
        "C": [date(2025, 8, 1), date(2026, 2, 1)],
        "D": [date(2026, 6, 30)],
    }
    found = history(small(*[(key, day) for key in lines for day in lines[key]]))
    assert found.names == ("silence", "change", "bought", "tenure", "size")
    expected = [
        [np.log1p(60 / 30), 1.0, np.log1p(2), np.log1p(90), np.log1p(2_000)],
        [np.log1p(149 / 184), 0.0, np.log1p(1), np.log1p(333), np.log1p(2_000)],
        [0.0, 1.0, np.log1p(1), 0.0, np.log1p(1_000)],
    ]
    assert found.cases[0].features == pytest.approx(np.array(expected))


def test_contracts_that_ended_in_the_window_are_told_and_no_older_ones() -> None:
    agreed = pa.table(
        {
            "contract_id": ["1", "2", "3", "4"],
            "account_id": ["B"] * 4,
            "starts_on": [date(2020, 1, 1)] * 3 + [date(2026, 7, 1)],
            "ends_on": [date(2025, 6, 30), date(2025, 7, 1), None, None],
        }
    )
    portfolio = small(("B", date(2026, 5, 1)), contract=agreed)
    found = history(portfolio)
    told = dict(zip(found.names, found.cases[0].features[0], strict=True))
    assert (told["contracts"], told["ended"]) == (np.log1p(1), np.log1p(1))


def test_who_has_a_contract_and_never_bought_has_no_rhythm_to_be_silent_in() -> None:
    """It is said to be unknown, and the silence and the tenure are of the middle one."""
    agreed = pa.table(
        {
            "contract_id": ["1"],
            "account_id": ["B"],
            "starts_on": [date(2024, 1, 1)],
            "ends_on": pa.array([None], pa.date32()),
        }
    )
    people = pa.table({"account_id": ["A", "B", "C"]})
    bought = [("C", date(2026, 4, 1)), ("C", date(2026, 5, 1))]
    found = history(small(*bought, contract=agreed, account=people))
    never, often = (
        dict(zip(found.names, row, strict=True)) for row in found.cases[0].features
    )
    assert (never["never_bought"], often["never_bought"]) == (1.0, 0.0)
    assert never["bought"] == 0.0
    # A bought once, in 2020, and has the gap of the middle one: 30 days.
    old = (AS_OF - date(2020, 1, 1)).days
    silent = np.median([np.log1p(old / 30), np.log1p(60 / 30)])
    assert never["silence"] == pytest.approx(silent)
    assert never["tenure"] == pytest.approx(np.median(np.log1p([old, 90])))


def test_lateness_is_of_what_was_due_in_the_window() -> None:
    bills = pa.table(
        {
            "invoice_id": ["1", "2"],
            "account_id": ["B", "B"],
            "issued_on": [date(2025, 6, 1)] * 2,
            "due_on": [date(2025, 6, 30), date(2025, 7, 1)],
            "paid_on": [date(2025, 8, 30), date(2025, 7, 11)],
            "amount": [100.0, 100.0],
        }
    )
    found = history(small(("B", date(2026, 5, 1)), invoice=bills))
    told = dict(zip(found.names, found.cases[0].features[0], strict=True))
    assert (told["late_unknown"], told["late"]) == (0.0, np.log1p(10))


def test_lateness_that_nobody_knows_is_no_payment_to_the_day() -> None:
    """B is 10 days late, C 30, D pays to the day, and E was never billed."""
    late = dict(zip("BCD", (10, 30, 0), strict=True))
    due = date(2026, 3, 1)
    bills = pa.table(
        {
            "invoice_id": [*late],
            "account_id": [*late],
            "issued_on": [date(2026, 2, 1)] * 3,
            "due_on": [due] * 3,
            "paid_on": [due + timedelta(days=each) for each in late.values()],
            "amount": [100.0] * 3,
        }
    )
    found = history(
        small(*((each, date(2026, 5, 1)) for each in "BCDE"), invoice=bills)
    )
    rows = [dict(zip(found.names, row, strict=True)) for row in found.cases[0].features]
    assert [row["late_unknown"] for row in rows] == [0, 0, 0, 1]
    middle = np.log1p(10)
    expected = [np.log1p(10), np.log1p(30), 0.0, middle]
    assert [row["late"] for row in rows] == pytest.approx(expected)
    # Few events can carry the first features only: never one without what it lacks.
    assert found.names.index("late_unknown") < found.names.index("late")


def test_revenue_that_nobody_knows_is_neither_none_nor_less_than_before() -> None:
    """Of B's second sale nobody noted the amount."""
    won = {
        "opportunity_id": ["1", "2", "3", "4", "5", "6"],
        "account_id": ["B", "B", "C", "C", "D", "D"],
        "status": ["won"] * 6,
        "closed_on": [date(2025, 8, 1), date(2026, 2, 1)] * 3,
        "amount": pa.array([100.0, None, 100.0, 300.0, 100.0, 100.0]),
    }
    people = pa.table({"account_id": ["A", "B", "C", "D"]})
    tables = {"account": people, "opportunity": pa.table(won)}
    found = history(Portfolio.from_frames(as_of=AS_OF, currency="EUR", **tables))
    rows = [dict(zip(found.names, row, strict=True)) for row in found.cases[0].features]
    assert [row["amounts_unknown"] for row in rows] == [1, 0, 0]
    assert rows[0]["change"] == pytest.approx(np.median([0.5, 0.0]))
    sizes = np.log1p([40_000, 20_000])
    assert rows[0]["size"] == pytest.approx(np.median(sizes))
    assert [row["change"] for row in rows[1:]] == [0.5, 0.0]


# What left means


def rows(*lines: tuple[str, date]) -> dict[str, pa.Table]:
    ids, days = zip(*lines, strict=True)
    return {
        "account": pa.table({"account_id": sorted(set(ids))}),
        "revenue_line": pa.table(
            {
                "line_id": [f"L{at}" for at in range(len(lines))],
                "account_id": list(ids),
                "booked_on": list(days),
                "amount": [10.0] * len(lines),
            }
        ),
    }


def told(portfolio: Portfolio, mark: int = 1, **settings: Any) -> dict[str, bool]:
    departures = settings.pop("departures", None)
    cases = history(portfolio, RiskSettings(**settings), departures).cases[mark]
    ids = portfolio.arrow("account")["account_id"].to_pylist()
    assert cases.left is not None
    return {
        ids[at]: bool(left)
        for at, left in zip(cases.places.tolist(), cases.left.tolist(), strict=True)
    }


OLD = [("A", date(2020, 1, 1))]


def small(*lines: tuple[str, date], **more: pa.Table) -> Portfolio:
    tables = {**rows(*OLD, *lines), **more}
    return Portfolio.from_frames(as_of=AS_OF, currency="EUR", **tables)


def test_who_brings_nothing_in_the_window_after_has_left() -> None:
    found = told(
        small(
            ("A", date(2025, 6, 30)),
            ("A", date(2025, 7, 1)),
            ("B", date(2025, 6, 30)),
            ("C", date(2024, 6, 30)),
            ("D", date(2024, 7, 1)),
            ("D", date(2026, 7, 1)),
        )
    )
    # C brought nothing in the window before: it could not leave any more.
    assert found == {"A": False, "B": True, "D": True}


def test_who_has_no_contract_any_more_has_left_though_it_still_buys() -> None:
    agreed = pa.table(
        {
            "contract_id": ["1", "2", "3", "4"],
            "account_id": ["A", "B", "C", "C"],
            "starts_on": [date(2024, 1, 1)] * 3 + [date(2026, 1, 1)],
            "ends_on": [date(2026, 3, 31), None, date(2025, 12, 31), date(2027, 1, 1)],
            "auto_renews": [False, False, False, False],
        }
    )
    bought = [
        (each, day)
        for each in "ABC"
        for day in (date(2025, 3, 1), date(2026, 3, 1), date(2026, 6, 1))
    ]
    portfolio = small(*bought, contract=agreed)
    assert told(portfolio) == {"A": True, "B": False, "C": False}
    assert told(portfolio, leaving=("no_revenue",)) == dict.fromkeys("ABC", False)


def test_who_has_paid_for_years_ahead_has_not_left_in_the_year_between() -> None:
    """B paid for three years; C's contract was over within the window."""
    agreed = pa.table(
        {
            "contract_id": ["1", "2"],
            "account_id": ["B", "C"],
            "starts_on": [date(2025, 1, 1)] * 2,
            "ends_on": [date(2027, 12, 31), date(2025, 12, 31)],
        }
    )
    bought = [(each, date(2025, 1, 15)) for each in "BCD"]
    portfolio = small(*bought, contract=agreed)
    assert told(portfolio) == {"B": False, "C": True, "D": True}
    by_revenue = told(portfolio, leaving=("no_revenue",))
    assert by_revenue == {"B": False, "C": True, "D": True}


def test_a_contract_that_goes_on_by_itself_has_not_ended() -> None:
    agreed = pa.table(
        {
            "contract_id": ["1", "2"],
            "account_id": ["B", "C"],
            "starts_on": [date(2024, 1, 1)] * 2,
            "ends_on": [date(2025, 12, 31)] * 2,
            "auto_renews": [True, None],
        }
    )
    bought = [
        (each, day) for each in "BC" for day in (date(2025, 3, 1), date(2026, 3, 1))
    ]
    assert told(small(*bought, contract=agreed)) == {"B": False, "C": True}


def test_a_table_of_departures_is_the_label_where_it_is_handed_in() -> None:
    bought = [(each, date(2025, 3, 1)) for each in "ABCD"]
    days = (date(2025, 7, 1), date(2025, 4, 1), None, date(2026, 7, 1))
    left = pa.table(
        {
            "account_id": ["A", "B", "C", "C", "D"],
            "left_on": [*days, date(2025, 3, 1)],
        }
    )
    # B and D had left before, and bought nothing since: they cannot leave again.
    assert told(small(*bought), departures=left) == {"A": True, "C": False}


def test_who_has_but_a_contract_can_leave_too_where_departures_are_handed_in() -> None:
    agreed = pa.table(
        {
            "contract_id": ["1", "2"],
            "account_id": ["B", "C"],
            "starts_on": [date(2022, 1, 1)] * 2,
            "ends_on": pa.array([None, None], pa.date32()),
        }
    )
    people = pa.table({"account_id": ["A", "B", "C"]})
    portfolio = small(contract=agreed, account=people)
    left = pa.table({"account_id": ["C"], "left_on": [date(2025, 9, 1)]})
    assert told(portfolio, departures=left) == {"B": False, "C": True}


def test_departures_that_do_not_fit_are_refused() -> None:
    portfolio = small(("A", date(2025, 3, 1)))
    with pytest.raises(SettingsError, match="lack the column left_on"):
        risk(portfolio, departures=pa.table({"account_id": ["A"]}))
    wrong = pa.table({"account_id": ["Z"], "left_on": [AS_OF]})
    with pytest.raises(SettingsError, match="no account 'Z'"):
        risk(portfolio, departures=wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"horizon_months": 1}, "no less than 2"),
        ({"folds": 1}, "no less than 2"),
        ({"training_windows": 0}, "no less than 1"),
        ({"gain_alpha": 0.0}, "between 0 and 1"),
        ({"slope_between": (1.2, 2.0)}, "below 1 to above 1"),
        ({"count_between": (0.2, 0.9)}, "below 1 to above 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        RiskSettings(**wrong)


# What is used, and what is said of it


def test_where_the_model_is_better_its_odds_are_used_and_said(
    learned: RiskResult,
) -> None:
    odds = odds_of(learned)
    assert (odds["verdict"], odds["used"]) == ("better", "model")
    assert odds["split_on"] == "2025-06-30"
    assert odds["model"]["log_loss"] < odds["baseline"]["log_loss"]
    assert odds["model"]["brier"] < odds["baseline"]["brier"]
    assert 0.5 <= odds["model"]["calibration_slope"] <= 2.0
    parts = odds["model"]
    assert parts["brier"] == pytest.approx(
        parts["reliability"] - parts["resolution"] + parts["uncertainty"]
    )
    frame = learned.arrow
    assert odds["at_risk_count"] == frame.num_rows - frame["odds_tier"].null_count
    known = frame.filter(pc.is_valid(frame["leave_odds"]))
    assert pc.min(known["leave_odds"]).as_py() >= 0
    assert pc.max(known["leave_odds"]).as_py() <= 1
    some = known["account_id"][0].as_py()
    codes = [each.code for each in learned.reasons(some)]
    assert codes[-2:] == ["risk_odds_of_model", "risk_odds_left_by_rule"]
    assert "learned from who left before" in learned.explain(some)
    assert "apprise de ceux qui sont partis" in learned.explain(some, lang="fr")
    assert not any(each.code.startswith("risk_odds") for each in learned.warnings)


def test_the_odds_come_true_on_the_later_window(learned: RiskResult) -> None:
    table = learned.reliability
    assert pc.sum(table["account_count"]).as_py() == odds_of(learned)["tested_count"]
    assert pc.sum(table["left_count"]).as_py() == odds_of(learned)["tested_left_count"]
    assert pc.min(table["account_count"]).as_py() >= 20
    for row in table.to_pylist():
        assert row["left_share_low"] <= row["left_share"] <= row["left_share_high"]
    assert json.dumps(learned.to_dict()["reliability"])


def test_odds_make_no_level(portfolio: Portfolio, learned: RiskResult) -> None:
    plain = risk(portfolio, RiskSettings(odds="rates"))
    for name in ("account_id", "risk_level", "risk_reasons"):
        assert plain.arrow[name].equals(learned.arrow[name])
    moved = learned.compared_with(plain)
    assert not len(moved.frame)


def test_where_rates_are_asked_for_no_model_is_tried(portfolio: Portfolio) -> None:
    result = risk(portfolio, RiskSettings(odds="rates"))
    odds = odds_of(result)
    assert (odds["verdict"], odds["used"], odds["kind"]) == (
        *("not_asked", "tier_rate", None),
    )
    frame = result.arrow
    rates = {each["tier"]: each["rate"] for each in odds["rates"]}
    for row in frame.filter(pc.is_valid(frame["leave_odds"])).to_pylist():
        assert row["leave_odds"] == pytest.approx(rates[row["odds_tier"]])
        assert row["odds_source"] == "tier_rate"
    some = frame.filter(pc.is_valid(frame["leave_odds"]))["account_id"][0].as_py()
    codes = [each.code for each in result.reasons(some)]
    assert codes[-2:] == ["risk_odds_of_tier", "risk_odds_left_by_rule"]
    assert result.leaving_odds == {}


def test_too_few_that_left_teach_nothing(book: samples.Book) -> None:
    few = book.tables["account"].slice(0, 100)["account_id"].to_pylist()
    result = risk(of(book).only(few), RiskSettings(fewest_events=60))
    odds = odds_of(result)
    assert (odds["verdict"], odds["used"]) == ("few_events", "tier_rate")
    codes = [each.code for each in result.warnings]
    assert "risk_odds_few_events" in codes


def test_a_book_of_two_years_is_too_short_and_says_so(portfolio: Portfolio) -> None:
    lines = portfolio.arrow("revenue_line")
    recent = lines.filter(pc.greater(lines["booked_on"], pa.scalar(date(2024, 7, 1))))
    result = risk(portfolio.with_tables(revenue_line=recent))
    assert odds_of(result)["verdict"] == "too_short"
    assert "risk_odds_too_short" in [each.code for each in result.warnings]


def test_odds_that_do_not_come_true_are_not_used(portfolio: Portfolio) -> None:
    result = risk(portfolio, RiskSettings(slope_between=(0.9999, 1.0001)))
    odds = odds_of(result)
    assert (odds["verdict"], odds["used"]) == ("not_calibrated", "tier_rate")
    assert result.leaving_odds == {}
    [said] = [each for each in result.warnings if each.code.startswith("risk_odds")]
    assert said.values["slope"] == pytest.approx(
        odds["model"]["calibration_slope"], abs=1e-4
    )


def test_odds_of_a_year_that_saw_far_fewer_leave_are_not_used() -> None:
    """Who leaves is foreseen well, how many is not: no expected loss comes of that."""
    chance = np.random.default_rng(1)
    found = [cases(chance, day, shift) for day, shift in CALMER]
    past = History(("silence",), tuple(found))
    leaving = Leaving.of(past, USUAL, 600)
    trial = leaving.trial
    assert trial.verdict == "not_as_many"
    assert trial.model is not None
    assert trial.model.line is not None
    low, high = USUAL.slope_between
    assert low < trial.model.line.slope < high
    assert trial.model.in_the_large > 0.1
    assert set(leaving.source.tolist()) == {"tier_rate"}
    [told] = odds_warnings(leaving, past, USUAL)
    assert told.code == "risk_odds_not_as_many"
    said, came = told.values["said"], told.values["came"]
    assert came == trial.tested_left
    assert said == round(trial.tested_left + 600 * trial.model.in_the_large)
    assert str(said) in sentence(told, "fr")
    # Where such a year is taken for a usual one the odds are.
    lax = RiskSettings(count_between=(0.0, 9.0))
    assert Leaving.of(past, lax, 600).trial.verdict == "better"


CALMER = [
    *((date(2026, 6, 30), -1.5), (date(2025, 6, 30), -1.5)),
    *((date(2024, 6, 30), 0.0), (date(2023, 6, 30), 0.0)),
]


def cases(chance: np.random.Generator, day: date, shift: float) -> Cases:
    """Whom one sign tells of, well; ``shift`` moves the odds of all."""
    sign = chance.normal(size=600)
    left = chance.random(600) < 1 / (1 + np.exp(0.5 - 3 * sign - shift))
    return Cases(
        day=day,
        places=np.arange(600),
        features=sign[:, None],
        tier=np.arange(600) % 4,
        worth=np.ones(600),
        left=left,
    )


def test_without_scikit_learn_rates_are_used_and_it_says_what_to_install(
    portfolio: Portfolio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    result = risk(portfolio)
    odds = odds_of(result)
    assert (odds["verdict"], odds["used"]) == ("no_extra", "tier_rate")
    assert "crm-portfolio[ml]" in "".join(
        str(each) for each in (result.to_html(), *result.warnings)
    )


def test_many_events_let_boosted_trees_be_tried(portfolio: Portfolio) -> None:
    result = risk(portfolio, RiskSettings(boosting_events=20, isotonic_cases=10_000))
    odds = odds_of(result)
    assert odds["kind"] in {"boosting", "logistic"}
    assert odds["calibration"] == "sigmoid"
    assert odds["verdict"] == "better"


# Where the odds go


def test_the_odds_feed_revenue_at_risk(
    portfolio: Portfolio, learned: RiskResult
) -> None:
    odds = learned.leaving_odds
    assert len(odds) == odds_of(learned)["with_odds_count"]
    own = next(iter(odds))
    fed = revenue_at_risk(
        portfolio,
        RevenueAtRiskSettings(level="account", draws=500),
        odds={own: 0.5},
        risk=learned,
    )
    frame = fed.arrow
    theirs = frame.filter(pc.equal(frame["odds_source"], "risk"))
    ids = set(frame["account_id"].to_pylist())
    assert theirs.num_rows == len((set(odds) - {own}) & ids)
    for row in theirs.slice(0, 20).to_pylist():
        assert row["odds"] == pytest.approx(odds[row["account_id"]])
    # What somebody says himself goes before.
    named = frame.filter(pc.equal(frame["account_id"], own)).to_pylist()[0]
    assert (named["odds"], named["odds_source"]) == (0.5, "given")
    assert fed.summary["odds_from"]["given"]["n"] == 1
    some = theirs["account_id"][0].as_py()
    assert "are those of the analysis risk, calibrated" in fed.explain(some)
    assert "celle de l'analyse risk, calibrée" in fed.explain(some, lang="fr")
    assert fed.params["risk"]["settings"]["odds"] == "learned"


def test_under_analyse_they_do_so_by_themselves(
    portfolio: Portfolio, learned: RiskResult
) -> None:
    found = analyse(portfolio, only=["risk", "revenue_at_risk"])
    frame = found["revenue_at_risk"].arrow
    sources = set(pc.unique(frame["odds_source"]).to_pylist())
    assert "risk" in sources
    assert "given" not in sources
    assert found["risk"].arrow.equals(learned.arrow)
    assert found["risk"].params["receivables"] is not None


def test_odds_of_half_a_year_are_made_odds_of_a_year(portfolio: Portfolio) -> None:
    result = risk(portfolio, RiskSettings(horizon_months=6))
    assert odds_of(result)["verdict"] == "better"
    frame = result.arrow
    shown = dict(
        zip(
            frame["account_id"].to_pylist(),
            frame["leave_odds"].to_pylist(),
            strict=True,
        )
    )
    for key, yearly in [*result.leaving_odds.items()][:50]:
        assert yearly == pytest.approx(1 - (1 - shown[key]) ** 2)


# The same, however it comes in


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_kind_of_frame_gives_the_same_bytes(
    book: samples.Book, learned: RiskResult, backend: Any
) -> None:
    chance = np.random.default_rng(3)
    shuffled = {
        name: table.take(pa.array(chance.permutation(table.num_rows)))
        for name, table in book.tables.items()
    }
    result = risk(of(samples.Book(shuffled, {}), backend))
    told = [json.dumps(each.to_dict(), default=str) for each in (result, learned)]
    assert told[0] == told[1]


def test_fewer_cases_are_drawn_from_the_seed(portfolio: Portfolio) -> None:
    few = RiskSettings(most_cases=400)
    first, again = risk(portfolio, few), risk(portfolio, few)
    assert first.arrow.equals(again.arrow)
    other = risk(portfolio, RiskSettings(most_cases=400, seed=7))
    assert not first.arrow["leave_odds"].equals(other.arrow["leave_odds"])


def test_the_picture_shows_each_group_beside_the_diagonal(
    learned: RiskResult, portfolio: Portfolio
) -> None:
    ax = learned.plot_reliability()
    assert ax.get_xlabel() == "Odds of the model (per cent)"
    assert ax.get_ylabel() == "Accounts that left (per cent)"
    marks = ax.lines[1].get_xydata()
    assert len(marks) == len(learned.reliability)
    assert "Comptes partis" in learned.plot_reliability(lang="fr").get_ylabel()
    empty = risk(portfolio, RiskSettings(odds="rates")).plot_reliability()
    assert [each.get_text() for each in empty.texts] == [
        "No model of who leaves was tried."
    ]
