"""Does the first settings file hold every setting, and say what is so?"""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import attrs
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio import samples
from crm_portfolio.portfolio import Calendar, Period, Portfolio
from crm_portfolio.settings import Settings, SyncSettings, _toml
from crm_portfolio.settings._keys import keys_at_the_top, keys_of
from crm_portfolio.settings._seen_in_folder import seen_in_folder
from crm_portfolio.settings._settings import LAYERS
from crm_portfolio.settings._template import Seen, template


@pytest.fixture
def loaded(tmp_path: Path):
    def load(text: str) -> Settings:
        file = tmp_path / "portfolio.toml"
        file.write_text(text, encoding="utf-8")
        return attrs.evolve(Settings.load(file), sync=SyncSettings())

    return load


def _uncommented(text: str) -> str:
    """Every default taken at its word; tables that are not there by default stay away."""
    kept, is_there = [], True
    for line in text.splitlines():
        if re.match(r"#?\[", line):
            is_there = not line.startswith("#")
        is_said = re.match(r"#[\w\"-]+ = .", line)
        kept.append(line[1:] if is_said and is_there else line)
    return "\n".join(kept)


def test_as_it_is_it_changes_nothing(loaded) -> None:
    assert loaded(template()) == Settings()


def test_the_defaults_in_it_are_the_defaults(loaded) -> None:
    text = _uncommented(template())
    assert loaded(text) == Settings()
    assert len(tomllib.loads(text)["limits"]) > 5


def test_every_setting_is_in_it() -> None:
    text = template()
    for key in keys_at_the_top():
        assert re.search(rf"(?m)^#{key.name} =", text)
    for name, layer in LAYERS.items():
        at = text.index(f"\n[{name}]\n")
        ends = text.find("\n[", at + 2)
        table = text[at : ends if ends > 0 else None]
        for key in keys_of(layer):
            line = rf"(?m)^#{key.name} =|^# ?\[{name}\.{key.name}\b"
            own = rf"(?m)^#?\[{name}\.{key.name}[\].]"
            assert re.search(line, table) or re.search(own, text), (name, key.name)


def test_lines_are_as_wide_as_a_terminal_at_most() -> None:
    wide = [line for line in template().splitlines() if len(line) > 88]
    assert all(line.startswith("#") and " = " in line for line in wide)


def test_editors_are_pointed_to_the_schema_in_the_first_line() -> None:
    first = template(schema="./portfolio.schema.json").splitlines()[0]
    assert first == "#:schema ./portfolio.schema.json"
    assert "#:schema" not in template()


def test_what_was_seen_is_filled_in(loaded) -> None:
    seen = Seen(
        "the org",
        {("currency",): "EUR", ("time_zone",): "Europe/Paris", ("tiers", "count"): 3},
        proposals={
            ("hubspot", "fields", "account", "segment"): ("kind", '"Kind", text')
        },
    )
    text = template(seen)
    found = loaded(text)
    assert (found.currency, found.calendar) == ("EUR", Calendar("Europe/Paris"))
    assert found.tier_names == ("A", "B", "C")
    assert '#[hubspot.fields.account]\n#segment = "kind"  # "Kind", text\n' in text


def test_what_a_crm_says_cannot_leave_its_comment(loaded) -> None:
    hostile = 'x"\n[limits]\nmax_share = 1\n\x1b[31m'
    seen = Seen(
        hostile,
        notes={(): (hostile,), ("tiers",): (hostile,)},
        proposals={("salesforce", "fields", "account", "name"): (hostile, hostile)},
    )
    text = template(seen)
    assert loaded(text) == Settings()
    assert "\x1b" not in text


VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**40), 2**40),
        st.floats(allow_nan=False),
        st.text(st.characters(exclude_categories=["Cs"])),
        st.dates(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    ),
    max_leaves=6,
)


@given(VALUES)
def test_any_value_comes_back_from_toml(value) -> None:
    assert tomllib.loads(f"x = {_toml.value(value)}")["x"] == value


@pytest.mark.parametrize(
    ("period", "said"),
    [
        (Period.all(), '"all"'),
        (Period.last_months(1), '"last 1 month"'),
        (
            Period.between(date(2025, 1, 1), date(2026, 1, 1)),
            "{ start = 2025-01-01, end = 2026-01-01 }",
        ),
    ],
)
def test_a_period_is_written_as_people_do(period: Period, said: str, loaded) -> None:
    assert _toml.value(period) == said
    assert loaded(f"[tiers]\nperiod = {said}").tiers.period == period


@pytest.fixture(scope="module")
def book():
    return samples.firm()


class TestOfAFolder:
    def test_its_currency_is_filled_in_and_what_lacks_is_told(
        self, book, loaded
    ) -> None:
        text = template(seen_in_folder(book, "book", {"receivables": [("invoice",)]}))
        assert loaded(text).currency == "EUR"
        assert "It cannot be made of book: it needs invoice." in text
        assert "account 13" in text

    def test_there_are_as_many_tiers_as_leave_accounts_in_each(
        self, book, loaded
    ) -> None:
        seen = seen_in_folder(book, "book", {})
        chosen = loaded(template(seen))
        assert chosen.tiers.method.tier_count == seen.values["tiers", "count"] < 4
        (told,) = seen.notes["tiers",]
        counts = [int(count) for count in re.findall(r"(\d+) in ", told)]
        assert min(counts) >= 3

    def test_with_many_accounts_the_default_stays(self) -> None:
        ids = [f"A{number:02}" for number in range(40)]
        lines = pa.table(
            {
                "line_id": ids,
                "account_id": ids,
                "booked_on": [date(2026, 3, 1)] * 40,
                "amount": [100.0 + number for number in range(40)],
            }
        )
        even = Portfolio.from_frames(
            as_of=date(2026, 6, 30),
            currency="EUR",
            account=pa.table({"account_id": ids}),
            revenue_line=lines,
        )
        assert ("tiers", "count") not in seen_in_folder(even, "book", {}).values

    def test_a_zone_of_its_own_is_kept(self, book) -> None:
        zoned = attrs.evolve(book, calendar=Calendar("Europe/Paris", 7))
        values = seen_in_folder(zoned, "book", {}).values
        assert (values["time_zone",], values["year_starts",]) == ("Europe/Paris", 7)
