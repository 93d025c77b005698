"""The books on which analyses break: sheet 11.12, through all of them."""

from __future__ import annotations

import json
from datetime import date

import pytest

from crm_portfolio._frames import to_arrow
from crm_portfolio._wording import LANGS
from crm_portfolio.analysis import (
    Abc,
    Bands,
    ConcentrationSettings,
    LossScenarioSettings,
    Quantiles,
    Scenario,
    Slices,
    TiersSettings,
    concentration,
    loss_scenario,
    tiers,
)

NOW, OLD = date(2026, 1, 15), date(2024, 1, 5)
LOOP = [
    {"account_id": "A", "parent_id": "C"},
    {"account_id": "B", "parent_id": "A"},
    {"account_id": "C", "parent_id": "B"},
]


def old(lines):
    """The same accounts with a line long ago, so that nobody is new."""
    return [*lines, *((each, OLD, 0.01) for each in {line[0] for line in lines})]


BOOKS = {
    "no account": ([], []),
    "no line": (["A", "B"], []),
    "one account": (["A"], old([("A", NOW, 5.0)])),
    "all equal": ([*"ABCD"], old([(each, NOW, 5.0) for each in "ABCD"])),
    "all zero": (
        ["A", "B"],
        old([(each, NOW, s) for each in "AB" for s in (1.0, -1.0)]),
    ),
    "all negative": (["A", "B"], old([("A", NOW, -5.0), ("B", NOW, -1.0)])),
    "total zero": (["A", "B"], old([("A", NOW, 5.0), ("B", NOW, -5.0)])),
    "all amounts null": (["A", "B"], [("A", NOW, None), ("B", NOW, None)]),
    "some amounts null": (["A", "B"], old([("A", NOW, None), ("B", NOW, 2.0)])),
    "cyclic parents": (LOOP, old([(each, NOW, 5.0) for each in "ABC"])),
    "at 10 and 20 %": (
        [*"ABC"],
        old([("A", NOW, 10.0), ("B", NOW, 20.0), ("C", NOW, 70.0)]),
    ),
    "all new": (["A"], [("A", date(2026, 6, 30), 5.0)]),
}
EXPECTED = {  # codes of concentration, codes of tiers, the tiers of A, B, C, D
    "no account": (["non_positive_total"], ["fewer_tiers"], {}),
    "no line": (
        ["non_positive_total", "dormant"],
        ["fewer_tiers"],
        dict.fromkeys("AB", "none"),
    ),
    "one account": (["n_lt_30"], ["fewer_tiers"], {"A": "A"}),
    "all equal": (["n_lt_30"], ["fewer_tiers"], dict.fromkeys("ABCD", "A")),
    "all zero": (
        ["non_positive_total", "n_lt_30"],
        ["fewer_tiers"],
        dict.fromkeys("AB", "none"),
    ),
    "all negative": (
        ["non_positive_total", "negative_accounts", "n_lt_30", "negatives_used"],
        ["fewer_tiers"],
        dict.fromkeys("AB", "none"),
    ),
    "total zero": (
        [
            *("non_positive_total", "negative_accounts", "n_lt_30"),
            *("negatives_used", "negative_mass"),
        ],
        ["fewer_tiers"],
        {"A": "A", "B": "none"},
    ),
    "all amounts null": (
        ["amounts_unknown"],
        ["amounts_unknown", "fewer_tiers"],
        dict.fromkeys("AB"),
    ),
    "some amounts null": (
        ["amounts_unknown", "n_lt_30"],
        ["amounts_unknown", "fewer_tiers"],
        {"B": "A", "A": None},
    ),
    "cyclic parents": (
        ["n_lt_30", "cycle_in_parents", "level_differs"],
        ["fewer_tiers"],
        dict.fromkeys("ABC", "A"),
    ),
    "at 10 and 20 %": (
        ["n_lt_30"],
        ["fewer_tiers", "imbalance"],
        {"C": "A", "B": "B", "A": "C"},
    ),
    "all new": (["n_lt_30", "young_accounts"], ["fewer_tiers"], {"A": "new"}),
}

