"""Does the page of results name every key that a program may rely on?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from crm_portfolio import analyse, samples
from crm_portfolio.analysis import Quantiles, TiersSettings, tiers

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/results.md"
COMMON = {"name", "coverage", "warnings", "rejected"}


def book():
    """The firm with time sheets and a bill, so that no analysis lacks a table."""
    effort = pa.table(
        {
            "account_id": ["A01", "A05"],
            "worked_on": pa.array([date(2025, 9, 1)] * 2, pa.date32()),
            "minutes": [600.0, 90.0],
        }
    )
    invoice = pa.table(
        {
            "invoice_id": ["I1"],
            "account_id": ["A01"],
            "issued_on": [date(2026, 3, 1)],
            "due_on": [date(2026, 4, 1)],
            "amount": [1_200.0],
        }
    )
    return samples.firm().with_tables(effort=effort, invoice=invoice)


@pytest.fixture(scope="module")
def findings():
    found = analyse(book())
    assert not found.skipped
    return found


def rows_of(kept: Mapping[str, object], *, common: set[str] = COMMON) -> Iterator[str]:
    """The lines of a table: where, and which keys stand there, in their order."""
    for name, value in kept.items():
        if name in common:
            continue
        yield from _row(name, value)
        if name == "summary":
            for inner, each in value.items():
                yield from _row(f"summary.{inner}", each)


def _row(path: str, value: object) -> Iterator[str]:
    if isinstance(value, list):
        value, path = (value[0] if value else None), f"{path}[]"
    if isinstance(value, Mapping) and all(map(_is_name, value)):
        keys = ", ".join(f"`{key}`" for key in value)
        yield f"| `{path}` | {keys} |"


def _is_name(key: str) -> bool:
    """A key that is always the same, and no id, tier or number of a CRM."""
    return bool(re.fullmatch("[a-z][a-z0-9_]*", key)) and key not in {"new", "none"}


def section(name: str) -> list[str]:
    """The lines of the table below a heading of the page."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^## `{name}`$(.*?)(?=^## |\Z)", page, re.M | re.S)
    lines = found[1].splitlines() if found else []
    return [line for line in lines if line.startswith("| `")]


def test_the_keys_of_every_analysis_are_on_the_page(findings):
    missing = []
    for name, result in findings.items():
        expected = [*rows_of(result.to_dict())]
        if section(name) != expected:
            missing += [f"## `{name}`", *expected]
    assert not missing, "docs/reference/results.md should say:\n" + "\n".join(missing)


def test_the_keys_that_all_have_are_on_the_page(findings):
    expected = [
        "name",
        "summary",
        "params",
        "coverage",
        "warnings",
        "rejected",
        "frame",
    ]
    told = [re.match(r"\| `(\w+)` ", line) for line in section("to_dict")]
    assert [each[1] for each in told if each] == expected
    for result in findings.values():
        assert [*result.to_dict()][: len(expected)] == expected


def test_the_keys_of_a_comparison_are_on_the_page(findings):
    other = tiers(book(), TiersSettings(method=Quantiles(4)))
    kept = other.compared_with(findings["tiers"]).to_dict()
    assert section("compared_with") == [
        f"| `to_dict()` | {', '.join(f'`{key}`' for key in kept)} |",
        *rows_of(kept, common=set()),
    ]


def test_keys_do_not_depend_on_what_is_in_the_book(findings):
    """A program that reads one book reads the next: also one without any account."""
    empty = analyse(book().only([]))
    for name, result in empty.items():
        kept, other = result.to_dict(), findings[name].to_dict()
        assert [*kept] == [*other]
        assert [*kept["summary"]] == [*other["summary"]]
        assert [*kept["params"]] == [*other["params"]]
