"""Does the exit review know what is known, from where, and nothing else?"""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from exit_books import AS_OF, book, rating, ratings, table

from crm_portfolio import analysis
from crm_portfolio.analysis._exit._criteria import CODES, CRITERIA, SOURCES, VETOES
from crm_portfolio.analysis._exit._measures import MeasureRules, Measures, measures
from crm_portfolio.analysis._facts import revenue_facts
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period, Portfolio

YEAR = Period.last_months(12)
A, B, C, D = range(4)


def measured(
    portfolio: Portfolio, rules: MeasureRules = MeasureRules(), **given: Any
) -> Measures:
    facts = revenue_facts(portfolio, YEAR, None, needed_by="test")
    late = analysis.receivables(portfolio) if "invoice" in portfolio else None
    usual: dict[str, Any] = {
        "profitability": analysis.profitability(portfolio),
        "receivables": late,
        "concentration": analysis.concentration(portfolio),
        "tiers": analysis.tiers(portfolio),
    }
    return measures(portfolio, facts, rules, **(usual | given))


def said(found: Measures, code: str) -> list[tuple[float | None, str | None]]:
    """Of each account, what is known and which table says it."""
    at = CODES.index(code)
    return [
        (None, None) if source < 0 else (value, SOURCES[source])
        for value, source in zip(found.values[:, at], found.sources[:, at], strict=True)
    ]


def values(found: Measures, code: str) -> list[float]:
    return found.column(code).tolist()


def test_there_are_thirteen_criteria_in_the_order_of_the_article():
    assert tuple(f"F{n}" for n in range(1, 14)) == CODES
    names = [each.name for each in CRITERIA.values()]
    assert len(set(names)) == 13
    assert not set(names) & set(VETOES)


def test_an_hour_is_held_against_the_median_of_the_accounts():
    found = measured(book())
    # 500 in 10 hours, 1000 in 20, 200 in 2; of D nobody noted any hours.
    assert found.basis == "hour"
    assert found.reference == 50.0
    assert said(found, "F1") == [
        (1.0, "revenue_line"),
        (1.0, "revenue_line"),
        (2.0, "revenue_line"),
        (None, None),
    ]
    fixed = measured(book(), MeasureRules(reference_contribution=100.0))
    assert values(fixed, "F1")[:3] == [0.5, 0.5, 1.0]


def test_a_fixed_reference_leaves_the_others_where_they_were():
    portfolio = book()
    rules = MeasureRules(reference_contribution=100.0)
    whole, cut = measured(portfolio, rules), measured(portfolio.only("AC"), rules)
    at = [CODES.index(code) for code in ("F1", "F7")]
    assert whole.values[[A]][:, at].tolist() == cut.values[[0]][:, at].tolist()


def test_without_any_hours_profit_is_held_against_revenue():
    portfolio = book()
    tables = {name: portfolio[name] for name in ("account", "revenue_line")}
    bare = Portfolio.from_frames(as_of=AS_OF, currency="EUR", **tables)
    found = measured(bare)
    assert found.basis == "revenue"
    assert found.reference == 0.5
    assert values(found, "F1") == [1.0] * 4
    for code in ("F2", "F7", "F12"):
        assert said(found, code) == [(None, None)] * 4


def test_more_credited_than_sold_is_a_loss_and_no_unknown():
    """Sheet 0.4: credit notes above invoices: F1 low."""
    lines = [
        {
            "line_id": str(at),
            "account_id": account,
            "booked_on": date(2026, 1, 1),
            "amount": amount,
            "cost": cost,
            "kind": kind,
        }
        for at, (account, amount, cost, kind) in enumerate(
            [
                ("A", 100.0, 90.0, "invoice"),
                ("A", -300.0, 0.0, "credit_note"),
                ("B", 900.0, 300.0, "invoice"),
            ]
        )
    ]
    bare = Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        account=pa.table({"account_id": ["A", "B"]}),
        revenue_line=table(lines),
    )
    # 290 are lost on 200 that are owed, where 600 of 900 are usual.
    assert values(measured(bare), "F1") == pytest.approx([-1.45 / (2 / 3), 1.0])


