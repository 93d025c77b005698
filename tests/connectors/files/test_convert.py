"""Do ids and yes-or-no cells become what they mean?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio.connectors.files._convert import CONVERTERS, longer_ids
from crm_portfolio.connectors.files._reading import Conventions

# Ids that the service itself has given, in recordings.
RECORDED = [
    "0012300000bVTphAAG",
    "0015500001QdZPKAA3",
    "0017e00001W4GYRAA3",
    "001D000000JliSTIAZ",
    "001dM00003jU9GxQAK",
    "001dM00003kQsjvQAC",
    "001dM00003kREKdQAO",
    "001dM00003kS3tNQAS",
    "001dM00003kSQbVQAW",
]


def test_short_ids_become_the_long_ones_of_the_service() -> None:
    short = pa.array([known[:15] for known in RECORDED])
    assert longer_ids(short).to_pylist() == RECORDED


def test_ids_of_another_form_stay_as_they_are() -> None:
    others = pa.array([RECORDED[0], "12345", "Acme Corporat&n", None, "é" * 15, ""])
    assert longer_ids(others).to_pylist() == others.to_pylist()


def test_ids_that_differ_by_case_alone_stay_different() -> None:
    ids = longer_ids(pa.array(["001D000000JliST", "001D000000JlisT"])).to_pylist()
    assert len({known.casefold() for known in ids}) == 2


def test_a_million_ids_are_one_array() -> None:
    numbers = pc.utf8_lpad(
        pa.array(np.arange(1_000_000)).cast(pa.string()), 15, padding="0"
    )
    assert longer_ids(numbers)[999_999].as_py() == "000000000999999AAA"


def test_an_id_that_a_spreadsheet_has_rewritten_is_refused() -> None:
    reading = CONVERTERS["id"](
        pa.array(["1.23457E+11", "123457", " 7 "]), Conventions()
    )
    assert reading.unread.to_pylist() == [True, False, False]
    assert reading.values.to_pylist() == [None, "123457", "7"]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("1", True),
        ("0", False),
        ("Yes", True),
        ("Oui", True),
        ("Non", False),
        ("Vrai", True),
        ("Faux", False),
        ("checked", True),
        (" x ", True),
    ],
)
def test_yes_and_no_in_two_languages(cell: str, value: bool) -> None:
    assert CONVERTERS["boolean"](
        pa.array([cell]), Conventions()
    ).values.to_pylist() == [value]


def test_neither_yes_nor_no_is_reported() -> None:
    reading = CONVERTERS["boolean"](pa.array(["maybe", "", None]), Conventions())
    assert reading.values.to_pylist() == [None, None, None]
    assert reading.unread.to_pylist() == [True, False, False]
