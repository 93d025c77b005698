"""What does the exit review know of real books, and does it ask what a manager would need?"""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from halves import resellers
from loaders import maven_tables, ravenstack_tables

from crm_portfolio import analysis, read_answers
from crm_portfolio.portfolio import Period, Portfolio

YEAR_END, MIDSUMMER = date(2017, 12, 31), date(2024, 6, 30)
EVERY = {f"F{n}" for n in range(1, 14)}
JUDGED = {"F5", "F6", "F8", "F10"}


@pytest.fixture(scope="module")
def maven(shared_data: Path) -> Portfolio:
    tables = maven_tables(shared_data / "maven_crm")
    return Portfolio.from_frames(as_of=YEAR_END, currency="USD", **tables)


@pytest.fixture(scope="module")
def of_maven(maven: Portfolio) -> analysis.ExitReviewResult:
    return analysis.exit_review(maven)


@pytest.fixture(scope="module")
def of_resellers(shared_data: Path) -> analysis.ExitReviewResult:
    settings = analysis.ExitReviewSettings(period=Period.all())
    return analysis.exit_review(resellers(shared_data), settings)


@pytest.fixture(scope="module")
def of_ravenstack(shared_data: Path) -> analysis.ExitReviewResult:
    tables = ravenstack_tables(shared_data / "ravenstack_saas", MIDSUMMER)
    book = Portfolio.from_frames(as_of=MIDSUMMER, currency="USD", **tables)
    return analysis.exit_review(book)


def known(result: analysis.ExitReviewResult) -> dict[str, int]:
    """Of how many accounts each criterion is known at all."""
    return {
        code: told["known_count"]
        for code, told in result.summary["criteria"].items()
        if told["known_count"]
    }


class TestMaven:
    """Sales and account sizes only: a CRM as most firms have it."""

    def test_next_to_nothing_is_known_so_nothing_is_proposed(self, of_maven) -> None:
        assert known(of_maven) == {"F11": 85}
        actions = of_maven.summary["actions"]
        assert {name: n for name, n in actions.items() if n} == {"ask": 85}
        said = of_maven.explain("Kan-code")
        assert said.count("unknown; ask") == 12
        assert "F11" in said

    def test_first_is_asked_what_would_answer_for_all_at_once(self, of_maven) -> None:
        rows = of_maven.questions().to_pylist()
        shared = [row for row in rows if row["answer"] == "table"]
        assert rows[: len(shared)] == shared
        assert [(row["criterion"], row["table"], row["ask"]) for row in shared] == [
            ("F1", "revenue_line", "finance"),
            ("F2", "effort", "finance"),
            ("F3", "invoice", "finance"),
            ("F4", "revenue_line", "sales"),
            ("F7", "effort", "delivery"),
            ("F9", "effort", "delivery"),
            ("F12", "effort", "delivery"),
            ("F13", "account", "owner"),
            (None, "contract", "finance"),
        ]
        assert all(row["account_count"] == 85 for row in shared)
        asked = {row["criterion"]: row["question"] for row in shared}
        assert asked["F3"].startswith("Which invoices were due when")
        # Their size is known: that is not what is missing.
        assert "account_turnover" not in asked["F13"]
        assert "core_segments" in asked["F13"]

    def test_then_of_each_account_all_but_its_share(self, of_maven) -> None:
        rows = of_maven.questions().to_pylist()
        single = [row for row in rows if row["answer"] == "rating"]
        assert len(single) == 12 * 85
        per_account = Counter(row["account_id"] for row in single)
        assert set(per_account.values()) == {12}
        assert {row["criterion"] for row in single} == EVERY - {"F11"}
        who = {row["criterion"]: row["ask"] for row in single}
        assert {code for code, ask in who.items() if ask == "finance"} == {
            *("F1", "F2", "F3"),
        }
        assert {code for code, ask in who.items() if ask == "delivery"} == {
            *("F7", "F8", "F9", "F12"),
        }
        # Of the groups, Acme Corporation's is the largest and nearest to an edge.
        assert single[0]["account_id"] == "Acme Corporation"

    def test_nobody_is_asked_for_by_name(self, of_maven) -> None:
        """The file has 35 sales people."""
        rows = of_maven.questions().to_pylist()
        assert "Darcel Schlecht" not in str(rows)
        assert {row["ask"] for row in rows} <= {
            *("owner", "finance", "delivery", "service", "sales"),
        }

    def test_a_manager_answers_for_one_account_and_gets_a_proposal(
        self, maven, of_maven, tmp_path
    ) -> None:
        openpyxl = pytest.importorskip("openpyxl")
        path = tmp_path / "ask.xlsx"
        of_maven.save_questions(path, accounts=20)
        workbook = openpyxl.load_workbook(path)
        sheet = workbook["ask"]
        lines = [line for line in sheet.iter_rows(min_row=2) if line[0].value]
        assert len(lines) == 20 * 12
        said = {"profitability": 1, "payment": 9, "relationship": 3, "potential": 2}
        for line in lines:
            if line[0].value == "Acme Corporation":
                line[6].value = said.get(line[2].value, 2)
        workbook.save(path)
        answered = analysis.with_ratings(maven, read_answers(path))
        result = analysis.exit_review(answered)
        rows = {row["account_id"]: row for row in result.arrow.to_pylist()}
        acme = rows["Acme Corporation"]
        assert acme["score_coverage"] == 1.0
        assert acme["standing"] == "low"
        assert acme["payment"] == 9.0
        # Nobody tried anything yet, so nobody is parted with.
        assert acme["action"] not in {"phase_out", "ask"}
        others = [row for key, row in rows.items() if key != "Acme Corporation"]
        assert {row["action"] for row in others} == {"ask"}
        left = result.questions().to_pylist()
        assert "Acme Corporation" not in {row["account_id"] for row in left}

    def test_a_share_of_cost_makes_profit_known(self, maven) -> None:
        settings = analysis.ExitReviewSettings(variable_cost_share=0.6)
        result = analysis.exit_review(maven, settings)
        assert known(result) == {"F1": 85, "F11": 85}
        criteria = {row["criterion"] for row in result.questions().to_pylist()}
        assert "F1" not in criteria