def test_of_few_hours_cost_and_complexity_are_drawn_to_the_mean_of_the_tier():
    """Sheet 8.8, rule 2: hours below ten."""
    portfolio = book()
    one_tier = analysis.TiersSettings(method=analysis.Slices(1))
    found = measured(portfolio, tiers=analysis.tiers(portfolio, one_tier))
    # 10, 10 and 5 hours a thousand; the tier has 32 hours of 3400.
    mean = 32 / 3.4
    assert values(found, "F7")[:3] == pytest.approx(
        [10.0, 10.0, 0.2 * 5.0 + 0.8 * mean]
    )
    # 20 an hour: 200 of 1000, 400 of 2000, 40 of 400; the tier 640 of 3400.
    assert values(found, "F2")[:3] == pytest.approx(
        [0.2, 0.2, 0.2 * 0.1 + 0.8 * 640 / 3400]
    )
    assert math.isnan(values(found, "F7")[D])
    plain = measured(portfolio, MeasureRules(least_hours=0.0))
    assert values(plain, "F7")[C] == 5.0


def test_winning_costs_nobody_knows_are_pointed_out_not_taken_for_nothing():
    found = measured(book())
    at = CODES.index("F2")
    assert found.is_partial[:3, at].all()
    assert not found.is_partial[D, at]  # nothing of it is known at all


def test_late_payment_is_in_days_weighted_by_amount():
    invoices = [
        {
            "invoice_id": "1",
            "account_id": "A",
            "issued_on": date(2026, 1, 1),
            "due_on": date(2026, 2, 1),
            "paid_on": date(2026, 2, 21),
            "amount": 100.0,
        },
        {
            "invoice_id": "2",
            "account_id": "A",
            "issued_on": date(2026, 1, 1),
            "due_on": date(2026, 2, 1),
            "paid_on": date(2026, 1, 20),
            "amount": 300.0,
        },
    ]
    found = measured(book(invoice=table(invoices)))
    assert said(found, "F3") == [(5.0, "invoice"), *[(None, None)] * 3]
    assert found.said_on[A, 2] == np.datetime64(AS_OF)


def test_discounts_are_the_worse_of_how_often_and_how_much_unexplained():
    sales = [
        {
            "opportunity_id": f"O{at}",
            "account_id": account,
            "status": "won",
            "closed_on": date(2026, 1, 5),
            "discount_share": share,
        }
        for at, (account, share) in enumerate(
            [("A", 0.1), ("A", 0.0), ("A", 0.2), ("B", 0.0), ("C", None)]
        )
    ]
    found = measured(book(opportunity=table(sales)))
    assert values(found, "F4")[:2] == pytest.approx([2 / 3, 0.0])
    assert said(found, "F4")[2:] == [(None, None)] * 2


def test_each_account_says_which_table_its_discounts_are_known_from():
    lines = [
        {
            "line_id": f"L{account}",
            "account_id": account,
            "booked_on": date(2026, 1, 10),
            "amount": 800.0,
            "product_id": "P",
            "quantity": 1.0,
            "list_price": list_price,
        }
        for account, list_price in (("A", 1000.0), ("B", None), ("C", 1000.0))
    ]
    sales = [
        {
            "opportunity_id": f"O{account}",
            "account_id": account,
            "status": "won",
            "closed_on": date(2026, 1, 5),
            "discount_share": 0.1,
        }
        for account in "BC"
    ]
    found = measured(book(revenue_line=table(lines), opportunity=table(sales)))
    tables = [source for _, source in said(found, "F4")]
    assert tables == ["revenue_line", "opportunity", "opportunity", None]
    assert values(found, "F4")[B] == values(found, "F4")[C] == 1.0


def test_concentration_is_that_of_the_group_and_its_part_in_the_index():
    found = measured(book())
    assert values(found, "F11") == pytest.approx([0.25, 0.5, 0.25, 0.25])
    hhi = 0.25**2 + 0.5**2 + 0.25**2
    without_b = 0.5**2 + 0.5**2
    assert found.of.hhi_effect[B] == pytest.approx(hhi - without_b)
    without_a = (1 / 3) ** 2 + (2 / 3) ** 2
    assert found.of.hhi_effect[A] == pytest.approx(hhi - without_a)


