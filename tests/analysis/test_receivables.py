"""Who pays late, what is owed and what does it cost, in books small enough to count?"""

from __future__ import annotations

from datetime import date, timedelta

import attrs
import pyarrow as pa
import pytest

from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import (
    DatedRate,
    ReceivablesSettings,
    RiskSettings,
    receivables,
    risk,
)
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Period, Portfolio

AS_OF = date(2026, 6, 30)
TEXT, DAY, NUMBER, FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()
KINDS = {
    "invoice_id": TEXT,
    "account_id": TEXT,
    "payer_id": TEXT,
    "issued_on": DAY,
    "due_on": DAY,
    "paid_on": DAY,
    "amount": NUMBER,
    "open_amount": NUMBER,
    "origin_invoice_id": TEXT,
    "is_disputed": FLAG,
    "is_cancelled": FLAG,
}


def bill(amount, due, paid=None, **more):
    """An invoice of 30 days."""
    issued = due - timedelta(days=30) if due else date(2026, 3, 1)
    own = {"account_id": "A", "issued_on": issued, "due_on": due, "paid_on": paid}
    return own | {"amount": float(amount)} | more


def book(*bills, accounts=("A", "B"), as_of=AS_OF, **columns):
    rows = [{"invoice_id": f"I{at}"} | each for at, each in enumerate(bills)]
    invoice = pa.Table.from_pylist(rows, schema=pa.schema(KINDS))
    account = pa.table({"account_id": pa.array(accounts, TEXT), **columns})
    return Portfolio.from_frames(
        as_of=as_of, currency="EUR", account=account, invoice=invoice
    )


def rows(result):
    return {row["account_id"]: row for row in to_arrow(result.frame).to_pylist()}


def paid(days, amount, **more):
    due = date(2026, 3, 2)
    return bill(amount, due, due + timedelta(days=days), **more)


SHEET = [paid(10, 1000), paid(0, 500), paid(30, 2500), paid(-5, 1000)]


