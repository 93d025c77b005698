"""Sheet 7.1 to 7.4 and 7.7: what is left of each account, and what no account owes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio import samples
from crm_portfolio._analyse import analyse
from crm_portfolio._frames import BACKENDS, from_arrow, to_arrow
from crm_portfolio._wording import LANGS, sentence
from crm_portfolio.analysis import (
    ProfitabilitySettings,
    ReceivablesSettings,
    UnitTime,
    profitability,
    receivables,
)
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.settings import Settings

AS_OF = date(2026, 6, 30)
NOW, OLD = date(2026, 3, 10), date(2019, 3, 10)
TEXT = pa.string()
KINDS = (
    dict.fromkeys(
        ("booked_on", "worked_on", "from_on", "to_on", "closed_on", "issued_on"),
        pa.date32(),
    )
    | dict.fromkeys(("due_on", "paid_on"), pa.date32())
    | dict.fromkeys(("amount", "quantity", "list_price", "cost"), pa.float64())
    | dict.fromkeys(("minutes", "hours", "cost_per_hour"), pa.float64())
    | {"discount_share": pa.float64(), "is_avoidable": pa.bool_()}
    | dict.fromkeys(("created_at", "occurred_at"), pa.timestamp("us", "UTC"))
)


def table(rows: list[dict]) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table(
        {
            name: pa.array([row.get(name) for row in rows], KINDS.get(name, TEXT))
            for name in names
        }
    )


def line(account: str, amount: float | None, cost: float | None = None, **more) -> dict:
    row = {"account_id": account, "booked_on": NOW, "amount": amount, "cost": cost}
    return row | more


def cost(kind: str, amount: float, account: str | None = None, **more) -> dict:
    row = {"kind": kind, "booked_on": NOW, "amount": amount, "account_id": account}
    return row | {"is_avoidable": False} | more


def work(account: str, hours: float, role: str | None = "care", **more) -> dict:
    row = {"account_id": account, "worked_on": NOW, "minutes": 60.0 * hours}
    return row | {"role": role, **more}


def capacity(hours: float, rate: float | None, role: str = "care") -> dict:
    days = {"from_on": date(2025, 7, 1), "to_on": date(2026, 6, 30)}
    return {"role": role, "hours": hours, "cost_per_hour": rate, **days}


def book(lines: list[dict], *, accounts=None, backend="pyarrow", **tables) -> Portfolio:
    """A portfolio of these lines; of each account an old one says that it is not new."""
    ids = accounts or sorted({row["account_id"] for row in lines})
    old = [line(each, 1.0, 1.0, booked_on=OLD) for each in ids]
    rows = [{"line_id": f"L{at:03}", **each} for at, each in enumerate(lines + old)]
    frames = {"account": table([{"account_id": each} for each in ids])}
    frames["revenue_line"] = table(rows)
    for name, own in tables.items():
        key = {"cost": "cost_id", "activity": "activity_id"}.get(name)
        numbered = [{key: f"{at:03}", **row} for at, row in enumerate(own)]
        frames[name] = table(numbered if key else own)
    return Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        **{name: from_arrow(each, backend) for name, each in frames.items()},
    )


def rows_of(frame, key: str = "account_id") -> dict[str, dict]:
    return {row[key]: row for row in to_arrow(frame).to_pylist()}


def codes(result) -> list[str]:
    return [warning.code for warning in result.warnings]


def invoice(account: str, amount: float, days_late: int) -> dict:
    paid = date.fromordinal(date(2026, 1, 31).toordinal() + days_late)
    return {
        "invoice_id": f"I-{account}",
        "account_id": account,
        "issued_on": date(2026, 1, 1),
        "due_on": date(2026, 1, 31),
        "paid_on": paid,
        "amount": amount,
    }


STEPS = {
    "net_revenue": 2000.0,
    "delivery_cost": 800.0,
    "gross_margin": 1200.0,
    "cost_to_serve": 340.0,
    "margin_after_service": 860.0,
    "late_cost": 100.0,
    "acquisition_cost": 0.0,
    "account_margin": 760.0,
    "overhead": 200.0,
    "full_margin": 560.0,
    "avoidable_contribution": 1060.0,
}
WHOLE = {
    "effort": [work("A", 6.0), work("B", 2.0)],
    "capacity": [capacity(10.0, 50.0)],
    "invoice": [invoice("A", 36_500.0, 10), invoice("B", 100.0, 0)],
    "cost": [
        cost("service", 40.0, "A", is_avoidable=True),
        cost("acquisition", 600.0, "A", booked_on=date(2025, 12, 1)),
        cost("overhead", 300.0),
        cost("exceptional", 9_999.0, "A"),
    ],
}


def whole(backend="pyarrow") -> Portfolio:
    lines = [line("A", 2000.0, 800.0), line("B", 1000.0, 900.0)]
    return book(lines, backend=backend, **WHOLE)


def late(portfolio: Portfolio):
    """Ten per cent a year, and no other cost of lateness."""
    rules = ReceivablesSettings(
        financing_rate=0.1,
        reminders_per_invoice=0.0,
        reminder_minutes=0.0,
        reminder_cost_per_hour=0.0,
        bad_debt_shares=(0.0,) * 4,
    )
    return receivables(portfolio, rules)


class TestTheStatement:
    def test_each_step_down_to_the_full_margin(self):
        """2,000 − 800 − (6 h × 50 + 40) − lateness − 0 (life over) − 2/3 of 300."""
        portfolio = whole()
        found = rows_of(profitability(portfolio, receivables=late(portfolio)).frame)
        # 36,500 for ten days at ten per cent a year is 100.
        assert {name: found["A"][name] for name in (*STEPS,)} == STEPS
        assert found["A"]["furthest_margin"] == "full_margin"

    def test_an_unknown_step_leaves_all_below_it_unknown(self):
        result = profitability(book([line("A", 100.0, 60.0)]))
        row = rows_of(result.frame)["A"]
        assert row["gross_margin"] == 40
        for name in ("cost_to_serve", "margin_after_service", "late_cost", "hours"):
            assert row[name] is None, name
        for name in ("account_margin", "full_margin", "margin_low", "overhead"):
            assert row[name] is None, name
        assert row["furthest_margin"] == "gross_margin"
        assert {"profit_without_hours", "profit_late_missing"} <= {*codes(result)}

    def test_a_line_without_its_cost_leaves_the_margin_unknown(self):
        lines = [line("A", 100.0, 60.0), line("A", 50.0), line("B", 10.0, 1.0)]
        found = rows_of(profitability(book(lines)).frame)
        assert found["A"]["delivery_cost"] is None
        assert found["A"]["gross_margin"] is None
        assert found["B"]["gross_margin"] == 9
        own = ProfitabilitySettings(variable_cost_share=0.5)
        assert rows_of(profitability(book(lines), own).frame)["A"]["gross_margin"] == 75

    def test_a_concession_need_not_say_its_cost(self):
        lines = [line("A", 100.0, 60.0), line("A", -10.0, kind="credit_note")]
        row = rows_of(profitability(book(lines)).frame)["A"]
        assert (row["net_revenue"], row["gross_margin"]) == (90, 30)

    def test_costs_of_delivery_on_the_account_stand_for_those_of_its_lines(self):
        found = profitability(
            book([line("A", 100.0)], cost=[cost("delivery", 30.0, "A")])
        )
        assert rows_of(found.frame)["A"]["gross_margin"] == 70

    def test_what_is_exceptional_is_no_accounts_cost(self):
        """Article 1: the buy-back of shares stands under the operating profit."""
        found = rows_of(profitability(whole()).frame)["A"]
        assert found["cost_to_serve"] == 340


class TestTwoMargins:
    def test_the_death_spiral(self):
        """Sheet 7.2 [H]: full cost −10, and leaving loses 30."""
        portfolio = book(
            [line("A", 100.0, 70.0)],
            effort=[work("A", 0.0)],
            invoice=[invoice("A", 100.0, 0)],
            cost=[cost("overhead", 40.0)],
        )
        owed = late(portfolio)
        result = profitability(portfolio, receivables=owed)
        row = rows_of(result.frame)["A"]
        assert row["avoidable_contribution"] == 30
        assert row["full_margin"] == -10
        assert "profit_spiral" in [each.code for each in result.reasons("A")]

    def test_only_what_ends_with_the_account_is_avoidable(self):
        costs = [
            cost("service", 10.0, "A", is_avoidable=True),
            cost("service", 20.0, "A", is_avoidable=False),
        ]
        found = profitability(book([line("A", 100.0, 60.0)], cost=costs))
        assert rows_of(found.frame)["A"]["avoidable_contribution"] == 30

    def test_a_cost_that_does_not_say_so_leaves_it_unknown(self):
        costs = [cost("service", 10.0, "A", is_avoidable=None)]
        found = profitability(book([line("A", 100.0, 60.0)], cost=costs))
        assert rows_of(found.frame)["A"]["avoidable_contribution"] is None
        assert "profit_unsaid" in codes(found)


class TestHours:
    def test_unused_hours_are_no_accounts(self):
        result = profitability(whole())
        rates = rows_of(result.rates, "role")["care"]
        assert (rates["hours_practical"], rates["hours_used"]) == (10, 8)
        assert (rates["hours_unused"], rates["unused_cost"]) == (2, 100)
        served = result.summary["statement"]["cost_to_serve"]
        assert served == 8 * 50 + 40
        assert result.summary["hours"]["unused_cost"] == 100

    def test_more_hours_than_there_are_is_an_overload(self):
        found = profitability(
            book(
                [line("A", 9.0, 1.0)],
                effort=[work("A", 12.0)],
                capacity=[capacity(10.0, 50.0)],
            )
        )
        assert "overload" in codes(found)
        assert rows_of(found.frame)["A"]["cost_to_serve"] == 600

    def test_few_hours_on_record_make_the_margin_a_range(self):
        """6 of 10 hours: the 4 nobody noted cost 200, by revenue 150 and 50."""
        portfolio = book(
            [line("A", 300.0, 0.0), line("B", 100.0, 0.0)],
            effort=[work("A", 4.0), work("B", 2.0)],
            capacity=[capacity(10.0, 50.0)],
            invoice=[invoice("A", 10.0, 0), invoice("B", 10.0, 0)],
        )
        owed = late(portfolio)
        result = profitability(portfolio, receivables=owed)
        assert result.summary["hours"]["coverage"] == 0.6
        assert result.summary["hours"]["unexplained_cost"] == 200
        assert "cost_coverage_low" in codes(result)
        row = rows_of(result.frame)["A"]
        assert row["account_margin"] is None
        assert row["margin_after_service"] is None
        assert (row["margin_low"], row["margin_high"]) == (-50, 100)
        enough = ProfitabilitySettings(coverage_share=0.6)
        row = rows_of(profitability(portfolio, enough, receivables=owed).frame)["A"]
        assert row["margin_after_service"] == 100
        assert row["margin_low"] == row["margin_high"] == row["account_margin"]

    def test_hours_nobody_noted_of_a_role_without_a_rate_have_no_known_cost(self):
        """Ten hours of each role, six and one of them noted; what law costs nobody said."""
        effort = [work("A", 6.0), work("A", 1.0, "law")]
        own = ProfitabilitySettings(coverage_share=0.9)
        lines, priced = [line("A", 900.0, 1.0)], capacity(10.0, 50.0)
        costs = [
            profitability(
                book(
                    lines, effort=effort, capacity=[priced, capacity(10.0, rate, "law")]
                ),
                own,
            ).summary["hours"]["unexplained_cost"]
            for rate in (20.0, None)
        ]
        assert costs == [4 * 50 + 9 * 20, None]

    def test_a_role_without_a_rate_leaves_the_cost_unknown(self):
        portfolio = book(
            [line("A", 9.0, 1.0), line("B", 9.0, 1.0)],
            effort=[work("A", 1.0, "law"), work("B", 9.0)],
            capacity=[capacity(10.0, 50.0)],
        )
        result = profitability(portfolio)
        found = rows_of(result.frame)
        assert found["A"]["cost_to_serve"] is None
        assert found["B"]["cost_to_serve"] == 450
        assert "profit_without_rate" in codes(result)
        told = ProfitabilitySettings(rates={"law": 200.0})
        found = rows_of(profitability(portfolio, told).frame)
        assert found["A"]["cost_to_serve"] == 200

    def test_internal_time_and_delivered_time_are_not_charged(self):
        effort = [
            work("A", 5.0, kind="care"),
            work("A", 3.0, kind="meeting"),
            work("A", 1.0, kind="build"),
        ]
        own = ProfitabilitySettings(
            internal_kinds=("meeting",), delivered_kinds=("build",)
        )
        result = profitability(
            book([line("A", 9.0, 1.0)], effort=effort, capacity=[capacity(10.0, 50.0)]),
            own,
        )
        assert rows_of(result.frame)["A"]["hours"] == 5
        assert rows_of(result.frame)["A"]["cost_to_serve"] == 250
        assert rows_of(result.rates, "role")["care"]["hours_used"] == 9

    def test_nobody_noted_is_not_nothing(self):
        portfolio = book(
            [line("A", 9.0, 1.0), line("B", 1.0, 1.0)],
            effort=[work("A", 9.0)],
            capacity=[capacity(10.0, 50.0)],
        )
        row = rows_of(profitability(portfolio).frame)["B"]
        assert (row["hours"], row["cost_to_serve"]) == (None, None)

    def test_unit_times_stand_in_until_enough_effort_is_on_record(self):
        at = datetime(2026, 3, 10, 9, tzinfo=UTC)
        calls = [
            {"account_id": "A", "kind": "call", "occurred_at": at} for _ in range(9)
        ]
        own = ProfitabilitySettings(
            unit_times={"call": UnitTime(minutes=60.0, role="care")}
        )
        few, many = (
            profitability(
                book(
                    [line("A", 9.0, 1.0)],
                    effort=[work("A", hours)],
                    capacity=[capacity(10.0, 50.0)],
                    activity=calls,
                ),
                own,
            )
            for hours in (2.0, 8.0)
        )
        assert few.summary["hours"]["source"] == "unit_times"
        assert rows_of(few.frame)["A"]["cost_to_serve"] == 450
        assert many.summary["hours"]["source"] == "effort"
        assert rows_of(many.frame)["A"]["cost_to_serve"] == 400

    def test_shared_service_is_split_by_the_key_that_is_declared(self):
        tables = WHOLE | {"cost": [cost("service", 40.0), cost("overhead", 300.0)]}
        lines = [line("A", 2000.0, 800.0), line("B", 1000.0, 900.0)]
        portfolio = book(lines, **tables)
        plain = profitability(portfolio)
        assert "profit_unsplit" in codes(plain)
        assert plain.summary["overhead"] == 340
        split = profitability(portfolio, ProfitabilitySettings(service_by="hours"))
        found = rows_of(split.frame)
        assert found["A"]["cost_to_serve"] == 300 + 30
        assert found["B"]["cost_to_serve"] == 100 + 10
        assert split.summary["overhead"] == 300


MARGINS = [60, 50, 30, 10, 5, 0, -5, -10, -15, -25]


class TestTheWhale:
    def test_the_curve_of_the_sheet(self):
        """Sheet 7.3 [H]: peak 155 % at 50 %, 55 eaten; both counts of losing accounts."""
        lines = [
            line(f"A{at}", 100.0, 100.0 - margin) for at, margin in enumerate(MARGINS)
        ]
        result = profitability(book(lines))
        whale = result.summary["whale"]
        assert whale["peak_ratio"] == 1.55
        assert (whale["peak_count"], whale["peak_share"]) == (5, 0.5)
        assert (whale["eaten"], whale["profit"]) == (55, 100)
        assert (whale["profitable_count"], whale["break_even_count"]) == (5, 1)
        assert (whale["loss_making_count"], whale["losing_count"]) == (4, 4)
        shares = to_arrow(result.curve)["profit_share"].to_pylist()
        assert shares == [0.6, 1.1, 1.4, 1.5, 1.55, 1.55, 1.5, 1.4, 1.25, 1.0]

    def test_a_loss_within_two_per_cent_breaks_even_and_is_counted_below_nothing(self):
        lines = [line("A", 100.0, 102.0), line("B", 100.0, 50.0)]
        whale = profitability(book(lines)).summary["whale"]
        assert (whale["loss_making_count"], whale["losing_count"]) == (0, 1)

    def test_without_a_profit_it_is_in_currency(self):
        result = profitability(book([line("A", 1.0, 9.0), line("B", 9.0, 4.0)]))
        assert result.summary["whale"]["peak_ratio"] is None
        assert result.summary["whale"]["peak"] == 5
        assert to_arrow(result.curve)["profit_share"].null_count == 2
        assert "profit_no_ratio" in codes(result)
        assert "EUR" in result.plot().get_ylabel()

    def test_it_is_of_the_furthest_margin_known_of_enough_accounts(self):
        assert (
            profitability(whole()).summary["whale"]["curve"] == "margin_after_service"
        )
        own = ProfitabilitySettings(curve="gross_margin")
        result = profitability(whole(), own)
        assert result.summary["whale"]["profit"] == 1300

    @pytest.mark.parametrize(
        ("curve", "english", "french"),
        [
            ("gross_margin", "the gross margin,", "la marge brute,"),
            ("margin_after_service", "after delivery and service", "et service,"),
            ("full_margin", "a part of the overhead,", "des frais généraux,"),
        ],
    )
    def test_another_margin_is_named_in_words(self, curve, english, french):
        result = profitability(whole(), ProfitabilitySettings(curve=curve))
        told = {
            lang: " ".join(sentence(each, lang) for each in result.warnings)
            for lang in LANGS
        }
        assert english in told["en"]
        assert french in told["fr"]
        assert curve not in told["en"] + told["fr"]


def sale(key: str, account: str, source: str, on: date, days: int) -> dict:
    entered = datetime.fromordinal(on.toordinal() - days).replace(tzinfo=UTC)
    row = {"opportunity_id": key, "account_id": account, "source": source}
    return row | {"status": "won", "closed_on": on, "created_at": entered}


class TestWinning:
    def book(self, *, costs: list[dict], new: bool = True) -> Portfolio:
        lines = [line("A", 100.0, 40.0), line("B", 100.0, 40.0)]
        portfolio_lines = [
            {"line_id": f"L{at}", **each} for at, each in enumerate(lines)
        ]
        first = line("O", 1.0, 0.0, booked_on=OLD, line_id="LO")
        if not new:
            portfolio_lines = [
                *portfolio_lines,
                line("A", 1.0, 0.0, booked_on=OLD, line_id="LA"),
                line("B", 1.0, 0.0, booked_on=OLD, line_id="LB"),
            ]
        won = [sale("S1", "A", "fair", NOW, 30), sale("S2", "B", "web", NOW, 50)]
        rows = [{"cost_id": f"{at}", **each} for at, each in enumerate(costs)]
        return Portfolio.from_frames(
            as_of=AS_OF,
            currency="EUR",
            account=table([{"account_id": each} for each in "ABO"]),
            revenue_line=table([*portfolio_lines, first]),
            opportunity=table(won),
            cost=table(rows),
        )

    def test_spending_is_looked_at_a_median_cycle_earlier(self):
        """40 days: what was spent before the period counts, what at its end does not."""
        result = profitability(
            self.book(
                costs=[
                    cost("acquisition", 600.0, booked_on=date(2025, 6, 1)),
                    cost("acquisition", 900.0, booked_on=date(2026, 6, 15)),
                ]
            )
        )
        won = result.summary["acquisition"]
        assert won["lag_days"] == 40
        assert (won["spent"], won["new_count"], won["cost_of_one"]) == (600, 2, 300)

    def test_a_channel_is_charged_what_it_cost_and_a_mean_nobody(self):
        costs = [
            cost("acquisition", 365.0, label="Expo", booked_on=date(2025, 12, 1)),
            cost("acquisition", 999.0, booked_on=date(2025, 12, 1)),
        ]
        own = ProfitabilitySettings(channels={"Expo": "fair"}, life_months=60)
        result = profitability(self.book(costs=costs), own)
        found = rows_of(result.frame)
        assert found["A"]["acquisition_source"] == "channel"
        # 113 of the 1,826 days of five years that begin on 10 March 2026.
        assert found["A"]["acquisition_cost"] == round(365 * 113 / 1826, 2)
        assert found["B"]["acquisition_cost"] is None
        channels = rows_of(result.channels, "channel")
        assert channels["fair"]["cost_of_one"] == 365
        assert channels[None]["cost_of_one"] == 682
        mean = ProfitabilitySettings(untraced="mean")
        found = rows_of(profitability(self.book(costs=costs), mean).frame)
        assert found["B"]["acquisition_source"] == "mean"

    def test_payback_is_in_months_of_what_the_new_ones_bring(self):
        costs = [cost("acquisition", 400.0, booked_on=date(2025, 12, 1))]
        won = profitability(self.book(costs=costs)).summary["acquisition"]
        months = 2 * 113 / (365.2425 / 12)
        assert won["contribution_per_month"] == pytest.approx(120 / months)
        assert won["payback_months"] == pytest.approx(200 / (120 / months))

    def test_nobody_new_costs_nothing_each_and_what_was_spent_is_said(self):
        costs = [cost("acquisition", 400.0, booked_on=date(2025, 12, 1))]
        result = profitability(self.book(costs=costs, new=False))
        assert result.summary["acquisition"]["cost_of_one"] is None
        assert result.summary["acquisition"]["spent"] == 400
        assert "no_new_clients" in codes(result)

    def test_a_life_that_is_over_bears_nothing(self):
        row = rows_of(profitability(whole()).frame)["A"]
        assert row["acquisition_cost"] == 0


class TestDiscounts:
    def test_the_waterfall_multiplies_back_to_the_pocket_price(self):
        """Sheet 7.7 [H]: 8 %, 3 %, 2 % of 100,000: 87,455.20, 12.5448 %."""
        lines = [
            line("A", 92_000.0, quantity=100.0, list_price=1000.0, line_id="X"),
            line("A", -2_760.0, kind="credit_note", origin_line_id="X"),
            line("A", -1_784.8, kind="rebate", origin_line_id="X"),
        ]
        result = profitability(book(lines))
        told = result.summary["discounts"]["waterfall"]
        assert told["pocket"] == 87_455.2
        assert told["leaked_share"] == pytest.approx(0.125448)
        rates = {step["step"]: step["share"] for step in told["steps"]}
        assert rates["on_invoice"] == pytest.approx(0.08)
        assert rates["credit_note"] == pytest.approx(0.03)
        assert rates["rebate"] == pytest.approx(0.02)
        plain = ProfitabilitySettings(discounts="additive")
        told = profitability(book(lines), plain).summary["discounts"]["waterfall"]
        rates = {step["step"]: step["share"] for step in told["steps"]}
        assert rates["credit_note"] == pytest.approx(0.0276)

    def test_a_list_price_nobody_knows_is_the_median_of_what_was_paid(self):
        lines = [
            line(each, price * 10, product_id="P", quantity=10.0)
            for each, price in zip("ABC", (100.0, 100.0, 80.0), strict=True)
        ]
        result = profitability(book(lines))
        found = rows_of(result.frame)
        assert found["A"]["discount_share"] == 0
        assert found["C"]["discount_share"] == pytest.approx(0.2)
        assert "list_price_missing" in codes(result)

    def test_a_line_with_neither_leaves_the_discount_unknown(self):
        row = rows_of(profitability(book([line("A", 10.0)])).frame)["A"]
        assert row["discount_share"] is None
        assert row["list_value"] is None

    def test_a_discount_line_is_not_counted_beside_the_gap_it_names(self):
        """Amendment 18."""
        lines = [
            line("A", 900.0, quantity=1.0, list_price=1000.0, line_id="X"),
            line("A", -50.0, kind="discount", origin_line_id="X"),
        ]
        row = rows_of(profitability(book(lines)).frame)["A"]
        assert (row["list_value"], row["discount_share"]) == (900, round(50 / 900, 13))

    def test_a_refund_of_a_credited_sale_counts_once(self):
        lines = [
            line("A", 100.0, quantity=1.0, list_price=100.0, line_id="X"),
            line("A", -20.0, kind="credit_note", origin_line_id="X"),
            line("A", -20.0, kind="refund", origin_line_id="X"),
        ]
        row = rows_of(profitability(book(lines)).frame)["A"]
        assert row["discount_share"] == 0.2

    def test_who_pays_far_less_than_accounts_of_the_same_volume_is_named(self):
        lines = [
            line(f"A{at}", 100.0 - off, quantity=1.0, list_price=100.0)
            for at, off in enumerate((2, 3, 3, 4, 5, 30))
        ]
        result = profitability(book(lines), ProfitabilitySettings(volume_bands=1))
        found = rows_of(result.frame)
        assert [key for key, row in found.items() if row["is_leaking"]] == ["A5"]
        assert found["A5"]["unexplained_leakage"] == 26.5
        assert "profit_leaking" in [each.code for each in result.reasons("A5")]

    def test_how_often_a_sale_had_a_discount(self):
        sold = [
            sale(f"S{at}", "A", "web", NOW, 3) | {"discount_share": share}
            for at, share in enumerate((0.1, 0.0, 0.2, None))
        ]
        result = profitability(book([line("A", 9.0, 1.0)], opportunity=sold))
        row = rows_of(result.frame)["A"]
        assert (row["offer_count"], row["discounted_offer_share"]) == (
            3,
            pytest.approx(2 / 3),
        )


@settings(max_examples=15, deadline=None, suppress_health_check=[*HealthCheck])
@given(
    st.lists(
        st.tuples(st.integers(1, 5000), st.integers(0, 5000), st.integers(0, 40)),
        min_size=1,
        max_size=6,
    )
)
def test_the_statement_adds_up_and_unused_and_assigned_are_the_total(found):
    """Sheet 11.8, whatever the book."""
    lines = [
        line(f"A{at}", amount / 10, spent / 10)
        for at, (amount, spent, _) in enumerate(found)
    ]
    effort = [work(f"A{at}", hours / 4) for at, (_, _, hours) in enumerate(found)]
    portfolio = book(lines, effort=effort, capacity=[capacity(60.0, 33.0)])
    result = profitability(portfolio, ProfitabilitySettings(coverage_share=0.0))
    told = result.summary["statement"]
    assert told["gross_margin"] == pytest.approx(
        told["net_revenue"] - told["delivery_cost"]
    )
    unused = result.summary["hours"]["unused_cost"]
    assert told["cost_to_serve"] + unused == pytest.approx(60 * 33)
    whale = result.summary["whale"]
    assert whale["profit"] == pytest.approx(told["margin_after_service"])
    if whale["peak_ratio"] is not None:
        assert to_arrow(result.curve)["profit_share"].to_pylist()[-1] == 1


class TestAsAResult:
    @pytest.mark.parametrize("backend", BACKENDS)
    def test_every_backend_tells_the_same_bytes(self, backend):
        told = profitability(whole(backend)).to_dict()
        expected = profitability(whole()).to_dict()
        told["params"].pop("portfolio")
        expected["params"].pop("portfolio")
        assert json.dumps(told) == json.dumps(expected)

    @pytest.mark.parametrize("lang", LANGS)
    def test_it_says_why(self, lang, tmp_path):
        result = profitability(whole())
        assert len(result.explain("A", lang=lang).splitlines()) > 5
        assert result.in_words(lang=lang)
        for suffix in ("html", "xlsx"):
            result.save(tmp_path / f"found.{suffix}", lang=lang)
        assert result.plot(lang=lang).get_title(loc="left")
        assert (
            result.plot_statement("A", lang=lang).get_title(loc="left").startswith("A")
        )

    def test_an_hour_brings_its_contribution(self):
        """1,060 in six hours."""
        portfolio = whole()
        row = rows_of(profitability(portfolio, receivables=late(portfolio)).frame)["A"]
        assert row["contribution_per_hour"] == pytest.approx(1060 / 6)

    def test_an_account_nobody_knows_anything_of_is_drawn_as_a_sentence(self):
        result = profitability(book([line("A", 9.0)]))
        assert result.plot_statement("A").texts
        assert result.plot().texts

    def test_it_is_compared_by_standing(self):
        before = profitability(book([line("A", 9.0, 1.0), line("B", 9.0, 1.0)]))
        now = profitability(book([line("A", 9.0, 1.0), line("B", 9.0, 11.0)]))
        assert "B" in str(to_arrow(now.compared_with(before).frame).to_pylist())

    def test_without_revenue_it_names_the_table(self):
        with pytest.raises(MissingTableError):
            profitability(
                Portfolio.from_frames(
                    as_of=AS_OF, currency="EUR", account=table([{"account_id": "A"}])
                )
            )

    def test_a_result_of_another_book_is_refused(self):
        with pytest.raises(SettingsError):
            profitability(samples.firm(), receivables=receivables(whole()))

    def test_analyse_hands_on_what_the_firm_costs(self):
        given = Settings()
        found = analyse(whole(), given, only=["profitability"])["profitability"]
        assert found.params["receivables"] is not None

    def test_bookings_have_a_statement_without_discounts(self):
        portfolio = Portfolio.from_frames(
            as_of=AS_OF,
            currency="EUR",
            account=table([{"account_id": "A"}]),
            opportunity=table([sale("S", "A", "web", NOW, 3) | {"amount": 50.0}]),
        )
        own = ProfitabilitySettings(variable_cost_share=0.5, period=Period.all())
        row = rows_of(profitability(portfolio, own).frame)["A"]
        assert (row["gross_margin"], row["discount_share"]) == (25, None)
