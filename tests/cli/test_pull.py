"""Does `pull` bring a CRM or a folder of files into a folder of ours?"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from crm_portfolio._folder import write_folder
from crm_portfolio._frames import to_arrow
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.simulator import Fault, Salesforce

AS_OF = ("--as-of", "2026-06-30")


def test_a_crm_becomes_a_folder(shell, crm, book, tmp_path) -> None:
    result = shell("pull", "salesforce", "--to", tmp_path / "book", *AS_OF)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert "60 accounts, 400 opportunities" in result.stderr
    portfolio = Portfolio.load(tmp_path / "book")
    assert portfolio.as_of == date(2026, 6, 30)
    assert portfolio.currency == "EUR"
    assert len(portfolio["account"]) == 60


def test_odd_rows_are_counted_aloud(shell, crm, book, tmp_path) -> None:
    result = shell("pull", "salesforce", "--to", tmp_path / "book", *AS_OF)
    count = book.truths["without_account"]
    assert f"{count} opportunity without account (kept)" in result.stderr


def test_a_folder_of_tables_becomes_a_folder_of_ours(shell, book, tmp_path) -> None:
    write_folder(tmp_path / "exports", book.tables)
    result = shell(
        "pull", "files", tmp_path / "exports", "--to", tmp_path / "book", *AS_OF,
        "--currency", "EUR",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "dialect tables" in result.stderr
    assert len(Portfolio.load(tmp_path / "book")["opportunity"]) == 400


def test_without_a_day_today_is_chosen_and_said(shell, crm, tmp_path) -> None:
    result = shell("pull", "salesforce", "--to", tmp_path / "book")
    assert result.exit_code == 0, result.stderr
    portfolio = Portfolio.load(tmp_path / "book")
    assert f"As of today, {portfolio.as_of}" in result.stderr


def test_the_currency_of_the_settings_is_taken(
    shell, book, tmp_path, settings_file
) -> None:
    write_folder(tmp_path / "exports", book.tables)
    file = settings_file('currency = "SEK"')
    result = shell(
        "pull", "files", tmp_path / "exports", "--to", tmp_path / "book", *AS_OF,
        "--settings", file,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert Portfolio.load(tmp_path / "book").currency == "SEK"


@pytest.mark.parametrize(
    "arguments",
    [
        ("pull", "salesforce", "--as-of", "2026-06-30"),
        ("pull", "salesforce", "--to", "x", "--as-of", "30.6.2026"),
        ("pull", "salesforce", "folder", "--to", "x", *AS_OF),
        ("pull", "files", "--to", "x", *AS_OF),
        ("pull", "salesfroce", "--to", "x", *AS_OF),
        ("pull", "files", "nowhere", "--to", "x", *AS_OF),
        ("pull", "salesforce", "--to", "x", *AS_OF, "--settings", "none.toml"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    shell, tmp_path, monkeypatch, arguments
) -> None:
    monkeypatch.chdir(tmp_path)
    result = shell(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert not (tmp_path / "x").exists()


def test_a_misspelt_source_is_asked_about(shell, tmp_path) -> None:
    result = shell("pull", "salesfroce", "--to", tmp_path / "x", *AS_OF)
    assert "did you mean 'salesforce'?" in result.stderr


def test_without_a_login_the_variables_are_named(shell, tmp_path) -> None:
    result = shell("pull", "salesforce", "--to", tmp_path / "x", *AS_OF)
    assert result.exit_code == 2
    assert "SALESFORCE_INSTANCE_URL" in result.stderr


def test_a_wrong_secret_is_a_login_error_and_never_shown(
    shell, crm, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("SALESFORCE_CLIENT_SECRET", "hush-hush")
    result = shell("pull", "salesforce", "--to", tmp_path / "x", *AS_OF)
    assert result.exit_code == 2
    assert "hush" not in result.stderr


def test_an_unknown_key_of_the_settings_is_asked_about(
    shell, tmp_path, settings_file
) -> None:
    file = settings_file("[limits]\nmax_shar = 0.1")
    result = shell("pull", "salesforce", "--to", tmp_path / "x", "--settings", file)
    assert result.exit_code == 2
    assert "[limits] max_shar is no setting; did you mean 'max_share'?" in result.stderr


def test_a_mapped_field_that_the_crm_lacks_is_named(
    shell, crm, tmp_path, settings_file
) -> None:
    file = settings_file('[salesforce.fields.opportunity]\nkind = "Deal_Knid__c"')
    result = shell(
        "pull", "salesforce", "--to", tmp_path / "x", *AS_OF, "--settings", file
    )
    assert result.exit_code == 2
    assert "Deal_Knid__c" in result.stderr


def test_a_folder_without_accounts_is_refused_as_data(shell, book, tmp_path) -> None:
    tables = {"opportunity": book.tables["opportunity"]}
    write_folder(tmp_path / "exports", tables)
    result = shell(
        "pull", "files", tmp_path / "exports", "--to", tmp_path / "x", *AS_OF
    )
    assert result.exit_code in (2, 7)
    assert "account" in result.stderr


def test_an_empty_folder_is_refused(shell, tmp_path) -> None:
    (tmp_path / "exports").mkdir()
    result = shell(
        "pull", "files", tmp_path / "exports", "--to", tmp_path / "x", *AS_OF
    )
    assert result.exit_code == 2


def test_broken_data_is_refused_with_every_fault(shell, tmp_path) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "account.csv").write_text("account_id,name\nA1,One\nA1,Two\n,Three\n")
    result = shell(
        "pull", "files", exports, "--to", tmp_path / "x", *AS_OF, "--currency", "EUR"
    )
    assert result.exit_code == 7
    assert "duplicate_id" in result.stderr
    assert "missing_value" in result.stderr
    assert "Two" not in result.stderr
    assert not (tmp_path / "x").exists()


def test_a_crm_that_goes_away_is_transient_and_leaves_no_folder(
    shell, crm: Salesforce, hasty: Path, tmp_path
) -> None:
    crm.fault(Fault(at_call=4, kind="gone"))
    result = shell(
        "pull", "salesforce", "--to", tmp_path / "x", *AS_OF, "--settings", hasty
    )
    assert result.exit_code == 5
    assert not (tmp_path / "x").exists()


def test_nothing_is_written_to_the_crm(shell, crm: Salesforce, tmp_path) -> None:
    before = crm.snapshot(audit=True)
    shell("pull", "salesforce", "--to", tmp_path / "book", *AS_OF)
    assert crm.snapshot(audit=True) == before


def test_hostile_names_come_through_unchanged(shell, crm, book, tmp_path) -> None:
    shell("pull", "salesforce", "--to", tmp_path / "book", *AS_OF)
    account = to_arrow(Portfolio.load(tmp_path / "book")["account"])
    names = dict(
        zip(account["account_id"].to_pylist(), account["name"].to_pylist(), strict=True)
    )
    ids = crm.ids("account")
    assert all(names[ids[id_]] == name for name, id_ in book.truths["hostile"].items())