class TestHowLate:
    def test_the_four_invoices_of_the_sheet(self):
        """Sheet 7.5 [H]: signed 16.0, floored 17.0, unweighted 8.75."""
        row = rows(receivables(book(*SHEET)))["A"]
        assert row["days_late_signed"] == 16.0
        assert row["days_late"] == 17.0
        assert row["days_late_signed_unweighted"] == 8.75
        assert row["days_late_unweighted"] == 10.0
        assert row["late_share"] == 0.7
        assert (row["late_count"], row["worst_days_late"]) == (2, 30)
        assert row["pays"] == "slow"

    def test_an_open_one_counts_up_to_the_day_and_not_before_it_is_due(self):
        overdue, due_today = bill(100, date(2026, 6, 10)), bill(100, AS_OF)
        later = bill(900, date(2026, 7, 20))
        row = rows(receivables(book(overdue, due_today, later)))["A"]
        assert (row["invoice_count"], row["days_late_signed"]) == (1, 20.0)
        assert row["unpaid_since_on"] == date(2026, 6, 10)
        assert (row["not_due_amount"], row["overdue_amount"]) == (1000.0, 100.0)

    def test_an_open_one_counts_with_what_is_still_open(self):
        part = bill(1000, date(2026, 6, 10), open_amount=200.0)
        other = bill(200, date(2026, 6, 20), date(2026, 6, 20))
        row = rows(receivables(book(part, other)))["A"]
        assert (row["open_amount"], row["days_late"]) == (200.0, 10.0)

    def test_what_is_cancelled_enters_nothing(self):
        gone = paid(90, 10_000, is_cancelled=True)
        undone = bill(-10_000, None, origin_invoice_id="I0")
        result = receivables(book(gone, undone, bill(5, AS_OF)))
        row = rows(result)["A"]
        assert (row["invoice_count"], row["open_amount"]) == (0, 5.0)
        assert row["billed_amount"] == 5.0
        assert row["credit_amount"] == 0
        assert row["pays"] == "unknown"

    def test_what_is_contested_stands_apart(self):
        fair, contested = paid(5, 100), paid(40, 100, is_disputed=True)
        still = bill(70, date(2026, 6, 1), is_disputed=True)
        result = receivables(
            book(fair, contested, still), ReceivablesSettings(financing_rate=0.365)
        )
        row = rows(result)["A"]
        assert row["days_late"] == 5.0
        assert (row["disputed_count"], row["worst_days_late"]) == (2, 5)
        assert row["disputed_days_late"] == round((40 * 100 + 29 * 70) / 170, 10)
        assert (row["open_amount"], row["overdue_amount"]) == (70.0, 0.0)
        assert (row["disputed_amount"], row["disputed_overdue_amount"]) == (70.0, 70.0)
        assert row["financing_cost"] == 0.5
        assert row["disputed_financing_cost"] == 6.03
        assert "receivables_disputes_apart" in codes(result)

    def test_a_credit_note_reduces_the_invoice_it_names(self):
        named = bill(-400, None, origin_invoice_id="I0")
        loose = bill(-30, None, origin_invoice_id="elsewhere")
        result = receivables(book(paid(10, 1000), named, paid(0, 400), loose))
        row = rows(result)["A"]
        assert row["days_late"] == 6.0
        assert row["billed_amount"] == 970.0
        assert (row["open_amount"], row["credit_amount"]) == (0, 30.0)
        assert "receivables_credits_unnamed" in codes(result)

    def test_what_a_credit_note_is_above_its_invoice_is_not_lost(self):
        """It is told apart with the credit notes that name none, on who pays."""
        above = bill(-150, None, origin_invoice_id="I0")
        other = bill(500, date(2026, 6, 10))
        for invoice in (bill(100, date(2026, 6, 1)), paid(10, 100)):
            result = receivables(book(invoice, above, other))
            row = rows(result)["A"]
            assert (row["open_amount"], row["credit_amount"]) == (500.0, 50.0)
            assert row["billed_amount"] == 450.0
            assert "receivables_credits_unnamed" in codes(result)
            assert "50 EUR" in result.explain("A").replace("\N{NO-BREAK SPACE}", " ")

    def test_what_is_paid_out_of_a_credit_note_is_no_credit_any_more(self):
        def credit(open_amount, invoice):
            above = bill(-150, None, origin_invoice_id="I0", open_amount=open_amount)
            rest = bill(500, date(2026, 6, 10))
            return rows(receivables(book(invoice, above, rest)))["A"]["credit_amount"]

        due = bill(100, date(2026, 6, 1))
        assert [credit(each, due) for each in (0.0, -20.0, -90.0)] == [0.0, 20.0, 50.0]
        # What was paid before cannot have been set off: the books say what is left of it.
        assert [credit(each, paid(10, 100)) for each in (0.0, -90.0)] == [0.0, 90.0]

    def test_it_is_the_same_formula_as_that_of_risk(self):
        bills = [
            *SHEET,
            bill(33, date(2026, 6, 1)),
            paid(7, 10, account_id="B"),
            paid(70, 10, account_id="B", is_disputed=True),
        ]
        portfolio = book(*bills).with_tables(
            revenue_line=pa.table(
                {
                    "line_id": ["L"],
                    "account_id": ["A"],
                    "booked_on": [AS_OF],
                    "amount": [1.0],
                }
            )
        )
        mine, other = rows(receivables(portfolio)), rows(risk(portfolio))
        same = ("days_late", "days_late_signed", "late_share", "worst_days_late")
        for each in "AB":
            assert [mine[each][name] for name in same] == [
                pytest.approx(other[each][name]) for name in same
            ]

    def test_the_period_before_is_told_as_it_was_known_at_its_end(self):
        half = ReceivablesSettings(period=Period.last_months(6))
        old = bill(100, date(2025, 12, 21), date(2026, 2, 1))
        row = rows(receivables(book(old, paid(3, 100)), half))["A"]
        assert row["days_late_before"] == 10.0
        # It was due before the period, so it is none of its own.
        assert (row["days_late"], row["days_late_change"]) == (3.0, -7.0)

    def test_without_a_due_day_nobody_knows(self):
        result = receivables(
            book(bill(100, None), bill(50, None, account_id="B"), paid(1, 10)),
            ReceivablesSettings(financing_rate=0.1),
        )
        of = rows(result)
        assert of["A"]["undated_amount"] == 100.0
        assert of["A"]["cost_of_lateness"] is not None
        assert of["B"]["cost_of_lateness"] is None
        assert of["B"]["dso_best_days"] is None
        assert result.coverage == pytest.approx(1 / 3)
        assert [row["fault"] for row in to_arrow(result.rejected).to_pylist()] == [
            "without_due_day"
        ] * 2
        assert result.summary["cost"]["unknown_account_count"] == 1
        assert result.summary["cost"]["financing"] is not None

    def test_what_was_settled_nobody_noted_when_was_neither_late_nor_on_time(self):
        """Not even in the period before, where it would look open to this day."""
        settled = [
            bill(100, date(2025, 9, 1) + timedelta(days=30 * at), open_amount=0.0)
            for at in range(9)
        ]
        result = receivables(
            book(*settled, paid(3, 10), bill(10, date(2025, 9, 1), date(2025, 9, 6))),
            ReceivablesSettings(period=Period.last_months(6)),
        )
        row = rows(result)["A"]
        assert (row["invoice_count"], row["days_late"]) == (1, 3.0)
        assert row["days_late_before"] == 5.0
        [told] = [
            each
            for each in result.warnings
            if each.code == "receivables_paid_day_unknown"
        ]
        assert told.values == {"n": 9, "of": 11}
        assert result.coverage == pytest.approx(2 / 11)

    def test_where_no_day_of_payment_is_noted_lateness_does_not_cost_nothing(self):
        settled = bill(100, date(2026, 3, 1), open_amount=0.0)
        result = receivables(book(settled), ReceivablesSettings(financing_rate=0.1))
        assert rows(result)["A"]["cost_of_lateness"] is None
        assert result.summary["cost"]["unknown_account_count"] == 1
        assert result.coverage == 0