class TestResellers:
    """AdventureWorks: lines with cost, list price and discount; no hours, no invoices."""

    def test_profit_and_discounts_are_known_of_whoever_bought(
        self, of_resellers
    ) -> None:
        assert known(of_resellers) == {"F1": 635, "F4": 635, "F11": 701}

    def test_profit_is_held_against_that_of_the_profitable_ones(
        self, of_resellers, shared_data
    ) -> None:
        """335 of 635 lose money: their median is a loss, and divides nothing."""
        sales = pd.read_csv(
            shared_data / "adventureworks_resellers" / "reseller_sales.csv.gz"
        )
        # A book holds each line to the cent.
        amounts = sales[["SalesAmount", "TotalProductCost"]].round(2)
        sums = amounts.groupby(sales["ResellerKey"]).sum()
        rate = 1 - sums["TotalProductCost"] / sums["SalesAmount"]
        assert rate.median() < 0
        usual = rate[rate > 0].median()
        reference = of_resellers.summary["profit_reference"]
        assert reference["basis"] == "revenue"
        assert reference["value"] == pytest.approx(usual, rel=1e-4)
        rows = {row["account_id"]: row for row in of_resellers.arrow.to_pylist()}
        for key, each in rate.items():
            assert rows[str(key)]["profitability"] == pytest.approx(
                each / usual, abs=0.01
            )

    def test_what_is_known_is_not_asked_for(self, of_resellers) -> None:
        rows = of_resellers.questions().to_pylist()
        shared = {row["criterion"] for row in rows if row["answer"] == "table"}
        assert shared == {"F2", "F3", "F7", "F9", "F12", "F13", None}
        bought = {
            row["account_id"]
            for row in of_resellers.arrow.to_pylist()
            if row["line_count"]
        }
        asked = {row["account_id"] for row in rows if row["criterion"] == "F1"}
        assert len(bought) == 635
        assert not asked & bought


class TestRavenStack:
    """Subscriptions, tickets with marks, and contracts; nobody signed the marks."""

    def test_the_newest_mark_of_a_ticket_says_how_the_relationship_is(
        self, of_ravenstack, shared_data
    ) -> None:
        tickets = pd.read_csv(
            shared_data / "ravenstack_saas" / "ravenstack_support_tickets.csv"
        )
        tickets["day"] = pd.to_datetime(tickets["closed_at"]).dt.date
        tickets = tickets[tickets["day"] <= MIDSUMMER].dropna(
            subset=["satisfaction_score"]
        )
        newest = tickets.groupby("account_id")["day"].transform("max")
        tickets = tickets[tickets["day"] == newest]
        expected = 2 * tickets.groupby("account_id")["satisfaction_score"].min()
        rows = {row["account_id"]: row for row in of_ravenstack.arrow.to_pylist()}
        told = {key: row["relationship"] for key, row in rows.items()}
        assert sum(each is not None for each in told.values()) == 298
        for key, each in expected.items():
            if key in told:
                assert told[key] == each

    def test_contracts_in_force_protect_and_are_not_asked_for(
        self, of_ravenstack, shared_data
    ) -> None:
        runs = pd.read_csv(
            shared_data / "ravenstack_saas" / "ravenstack_subscriptions.csv"
        )
        starts = pd.to_datetime(runs["start_date"]).dt.date
        ends = pd.to_datetime(runs["end_date"]).dt.date
        has_begun = starts <= MIDSUMMER
        has_ended = ends.notna() & (ends.fillna(date.max) < MIDSUMMER)
        running = set(runs[has_begun & ~has_ended]["account_id"])
        for row in of_ravenstack.arrow.to_pylist():
            is_protected = "contract_in_force" in row["protections"]
            assert is_protected == (row["account_id"] in running)
        tables = {row["table"] for row in of_ravenstack.questions().to_pylist()}
        assert "contract" not in tables

    def test_no_proposal_rests_on_so_little(self, of_ravenstack) -> None:
        assert of_ravenstack.summary["actions"]["ask"] == of_ravenstack.arrow.num_rows
        coverage = of_ravenstack.arrow["score_coverage"].to_numpy()
        assert np.nanmax(coverage) < 0.6
