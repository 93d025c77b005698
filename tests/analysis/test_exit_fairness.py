"""Are small accounts treated as large ones are, and is that looked at?"""

from __future__ import annotations

from datetime import date

import attrs
import numpy as np
import pyarrow as pa
import pytest
from exit_books import AS_OF, table
from hypothesis import given
from hypothesis import strategies as st
from judged_books import book, others

from crm_portfolio import analysis
from crm_portfolio._methods._drawn_to import drawn_to_mean
from crm_portfolio._methods._rates import wilson
from crm_portfolio._wording import Reason, sentence
from crm_portfolio.analysis._exit._fairness import (
    fairness_table,
    looked_at_again,
    proxies,
)
from crm_portfolio.analysis._exit._measures import Measures, measures
from crm_portfolio.analysis._facts import revenue_facts
from crm_portfolio.portfolio import Period, Portfolio

COUNT = 60


@pytest.fixture(scope="module")
def measured() -> Measures:
    """Sixty accounts, each a little larger than the one before."""
    ids = [f"A{at:02}" for at in range(COUNT)]
    lines = [
        {
            "line_id": f"{account}-{year}",
            "account_id": account,
            "booked_on": date(year, 1, 10),
            "amount": 100.0 + at,
        }
        for at, account in enumerate(ids)
        for year in ((2026,) if at < 20 else (2020, 2026) if at < 50 else (2010, 2026))
    ]
    portfolio = Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        account=pa.table(
            {
                "account_id": ids,
                "segment": [("x", "y", None)[at % 3] for at in range(COUNT)],
            }
        ),
        revenue_line=table(lines),
    )
    facts = revenue_facts(portfolio, Period.last_months(12), None, needed_by="test")
    return measures(portfolio, facts, tiers=analysis.tiers(portfolio))


def rows(found: Measures, proposed, judged=None) -> dict[tuple[str, str], dict]:
    judged = np.ones(COUNT, dtype=bool) if judged is None else judged
    found_rows = fairness_table(found, proposed, judged).to_pylist()
    return {(row["dimension"], row["group"]): row for row in found_rows}


def test_a_group_above_twice_the_base_with_ten_accounts_is_pointed_out(measured):
    proposed = np.zeros(COUNT, dtype=bool)
    proposed[50:57] = True  # 7 of the 10 oldest, 7 of 60 on the whole
    found = rows(measured, proposed)
    old = found["age", "over_10"]
    assert (old["account_count"], old["proposed_count"]) == (10, 7)
    assert old["ratio"] == pytest.approx(0.7 / (7 / 60))
    low, high = wilson(7, 10)
    assert old["ratio_low"] == pytest.approx(low / (7 / 60))
    assert old["ratio_high"] == pytest.approx(high / (7 / 60))
    assert old["is_above"]
    assert not found["age", "under_1"]["is_above"]
    assert [group for dimension, group in found if dimension == "age"] == [
        "under_1",
        "3_to_10",
        "over_10",
    ]
    assert {group for dimension, group in found if dimension == "segment"} == {
        *("x", "y", "unknown"),
    }
    assert {dimension for dimension, _ in found} == {"tier", "segment", "age"}


def test_a_warning_names_the_group_in_words():
    held = {f"A{at:02}": {"rest": 1.0} for at in range(10)}
    accounts = pa.table(
        {
            "account_id": [*held, *others(30)],
            "segment": ["niche"] * 10 + ["other"] * 30,
        }
    )
    result = analysis.exit_review(book({**held, **others(30)}, account=accounts))
    told = [each for each in result.warnings if each.code == "exit_unfair"]
    (mine,) = [each for each in told if each.values["group"] == "niche"]
    assert "accounts of segment niche" in sentence(mine)
    assert "comptes du segment niche" in sentence(mine, "fr")
    assert "4 times as often" in sentence(mine)
    old = Reason("exit_unfair_age", {"n": 12, "group": "under_1", "ratio": 2.5})
    assert "depuis moins d'un an" in sentence(old, "fr")


def test_exactly_twice_the_base_is_not_above_it_nor_are_nine_accounts(measured):
    proposed = np.zeros(COUNT, dtype=bool)
    proposed[[50, 51, 0, 20, 21, 22]] = True  # 2 of 10 where 6 of 60 are
    assert rows(measured, proposed)["age", "over_10"]["ratio"] == 2.0
    assert not rows(measured, proposed)["age", "over_10"]["is_above"]
    proposed[:50] = False
    assert rows(measured, proposed)["age", "over_10"]["is_above"]
    judged = np.ones(COUNT, dtype=bool)
    judged[59] = False
    nine = rows(measured, proposed, judged)["age", "over_10"]
    assert nine["account_count"] == 9
    assert not nine["is_above"]


def test_where_nothing_is_proposed_there_is_no_ratio(measured):
    nothing = np.zeros(COUNT, dtype=bool)
    for row in rows(measured, nothing).values():
        assert row["rate"] == row["base_rate"] == 0.0
        assert row["ratio"] is row["ratio_low"] is row["ratio_high"] is None
        assert not row["is_above"]
    assert rows(measured, nothing, nothing) == {}