def codes(result):
    return [warning.code for warning in result.warnings]


MARCH = date(2026, 3, 31)


def first_quarter(*, overdue=60.0, undated=0.0):
    """Sheet 7.5 [H]: 90, 60 and 100 billed, 180 owed on 31 March, 120 of it not due."""
    bills = [
        bill(90 - overdue, date(2026, 2, 9), date(2026, 2, 9)),
        bill(overdue, date(2026, 2, 9)),
        bill(40, date(2026, 3, 5), date(2026, 3, 5)),
        bill(20, date(2026, 4, 1), issued_on=date(2026, 2, 20)),
        bill(100, date(2026, 4, 9)),
    ]
    return book(*bills, as_of=MARCH)


QUARTER = ReceivablesSettings(period=Period.last_months(3))


class TestDaysOfSales:
    def test_the_quarter_of_the_sheet(self):
        """Count-back 65.889; simple 64.8; best possible 43.2; delinquent 21.6."""
        result = receivables(first_quarter(), QUARTER)
        row, told = rows(result)["A"], result.summary["dso"]
        assert row["open_amount"] == 180.0
        for name, value in (("dso_days", 64.8), ("dso_best_days", 43.2)):
            assert row[name] == value
        assert row["delinquent_days"] == 21.6
        assert round(row["dso_count_back_days"], 3) == 65.889
        assert told["simple_days"] == 64.8
        assert told["count_back_days"] == row["dso_count_back_days"]
        assert (told["best_days"], told["delinquent_days"]) == (43.2, 21.6)

    def test_of_the_month_that_runs_only_the_days_so_far_count(self):
        settled = bill(60, date(2026, 3, 10), date(2026, 3, 10))
        running = bill(100, date(2026, 4, 10))
        result = receivables(book(settled, running, as_of=date(2026, 3, 16)))
        assert result.summary["dso"]["count_back_days"] == 16.0
        # No invoice is older than the period: nothing is told of the one before.
        assert result.summary["payments"]["undisputed_before"] is None

    def test_what_has_no_due_day_may_be_overdue_so_the_best_is_unknown(self):
        three = [bill(100, date(2026, month, 15)) for month in (3, 4, 5)]
        undated = bill(50, None)
        known, unknown = (
            rows(receivables(book(*bills)))["A"] for bills in (three, [*three, undated])
        )
        assert known["dso_best_days"] == 0.0
        assert (unknown["dso_days"] or 0) > 0
        assert unknown["dso_best_days"] is None

    def test_few_months_make_no_days_of_sales(self):
        strict = attrs.evolve(QUARTER, dso_min_months=4)
        row = rows(result := receivables(first_quarter(), strict))["A"]
        assert (row["dso_days"], row["dso_count_back_days"]) == (None, None)
        assert "days of sales mean nothing" in result.explain("A")
        assert result.summary["dso"]["simple_days"] == 64.8

    def test_history_that_ends_first_gives_more_than_so_many_days(self):
        bills = [bill(10, date(2026, 2, 9)), bill(10, date(2026, 3, 9))]
        bills += [bill(-5, None, issued_on=date(2026, 2, 20))]
        lenient = attrs.evolve(QUARTER, dso_min_months=2)
        result = receivables(book(*bills, as_of=MARCH), lenient)
        row = rows(result)["A"]
        assert row["dso_count_back_days"] is None
        assert row["dso_more_than_days"] == 90
        assert "history_exhausted" in codes(result)
        assert "more than 90 days" in result.explain("A")

    def test_the_days_are_of_the_payer_and_the_cost_is_of_the_account(self):
        own = [bill(100, date(2026, m, 15), payer_id="B") for m in (4, 5, 6)]
        rate = ReceivablesSettings(financing_rate=0.365)
        of = rows(result := receivables(book(*own), rate))
        assert (of["A"]["open_amount"], of["B"]["open_amount"]) == (0, 300.0)
        assert (of["A"]["dso_days"], of["B"]["dso_days"] is None) == (None, False)
        assert (of["A"]["days_late"], of["B"]["invoice_count"]) == (None, 3)
        assert of["A"]["cost_of_lateness"] == round((76 + 46 + 15) * 100 / 1000, 2)
        assert of["B"]["cost_of_lateness"] == 0
        assert "Others pay invoices of this account" in result.explain("A")


