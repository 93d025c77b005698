"""Is it told which of the sources each value came from?"""

from __future__ import annotations

import pickle
from pathlib import Path

import attrs
import pytest

from crm_portfolio.errors import SettingsError
from crm_portfolio.settings import Origin, Settings, SyncSettings, places

TEXT = """
period = "all"
year_starts = 7
[limits]
max_share = 0.3
max_share_by_field = { tier = 0.1 }
[tiers]
method = "bands"
edges = [3, 2]
period = "last 12 months"
[orgs.west]
crm = "hubspot"
[orgs.west.limits]
max_emptied = 1
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "portfolio.toml"
    file.write_text(TEXT, encoding="utf-8")
    return file


def found(settings: Settings, key: str = "") -> dict[str, tuple[str | None, str]]:
    return {each.key: (each.value, str(each.origin)) for each in places(settings, key)}


def test_each_source_is_told_apart(file: Path) -> None:
    west = Settings.load(file, org="west")
    assert found(west, "limits.max_share") == {
        "limits.max_share": ("0.3", "[limits], line 5"),
    }
    assert found(west, "limits.max_emptied") == {
        "limits.max_emptied": ("1", "the org's own, [orgs.west.limits], line 14"),
    }
    assert found(west, "sync.crm") == {
        "sync.crm": ('"hubspot"', "the org's own, [orgs.west], line 12"),
    }
    assert found(west, "max_age_hours") == {"limits.max_age_hours": ("24.0", "default")}
    assert found(west, "year_starts")["year_starts"] == ("7", "at the top, line 3")


def test_the_common_period_is_handed_on_but_not_to_who_has_one(file: Path) -> None:
    said = found(Settings.load(file), "period")
    assert said["concentration.period"] == (
        '"all"',
        "the common period, at the top, line 2",
    )
    assert said["tiers.period"] == ('"last 12 months"', "[tiers], line 10")


def test_without_a_key_all_that_are_not_defaults_are_listed(file: Path) -> None:
    said = found(Settings.load(file))
    assert "default" not in {origin for _, origin in said.values()}
    assert {
        "year_starts",
        "limits.max_share_by_field.tier",
        "tiers.method",
        "tiers.edges",
        "risk.period",
    } <= set(said)
    assert said["tiers.edges"][0] == "[3.0, 2.0]"
    assert found(Settings()) == {}


def test_a_table_is_told_whole(file: Path) -> None:
    limits = found(Settings.load(file), "[limits]")
    assert len(limits) == len(attrs.fields(type(Settings().limits)))


def test_a_key_that_is_none_is_told_with_its_neighbour() -> None:
    with pytest.raises(SettingsError, match="did you mean 'max_share'"):
        places(Settings(), "max_shar")


def test_what_looks_like_a_secret_is_not_shown(file: Path) -> None:
    token = "pat-na1-01234567-89ab-cdef-0123-456789abcdef"
    file.write_text(f"[files]\nencoding = '{token}'", encoding="utf-8")
    assert found(Settings.load(file))["files.encoding"][0] == "…"


def test_where_a_value_comes_from_makes_no_difference(file: Path) -> None:
    file.write_text("[limits]\nmax_share = 0.2", encoding="utf-8")
    said = attrs.evolve(Settings.load(file), sync=SyncSettings())
    assert said == Settings()
    assert said.origin("limits.max_share") == Origin("file", "[limits]", 2)
    assert pickle.loads(pickle.dumps(said)).origin("limits.max_share").line == 2
    assert "Origin" not in repr(said)
