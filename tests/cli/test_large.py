"""Is a book that is too long for memory read by DuckDB, within what it may hold?"""

from __future__ import annotations

import json
import re
import stat
import tempfile
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import duckdb
import pytest

from crm_portfolio import samples
from crm_portfolio._analyse import _large as large
from crm_portfolio.cli import _large
from crm_portfolio.cli._large import opened
from crm_portfolio.portfolio import Portfolio


@pytest.fixture(scope="module")
def firm(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("firm") / "book"
    samples.firm().save(folder)
    return folder


def setting(name: str) -> str:
    found = duckdb.default_connection().execute(f"SELECT current_setting('{name}')")
    return str(found.fetchone()[0])


@pytest.fixture(autouse=True)
def spill(tmp_path, monkeypatch) -> Iterator[Path]:
    """The folder for what is temporary; DuckDB's limit is as before when the test ends."""
    was = setting("memory_limit")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    duckdb.default_connection().execute(f"SET memory_limit = '{was}'")


def test_a_short_book_is_held_in_memory(firm):
    was = setting("memory_limit")
    assert opened(firm, None).backend == "pandas"
    assert setting("memory_limit") == was


def test_a_long_book_is_read_by_duckdb_which_holds_a_third_of_the_machines_memory(
    firm, monkeypatch, spill
):
    monkeypatch.setattr(large, "LONG", 12)
    assert opened(firm, None).backend == "duckdb"
    duckdb.default_connection().execute("SET memory_limit = '33%'")
    a_third = setting("memory_limit")
    duckdb.default_connection().execute("SET memory_limit = '90%'")
    opened(firm, None)
    assert setting("memory_limit") == a_third
    folders = [each for each in spill.iterdir() if each.name.startswith("crm-portf")]
    assert folders
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o700 for each in folders)


def test_a_long_book_without_duckdb_is_told_how_it_need_not_fit(
    firm, monkeypatch, capsys
):
    monkeypatch.setattr(large, "LONG", 12)
    monkeypatch.setattr(_large, "find_spec", lambda name: None)
    assert util.find_spec("duckdb")
    assert opened(firm, None).backend == "pandas"
    assert "pip install 'crm-portfolio[duckdb]'" in capsys.readouterr().err


def test_what_is_analysed_within_a_limit_says_the_same(shell, firm):
    asked = ("analyse", firm, "tiers", "--output", "json")
    usual, bounded = shell(*asked), shell(*asked, "--memory", "200MB")
    assert bounded.exit_code == 0, bounded.stderr
    assert json.loads(bounded.stdout) == json.loads(usual.stdout)
    assert setting("memory_limit") == "190.7 MiB"


@pytest.mark.parametrize("said", ["plenty", "-2GB", "none", "nan%", "0"])
def test_what_is_no_memory_is_refused_by_name(shell, firm, said):
    was = setting("memory_limit")
    refused = shell("analyse", firm, "tiers", f"--memory={said}")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"'{said}' is no memory such as 2GB or 33%" in refused.stderr
    assert setting("memory_limit") == was


def test_too_little_memory_is_told_with_what_to_do(shell, firm, spill):
    refused = shell("analyse", firm, "lost_opportunities", "--memory", "1MB")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "DuckDB may hold 1MB, which is too little for this book" in refused.stderr
    assert str(spill) in refused.stderr


@pytest.fixture(scope="module")
def ledger(tmp_path_factory) -> Path:
    """What is quickly analysed."""
    whole = samples.firm(backend="pyarrow")
    tables = {name: whole[name] for name in ("account", "revenue_line")}
    folder = tmp_path_factory.mktemp("ledger") / "book"
    Portfolio.from_frames(as_of=whole.as_of, currency="EUR", **tables).save(folder)
    return folder


def test_every_command_that_opens_a_book_says_the_same_of_a_long_one(
    shell, ledger, monkeypatch, tmp_path
):
    """The page of the report is the same to the byte."""
    page = tmp_path / "page.html"
    asked = (
        ("report", ledger, "-o", page, "--against", ledger),
        ("explain", "A03", "--folder", ledger, "--output", "json"),
        ("backtest", ledger, "--days", "2025-12-31", "--output", "json"),
    )
    bound = large._bound
    bounds: list[str] = []
    monkeypatch.setattr(
        large, "_bound", lambda memory: (bounds.append(memory), bound(memory))
    )
    told = {}
    for limit in (1_000_000, 12):
        monkeypatch.setattr(large, "LONG", limit)
        ran = [shell(*each) for each in asked]
        assert [each.exit_code for each in ran] == [0, 0, 0]
        told[limit] = page.read_bytes(), [each.stdout for each in ran]
    assert bounds == ["33%"] * 4  # the report opens two
    assert told[12] == told[1_000_000]


def test_a_book_in_a_store_is_named_by_its_address(shell, firm):
    named = firm.as_uri()
    asked = ("analyse", firm, "tiers", "--output", "json")
    there = shell("analyse", named, "tiers", "--output", "json")
    assert there.exit_code == 0, there.stderr
    assert there.stdout == shell(*asked).stdout


def test_the_plan_of_a_long_book_is_the_same(shell, folder, monkeypatch, tmp_path):
    changes = []
    for limit in (1_000_000, 12):
        monkeypatch.setattr(large, "LONG", limit)
        plan = tmp_path / f"{limit}.jsonl"
        asked = ("plan", folder, "--crm", "salesforce", "-o", plan)
        ran = shell(*asked, "--output", "csv")
        assert ran.exit_code == 0, ran.stderr
        changes.append(re.sub(r"v1:\w+:", "", ran.stdout))  # the plan's own id
    assert changes[0] == changes[1]
    assert changes[0].count("\n") > 10