class TestWhatItCosts:
    def test_what_is_contested_is_no_bad_debt(self):
        half = ReceivablesSettings(bad_debt_shares=(0.5,) * 4)
        fair = bill(100, date(2026, 3, 1), account_id="B")
        contested = bill(100, date(2026, 3, 1), is_disputed=True)
        of = rows(receivables(book(fair, contested), half))
        assert [of[each]["bad_debt_cost"] for each in ("A", "B")] == [0.0, 50.0]

    def test_reminders_cost_the_account_whose_invoices_they_are_of(self):
        reminded = ReceivablesSettings(
            reminders_per_invoice=1.0,
            reminder_minutes=30.0,
            reminder_cost_per_hour=50.0,
        )
        of = rows(receivables(book(paid(45, 100, payer_id="B")), reminded))
        assert [of[each]["administration_cost"] for each in ("A", "B")] == [25.0, 0.0]
        assert [of[each]["late_invoice_count"] for each in ("A", "B")] == [1, 0]

    def test_the_client_of_the_sheet(self):
        """Sheet 7.6 [H]: 200,000, 35 days, 8 %, 12 reminders of .5 h at 50: 1834.25."""
        rules = ReceivablesSettings(
            financing_rate=0.08,
            reminders_per_invoice=12,
            reminder_minutes=30,
            reminder_cost_per_hour=50,
            bad_debt_shares=(0, 0, 0, 0),
        )
        result = receivables(book(paid(35, 200_000)), rules)
        row = rows(result)["A"]
        assert (row["financing_cost"], row["administration_cost"]) == (1534.25, 300.0)
        assert (row["cost_of_lateness"], row["cost_unknown_parts"]) == (1834.25, "")
        assert result.summary["cost"]["total"] == 1834.25

    def test_without_a_rate_nothing_is_known_but_what_was_never_late(self):
        result = receivables(book(paid(35, 100), paid(0, 100, account_id="B")))
        of = rows(result)
        assert of["A"]["cost_of_lateness"] is None
        assert of["B"]["cost_of_lateness"] == 0
        assert result.summary["cost"]["total"] is None
        assert "rate_missing" in codes(result)

    def test_what_else_is_unknown_makes_it_a_least(self):
        result = receivables(
            book(paid(35, 100)), ReceivablesSettings(financing_rate=0.1)
        )
        assert rows(result)["A"]["cost_unknown_parts"] == "administration"
        assert "at least" in result.explain("A")
        assert result.summary["cost"]["unknown_parts"] == ["administration"]

    def test_a_rate_from_day_to_day(self):
        rates = (DatedRate(date(2026, 3, 12), 0.73), DatedRate(date(2020, 1, 1), 0.365))
        rules = ReceivablesSettings(financing_rates=rates)
        row = rows(receivables(book(paid(20, 1000)), rules))["A"]
        # Nine days, the 3rd to the 11th, at the old rate and eleven at the new one.
        assert row["financing_cost"] == 9 + 22

    def test_days_late_of_another_period_cost_that_period(self):
        old = bill(1000, date(2025, 6, 20), date(2025, 7, 10))
        rules = ReceivablesSettings(financing_rate=0.365)
        this = rows(receivables(book(old), rules))["A"]["financing_cost"]
        span = Period.between(date(2025, 1, 1), date(2025, 7, 1))
        before = book(old, as_of=date(2025, 6, 30))
        rules = attrs.evolve(rules, period=span)
        assert (this, rows(receivables(before, rules))["A"]["financing_cost"]) == (
            10.0,
            10.0,
        )

    def test_what_will_never_be_paid_by_age(self):
        bills = [bill(100, AS_OF - timedelta(days=at)) for at in (1, 30, 31, 91, 200)]
        rules = ReceivablesSettings(bad_debt_shares=(0.01, 0.02, 0.05, 0.5))
        result = receivables(book(*bills), rules)
        assert rows(result)["A"]["bad_debt_cost"] == 1 + 1 + 2 + 50 + 50
        aged = to_arrow(result.ageing).to_pylist()
        assert {row["bucket"]: row["amount"] for row in aged} == {
            "not_due": 0.0,
            "1-30": 200.0,
            "31-60": 100.0,
            "61-90": 0.0,
            "over_90": 200.0,
            "undated": 0.0,
        }
        (first, *_) = to_arrow(result.aged).to_pylist()
        assert (first["account_id"], first["bucket"], first["amount"]) == (
            "A",
            "1-30",
            200.0,
        )