def test_displacement_is_what_the_hours_would_bring_elsewhere_of_the_revenue():
    assert said(measured(book()), "F12") == [(None, None)] * 4
    found = measured(book(), MeasureRules(hour_value=30.0))
    assert found.hour_value_from == "settings"
    assert values(found, "F12")[:3] == pytest.approx([0.3, 0.3, 0.15])
    assert said(found, "F12")[D] == (None, None)
    idle = measured(book(), MeasureRules(hour_value=0.0))
    assert values(idle, "F12")[:3] == [0.0, 0.0, 0.0]


def test_old_offers_take_a_part_of_the_hours():
    efforts = [
        {
            "account_id": account,
            "worked_on": date(2026, 2, 1),
            "minutes": minutes,
            "product_id": product,
        }
        for account, minutes, product in (
            ("A", 60.0, "OLD"),
            ("A", 180.0, "NEW"),
            ("B", 60.0, "NEW"),
        )
    ]
    products = pa.table(
        {"product_id": ["OLD", "NEW"], "line": ["classic", "cloud"], "name": ["o", "n"]}
    )
    portfolio = book(effort=table(efforts), product=products)
    by_line = measured(portfolio, MeasureRules(obsolete_lines=("classic",)))
    by_product = measured(portfolio, MeasureRules(obsolete_products=("OLD",)))
    for found in (by_line, by_product):
        assert said(found, "F9") == [
            (0.25, "effort"),
            (0.0, "effort"),
            *[(None, None)] * 2,
        ]
    assert said(measured(portfolio), "F9") == [(None, None)] * 4


def test_hours_that_name_no_product_are_not_on_new_offers():
    efforts = [
        {
            "account_id": account,
            "worked_on": date(2026, 2, 1),
            "minutes": 60.0,
            "product_id": product,
        }
        for account, product in (("A", "OLD"), ("A", None), ("B", None), ("C", "NEW"))
    ]
    rules, at = MeasureRules(obsolete_products=("OLD",)), CODES.index("F9")
    found = measured(book(effort=table(efforts)), rules)
    assert said(found, "F9") == [
        (1.0, "effort"),
        (None, None),
        (0.0, "effort"),
        (None, None),
    ]
    assert found.is_partial[:, at].tolist() == [True, False, False, False]


def test_what_stands_beside_the_criteria_is_in_the_dossier():
    tickets = [
        {
            "ticket_id": f"T{at}",
            "opened_at": "2026-03-01T10:00:00Z",
            "account_id": "A",
            "is_escalated": at == 0,
        }
        for at in range(4)
    ]
    found = analysis.exit_review(book(ticket=table(tickets))).arrow.to_pylist()
    rows = {row["account_id"]: row for row in found}
    assert (rows["A"]["ticket_count"], rows["A"]["escalated_share"]) == (4.0, 0.25)
    assert (rows["B"]["ticket_count"], rows["B"]["escalated_share"]) == (0.0, None)
    assert rows["A"]["new_offer_count"] is None
    assert rows["A"]["special_request_count"] is None


def test_what_is_measured_stands_before_what_is_judged():
    portfolio = book(
        rating=ratings(
            rating("A", "complexity", 1.0),
            rating("D", "complexity", 4.0),
            rating("D", "profitability", 7.0),
        )
    )
    found = measured(portfolio)
    assert said(found, "F7")[A] == (10.0, "effort")
    assert said(found, "F7")[D] == (4.0, "rating")
    assert said(found, "F1")[D] == (7.0, "rating")


def test_of_several_raters_the_median_counts_and_those_far_apart_are_flagged():
    """Sheet 8.5: median, flag where the spread is above 3 points."""
    portfolio = book(
        rating=ratings(
            rating("A", "vision", 2.0, "U1"),
            rating("A", "vision", 3.0, "U2"),
            rating("A", "vision", 9.0, "U3"),
            rating("B", "vision", 5.0, "U1"),
            rating("B", "vision", 8.0, "U2"),
            # Of one person the newest counts.
            rating("C", "vision", 1.0, "U1", date(2025, 1, 1)),
            rating("C", "vision", 6.0, "U1", date(2026, 1, 1)),
        )
    )
    found, at = measured(portfolio), CODES.index("F10")
    assert values(found, "F10")[:3] == [3.0, 6.5, 6.0]
    assert found.raters[:, at].tolist() == [3, 2, 1, 0]
    assert found.spread[:3, at].tolist() == [7.0, 3.0, 0.0]
    assert found.is_disputed[:, at].tolist() == [True, False, False, False]
    assert found.said_on[C, at] == np.datetime64("2026-01-01")


