"""Does the JSON Schema take what the settings take, and refuse what they refuse?"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.validators import extend

from crm_portfolio._kinds import parts
from crm_portfolio.settings import Settings
from crm_portfolio.settings._keys import Key, keys_at_the_top, keys_of
from crm_portfolio.settings._schema import schema, schema_text
from crm_portfolio.settings._settings import LAYERS
from crm_portfolio.settings._structure import METHODS

ROOT = Path(__file__).resolve().parents[2]
_BASE = Draft202012Validator.TYPE_CHECKER


def _is_number(_: object, value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# TOML tells 4 from 4.0, as the settings do.
_TYPES = _BASE.redefine("number", _is_number).redefine("integer", _is_integer)
_Checked = extend(Draft202012Validator, type_checker=_TYPES)
VALIDATOR = _Checked(schema(), format_checker=FormatChecker())


def as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


def takes(written: dict[str, Any]) -> bool:
    return VALIDATOR.is_valid(as_json(written))


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_the_published_file_is_the_generated_one() -> None:
    page = ROOT / "docs" / "reference" / "portfolio.schema.json"
    assert page.read_text(encoding="utf-8") == schema_text(), (
        "docs/reference/portfolio.schema.json is old: write what `crm-portfolio "
        "settings schema` prints to it"
    )


def _samples() -> Iterator[Any]:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        ours = [block for block in blocks if "[project]" not in block]
        for number, block in enumerate(ours):
            yield pytest.param(block, id=f"{page.name}-{number}")


@pytest.mark.parametrize("sample", [*_samples()])
def test_every_sample_in_the_documentation_is_taken_by_both(sample: str) -> None:
    written = tomllib.loads(sample)
    assert Settings.read(written)[1] == []
    assert [error.message for error in VALIDATOR.iter_errors(as_json(written))] == []


def _tables(at: tuple[str, ...], layer: type[Any]) -> Iterator[tuple[Any, Key]]:
    for key in keys_of(layer):
        (kind, *_) = parts(key.kind)
        if attrs.has(kind) and kind.__name__ != "Period" and key.name != "method":
            yield from _tables((*at, key.name), kind)
        if key.name != "method":
            yield at, key


SETTINGS: list[tuple[tuple[str, ...], Key]] = [
    *(((), key) for key in keys_at_the_top()),
    *(place for name, layer in LAYERS.items() for place in _tables((name,), layer)),
    *((("tiers",), key) for method in METHODS.values() for key in keys_of(method)),
]
_NEAR = [1e-9, -1e-9, 0.0, 0.5, 1.0, 1.0 + 1e-9, 2.5, -1.0, 1e12, 1e16]
_NUMBERS = st.one_of(
    st.sampled_from([-1, 0, 1, 2, 12, 13, 26, 27, 199, 200, 2000, 2001, 365, *_NEAR]),
    st.integers(-(10**6), 10**6),
    st.floats(-1e6, 1e6, allow_nan=False),
)
_TEXTS = st.sampled_from(
    ["", "x", "all", "last 12 months", "last 0 months", "last 1 month", "log", "fr"]
)
_SINGLE = st.one_of(_NUMBERS, _TEXTS, st.booleans())
_VALUES = st.one_of(
    _SINGLE,
    st.lists(_SINGLE, max_size=4),
    st.dictionaries(
        st.sampled_from(["a", "tier", "start", "end"]), _SINGLE, max_size=2
    ),
    st.just(date(2026, 6, 30)),
)


def _own(place: tuple[tuple[str, ...], Key], value: Any) -> dict[str, Any]:
    """A file with this one setting, and what must stand beside it."""
    at, key = place
    table: dict[str, Any] = {key.name: value}
    if at == ("tiers",) and key.layer in METHODS.values():
        table["method"] = next(n for n, kind in METHODS.items() if kind is key.layer)
    if at[-1:] == ("stability",) and key.name != "replay_from":
        table["replay_from"] = date(2025, 1, 31)
    if at[-1:] == ("scenario",) and key.name in _OF_A_LOSS:
        table["largest_count"] = 1
    for name in reversed(at):
        table = {name: table}
    return table


_OF_A_LOSS = ("starts_on", "lost_share", "ramp_months", "level")


@given(place=st.sampled_from(SETTINGS), value=_VALUES)
def test_what_the_schema_refuses_the_settings_refuse(place, value) -> None:
    written = _own(place, value)
    if not takes(written):
        assert Settings.read(written)[1] != [], written


@given(place=st.sampled_from(SETTINGS), value=_VALUES)
def test_what_the_settings_refuse_the_schema_refuses_where_it_can(place, value) -> None:
    written = _own(place, value)
    faults = Settings.read(written)[1]
    if faults and not _is_beyond(place[1], value, faults[0].said):
        assert not takes(written), faults


def _is_beyond(key: Key, value: Any, said: str) -> bool:
    """Whether no schema could say so: several settings at once, or a class's own rule
    on texts and lists; and a day is a text in JSON."""
    if isinstance(value, date):
        return True
    is_about_type = re.search(r"this must be|is no setting|is missing", said)
    others = {field.name for field in attrs.fields(key.layer)} - {key.name}
    (kind, *_) = parts(key.kind)
    if kind in (int, float):
        return any(re.search(rf"\b{name}\b", said) for name in others)
    return not is_about_type


@pytest.mark.parametrize(
    "text",
    [
        "curency = 'EUR'",
        "[limits]\nmax_shar = 0.1",
        "[tiers]\nmethod = 'slice'",
        "[tiers]\nmethod = 'slices'\nedges = [1]",
        "[tiers]\nmethod = 'bands'",
        "[tiers]\nedges = [1]",
        "[tiers.stability]\nband_share = 0.1",
        "[succession]\nmethod = 'slices'",
        "[risk]\nsilence = [0.1, 0.05]",
        "[risk]\nsilence = [0.2, 0.1, 0.05, 0.01]",
        "[allocation.service.A]\nchannel = 'fax'",
        "[orgs.west]\ncrmm = 'x'",
        "[orgs.west.limits]\nmax_share = 2",
        "period = 'last 0 months'",
    ],
)
def test_both_refuse(text: str) -> None:
    written = tomllib.loads(text)
    org = "west" if "orgs" in written else None
    assert Settings.read(written, org=org)[1] != []
    assert not takes(written)


@pytest.mark.parametrize(
    "text",
    [
        "[tiers]\nmethod = 'bands'\nedges = [3, 2]",
        "[tiers]\nmethod = 'abc'\na_share = 0.96\nb_share = 0.98",
        "[orgs.west.tiers]\nedges = [3, 2]\n[tiers]\nmethod = 'bands'\nedges = [1]",
        "period = { start = 2025-07-01, end = 2026-07-01 }",
        "[hubspot]\ntables = 'all'\n[salesforce]\ntables = ['account']",
    ],
)
def test_both_take(text: str) -> None:
    written = tomllib.loads(text)
    org = "west" if "orgs" in written else None
    assert Settings.read(written, org=org)[1] == []
    assert takes(written)
