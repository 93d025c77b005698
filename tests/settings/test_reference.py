"""Is every setting on its page, as the classes have it?"""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_portfolio.settings._keys import keys_at_the_top, keys_of, meanings_of
from crm_portfolio.settings._reference import renewed, tables_of_keys
from crm_portfolio.settings._settings import LAYERS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "settings.md"
# Tables that are as another one of the page.
ALIKE = {
    "hubspot.ceilings": "salesforce.ceilings",
    "hubspot.retry": "salesforce.retry",
    "receivables.reference_rates": "receivables.financing_rates",
    "freed_capacity.scenario": "loss_scenario.scenario",
}


def test_the_page_has_the_tables_of_the_classes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == renewed(page), (
        "docs/reference/settings.md is old: write settings._reference.renewed(page) to it"
    )


def test_every_table_of_the_file_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    on_it = {name for name in tables_of_keys() if f"<!-- keys of {name} -->" in page}
    missing = set(tables_of_keys()) - on_it
    like_another = {name for name in missing if name.endswith(".rating_anchors")}
    assert {ALIKE.get(name) for name in missing - like_another} <= on_it


@pytest.mark.parametrize("table", LAYERS)
def test_every_setting_says_what_it_means(table: str) -> None:
    meanings = meanings_of(LAYERS[table])
    assert [key.name for key in keys_of(LAYERS[table]) if not key.meaning] == []
    assert set(meanings) >= {key.name for key in keys_of(LAYERS[table])}


def test_so_does_what_stands_at_the_top() -> None:
    assert all(key.meaning for key in keys_at_the_top())


def test_a_meaning_may_be_of_several_lines_and_of_several_names() -> None:
    class Chosen:
        """What.

        Attributes:
            low, high: From where on,
                and up to where.
            word: ``x`` or y.

        More: of it.
        """

    told = "From where on, and up to where."
    assert meanings_of(Chosen) == {"low": told, "high": told, "word": "``x`` or y."}