def test_an_old_rating_counts_and_is_pointed_out():
    portfolio = book(
        rating=ratings(
            rating("A", "vision", 5.0, on=date(2025, 6, 29)),
            rating("B", "vision", 5.0, on=date(2025, 6, 30)),
            rating("C", "vision", 5.0, on=None),
        )
    )
    found, at = measured(portfolio), CODES.index("F10")
    assert found.is_old[:, at].tolist() == [True, False, False, False]
    assert values(found, "F10")[:3] == [5.0, 5.0, 5.0]
    assert np.isnat(found.said_on[C, at])


def test_who_contradicts_himself_and_who_misspells_is_reported():
    portfolio = book(
        rating=ratings(
            rating("A", "vision", 2.0),
            rating("A", "vision", 8.0),
            # Nobody signed these, and nobody knows which of them came first.
            rating("C", "vision", 9.0, None, None),
            rating("C", "vision", 4.0, None, None),
            rating("B", "visoin", 2.0),
            rating("B", "share_of_wallet", 2.0),
        )
    )
    found = measured(portfolio)
    assert values(found, "F10")[A] == 2.0  # the worse of the two
    assert found.conflicts.select(["account_id", "lowest", "highest"]).to_pylist() == [
        {"account_id": "A", "lowest": 2.0, "highest": 8.0},
        {"account_id": "C", "lowest": 4.0, "highest": 9.0},
    ]
    assert found.misspelt == (("visoin", "vision"),)


@pytest.mark.parametrize("code", VETOES)
def test_a_nought_under_a_veto_calls_a_person_and_no_other_number_does(code):
    portfolio = book(
        rating=ratings(
            rating("A", code, 0.0, on=date(2026, 3, 1)),
            rating("A", code, 10.0, "U2"),
            rating("B", code, 0.5),
            rating("C", code, 0.0, on=date(2026, 1, 1)),
            rating("C", code, 10.0, on=date(2026, 2, 1)),
        )
    )
    found = measured(portfolio)
    assert found.vetoes[code].tolist() == [True, False, False, False]
    assert found.veto_on[code][A] == np.datetime64("2026-03-01")
    others = [found.vetoes[name].any() for name in VETOES if name != code]
    assert others == [False] * 3


def test_what_protects_an_account():
    contracts = [
        {
            "contract_id": "1",
            "account_id": "A",
            "starts_on": date(2025, 1, 1),
            "ends_on": date(2026, 12, 31),
            "notice_days": 90,
        },
        {
            "contract_id": "2",
            "account_id": "B",
            "starts_on": date(2024, 1, 1),
            "ends_on": date(2025, 12, 31),
        },
        {"contract_id": "3", "account_id": "C", "starts_on": date(2025, 1, 1)},
    ]
    found = measured(book(contract=table(contracts)), MeasureRules(strategic=("D",)))
    assert found.protections["contract_in_force"].tolist() == [True, False, True, False]
    assert found.of.contract_end_on[A] == np.datetime64("2026-12-31")
    assert np.isnat(found.of.contract_end_on[C])
    assert found.of.is_open_ended.tolist() == [False, False, True, False]
    assert found.of.notice_days[A] == 90
    assert found.protections["strategic"].tolist() == [False, False, False, True]
    assert found.protections["new_account"].tolist() == [False] * 4
    assert found.protections["potential_unknown"].all()
    assert found.knows_contracts
    assert not measured(book()).knows_contracts
    with pytest.raises(SettingsError, match="no account"):
        measured(book(), MeasureRules(strategic=("Z",)))


