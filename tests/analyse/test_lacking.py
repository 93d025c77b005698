"""Is what is missing found, and what would help most named first?"""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio._analyse import Need, analyse
from crm_portfolio._frames import from_arrow
from crm_portfolio._wording import LANGS
from crm_portfolio.analysis import RiskSettings, TiersSettings
from crm_portfolio.analysis._facts._said import says
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.settings import Settings


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow", "duckdb"])
@pytest.mark.parametrize("is_saved", [False, True])
def test_a_column_says_something_if_one_row_does(
    tables, make_book, tmp_path, backend, is_saved: bool
) -> None:
    due = pa.array([None, date(2026, 1, 1)], pa.date32())
    invoice = tables["invoice"].slice(0, 2).set_column(3, "due_on", due)
    book = make_book(
        {
            "account": from_arrow(tables["account"], backend),
            "invoice": from_arrow(invoice, backend),
        }
    )
    if is_saved:
        book.save(tmp_path / "book")
        book = Portfolio.load(tmp_path / "book", backend=backend)
    assert book.backend == backend
    assert says(book, "invoice", "due_on")
    assert not says(book, "invoice", "open_amount")
    assert not says(book, "invoice", "payer_id")


def test_an_empty_column_is_as_good_as_none(tables, make_book) -> None:
    invoice = tables["invoice"]
    at = invoice.column_names.index("due_on")
    unsaid = invoice.set_column(at, "due_on", pa.nulls(invoice.num_rows, pa.date32()))
    found = analyse(make_book(tables | {"invoice": unsaid}), only=["risk"])
    assert found.gaps == {"risk": {"payment": (Need(("invoice.due_on",)),)}}
    (only,) = found.unlocks
    assert (only.add, only.kind) == ("invoice.due_on", "column")


def test_an_empty_table_still_says_that_there_is_nothing(tables, make_book) -> None:
    book = make_book(tables | {"invoice": tables["invoice"].slice(0, 0)})
    assert list(analyse(book, only=["receivables"])) == ["receivables"]


def test_what_lets_most_analyses_be_made_comes_first_then_most_parts(
    tables, make_book, settings
) -> None:
    held = ("account", "revenue_line", "product")
    found = analyse(make_book({name: tables[name] for name in held}), settings)
    sizes = [(len(each.analyses), each.part_count) for each in found.unlocks]
    assert sizes == sorted(sizes, reverse=True)
    best = found.unlocks[0]
    assert best.add == "opportunity"
    assert best.analyses == ("lost_opportunities", "win_back", "pipeline")


def test_of_what_helps_as_much_tables_come_first_and_settings_last(
    tables, make_book, settings
) -> None:
    held = ("account", "revenue_line", "product")
    found = analyse(make_book({name: tables[name] for name in held}))
    order = ["table", "column", "setting"]
    ranks = [
        (-len(each.analyses), -each.part_count, order.index(each.kind), each.add)
        for each in found.unlocks
    ]
    assert ranks == sorted(ranks)
    alike = [rank[2] for rank in ranks if rank[:2] == (0, -1)]
    assert len(set(alike)) > 1


def test_a_column_of_an_empty_table_comes_with_the_table(tables, make_book) -> None:
    empty = tables["invoice"].slice(0, 0)
    found = analyse(make_book(tables | {"invoice": empty}), only=["risk"])
    (only,) = found.unlocks
    assert (only.add, only.columns) == ("invoice", ("due_on",))


def test_what_is_missed_is_told_from_what_was_pursued_by_activities_only(
    tables, make_book
) -> None:
    held = ("account", "opportunity", "stage")
    found = analyse(
        make_book({n: tables[n] for n in held}), only=["lost_opportunities"]
    )
    assert found.gaps["lost_opportunities"]["classes"] == (Need(("activity",)),)
    assert found.unlocks[0].add == "activity"


def test_what_lacks_two_things_is_unlocked_by_neither(tables, make_book) -> None:
    held = ("account", "revenue_line", "invoice")
    found = analyse(make_book({name: tables[name] for name in held}), only=["review"])
    assert "slope" in found.gaps["review"]
    late = analyse(
        make_book({name: tables[name] for name in held[:2]}), only=["profitability"]
    )
    needs = late.gaps["profitability"]["late_cost"]
    assert [need.any_of[0] for need in needs] == [
        *("invoice.due_on", "[receivables] financing_rate")
    ]
    assert not any(
        "late_cost" in parts for each in late.unlocks for parts in each.parts.values()
    )


def test_a_table_says_which_columns_it_is_wanted_with(tables, make_book) -> None:
    held = ("account", "revenue_line")
    found = analyse(make_book({name: tables[name] for name in held}), only=["risk"])
    best = {each.add: each for each in found.unlocks}["invoice"]
    assert (best.columns, best.parts) == (("due_on",), {"risk": ("payment",)})