# What losing the largest group leaves of the revenue, and what must be borne in mind;
# the fixed costs are unknown in all of them.
AFTER_LOSS = {
    "no account": (0.0, ["non_positive_total"]),
    "no line": (0.0, ["non_positive_total"]),
    "one account": (0.0, ["margin_missing", "loss_of_everything", "not_reached"]),
    "all equal": (15.0, ["margin_missing", "not_reached"]),
    "all zero": (
        0.0,
        ["non_positive_total", "margin_missing", "loss_negative_excluded"],
    ),
    "all negative": (
        -6.0,
        ["non_positive_total", "margin_missing", "loss_negative_excluded"],
    ),
    "total zero": (-5.0, ["non_positive_total", "margin_missing", "not_reached"]),
    "all amounts null": (None, ["amounts_unknown"]),
    "some amounts null": (
        0.0,
        ["amounts_unknown", "margin_missing", "loss_of_everything", "not_reached"],
    ),
    "cyclic parents": (
        0.0,
        ["cycle_in_parents", "margin_missing", "loss_of_everything", "not_reached"],
    ),
    "at 10 and 20 %": (30.0, ["margin_missing", "not_reached"]),
    "all new": (0.0, ["margin_missing", "loss_of_everything", "not_reached"]),
}


def codes(result) -> list[str]:
    return [warning.code for warning in result.warnings]


@pytest.fixture(params=BOOKS)
def book(request, booked):
    accounts, lines = BOOKS[request.param]
    return request.param, booked(accounts, lines)


def test_no_book_breaks_an_analysis_and_each_is_warned_of(book):
    name, portfolio = book
    ranked, tiered = concentration(portfolio), tiers(portfolio)
    of_concentration, of_tiers, by_account = EXPECTED[name]
    assert codes(ranked) == of_concentration
    assert codes(tiered) == of_tiers
    loss = loss_scenario(portfolio)
    left, of_loss = AFTER_LOSS[name]
    assert loss.summary["after"]["revenue"] == left
    assert [code for code in codes(loss) if code != "fixed_costs_unknown"] == of_loss
    frame = to_arrow(tiered.frame)
    found = dict(
        zip(frame["account_id"].to_pylist(), frame["tier"].to_pylist(), strict=True)
    )
    assert found == by_account


def test_every_account_of_every_book_is_explained_in_every_language(book):
    _, portfolio = book
    methods = (Slices(4), Abc(), Quantiles(2), Bands((9, 3)))
    results = [
        concentration(portfolio),
        concentration(portfolio, ConcentrationSettings(population="all")),
        *(tiers(portfolio, TiersSettings(method=method)) for method in methods),
        loss_scenario(portfolio),
        loss_scenario(
            portfolio,
            LossScenarioSettings(
                scenario=Scenario.tail(1.0, ramp_months=3),
                fixed_costs=3,
                variable_cost_share=0.4,
            ),
        ),
    ]
    for result in results:
        json.dumps(result.to_dict(), allow_nan=False)
        for account_id in to_arrow(result.frame)["account_id"].to_pylist():
            for lang in LANGS:
                said = result.explain(account_id, lang=lang)
                assert "None" not in said
                assert "nan" not in said.lower().split()


def test_every_book_can_be_drawn_and_assigned(book):
    _, portfolio = book
    figure = pytest.importorskip("matplotlib.figure")
    loss = loss_scenario(portfolio)
    for result in (concentration(portfolio), tiers(portfolio), loss):
        ax = figure.Figure().subplots()
        assert result.plot(ax=ax) is ax
    ax = figure.Figure().subplots()
    assert loss.plot_recovery(ax=ax) is ax
    assert loss.assignments() is None
    for result in (concentration(portfolio), tiers(portfolio)):
        assert result.assignments().num_rows == to_arrow(result.frame).num_rows


def test_exactly_ten_is_major_and_exactly_twenty_is_not_dependent(booked):
    accounts, lines = BOOKS["at 10 and 20 %"]
    frame = to_arrow(concentration(booked(accounts, lines)).frame)
    kinds = dict(zip(frame["account_id"].to_pylist(), frame["dependence"].to_pylist()))
    assert kinds == {"A": "major", "B": "major", "C": "dependent"}
