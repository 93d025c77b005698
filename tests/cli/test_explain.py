"""Does `explain` say why, in the language asked for?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crm_portfolio import samples


@pytest.fixture(scope="module")
def firm(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("firm") / "book"
    samples.firm().save(folder)
    return folder


def test_it_says_why_in_sentences(shell, firm) -> None:
    result = shell("explain", "A03", "--folder", firm)
    assert result.exit_code == 0, result.stderr
    assert "Borealis Holding" in result.stdout
    assert "15.0" in result.stdout
    assert "Tier D" in result.stdout


def test_it_speaks_french(shell, firm) -> None:
    result = shell("explain", "A01", "--folder", firm, "--lang", "fr")
    assert "260 000 €".replace(" ", "\xa0") in result.stdout


def test_the_settings_choose_the_language(shell, firm, settings_file) -> None:
    file = settings_file('language = "fr"')
    result = shell("explain", "A01", "--folder", firm, "--settings", file)
    assert "chiffre d'affaires" in result.stdout.replace("’", "'")


def test_it_gives_codes_and_values_to_programs(shell, firm) -> None:
    result = shell("explain", "A11", "--folder", firm, "--output", "json")
    found = json.loads(result.stdout)
    assert found["account_id"] == "A11"
    codes = [reason["code"] for reason in found["reasons"]["tiers"]]
    assert any("new" in code for code in codes)


def test_an_unknown_account_is_asked_about(shell, firm) -> None:
    result = shell("explain", "A1", "--folder", firm)
    assert result.exit_code == 2
    assert "did you mean" in result.stderr
    assert result.stdout == ""
