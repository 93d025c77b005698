"""Do the levels of a past day tell what then came? Three firms, and an honest answer.

Only what was known that day goes in; what came later is looked up in the files.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.compute as pc
from foreseen import (
    HALF_TIME,
    LEVELS,
    WARNED,
    book,
    by_level,
    churned_after,
    come_back,
    days_late_after,
    rate,
    shoppers,
    subscribers,
)
from loaders import ravenstack_tables, receivables_tables

from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import RiskSettings, risk
from crm_portfolio.portfolio import Period

RECEIVABLES, RAVENSTACK = "ibm_receivables", "ravenstack_saas"


class TestReceivables:
    """IBM: 100 customers, 2,466 invoices of 2012 and 2013."""

    def test_how_late_they_pay_is_what_the_readme_says(self, shared_data: Path) -> None:
        """README: total 147,703.18; days late 3.5711 by amount; 877 late, 561 contested."""
        day = date(2014, 1, 9)
        tables = receivables_tables(shared_data / RECEIVABLES, day)
        everything = RiskSettings(period=Period.all())
        contested = risk(book(tables, day), everything)
        frame = to_arrow(contested.frame)
        assert pc.sum(frame["due_invoice_count"]).as_py() == 1_905
        assert pc.sum(frame["disputed_invoice_count"]).as_py() == 561
        invoices = tables["invoice"].drop_columns(["is_disputed"])
        all_of_them = risk(book({**tables, "invoice": invoices}, day), everything)
        frame = to_arrow(all_of_them.frame)
        total = pc.sum(frame["revenue"]).as_py()
        weighted = pc.sum(pc.multiply(frame["days_late"], frame["revenue"])).as_py()
        assert round(total, 2) == 147_703.18
        assert round(weighted / total, 4) == 3.5711
        worst = frame.sort_by([("days_late", "descending")])["account_id"][0].as_py()
        assert worst == "2621-XCLEH"

    def test_who_paid_late_in_one_year_pays_late_in_the_next(
        self, shared_data: Path
    ) -> None:
        """Levels at the end of 2012, average days late by amount of 2013's invoices."""
        after = days_late_after(shared_data)
        assert [after[level][0] for level in LEVELS] == [49, 20, 15, 16]
        late = [round(after[level][1], 2) for level in LEVELS]
        assert late == [0.58, 1.9, 5.47, 10.08]


class TestSubscriptions:
    """RavenStack: 500 accounts, 5,000 subscriptions, 600 churn events; invented."""

    def test_the_whole_book_is_the_readmes(self, shared_data: Path) -> None:
        """README: 4,514 subscriptions run over all 500 accounts; 486 churned; refunds 8,652.25."""
        tables = ravenstack_tables(shared_data / RAVENSTACK, date(2024, 12, 31))
        ends = tables["contract"]["ends_on"]
        assert (tables["account"].num_rows, len(ends)) == (500, 5_000)
        assert (ends.null_count, len(ends) - ends.null_count) == (4_514, 486)
        lines = tables["revenue_line"]
        refunds = lines.filter(pc.equal(lines["kind"], "refund"))
        assert round(-pc.sum(refunds["amount"]).as_py(), 2) == 8_652.25

    def test_what_is_known_on_a_day_does_not_know_what_comes(
        self, shared_data: Path
    ) -> None:
        tables = ravenstack_tables(shared_data / RAVENSTACK, HALF_TIME)
        for table, column in (
            ("contract", "starts_on"),
            ("contract", "ends_on"),
            ("revenue_line", "booked_on"),
            ("rating", "rated_on"),
        ):
            assert pc.max(tables[table][column]).as_py() <= HALF_TIME

    def test_the_levels_do_not_foresee_these_churn_events(
        self, shared_data: Path
    ) -> None:
        """Next to all accounts are low, and 43 % of those have a churn event in six months.

        A year's revenue grows everywhere, contracts run on, and no mark is under 3 of 5:
        nothing of what the level is made of says who will be in the table of events.
        """
        result, churned = subscribers(shared_data), churned_after(shared_data)
        found = by_level(result)
        assert {level: len(ids) for level, ids in found.items()} == {
            "critical": 1,
            "high": 1,
            "medium": 2,
            "low": 342,
            "unknown": 2,
        }
        assert round(rate(found["low"], churned), 3) == 0.433
        warned = [each for level in WARNED for each in found[level]]
        assert rate(warned, churned) == 0.25
        components = result.summary["components"]
        assert components["relationship"]["medium"] == 0
        assert components["renewal"]["low"] > 330


class TestPurchases:
    """CDNOW: 23,570 customers of a shop, their purchases of 18 months; real."""

    def test_the_longer_the_silence_the_fewer_come_back(
        self, shared_data: Path
    ) -> None:
        """Who buys in the 39 weeks after, by the level of the silence on that day."""
        rates = come_back(shared_data)
        own = [round(each, 3) for each in rates["own"]]
        assert own == [0.809, 0.739, 0.566, 0.421]
        # Who bought once or twice borrows a rhythm: it tells the living, not degrees.
        borrowed = [round(each, 3) for each in rates["tier"]]
        assert borrowed == [0.567, 0.206, 0.157, 0.17]
        codes = [warning.code for warning in shoppers(shared_data).warnings]
        assert "risk_rhythm_of_tier" in codes
        assert "index_not_probability" in codes