RULE = ReceivablesSettings(
    regime="eu_2011_7",
    reference_rates=(
        DatedRate(date(2025, 12, 17), 0.0215),
        DatedRate(date(2026, 4, 1), 0.05),
        DatedRate(date(2026, 6, 17), 0.0240),
    ),
    claim_points=0.08,
    claim_sum=40.0,
)


class TestWhatMayBeClaimed:
    def test_nothing_is_claimed_before_a_rule_is_set(self):
        result = receivables(book(paid(45, 10_000)))
        assert result.summary["claim"] is None
        assert rows(result)["A"]["claim_amount"] is None
        assert not [code for code in codes(result) if "claim" in code]

    def test_interest_and_the_fixed_sum_of_the_sheet(self):
        """Sheet 7.6 [H]: 10,000, 45 days at 10.15 %: 125.14; + 40 = 165.14."""
        row = rows(result := receivables(book(paid(45, 10_000)), RULE))["A"]
        # The change of April holds from 1 July on, if it is still in force by then.
        assert (row["claim_interest"], row["claim_sums"]) == (125.14, 40.0)
        assert row["claim_amount"] == 165.14
        assert row["cost_of_lateness"] is None
        assert "receivables_claim_for_counsel" in codes(result)
        assert "counsel decides" in result.explain("A")

    def test_it_is_of_the_payer_that_it_may_be_claimed(self):
        of = rows(receivables(book(paid(45, 10_000, payer_id="B")), RULE))
        told = [
            (of[each]["claim_interest"], of[each]["claim_sums"]) for each in ("A", "B")
        ]
        assert told == [(0.0, 0.0), (125.14, 40.0)]

    def test_the_rate_changes_on_the_first_of_july(self):
        """Sheet 7.6 [H]: 30 days at 10.15 % and 15 at 10.40 %: 126.16."""
        due = date(2026, 5, 31)
        late = bill(10_000, due, due + timedelta(days=45))
        row = rows(receivables(book(late, as_of=date(2026, 7, 31)), RULE))["A"]
        assert row["claim_interest"] == 126.16

    def test_our_own_rates_do_not_move_the_one_of_the_half_year(self):
        ours = (DatedRate(date(2020, 1, 1), 0.1), DatedRate(date(2026, 4, 5), 0.2))
        rules = attrs.evolve(RULE, financing_rates=ours)
        row = rows(receivables(book(paid(45, 10_000)), rules))["A"]
        assert row["claim_interest"] == 125.14
        assert row["financing_cost"] == round((33 * 1000 + 12 * 2000) / 365, 2)

    def test_day_one_is_the_day_after_the_due_day(self):
        every = attrs.evolve(RULE, year_days=360)
        for days, claimed in ((0, (0, 0)), (1, (2.82, 40.0))):
            row = rows(receivables(book(paid(days, 10_000)), every))["A"]
            assert (row["claim_interest"], row["claim_sums"]) == claimed

    @pytest.mark.parametrize("lacking", ["reference_rates", "claim_points"])
    def test_without_a_rate_the_claim_is_unknown(self, lacking):
        none = () if lacking == "reference_rates" else None
        rules = attrs.evolve(RULE, **{lacking: none})
        result = receivables(book(paid(45, 10_000)), rules)
        assert rows(result)["A"]["claim_amount"] is None
        assert "claim_rate_missing" in codes(result)

    def test_persons_and_public_bodies_follow_other_rules(self):
        rules = attrs.evolve(RULE, no_claim_segments=("public",))
        bills = [paid(45, 100, account_id=each) for each in "ABC"]
        told = receivables(
            book(
                *bills,
                accounts=("A", "B", "C"),
                is_person=[True, False, False],
                segment=["x", "public", "x"],
            ),
            rules,
        )
        of = rows(told)
        assert [of[each]["is_claim_out"] for each in "ABC"] == [True, True, False]
        assert [of[each]["claim_amount"] is None for each in "ABC"] == [
            True,
            True,
            False,
        ]
        assert told.summary["claim"]["out_count"] == 2


