"""The books on which analyses break: sheet 11.12, through all of them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from crm_portfolio import analysis
from crm_portfolio._frames import to_arrow
from crm_portfolio._wording import LANGS, sentence
from crm_portfolio.analysis import (
    Abc,
    AllocationSettings,
    Bands,
    ConcentrationSettings,
    DatedRate,
    ExitReviewSettings,
    FocusSettings,
    FreedCapacitySettings,
    LifetimeValueSettings,
    LossScenarioSettings,
    LostOpportunitiesSettings,
    NaturalBreaks,
    PipelineSettings,
    Potential,
    ProfitabilitySettings,
    Quantiles,
    ReceivablesSettings,
    RevenueAtRiskSettings,
    ReviewSettings,
    RiskSettings,
    Scenario,
    Slices,
    SuccessionSettings,
    TiersSettings,
    WinBackSettings,
    allocation,
    concentration,
    exit_review,
    focus,
    freed_capacity,
    lifetime_value,
    loss_scenario,
    lost_opportunities,
    pipeline,
    profitability,
    receivables,
    revenue_at_risk,
    review,
    risk,
    succession,
    tiers,
    win_back,
)
from crm_portfolio.analysis._exit._criteria import CRITERIA
from crm_portfolio.portfolio import Period

NOW, OLD = date(2026, 1, 15), date(2024, 1, 5)
_FREED = FreedCapacitySettings()
_AHEAD = PipelineSettings(months=4, min_closed=1)
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

# What a year must be expected to cost if everyone leaves at even odds; nothing is known of
# the fixed costs in any of them.
AT_EVEN_ODDS = {
    "no account": (0.0, ["non_positive_total"]),
    "no line": (0.0, ["non_positive_total"]),
    "one account": (2.5, []),
    "all equal": (10.0, []),
    "all zero": (0.0, ["non_positive_total", "var_negative_excluded"]),
    "all negative": (0.0, ["non_positive_total", "var_negative_excluded"]),
    "total zero": (2.5, ["non_positive_total", "var_negative_excluded"]),
    "all amounts null": (None, ["amounts_unknown", "var_partly_unknown"]),
    "some amounts null": (1.0, ["amounts_unknown", "var_partly_unknown"]),
    "cyclic parents": (7.5, ["cycle_in_parents"]),
    "at 10 and 20 %": (50.0, []),
    "all new": (2.5, []),
}


def at_even_odds(portfolio):
    ids = to_arrow(portfolio["account"])["account_id"].to_pylist()
    few = RevenueAtRiskSettings(draws=800)
    return revenue_at_risk(portfolio, few, odds=dict.fromkeys(ids, 0.5))


# Whom a year's moves put on the list, and what must be borne in mind.
RISING = {
    "no account": ({}, ["no_year_before"]),
    "no line": (dict.fromkeys("AB", "no"), ["no_year_before"]),
    "one account": ({"A": "no"}, ["left_truncated", "half_life_not_reached"]),
    "all equal": (
        dict.fromkeys("ABCD", "no"),
        ["left_truncated", "half_life_not_reached"],
    ),
    "all zero": (dict.fromkeys("AB", "no"), ["left_truncated"]),
    "all negative": (dict.fromkeys("AB", "no"), ["left_truncated"]),
    "total zero": (
        dict.fromkeys("AB", "no"),
        ["left_truncated", "half_life_not_reached"],
    ),
    "all amounts null": (
        dict.fromkeys("AB", "unknown"),
        ["amounts_unknown", "no_year_before", "unknown_history"],
    ),
    "some amounts null": (
        {"A": "unknown", "B": "no"},
        [
            *("amounts_unknown", "unknown_history"),
            *("left_truncated", "half_life_not_reached"),
        ],
    ),
    "cyclic parents": (
        dict.fromkeys("ABC", "no"),
        ["cycle_in_parents", "left_truncated", "half_life_not_reached"],
    ),
    "at 10 and 20 %": (
        dict.fromkeys("ABC", "no"),
        ["left_truncated", "half_life_not_reached"],
    ),
    "all new": ({"A": "unknown"}, ["no_year_before", "unknown_history"]),
}

# With ten hours and a floor of two: what must be borne in mind, and the minutes of A, B, C, D.
TEN_HOURS = {
    "no account": ([], {}),
    "no line": ([], {"A": 0, "B": 0}),
    "one account": (["effort_unknown"], {"A": 600}),
    "all equal": (["effort_unknown"], dict.fromkeys("ABCD", 150)),
    "all zero": ([], {"A": 0, "B": 0}),
    "all negative": ([], {"A": 0, "B": 0}),
    "total zero": (["effort_unknown"], {"A": 600, "B": 0}),
    "all amounts null": (
        ["amounts_unknown", "alloc_tier_unknown"],
        dict.fromkeys("AB"),
    ),
    "some amounts null": (
        ["amounts_unknown", "alloc_tier_unknown", "effort_unknown"],
        {"A": None, "B": 600},
    ),
    "cyclic parents": (["effort_unknown"], dict.fromkeys("ABC", 200)),
    "at 10 and 20 %": (["effort_unknown"], dict.fromkeys("ABC", 200)),
    "all new": (["effort_unknown"], {"A": 600}),
}


# The silence of A, B, C, D where one gap makes a rhythm; no period before has revenue.
SILENT = {
    "no account": {},
    "no line": dict.fromkeys("AB"),
    "one account": {"A": "low"},
    "all equal": dict.fromkeys("ABCD", "low"),
    "all zero": dict.fromkeys("AB"),
    "all negative": dict.fromkeys("AB"),
    "total zero": {"A": "low", "B": None},
    "all amounts null": dict.fromkeys("AB"),
    "some amounts null": {"A": "low", "B": "low"},
    "cyclic parents": dict.fromkeys("ABC", "low"),
    "at 10 and 20 %": dict.fromkeys("ABC", "low"),
    "all new": {"A": None},
}


def of_one_gap(portfolio):
    return risk(portfolio, RiskSettings(own_rhythm_gaps=1, language="fr"))


# Revenue and change of the last half-year, and what must be borne in mind; all are bookings.
REVIEWED = {
    "no account": (0.0, None, []),
    "no line": (0.0, None, []),
    "one account": (5.0, 5.0, []),
    "all equal": (20.0, 20.0, []),
    "all zero": (0.0, 0.0, []),
    "all negative": (-6.0, -6.0, []),
    "total zero": (0.0, 0.0, []),
    "all amounts null": (None, None, ["review_no_period_before", "amounts_unknown"]),
    "some amounts null": (2.0, 2.0, ["amounts_unknown"]),
    "cyclic parents": (15.0, 15.0, []),
    "at 10 and 20 %": (100.0, 100.0, []),
    "all new": (5.0, None, ["review_no_period_before"]),
}


# The hours that losing the largest group frees, where A alone takes any, and what must be
# borne in mind of them.
NO_HOURS = ["hours_missing", "freed_without_roles"]
TEN_FREED = {
    "no account": (None, ["freed_without_roles"]),
    "no line": (None, ["freed_without_roles"]),
    "one account": (10.0, ["freed_without_roles"]),
    "all equal": (10.0, ["freed_without_roles"]),
    "all zero": (10.0, ["freed_without_roles"]),
    "all negative": (None, NO_HOURS),
    "total zero": (10.0, ["freed_without_roles"]),
    "all amounts null": (None, ["amounts_unknown", "freed_without_roles"]),
    "some amounts null": (None, ["amounts_unknown", *NO_HOURS]),
    "cyclic parents": (10.0, ["cycle_in_parents", *NO_HOURS]),
    "at 10 and 20 %": (None, [*NO_HOURS, "freed_value_missing"]),
    "all new": (10.0, ["freed_without_roles"]),
}


def of_ten_hours(portfolio, settings=_FREED):
    """The time of the first account and a project to give it to."""
    ids = sorted(to_arrow(portfolio["account"])["account_id"].to_pylist())[:1]
    effort = pa.table(
        {
            "account_id": pa.array(ids, pa.string()),
            "worked_on": pa.array([NOW] * len(ids), pa.date32()),
            "minutes": pa.array([600.0] * len(ids)),
        }
    )
    project = pa.table(
        {
            "project_id": ["P"],
            "status": ["parked"],
            "hours_to_finish": [3.0],
            "expected_contribution": [5.0],
        }
    )
    with_hours = portfolio.with_tables(effort=effort, project=project)
    return freed_capacity(with_hours, settings)


def with_a_history(portfolio, settings=_AHEAD):
    """Each opportunity was entered in spring, and grew; nobody knows of the last."""
    ids = sorted(to_arrow(portfolio["opportunity"])["opportunity_id"].to_pylist())[:-1]
    moments = [datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 5, 5, tzinfo=UTC)]
    changes = pa.table(
        {
            "opportunity_id": pa.array(ids * 2, pa.string()),
            "changed_at": pa.array(
                [at for at in moments for _ in ids], pa.timestamp("us", "UTC")
            ),
            "field": pa.array(["stage"] * 2 * len(ids), pa.string()),
            "old": pa.array([None] * len(ids) + ["Talk"] * len(ids), pa.string()),
            "new": pa.array(["Talk"] * len(ids) + ["Won"] * len(ids), pa.string()),
        }
    )
    stage = pa.table(
        {
            "pipeline": ["Sales", "Sales"],
            "stage": ["Talk", "Won"],
            "position": [1, 2],
            "status": ["open", "won"],
        }
    )
    told = portfolio.with_tables(opportunity_change=changes, stage=stage)
    return pipeline(told, settings)


def with_invoices(portfolio, settings=None):
    """What was won is billed, and due at once; the first of each three is paid late."""
    sales = [
        row
        for row in to_arrow(portfolio["opportunity"]).to_pylist()
        if row["amount"] is not None and row["closed_on"] is not None
    ]
    rows = [
        {
            "invoice_id": row["opportunity_id"],
            "account_id": row["account_id"],
            "issued_on": row["closed_on"],
            "due_on": None if at % 3 == 2 else row["closed_on"],
            "paid_on": None if at % 3 else row["closed_on"] + timedelta(days=40),
            "amount": row["amount"],
            "is_disputed": at % 5 == 4,
        }
        for at, row in enumerate(sorted(sales, key=lambda row: row["opportunity_id"]))
        if row["closed_on"] <= date(2026, 5, 1)
    ]
    kinds = {"invoice_id": pa.string(), "account_id": pa.string()}
    kinds |= dict.fromkeys(("issued_on", "due_on", "paid_on"), pa.date32())
    kinds |= {"amount": pa.float64(), "is_disputed": pa.bool_()}
    invoice = pa.Table.from_pylist(rows, schema=pa.schema(kinds))
    billed = portfolio.with_tables(invoice=invoice)
    return receivables(billed, settings or ReceivablesSettings())


_COSTLY = ReceivablesSettings(
    period=Period.all(),
    ageing_days=(10,),
    financing_rate=0.08,
    reminders_per_invoice=2,
    reminder_minutes=10,
    reminder_cost_per_hour=60,
    bad_debt_shares=(0.01, 0.2),
    regime="contract",
    reference_rates=(DatedRate(date(2024, 1, 1), 0.04),),
    claim_points=0.05,
    claim_sum=40,
)


def all_lost(portfolio, settings=None):
    """All that was won was lost; and nothing was done for any of it."""
    frame = to_arrow(portfolio["opportunity"])
    at = frame.column_names.index("status")
    lost = pa.array(["lost"] * frame.num_rows, pa.string())
    told = portfolio.with_tables(opportunity=frame.set_column(at, "status", lost))
    settings = settings or LostOpportunitiesSettings(period=Period.all())
    return lost_opportunities(told, settings)


def as_if_lost(portfolio, column="competitor"):
    """All that was won was lost, was pursued, and an attempt was made of each since."""
    frame = to_arrow(portfolio["opportunity"])
    at = frame.column_names.index("status")
    ids = frame["opportunity_id"]
    count = frame.num_rows
    frame = frame.set_column(at, "status", pa.array(["lost"] * count, pa.string()))
    kind = pa.date32() if column == "refused_on" else pa.string()
    frame = frame.append_column(column, pa.nulls(count, kind))
    moments = [datetime(2026, 4, 4, tzinfo=UTC)] * count
    activity = pa.table(
        {
            "activity_id": ids,
            "opportunity_id": ids,
            "occurred_at": pa.array(moments, pa.timestamp("us", "UTC")),
            "direction": pa.array(["out"] * count, pa.string()),
        }
    )
    told = pa.array(["pursued_lost"] * count, pa.string())
    return win_back(
        portfolio.with_tables(opportunity=frame, activity=activity),
        WinBackSettings(
            lost_within_days=2_000,
            base_rate=0.2,
            hours=1,
            cost_per_hour=1,
            hour_value=0,
            variable_cost_share=0.5,
            measure="booked",
        ),
        overrides=pa.table({"opportunity_id": ids, "class": told}),
    )


def of_two_who_came_back(portfolio):
    """A model fitted on as good as nothing, or refused."""
    return lifetime_value(
        portfolio, LifetimeValueSettings(min_repeat_accounts=1, period=Period.all())
    )


def all_judged(portfolio):
    """Everybody is judged by everything, and badly; nobody knows what they bring."""
    ids = to_arrow(portfolio["account"])["account_id"].to_pylist()
    names = (*(each.name for each in CRITERIA.values()), "violence")
    rows = [(each, name) for each in ids for name in names]
    rating = pa.table(
        {
            "account_id": pa.array([each for each, _ in rows], pa.string()),
            "criterion": pa.array([name for _, name in rows], pa.string()),
            "value": pa.array([1.0] * len(rows), pa.float64()),
        }
    )
    return exit_review(portfolio.with_tables(rating=rating))


def codes(result) -> list[str]:
    return [warning.code for warning in result.warnings]


BOOKED = {}


@pytest.fixture
def kept(booked):
    """Each book once, and once with its rows turned: nothing alters a portfolio."""

    def make(name, *, is_turned=False):
        if (name, is_turned) not in BOOKED:
            BOOKED[name, is_turned] = booked(*BOOKS[name], is_turned=is_turned)
        return BOOKED[name, is_turned]

    return make


@pytest.fixture(params=BOOKS)
def book(request, kept):
    return request.param, kept(request.param)


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
    at_risk = at_even_odds(portfolio)
    expected, of_risk = AT_EVEN_ODDS[name]
    figures = at_risk.summary["independent"]
    assert (figures and figures["mean"]) == expected
    assert [code for code in codes(at_risk) if code[:9] != "var_fixed"] == of_risk
    endangered = of_one_gap(portfolio)
    assert codes(endangered)[0] == "index_not_probability"
    rows = to_arrow(endangered.frame).to_pylist()
    assert {row["account_id"]: row["silence_level"] for row in rows} == SILENT[name]
    assert all(row["erosion_level"] is None for row in rows)
    assert all(row["risk_level"] == (row["silence_level"] or "unknown") for row in rows)
    followed = succession(portfolio)
    who, of_succession = RISING[name]
    assert codes(followed) == of_succession
    rows = to_arrow(followed.frame).to_pylist()
    assert {row["account_id"]: row["rising"] for row in rows} == who
    shared = allocation(portfolio, AllocationSettings(hours=10, floor_hours=2))
    of_allocation, minutes = TEN_HOURS[name]
    assert codes(shared) == of_allocation
    frame = to_arrow(shared.frame)
    given = zip(
        frame["account_id"].to_pylist(), frame["minutes"].to_pylist(), strict=True
    )
    assert dict(given) == minutes
    frame = to_arrow(tiered.frame)
    found = dict(
        zip(frame["account_id"].to_pylist(), frame["tier"].to_pylist(), strict=True)
    )
    assert found == by_account


def test_the_two_halves_of_every_book_are_known_or_unknown_never_zero(book):
    name, portfolio = book
    result = review(portfolio)
    revenue, change, warned = REVIEWED[name]
    told = result.summary["bridge"]
    assert (told["revenue"], told["change"]) == (revenue, change)
    assert codes(result) == [*warned, "review_without_lines"]


def test_the_hours_of_every_book_are_known_or_unknown_never_zero(book):
    name, portfolio = book
    result = of_ten_hours(portfolio)
    hours, of_hours = TEN_FREED[name]
    assert (result.summary["freed"]["hours"], codes(result)) == (hours, of_hours)
    rows = to_arrow(result.candidates).to_pylist()
    (row,) = [row for row in rows if row["candidate_id"] == "project:P"]
    assert row["status"] == ("not_weighed" if hours is None else "chosen")


@pytest.mark.parametrize("share", [None, 0.5])
def test_the_margins_of_every_book_are_known_or_unknown_never_zero(book, share):
    name, portfolio = book
    own = ProfitabilitySettings(variable_cost_share=share)
    result = profitability(portfolio, own)
    rows = to_arrow(result.frame).to_pylist()
    for row in rows:
        is_whole = row["known_line_count"] == row["line_count"]
        is_known = is_whole and (share is not None or not row["line_count"])
        assert (row["gross_margin"] is not None) == is_known
        assert row["account_margin"] is None
        if is_known:
            assert row["gross_margin"] == row["net_revenue"] * (1 - (share or 0))
    whale = result.summary["whale"]
    assert whale["peak_ratio"] is None or whale["profit"] > 0
    assert ("profit_nobody" in codes(result)) == (name in {"no account", "no line"})


# Every analysis, with the settings that lead it down another way.
NOUNS = {
    "concentration": [
        concentration,
        lambda book: concentration(book, ConcentrationSettings(population="all")),
    ],
    "tiers": [
        *(
            lambda book, method=method: tiers(book, TiersSettings(method=method))
            for method in (Slices(4), Abc(), Quantiles(2), Bands((9, 3)))
        ),
        lambda book: tiers(book, TiersSettings(method=NaturalBreaks(3))),
        lambda book: tiers(
            book, TiersSettings(potential=Potential(core_segments=("food",)))
        ),
    ],
    "allocation": [
        allocation,
        lambda book: allocation(book, AllocationSettings(hours=10, floor_hours=2)),
        lambda book: allocation(book, AllocationSettings(hours=1, floor_hours=2)),
        lambda book: allocation(
            book, AllocationSettings(hours=0.05, new_accounts="own_group")
        ),
    ],
    "succession": [
        succession,
        lambda book: succession(
            book,
            SuccessionSettings(cohort_months=5, smoothing=0, method=Bands((9, 3))),
        ),
    ],
    "risk": [risk, of_one_gap],
    "loss_scenario": [
        loss_scenario,
        lambda book: loss_scenario(
            book,
            LossScenarioSettings(
                scenario=Scenario.tail(1.0, ramp_months=3),
                fixed_costs=3,
                variable_cost_share=0.4,
            ),
        ),
    ],
    "freed_capacity": [
        of_ten_hours,
        lambda book: of_ten_hours(
            book,
            FreedCapacitySettings(
                scenario=Scenario.tail(1.0, ramp_months=3),
                reserve_share=0.0,
                hours_per_sale={"sales": 1.0},
                variable_cost_share=0.4,
            ),
        ),
    ],
    "review": [
        review,
        lambda book: review(
            book,
            ReviewSettings(
                before=Period.between(date(2024, 1, 1), date(2025, 1, 1)),
                level="group",
                dating="as_origin",
                mix_by="product_and_account",
                units="different",
                perimeter_accounts=("A",),
            ),
        ),
        lambda book: review(book, ReviewSettings(period=Period.all())),
        lambda book: review(book, ReviewSettings(target=1e6, timeline_kinds=("x",))),
    ],
    "profitability": [
        profitability,
        lambda book: profitability(
            book,
            ProfitabilitySettings(
                period=Period.all(),
                variable_cost_share=0.4,
                fixed_costs=3.0,
                rates={"care": 2.0},
                untraced="mean",
                discounts="additive",
                curve="full_margin",
            ),
        ),
    ],
    "focus": [
        focus,
        lambda book: focus(
            book,
            FocusSettings(
                period=Period.all(),
                steps=3,
                step_months=1,
                innovation_target_share=0.1,
                cash=1.0,
                fixed_costs=12.0,
                value_per_hour=2.0,
                least_count=1,
            ),
        ),
    ],
    "lost_opportunities": [lost_opportunities, all_lost],
    "win_back": [
        win_back,
        as_if_lost,
        lambda book: as_if_lost(book, column="refused_on"),
    ],
    "pipeline": [
        lambda book: pipeline(book, _AHEAD),
        with_a_history,
        lambda book: with_a_history(
            book, PipelineSettings(months=6, history_from=date(2026, 4, 4))
        ),
    ],
    "receivables": [
        with_invoices,
        lambda book: with_invoices(book, _COSTLY),
        lambda book: with_invoices(book, ReceivablesSettings(regime="fr_l441_10")),
    ],
    "lifetime_value": [
        lifetime_value,
        of_two_who_came_back,
        lambda book: lifetime_value(
            book, LifetimeValueSettings(retention=0.8, variable_cost_share=0.4)
        ),
    ],
    "exit_review": [
        exit_review,
        all_judged,
        lambda book: exit_review(
            book,
            ExitReviewSettings(
                period=Period.all(),
                variable_cost_share=0.4,
                fixed_costs=3.0,
                least_coverage=0.0,
                reference="target",
                weights={"F1": 2.0, "F11": 1.0},
                around=5.0,
            ),
        ),
    ],
    "revenue_at_risk": [
        at_even_odds,
        lambda book: revenue_at_risk(book, RevenueAtRiskSettings(draws=800)),
    ],
}
MADE = {}


@pytest.fixture(
    params=[
        pytest.param((noun, at), id=f"{noun}-{at}")
        for noun, ways in NOUNS.items()
        for at in range(len(ways))
    ]
)
def found(request, book):
    """The name of a book, and what an analysis finds in it; made once for all tests."""
    (name, portfolio), (noun, at) = book, request.param
    if (name, noun, at) not in MADE:
        MADE[name, noun, at] = NOUNS[noun][at](portfolio)
    result = MADE[name, noun, at]
    assert result.name == noun
    return name, result, NOUNS[noun][at]


def test_no_analysis_is_left_out():
    nouns = {
        name
        for name in analysis.__all__
        if f"{name.title().replace('_', '')}Result" in analysis.__all__
    }
    assert nouns == set(NOUNS)


def test_every_account_of_every_book_is_explained_in_every_language(found):
    _, result, _ = found
    json.dumps(result.to_dict(), allow_nan=False)
    for warning in result.warnings:
        assert all(sentence(warning, lang) for lang in LANGS)
    for record_id in to_arrow(result.frame)[result.key].to_pylist():
        for lang in LANGS:
            said = result.explain(record_id, lang=lang)
            assert "None" not in said
            assert "nan" not in said.lower().split()


def test_every_account_of_every_book_stands_in_the_frame_once(found):
    name, result, _ = found
    ids = sorted(to_arrow(result.frame)[result.key].to_pylist())
    if result.key != "account_id":
        assert len(set(ids)) == len(ids)
        return
    assert ids == [
        each if isinstance(each, str) else each["account_id"] for each in BOOKS[name][0]
    ]
    assigned = result.assignments()
    assert assigned is None or sorted(assigned["account_id"].to_pylist()) == ids


def test_the_order_of_rows_makes_no_difference_in_any_book(found, kept):
    """Sheet 11.1: a ranking does not depend on the order of rows; nor does all else."""
    name, result, way = found
    again = way(kept(name, is_turned=True))
    assert json.dumps(again.to_dict()) == json.dumps(result.to_dict())
    assert not again.compared_with(result).moves


def test_every_book_can_be_drawn(found):
    figure = pytest.importorskip("matplotlib.figure")
    _, result, _ = found
    pictures = [name for name in dir(result) if name.startswith("plot")]
    assert "plot" in pictures
    for picture in pictures:
        ax = figure.Figure().subplots()
        assert getattr(result, picture)(ax=ax) is ax


def test_exactly_ten_is_major_and_exactly_twenty_is_not_dependent(booked):
    accounts, lines = BOOKS["at 10 and 20 %"]
    frame = to_arrow(concentration(booked(accounts, lines)).frame)
    kinds = dict(zip(frame["account_id"].to_pylist(), frame["dependence"].to_pylist()))
    assert kinds == {"A": "major", "B": "major", "C": "dependent"}
