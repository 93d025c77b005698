"""What moved in real books from one period to the next; the figures are the data's README's."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest
from halves import donors, npsp, resellers, sales_rows, subscribers

from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import ReviewResult, ReviewSettings, review
from crm_portfolio.portfolio import Period

YEAR = Period.between(date(2013, 1, 1), date(2014, 1, 1))
CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def wheels(shared_data: Path) -> ReviewResult:
    return review(resellers(shared_data), ReviewSettings(period=YEAR))


@pytest.fixture(scope="module")
def subscriptions(shared_data: Path) -> ReviewResult:
    year = Period.between(date(2024, 1, 1), date(2025, 1, 1))
    return review(subscribers(shared_data), ReviewSettings(period=year))


def cents(amount: float | None) -> int:
    return round(100 * (amount or 0))


def exact_lines(data: Path) -> dict[tuple[int, str], dict[str, Decimal]]:
    """By year and reseller: amounts as the books hold them, each line to the cent."""
    found: dict[tuple[int, str], dict[str, Decimal]] = defaultdict(
        lambda: defaultdict(Decimal)
    )
    for row in sales_rows(data):
        sums = found[row["OrderDate"].year, str(row["ResellerKey"])]
        amount = Decimal(row["SalesAmount"]).quantize(CENT, ROUND_HALF_EVEN)
        sums["net"] += amount
        sums["lines"] += 1
    return found


class TestResellers:
    """AdventureWorks 2012 → 2013: 22,133 and 28,540 lines."""

    def test_the_ends_are_the_readmes(self, wheels: ReviewResult) -> None:
        """README: 2012 28.1936 M, 2013 33.5748 M."""
        told = wheels.summary["bridge"]
        assert (told["revenue_before"], told["revenue"]) == (
            28_193_631.19,
            33_574_828.12,
        )

    def test_both_bridges_close_to_the_cent(self, wheels: ReviewResult) -> None:
        change = cents(33_574_828.12) - cents(28_193_631.19)
        for bars in (wheels.summary["bridge"]["bars"], wheels.summary["price_mix"]):
            assert sum(map(cents, bars.values())) == change

    def test_the_bars_are_what_one_line_after_the_other_says(
        self, wheels: ReviewResult, shared_data: Path
    ) -> None:
        """Decimals, reseller by reseller."""
        found, bars = exact_lines(shared_data), defaultdict(Decimal)
        for each in {account for _, account in found}:
            before, now = (found.get((year, each)) for year in (2012, 2013))
            older = any((year, each) in found for year in (2010, 2011))
            change = (now or {}).get("net", Decimal()) - (before or {}).get(
                "net", Decimal()
            )
            if before and now:
                bars["expansion" if change > 0 else "contraction"] += change
            elif before:
                bars["lost"] += change
            elif now:
                bars["returned" if older else "new"] += change
        told = {k: cents(v) for k, v in wheels.summary["bridge"]["bars"].items() if v}
        assert told == {bar: int(100 * amount) for bar, amount in bars.items()}

    def test_price_is_the_price_of_each_product_sold_in_both_years(
        self, wheels: ReviewResult, shared_data: Path
    ) -> None:
        rows = to_arrow(wheels.products).to_pylist()
        assert {row["sold_in"] for row in rows} == {"both", "new", "dropped"}
        price = sum(
            row["revenue"]
            - row["revenue_before"] / row["quantity_before"] * row["quantity"]
            for row in rows
            if row["sold_in"] == "both"
        )
        assert wheels.summary["price_mix"]["price"] == pytest.approx(price, abs=0.01)
        for name in ("price", "volume", "mix"):
            total = sum(cents(row[f"{name}_effect"]) for row in rows)
            assert total == cents(wheels.summary["price_mix"][name])

    def test_the_discounts_are_those_of_the_file(
        self, wheels: ReviewResult, shared_data: Path
    ) -> None:
        """Unit price times quantity less the amount, each line to the cent."""
        discounts: dict[int, Decimal] = defaultdict(Decimal)
        for row in sales_rows(shared_data):
            gap = Decimal(row["ExtendedAmount"]) - Decimal(row["SalesAmount"])
            discounts[row["OrderDate"].year] += gap
        steps = wheels.summary["gross_to_net"]
        for year, when in ((2013, "now"), (2012, "before")):
            # Both amounts of a line are rounded to the cent: half of one each, at most.
            told = -steps[when]["discount"]
            assert told == pytest.approx(float(discounts[year]), abs=5)
        assert steps["priced_line_share"] == 1.0

    def test_the_year_is_told_not_to_be_over(self, wheels: ReviewResult) -> None:
        """README: order dates until 2013-11-29."""
        (told,) = (each for each in wheels.warnings if each.code == "review_not_over")
        assert told.values["n"] == 32


class TestSubscriptions:
    """RavenStack 2023 → 2024: invented, and at odds with itself."""

    def test_the_refunds_of_both_years_are_the_readmes(
        self, subscriptions: ReviewResult
    ) -> None:
        """README: refunds 8,652.25."""
        steps = subscriptions.summary["gross_to_net"]
        refunds = [-steps[when]["refund"] for when in ("now", "before")]
        assert round(sum(refunds), 2) == 8_652.25

    def test_churn_that_contradicts_itself_is_told(
        self, subscriptions: ReviewResult
    ) -> None:
        """Every account that an event of 2023 says has left brings revenue in 2024."""
        (told,) = (
            each
            for each in subscriptions.warnings
            if each.code == "review_left_contradicted"
        )
        assert told.values["n"] == told.values["of"] == 64
        assert subscriptions.summary["bridge"]["bars"]["lost"] == 0.0
        left = [r for r in to_arrow(subscriptions.frame).to_pylist() if r["left_on"]]
        assert "says that it left" in subscriptions.explain(left[0]["account_id"])


class TestDonors:
    """Salesforce's nonprofit sample: payments that add up to more than was won."""

    def test_payments_are_told_and_not_added(self, shared_data: Path) -> None:
        """README: Closed Won 294 (217,520); paid payments 485 (373,240)."""
        found = review(donors(shared_data), ReviewSettings(period=Period.all()))
        assert found.params["measure"] == "booked"
        paid: dict[str, float] = defaultdict(float)
        won: dict[str, float] = defaultdict(float)
        source = npsp(shared_data)
        for account, amount in source.execute(
            "select o.AccountId, p.npe01__Payment_Amount__c from npe01__OppPayment__c p "
            "join Opportunity o on o.id = p.npe01__Opportunity__c "
            "where p.npe01__Paid__c = 'True' and p.npe01__Payment_Date__c != ''"
        ):
            paid[account] += float(amount)
        for account, amount in source.execute(
            "select AccountId, amount from Opportunity where stage_name = 'Closed Won'"
        ):
            won[account] += float(amount)
        source.close()
        assert sum(won.values()) == 217_520
        more = {each: paid[each] - won[each] for each in paid if each}
        above = [amount for amount in more.values() if amount > 0]
        (told,) = (each for each in found.warnings if each.code == "review_paid_above")
        assert told.values["n"] == len(above)
        assert told.values["amount"] == pytest.approx(sum(above))
        # What is told is what was won, and of accounts we know.
        known = sum(amount for account, amount in won.items() if account)
        assert found.summary["bridge"]["revenue"] == pytest.approx(known)