def test_without_invoices_it_cannot_be_said():
    alone = Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", account=pa.table({"account_id": ["A"]})
    )
    with pytest.raises(MissingTableError, match="invoice"):
        receivables(alone)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ageing_days": (30, 30)},
        {"ageing_days": ()},
        {"financing_rate": -0.1},
        {"bad_debt_shares": (0.1,)},
        {"bad_debt_shares": (0.1, 0.2, 0.3, 1.2)},
        {"dso_min_months": 0},
        {"reference_rates": (DatedRate(AS_OF, 0.1), DatedRate(AS_OF, 0.2))},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        ReceivablesSettings(**wrong)


def test_the_months_tell_whether_it_grows_worse():
    bills = []
    for at in range(12):
        due = date(2025 + (at + 6) // 12, (at + 6) % 12 + 1, 1)
        bills.append(bill(100, due, due + timedelta(days=2 * at)))
    result = receivables(book(*bills))
    assert result.summary["trend"]["label"] == "slower"
    assert result.summary["trend"]["slope"] == 2.0
    months = to_arrow(result.months).to_pylist()
    assert (months[0]["month"], months[-1]["days_late"]) == ("2025-07", 22.0)


def test_whose_way_to_pay_changed_is_told():
    now, then = receivables(book(*SHEET)), receivables(book(paid(0, 10)))
    assert now.compared_with(then).moves == {("on_time", "slow"): 1}


def test_risk_looks_at_the_same_invoices_as_before():
    assert RiskSettings().days_late[0] == ReceivablesSettings().slow_days