def test_an_account_is_new_for_twelve_months():
    lines = [
        {
            "line_id": account,
            "account_id": account,
            "booked_on": day,
            "amount": 10.0,
        }
        for account, day in (
            ("A", date(2025, 7, 1)),
            ("B", date(2025, 7, 2)),
            ("C", date(2024, 1, 1)),
        )
    ]
    accounts = pa.table(
        {
            "account_id": ["A", "B", "C", "D"],
            "created_on": pa.array([None, None, None, date(2026, 1, 1)], pa.date32()),
        }
    )
    found = measured(book(account=accounts, revenue_line=table(lines)))
    assert found.protections["new_account"].tolist() == [False, True, False, True]


def test_whose_age_nobody_knows_may_be_new():
    lines = [{"line_id": "1", "account_id": "A", "booked_on": date(2020, 1, 1)}]
    found = measured(book(revenue_line=table([{**lines[0], "amount": 10.0}])))
    assert found.protections["new_account"].tolist() == [False, True, True, True]


def test_a_controversy_holds_the_reputation_down_while_it_lasts():
    event = pa.table(
        {
            "event_id": ["1", "2", "3"],
            "account_id": ["A", "B", "C"],
            "kind": ["controversy"] * 3,
            "from_on": [date(2026, 3, 1), date(2026, 3, 1), date(2020, 3, 1)],
            "label": ["x"] * 3,
        }
    )
    portfolio = book(
        event=event,
        rating=ratings(
            rating("A", "reputation", 9.0),
            rating("B", "reputation", 1.0),
            rating("C", "reputation", 9.0),
        ),
    )
    found = measured(portfolio)
    assert said(found, "F5")[:3] == [(3.0, "event"), (1.0, "rating"), (9.0, "rating")]
    assert found.said_on[A, 4] == np.datetime64("2026-03-01")


def test_tickets_say_how_content_an_account_is_once_their_scale_is_known():
    tickets = [
        {
            "ticket_id": f"T{account}{at}",
            "opened_at": date(2026, 3, 1 + at).isoformat() + "T10:00:00Z",
            "account_id": account,
            "is_escalated": at == 0,
            "satisfaction": score,
        }
        for account, scores in (("A", [1, 3, 5, 3, 3]), ("B", [5, 5]))
        for at, score in enumerate(float(each) for each in scores)
    ]
    portfolio = book(
        ticket=table(tickets), rating=ratings(rating("D", "relationship", 4))
    )
    found = measured(portfolio, MeasureRules(satisfaction_scale=(1.0, 5.0)))
    # Five say 3 in the mean, halfway; two are too few.
    assert said(found, "F8") == [
        (5.0, "ticket"),
        (None, None),
        (None, None),
        (4.0, "rating"),
    ]
    assert found.evidence["escalated_share"].tolist()[:2] == [0.2, 0.5]
    # Who deals with it knows better than its tickets do.
    judged = portfolio.with_tables(rating=ratings(rating("A", "relationship", 9.0)))
    told = measured(judged, MeasureRules(satisfaction_scale=(1.0, 5.0)))
    assert said(told, "F8")[A] == (9.0, "rating")
    assert said(measured(portfolio), "F8")[A] == (None, None)


def test_an_empty_book_and_one_of_unknowns_have_no_measure():
    accounts = pa.table({"account_id": pa.array([], pa.string())})
    empty = Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        account=accounts,
        revenue_line=table(
            [],
            line_id=pa.string(),
            account_id=pa.string(),
            booked_on=pa.date32(),
            amount=pa.float64(),
        ),
    )
    assert measured(empty).values.shape == (0, 13)


def test_no_result_given_means_nothing_is_known_of_it():
    portfolio = book()
    facts = revenue_facts(portfolio, YEAR, None, needed_by="test")
    found = measures(portfolio, facts)
    assert not found.is_known.any()
    with pytest.raises(SettingsError, match="another portfolio"):
        measures(portfolio, facts, tiers=analysis.tiers(portfolio.only("AB")))


@pytest.mark.parametrize("backend", ["pandas", "polars", "duckdb"])
def test_every_backend_measures_the_same(backend):
    tables = {
        "rating": ratings(rating("A", "vision", 2.0), rating("A", "vision", 9.0, "U2"))
    }
    plain, other = (
        measured(book(backend=each, **tables)) for each in ("pyarrow", backend)
    )
    assert np.array_equal(plain.values, other.values, equal_nan=True)
    assert np.array_equal(plain.sources, other.sources)