def test_a_measure_that_was_chosen_leaves_one_table_to_ask_for(
    tables, make_book
) -> None:
    held = ("account", "opportunity")
    chosen = Settings(tiers=TiersSettings(measure="net_revenue"))
    found = analyse(make_book({n: tables[n] for n in held}), chosen, only=["tiers"])
    assert found.skipped == {"tiers": (Need(("revenue_line",)),)}


def test_what_another_analysis_cannot_be_made_of_is_skipped_too(
    tables, make_book
) -> None:
    """Risk itself could be made of bookings, but not the tiers it takes its rhythm of."""
    held = ("account", "opportunity")
    chosen = Settings(tiers=TiersSettings(measure="net_revenue"))
    found = analyse(make_book({n: tables[n] for n in held}), chosen, only=["risk"])
    assert list(found) == []
    # Opportunities are there: to add them would not help.
    assert found.skipped == {"risk": (Need(("revenue_line",)),)}
    assert [each.add for each in found.unlocks] == ["revenue_line"]


def test_activities_without_minutes_do_not_tell_hours(tables, make_book) -> None:
    held = ("account", "revenue_line", "activity")
    bare = tables["activity"].drop_columns(["minutes"])
    book = make_book({n: tables[n] for n in held} | {"activity": bare})
    found = analyse(book, only=["freed_capacity"])
    hours = (Need(("effort", "activity.minutes")),)
    assert found.skipped == {"freed_capacity": hours}
    assert {each.add for each in found.unlocks} == {"effort", "activity.minutes"}


def without(table: pa.Table, column: str, value: str) -> pa.Table:
    return table.filter(pc.not_equal(table[column], value))


def test_ratings_of_other_things_do_not_hide_what_nobody_rated(
    tables, make_book
) -> None:
    rating = without(tables["rating"], "criterion", "relationship")
    book = make_book(tables | {"rating": rating})
    found = analyse(book, only=["risk"])
    assert found.gaps == {"risk": {"relationship": (Need(("rating[relationship]",)),)}}
    (only,) = found.unlocks
    assert (only.add, only.kind) == ("rating[relationship]", "rows")
    assert found.lacking()["gaps"]["risk"] == {
        "relationship": [["rating[relationship]"]]
    }
    bare = analyse(make_book({n: tables[n] for n in ("account", "revenue_line")}))
    whole = {each.add: each for each in bare.unlocks}["rating"]
    assert {"ethics", "relationship", "vision"} <= set(whole.rows)


def test_a_relationship_is_asked_for_by_the_criteria_that_were_chosen(
    tables, make_book
) -> None:
    chosen = Settings(risk=RiskSettings(relationship_criteria=("trust", "tone")))
    found = analyse(make_book(tables), chosen, only=["risk"])
    need = Need(("rating[trust]", "rating[tone]"))
    assert found.gaps == {"risk": {"relationship": (need,)}}


def test_of_two_things_that_do_together_the_one_that_lacks_is_what_helps(
    tables, make_book
) -> None:
    """Hours by product are there; which product is an old one nobody said."""
    rating = without(tables["rating"], "criterion", "innovation")
    book = make_book(tables | {"rating": rating})
    found = analyse(book, only=["exit_review"])
    together = ("effort.product_id", "[exit_review.rules] obsolete_products")
    need = Need((together, "rating[innovation]"))
    assert found.gaps["exit_review"]["innovation"] == (need,)
    assert found.lacking()["gaps"]["exit_review"]["innovation"] == [
        [[*together], "rating[innovation]"]
    ]
    helps = {
        each.add
        for each in found.unlocks
        if "innovation" in each.parts.get("exit_review", ())
    }
    assert helps == {together[1], "rating[innovation]"}
    assert f"{together[0]} and {together[1]} or rating[innovation]" in (
        found.explain_lacking()
    )


def test_two_columns_of_a_table_that_is_not_there_come_with_it(
    tables, make_book
) -> None:
    held = ("account", "opportunity")
    found = analyse(make_book({n: tables[n] for n in held}), only=["profitability"])
    helps = {each.add: each for each in found.unlocks}["revenue_line"]
    assert "discounts" in helps.parts["profitability"]
    assert {"quantity", "list_price"} <= set(helps.columns)


@pytest.mark.parametrize("lang", LANGS)
def test_all_of_it_is_said_in_sentences(tables, make_book, lang) -> None:
    found = analyse(make_book({"account": tables["account"]}))
    said = found.explain_lacking(lang=lang).splitlines()
    assert len(said) == len(found.skipped) + 2
    ending = {
        "en": "revenue_line or opportunity.",
        "fr": "revenue_line ou opportunity.",
    }
    assert said[0].endswith(ending[lang])
    assert "opportunity" in said[-2]
    assert all(name in said[-1] for name in found.unlocks[0].analyses)
