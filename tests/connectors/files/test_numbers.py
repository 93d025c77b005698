"""Is a number in a file the number its writer meant?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio.connectors.files._numbers import numbers
from crm_portfolio.connectors.files._reading import Conventions, Reading

NO_BREAK, NARROW, THIN = "\u00a0", "\u202f", "\u2009"


def money(*cells: str | None, **conventions: Any) -> Reading:
    return numbers(
        pa.array(cells, pa.string()), Conventions(**conventions), is_money=True
    )


def read(*cells: str | None, **conventions: Any) -> list[str | None]:
    reading = money(*cells, **conventions)
    assert not reading.question
    assert not any(reading.unread.to_pylist())
    return reading.values.to_pylist()


@pytest.mark.parametrize(
    ("cell", "value", "currency"),
    [
        ("1 234,50 €", "1234.50", "EUR"),
        (f"1{NO_BREAK}234,50{NO_BREAK}€", "1234.50", "EUR"),
        (f"1{NARROW}234{NARROW}567,5", "1234567.5", None),
        (f"1{THIN}234,50", "1234.50", None),
        ("1,234.50", "1234.50", None),
        ("$1,234.50", "1234.50", "USD"),
        ("US$ 1,234.50", "1234.50", "USD"),
        ("EUR 1.234,50", "1234.50", "EUR"),
        ("1.234.567,5 eur", "1234567.5", "EUR"),
        ("(1,234.50)", "-1234.50", None),
        ("($1,234.50)", "-1234.50", "USD"),
        ("-1 234,50", "-1234.50", None),
        ("\u22121 234,50", "-1234.50", None),
        ("1.234,50-", "-1234.50", None),
        ("-$5.5", "-5.5", "USD"),
        ("$-5.5", "-5.5", "USD"),
        ("USD 12", "12", "USD"),
        ("£1,234,567", "1234567", "GBP"),
        ("1'234.50 CHF", "1234.50", "CHF"),
        ("1\u2019234\u2019567", "1234567", None),
        ("$12 CAD", "12", "CAD"),
        ("1'234.-", "1234.0", None),
        ("1.234,-- €", "1234.0", "EUR"),
        ("1.234,\u2013", "1234.0", None),
        ("(1.234,-)", "-1234.0", None),
        ("+7", "7", None),
        (".5", "0.5", None),
        ("5.", "5", None),
        ("0,123", "0.123", None),
        ("1234,567", "1234.567", None),
        ("1 234.567", "1234.567", None),
        ("007", "7", None),
        ("-0,00", "0.00", None),
    ],
)
def test_a_cell_that_allows_one_reading_has_it(
    cell: str, value: str, currency: str | None
) -> None:
    reading = money(cell)
    assert reading.values.to_pylist() == [value]
    assert not reading.question
    assert (reading.currency and reading.currency.to_pylist()) == (
        currency and [currency]
    )


@pytest.mark.parametrize("cell", ["EUR 5 USD", "€5 USD", "A$5 CAD", "£5 €"])
def test_a_cell_that_names_two_currencies_is_not_read(cell: str) -> None:
    reading = money(cell)
    assert reading.unread.to_pylist() == [True]
    assert reading.currency is None
    assert money("EUR 5 €").currency.to_pylist() == ["EUR"]


def test_an_empty_cell_is_unknown_and_not_zero() -> None:
    assert read("", None, "  ", NO_BREAK, "1") == [None, None, None, None, "1"]


def test_a_column_without_rows_is_no_question() -> None:
    assert read() == []
    assert read(None, None) == [None, None]


@pytest.mark.parametrize("cells", [("1,234", "12"), ("1.234",), ("-1,234 €", "5 €")])
def test_thousands_or_decimals_is_asked_when_no_cell_tells(
    cells: tuple[str, ...],
) -> None:
    question = money(*cells).question
    assert 'decimal=","' in question
    assert 'decimal="."' in question
    assert repr(cells[0]) in question


def test_one_telling_cell_decides_for_all() -> None:
    assert read("1,234", "0,5") == ["1.234", "0.5"]
    assert read("1,234", "1,234.5") == ["1234", "1234.5"]
    assert read("1.234", "12.5") == ["1.234", "12.5"]
    assert read("1.234", "12,5") == ["1234", "12.5"]


def test_the_setting_settles_only_what_the_cells_leave_open() -> None:
    assert read("1,234", decimal=",") == ["1.234"]
    assert read("1,234", decimal=".") == ["1234"]
    assert read("1,234.50", decimal=",") == ["1234.50"]


def test_cells_that_contradict_each_other_are_asked_about() -> None:
    question = money("1,234.5", "1.234,5").question
    assert "'1,234.5'" in question
    assert "'1.234,5'" in question
    settled = money("1,234.5", "1.234,5", decimal=",")
    assert settled.values.to_pylist() == [None, "1234.5"]
    assert settled.unread.to_pylist() == [True, False]


@pytest.mark.parametrize(
    "cell",
    [
        "abc",
        "1,2,3",
        "12,34,567",
        "(5",
        "5)",
        "(-5)",
        "--5",
        "5 €/month",
        "1.5E+6",
        "12%",
        "-",
        "1 23",
    ],
)
def test_what_is_no_number_is_not_made_one(cell: str) -> None:
    reading = money(cell, "1")
    assert reading.values.to_pylist() == [None, "1"]
    assert reading.unread.to_pylist() == [True, False]


def test_a_sign_that_several_currencies_share_has_to_be_named() -> None:
    assert money("5 kr").unread.to_pylist() == [True]
    assert "symbols" in money("5 kr").hint
    named = money("5 kr", symbols={"kr": "SEK"})
    assert named.currency is not None
    assert named.currency.to_pylist() == ["SEK"]


def test_the_dollar_sign_is_said_to_be_a_guess() -> None:
    guess, named = money("$5"), money("$5", symbols={"$": "CAD"})
    assert guess.confidence == "likely"
    assert "$" in guess.how
    assert named.confidence == "certain"
    assert named.currency is not None
    assert named.currency.to_pylist() == ["CAD"]


def test_each_row_keeps_its_own_currency() -> None:
    currency = money("5 €", "$5.5", "5 GBP", "5", None).currency
    assert currency is not None
    assert currency.to_pylist() == ["EUR", "USD", "GBP", None, None]


def test_only_money_may_name_a_currency() -> None:
    counted = numbers(pa.array(["12 €", "12"]), Conventions(), is_whole=True)
    assert counted.values.to_pylist() == [None, "12"]


def whole(*cells: str) -> Reading:
    return numbers(pa.array(cells), Conventions(), is_whole=True)


def test_a_lone_mark_in_a_count_groups_thousands() -> None:
    assert whole("1,234", "12").values.to_pylist() == ["1234", "12"]
    assert whole("1.234").values.to_pylist() == ["1234"]
    assert whole("1.234").confidence == "likely"
    assert whole("1.234", "1,234").question


def test_a_count_has_no_fraction() -> None:
    assert whole("12.0", "1,000.00").values.to_pylist() == ["12", "1000"]
    assert whole("12.5").unread.to_pylist() == [True]


def test_percents_become_shares_exactly() -> None:
    cells = pa.array(["75%", "75", "7,5 %", "100", "0", "33,333333333333333333333"])
    shares = numbers(cells, Conventions(), percent="always").values.to_pylist()
    expected = ["0.75", "0.75", "0.075", "1", "0", "0.33333333333333333333333"]
    assert [Decimal(share) for share in shares] == [Decimal(text) for text in expected]


def test_a_share_stays_one_unless_a_cell_says_percent() -> None:
    cells = pa.array(
        ["75%", "0.5", "0.4000000000000000222044604925031308084726333618164062"]
    )
    shares = numbers(cells, Conventions(), percent="signed").values.to_pylist()
    assert shares == ["0.75", *cells.to_pylist()[1:]]


def test_in_our_own_form_a_cell_is_what_it_says() -> None:
    assert read("1.234", is_canonical=True) == ["1.234"]
    assert read("-1.234", "1e", is_canonical=True)[0] == "-1.234"
    assert read("1.234", "1 234,50 €", is_canonical=True) == ["1234", "1234.50"]


GROUPS = {
    ".": [",", "", " ", NO_BREAK, NARROW, "'"],
    ",": [".", "", " ", NO_BREAK, NARROW, "'"],
}


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str, list[tuple[str, Decimal]]]:
    """A column as people write it: one decimal mark, one way to group."""
    mark = draw(st.sampled_from(".,"))
    group = draw(st.sampled_from(GROUPS[mark]))
    shapes = st.sampled_from(
        [
            "{0}",
            "-{0}",
            "({0})",
            "{0}-",
            "{0} €",
            "€{0}",
            "EUR {0}",
            "-EUR {0}",
            "- {0}",
            "({0} €)",
        ]
    )
    cells = []
    for _ in range(draw(st.integers(1, 6))):
        places = draw(st.integers(0, 12))
        digits = draw(st.integers(0, 10**24))
        value = Decimal(digits).scaleb(-places)
        text = (
            f"{value:,.{places}f}".replace(",", "G")
            .replace(".", mark)
            .replace("G", group)
        )
        shape = draw(shapes)
        is_negative = shape.startswith(("-", "(")) or shape.endswith("-")
        cells.append((shape.format(text), -value if is_negative else value))
    return mark, group, cells


@settings(deadline=None)
@given(written())
def test_every_number_comes_back_exactly(column: Any) -> None:
    """With the setting always; without it the column is read rightly or asked about."""
    mark, _, cells = column
    texts, values = [text for text, _ in cells], [value for _, value in cells]
    told = money(*texts, decimal=mark)
    assert not told.question
    assert [Decimal(value) for value in told.values.to_pylist()] == values
    alone = money(*texts)
    if not alone.question:
        assert [Decimal(value) for value in alone.values.to_pylist()] == values
