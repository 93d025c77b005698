"""Are the invented firms what their docstrings say?"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio import analyse, samples
from crm_portfolio._frames import to_arrow
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.schema import TABLES


def _net(book: samples.Book) -> dict[str, dict[str, int]]:
    """Cents won per account and month of the period, summed the slow way."""
    truths = book.truths
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in book.tables["opportunity"].to_pylist():
        if row["status"] == "won" and row["account_id"] is not None:
            day = row["closed_on"]
            if truths["period_start"] <= day < truths["period_end"]:
                cents = round((row["amount"] or 0) * 100)
                sums[row["account_id"]][f"{day:%Y-%m}"] += cents
    return sums


@pytest.fixture(scope="module")
def book() -> samples.Book:
    return samples.book()


@pytest.fixture(scope="module")
def won(book: samples.Book) -> dict[str, int]:
    return {account: sum(months.values()) for account, months in _net(book).items()}


@pytest.fixture(scope="module")
def revenue() -> dict[str, int]:
    lines = to_arrow(samples.firm()["revenue_line"])
    sums: dict[str, int] = defaultdict(int)
    for line in lines.to_pylist():
        if date(2025, 7, 1) <= line["booked_on"] < date(2026, 7, 1):
            sums[line["account_id"]] += round(line["amount"])
    return sums


class TestFirm:
    def test_it_booked_a_million(self, revenue: dict[str, int]) -> None:
        assert sum(revenue.values()) == 1_000_000
        assert sum(v for v in revenue.values() if v > 0) == 1_010_000
        assert len(revenue) == 12

    def test_one_account_is_more_than_a_fifth(self, revenue: dict[str, int]) -> None:
        assert revenue["A01"] == 260_000
        assert max(v for k, v in revenue.items() if k != "A01") < 100_000

    def test_a_group_is_more_than_a_tenth(self, revenue: dict[str, int]) -> None:
        assert [revenue[a] for a in ("A02", "A03", "A04")] == [20_000, 70_000, 60_000]
        account = to_arrow(samples.firm()["account"]).to_pylist()
        roots = {row["account_id"]: row["ultimate_parent_id"] for row in account}
        assert {roots[a] for a in ("A02", "A03", "A04")} == {"A02"}

    def test_the_others_are_as_the_docstring_says(
        self, revenue: dict[str, int]
    ) -> None:
        thousands = [revenue[f"A{n:02d}"] // 1_000 for n in range(5, 13)]
        assert thousands == [98, 96, 92, 88, 84, 80, 62, -10]
        assert "A13" not in revenue

    def test_a_new_account_has_its_first_line_within_three_months(self) -> None:
        lines = to_arrow(samples.firm()["revenue_line"])
        days = lines.filter(pc.equal(lines["account_id"], "A11"))["booked_on"]
        assert days.to_pylist() == [date(2026, 5, 14)]

    def test_its_tiers_and_dependence_are_known(self) -> None:
        findings = analyse(samples.firm(), only=("concentration", "tiers"))
        frames = {
            name: to_arrow(result.frame).to_pylist()
            for name, result in findings.items()
        }
        tiers = {row["account_id"]: row["tier"] for row in frames["tiers"]}
        told = "".join(tiers[f"A{n:02d}"] for n in range(1, 11))
        assert told == "ADDDBBCCCD"
        assert [tiers[a] for a in ("A11", "A12", "A13")] == ["new", "none", "none"]
        hangs = {
            row["account_id"]: row["dependence"] for row in frames["concentration"]
        }
        assert hangs["A01"] == "dependent"
        assert {hangs[a] for a in ("A02", "A03", "A04")} == {"major"}
        assert list(hangs.values()).count("none") == 9

    def test_its_opportunities_add_up(self) -> None:
        rows = to_arrow(samples.firm()["opportunity"]).to_pylist()
        statuses = [row["status"] for row in rows]
        assert [statuses.count(s) for s in ("won", "lost", "open")] == [5, 4, 3]
        assert sum(r["amount"] for r in rows if r["status"] == "won") == 315_000

    def test_it_has_one_known_fault(self) -> None:
        faults = to_arrow(samples.firm().faults)
        assert faults["fault"].to_pylist() == ["open_without_amount"]

    @pytest.mark.parametrize("backend", ["pandas", "pyarrow"])
    def test_it_comes_in_any_kind_of_frame(self, backend: Any) -> None:
        firm = samples.firm(backend=backend)
        assert firm.backend == backend
        assert firm.id == samples.firm().id


class TestBook:
    def test_the_same_seed_gives_the_same_book(self, book: samples.Book) -> None:
        again = samples.book()
        assert all(again.tables[n].equals(t) for n, t in book.tables.items())
        assert again.truths == book.truths
        other = samples.book(seed=7)
        assert not other.tables["opportunity"].equals(book.tables["opportunity"])

    def test_it_has_the_size_asked_for(self) -> None:
        small = samples.book(accounts=50, opportunities=300)
        assert small.tables["account"].num_rows == 50
        assert small.tables["opportunity"].num_rows == 300

    def test_too_small_a_book_is_refused(self) -> None:
        with pytest.raises(SettingsError, match="at least 40 accounts"):
            samples.book(accounts=10)

    def test_its_revenue_is_known_to_the_cent(
        self, book: samples.Book, won: dict[str, int]
    ) -> None:
        assert sum(won.values()) == round(book.truths["won_revenue"] * 100)

    def test_one_account_passes_a_fifth(
        self, book: samples.Book, won: dict[str, int]
    ) -> None:
        total = sum(won.values())
        giant = book.truths["giant"]
        assert won[giant] / total == book.truths["giant_share"]
        assert won[giant] / total == pytest.approx(0.24, abs=1e-6)
        assert max(v for k, v in won.items() if k != giant) / total < 0.1

    def test_a_group_on_four_levels_passes_a_tenth(
        self, book: samples.Book, won: dict[str, int]
    ) -> None:
        members = book.truths["group"]
        together = sum(won[m] for m in members) / sum(won.values())
        assert together == book.truths["group_share"]
        assert together == pytest.approx(0.13, abs=1e-6)
        parents = _parents(book)
        depths = [_depth(member, parents) for member in members]
        assert max(depths) == 4
        assert {_root(member, parents) for member in members} == {
            book.truths["group_root"]
        }

    def test_months_are_negative_where_planted(self, book: samples.Book) -> None:
        months = _net(book)[book.truths["swinging"]]
        negative = sorted(month for month, cents in months.items() if cents < 0)
        assert negative == book.truths["negative_months"]
        assert sum(months.values()) > 0

    def test_one_account_lost_more_than_it_won(
        self, book: samples.Book, won: dict[str, int]
    ) -> None:
        cents = won[book.truths["negative"]]
        assert cents == round(book.truths["negative_revenue"] * 100) < 0

    def test_the_new_one_is_new_and_the_dormant_one_sleeps(
        self, book: samples.Book, won: dict[str, int]
    ) -> None:
        first = {
            a: min(
                row["closed_on"]
                for row in book.tables["opportunity"].to_pylist()
                if row["account_id"] == a and row["status"] == "won"
            )
            for a in (book.truths["new"], book.truths["dormant"])
        }
        assert first[book.truths["new"]] >= date(2026, 4, 1)
        assert first[book.truths["dormant"]] < book.truths["period_start"]
        assert book.truths["dormant"] not in won

    def test_the_analyses_find_what_was_planted(self, book: samples.Book) -> None:
        truths = book.truths
        portfolio = Portfolio.from_frames(
            as_of=truths["as_of"], currency="EUR", **book.tables
        )
        findings = analyse(portfolio, only=("concentration", "tiers"))
        figures = findings["concentration"].summary["by_group"]
        assert figures["total"] == truths["won_revenue"]
        rows = {
            name: {row["account_id"]: row for row in to_arrow(result.frame).to_pylist()}
            for name, result in findings.items()
        }
        hangs = {k: row["dependence"] for k, row in rows["concentration"].items()}
        assert hangs[truths["giant"]] == "dependent"
        assert {hangs[member] for member in truths["group"]} == {"major"}
        assert sum(kind != "none" for kind in hangs.values()) == 7
        tiers = {k: row["tier"] for k, row in rows["tiers"].items()}
        assert tiers[truths["giant"]] == "A"
        assert tiers[truths["new"]] == "new"
        assert tiers[truths["negative"]] == tiers[truths["dormant"]] == "none"

    def test_its_dirt_is_counted(self, book: samples.Book) -> None:
        rows = book.tables["opportunity"].to_pylist()
        truths = book.truths
        counts = {
            "without_account": sum(r["account_id"] is None for r in rows),
            "without_amount": sum(r["amount"] is None for r in rows),
            "zero_amount": sum(r["amount"] == 0 for r in rows),
            "closed_later": sum(
                r["closed_on"] is not None and r["closed_on"] > truths["as_of"]
                for r in rows
            ),
        }
        assert counts == {key: truths[key] for key in counts}
        assert all(counts.values())
        assert not any(r["account_id"] is None and r["status"] == "won" for r in rows)

    def test_names_may_be_twins_foreign_or_hostile(self, book: samples.Book) -> None:
        names = dict(
            zip(
                book.tables["account"]["account_id"].to_pylist(),
                book.tables["account"]["name"].to_pylist(),
                strict=True,
            )
        )
        one, other = book.truths["twins"]
        assert names[one] == names[other]
        assert all(names[id_] == name for name, id_ in book.truths["hostile"].items())
        assert any(not name.isascii() for name in names.values())

    def test_owners_who_left_still_own_accounts(self, book: samples.Book) -> None:
        owners = set(book.tables["account"]["owner_id"].to_pylist())
        assert book.truths["inactive_owners"]
        assert set(book.truths["inactive_owners"]) <= owners

    def test_nothing_closes_before_it_was_created(self, book: samples.Book) -> None:
        for row in book.tables["opportunity"].to_pylist():
            ends = row["closed_on"] or row["expected_close_on"]
            assert row["created_at"].date() <= ends
            assert row["created_at"].date() <= book.truths["as_of"]

    def test_it_can_be_read_as_a_portfolio(self, book: samples.Book) -> None:
        portfolio = Portfolio.from_frames(
            as_of=book.truths["as_of"], currency="EUR", **book.tables
        )
        faults = to_arrow(portfolio.faults)["fault"].to_pylist()
        assert faults.count("parent_loop") >= 1
        assert (
            faults.count("opportunity_without_account")
            == book.truths["without_account"]
        )
        assert faults.count("reopened_after_as_of") == book.truths["closed_later"]

    def test_a_hundred_thousand_accounts_take_no_loop(self) -> None:
        large = samples.book(accounts=100_000, opportunities=300_000)
        assert large.tables["opportunity"].num_rows == 300_000
        assert isinstance(
            large.tables["account"]["account_id"].chunk(0), pa.StringArray
        )


class TestTheOddBook:
    def test_but_for_its_own_columns_it_can_be_read_as_a_portfolio(self) -> None:
        tables = {
            name: table.select([c for c in table.column_names if c in TABLES[name]])
            for name, table in samples.odd_book().items()
        }
        portfolio = Portfolio.from_frames(
            as_of=date(2026, 6, 30), currency="EUR", **tables
        )
        faults = to_arrow(portfolio.faults)["fault"].to_pylist()
        assert {"parent_loop", "opportunity_without_account"} <= set(faults)
        assert len(to_arrow(portfolio["opportunity"])) == 14

    def test_both_simulators_hold_it(self) -> None:
        from crm_portfolio.simulator import HubSpot, Salesforce

        for simulator in (HubSpot, Salesforce):
            with simulator(samples.odd_book(), currency="EUR") as crm:
                assert len(crm.ids("account")) == 12
                assert len(crm.ids("opportunity")) == 14


def _parents(book: samples.Book) -> dict[str, str | None]:
    account = book.tables["account"]
    return dict(
        zip(
            account["account_id"].to_pylist(),
            account["parent_id"].to_pylist(),
            strict=True,
        )
    )


def _root(account: str, parents: dict[str, str | None]) -> str:
    parent = parents[account]
    return account if parent is None else _root(parent, parents)


def _depth(account: str, parents: dict[str, str | None]) -> int:
    parent = parents[account]
    return 1 if parent is None else 1 + _depth(parent, parents)