@given(st.sets(st.integers(0, COUNT - 1)), st.sets(st.integers(0, COUNT - 1)))
def test_groups_of_each_kind_add_up_to_all(measured, proposed, left_out):
    flags = np.isin(np.arange(COUNT), [*proposed])
    judged = ~np.isin(np.arange(COUNT), [*left_out])
    found = rows(measured, flags, judged)
    for dimension in ("tier", "segment", "age"):
        mine = [row for (name, _), row in found.items() if name == dimension]
        assert sum(row["account_count"] for row in mine) == judged.sum()
        assert sum(row["proposed_count"] for row in mine) == (flags & judged).sum()
        for row in mine:
            if row["ratio"] is not None:
                assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]


def test_five_per_cent_of_low_scores_are_looked_at_again_one_at_least():
    for n, expected in ((0, 0), (1, 1), (20, 1), (21, 2), (100, 5)):
        is_low = np.zeros(200, dtype=bool)
        is_low[:n] = True
        drawn = looked_at_again(is_low)
        assert drawn.sum() == expected
        assert not (drawn & ~is_low).any()
        assert np.array_equal(drawn, looked_at_again(is_low))
    every = np.ones(1000, dtype=bool)
    assert not np.array_equal(
        looked_at_again(every, seed=1), looked_at_again(every, seed=2)
    )


def test_those_drawn_are_the_same_whatever_order_the_rows_come_in():
    ids = [f"A{at:02}" for at in range(40)]
    rating = [
        {"account_id": each, "criterion": name, "value": 0.5, "rated_by": "U1"}
        for each in ids
        for name in ("reputation", "ethics", "relationship", "vision")
    ]
    line = [
        {
            "line_id": each,
            "account_id": each,
            "booked_on": date(2026, 1, 1),
            "amount": 10.0,
        }
        for each in ids
    ]
    judged = analysis.ExitReviewSettings(
        weights=dict.fromkeys(("F5", "F6", "F8", "F10"), 1.0)
    )
    drawn = []
    for step in (1, -1):
        portfolio = Portfolio.from_frames(
            as_of=AS_OF,
            currency="EUR",
            account=pa.table({"account_id": ids[::step]}),
            revenue_line=table(line[::step]),
            rating=table(rating[::step]),
        )
        result = analysis.exit_review(portfolio, judged)
        mine = result.arrow.filter(result.arrow["is_drawn_again"])
        drawn.append(sorted(mine["account_id"].to_pylist()))
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 2
    assert "looked at afresh" in result.explain(drawn[0][0])


def test_a_criterion_that_only_repeats_the_size_is_pointed_out(measured):
    values = measured.values.copy()
    revenue = measured.of.net_revenue
    values[:, 4] = revenue / 100
    values[:, 5] = -revenue
    values[:, 6] = np.random.default_rng(1).permutation(revenue)
    values[:, 7] = 5.0
    values[:9, 8] = revenue[:9]
    values[:, 10] = revenue
    found = {
        each.criterion: round(each.correlation, 6)
        for each in proxies(attrs.evolve(measured, values=values))
    }
    # What is alike for all, known of fewer than ten, or dependence itself, is not.
    assert found == {"F5": 1.0, "F6": -1.0}


def test_ratios_do_not_say_how_large_an_account_is():
    """Twice the size in all respects gives the same cost, complexity and displacement."""
    hours, revenue = np.array([20.0, 40.0, 4.0]), np.array([100.0, 200.0, 20.0])
    drawn = drawn_to_mean(hours, revenue, hours, np.zeros(3, np.int64), enough=10)
    assert drawn == pytest.approx([0.2, 0.2, 0.2])


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e6),
            st.floats(1, 1e6),
            st.floats(0, 100),
            st.integers(0, 1),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_what_is_drawn_lies_between_its_own_ratio_and_that_of_its_tier(accounts):
    """Sheet 8.8, and section 11, no. 11."""
    top, bottom, hours = (np.array([row[at] for row in accounts]) for at in range(3))
    tier = np.array([row[3] for row in accounts])
    found = drawn_to_mean(top, bottom, hours, tier, enough=10.0)
    for at, (t, b, h, name) in enumerate(accounts):
        mine = tier == name
        own, mean = t / b, top[mine].sum() / bottom[mine].sum()
        low, high = sorted((own, mean))
        assert low - 1e-9 * max(1, high) <= found[at] <= high + 1e-9 * max(1, high)
        if h >= 10:
            assert found[at] == own
        if h == 0:
            assert found[at] == pytest.approx(mean)


def test_what_is_unknown_is_drawn_to_nothing():
    nan = np.nan
    found = drawn_to_mean(
        np.array([1.0, nan, 1.0, 1.0]),
        np.array([2.0, 2.0, 0.0, 2.0]),
        np.array([5.0, 5.0, 5.0, nan]),
        np.array([1, 1, 0, 1]),
        enough=10.0,
    )
    assert found[0] == 0.5
    assert np.isnan(found[1:]).all()
