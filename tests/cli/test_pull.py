"""Does `pull` bring a CRM or a folder of files into a folder of ours?"""

from __future__ import annotations

import json
import os
import signal
import threading
from datetime import date
from pathlib import Path

import pytest

from crm_portfolio._folder import write_folder
from crm_portfolio._frames import to_arrow
from crm_portfolio._pull._run import locked
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
        ("pull", "salesforce", "--to", "x", *AS_OF, "--tables", "acount"),
        ("pull", "files", ".", "--to", "x", *AS_OF, "--tables", "account"),
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


def test_files_are_not_asked_for_what_changed(shell, book, tmp_path) -> None:
    write_folder(tmp_path / "exports", book.tables)
    result = shell(
        "pull", "files", tmp_path / "exports", "--to", tmp_path / "x", *AS_OF,
        "--since-last",
    )  # fmt: skip
    assert result.exit_code == 2
    assert "files are read whole" in result.stderr


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


def test_a_crm_that_is_out_of_reach_from_the_first_is_transient_and_leaves_no_folder(
    shell, crm: Salesforce, hasty: Path, tmp_path
) -> None:
    crm.fault(Fault(at_call=4, kind="gone"))
    result = shell(
        "pull", "salesforce", "--to", tmp_path / "x", *AS_OF, "--settings", hasty
    )
    assert result.exit_code == 5
    assert not (tmp_path / "x").exists()


def test_a_pull_that_was_cut_off_goes_on_where_it_stopped(
    shell, crm: Salesforce, settings_file, tmp_path
) -> None:
    file = settings_file("[salesforce]\npage_size = 200\nretry.attempts = 1\n")
    command = ("pull", "salesforce", "--to", tmp_path / "x", *AS_OF, "--settings", file)
    crm.fault(Fault(at_call=1, kind="unavailable", route="GET query/{locator}"))
    cut = shell(*command)
    assert cut.exit_code == 5, cut.stderr
    assert f"What has been read is kept in {tmp_path / 'x'}: run again" in cut.stderr
    with_a_cut = crm.api_calls
    assert shell(*command).exit_code == 0
    second = crm.api_calls - with_a_cut
    whole = ("pull", "salesforce", "--to", tmp_path / "y", *AS_OF, "--settings", file)
    before = crm.api_calls
    assert shell(*whole).exit_code == 0
    assert second < crm.api_calls - before
    for path in (tmp_path / "y").glob("*.*"):
        assert (tmp_path / "x" / path.name).read_bytes() == path.read_bytes()


def test_a_ceiling_of_calls_stops_it_cleanly_and_a_higher_one_lets_it_end(
    shell, crm: Salesforce, settings_file, tmp_path
) -> None:
    command = ("pull", "salesforce", "--to", tmp_path / "x", *AS_OF, "--settings")
    file = settings_file("[salesforce.ceilings]\nmax_calls = 8")
    low = shell(*command, file)
    assert low.exit_code == 5
    assert "it goes on where it stopped" in low.stderr
    assert "8 calls were made." in low.stderr
    assert shell(*command, settings_file("")).exit_code == 0


def test_calls_are_forecast_before_and_counted_after(
    shell, crm: Salesforce, tmp_path
) -> None:
    result = shell("pull", "salesforce", "--to", tmp_path / "book", *AS_OF)
    said = [line for line in result.stderr.splitlines() if "calls" in line]
    assert [line.split()[0] for line in said][:1] == ["About"]
    assert said[1].endswith("calls were made.")
    expected = int(said[0].split()[1])
    made = int(said[1].split()[0])
    assert abs(expected - made) <= 5


def test_a_folder_is_brought_up_to_date(shell, crm: Salesforce, tmp_path) -> None:
    command = ("pull", "salesforce", "--to", tmp_path / "book", *AS_OF)
    assert shell(*command).exit_code == 0
    ids = sorted(crm.ids("opportunity").values())
    crm.edit("Opportunity", ids[0], {"Amount": 4711.0})
    crm.delete("Opportunity", ids[1])
    result = shell(*command, "--since-last")
    assert result.exit_code == 0, result.stderr
    assert "opportunity: 1 deleted since the last pull." in result.stderr
    assert "399 opportunities" in result.stderr
    other = ("pull", "salesforce", "--to", tmp_path / "other", *AS_OF)
    assert shell(*other).exit_code == 0
    for path in (tmp_path / "other").glob("*.*"):
        assert (tmp_path / "book" / path.name).read_bytes() == path.read_bytes()


def test_a_cursor_of_another_version_makes_a_table_come_whole_and_not_an_error(
    shell, crm: Salesforce, tmp_path
) -> None:
    command = ("pull", "salesforce", "--to", tmp_path / "x", *AS_OF)
    assert shell(*command).exit_code == 0
    file = tmp_path / "x" / "source" / "account" / "checkpoint.json"
    known = json.loads(file.read_text())
    known["copy"]["cursor"]["token"] = '{"v":0}'
    file.write_text(json.dumps(known))
    result = shell(*command, "--since-last")
    assert result.exit_code == 0, result.stderr
    assert "account is pulled whole again: since when to ask" in result.stderr
    again = shell(*command, "--since-last")
    assert "pulled whole again" not in again.stderr


def test_a_folder_that_another_pull_has_is_left_to_it(
    shell, crm: Salesforce, tmp_path
) -> None:
    with locked(tmp_path / "x" / "source"):
        result = shell("pull", "salesforce", "--to", tmp_path / "x", *AS_OF)
    assert result.exit_code == 6
    assert f"process {os.getpid()}" in result.stderr
    assert "it goes on where it stopped" not in result.stderr


def test_only_the_tables_asked_for_are_pulled(shell, crm, tmp_path) -> None:
    command = ("pull", "salesforce", "--to", tmp_path / "book", *AS_OF)
    result = shell(*command, "--tables", "account, stage")
    assert result.exit_code == 0, result.stderr
    assert Portfolio.load(tmp_path / "book").tables == ("account", "stage")


def test_ctrl_c_leaves_a_folder_that_can_be_ended(
    shell, crm: Salesforce, settings_file, tmp_path, monkeypatch
) -> None:
    file = settings_file("[salesforce]\npage_size = 200\n")
    command = ("pull", "salesforce", "--to", tmp_path / "x", *AS_OF, "--settings", file)
    answer, asked, pressed = crm._server._answer, threading.Event(), threading.Event()

    def held(request):
        if request.path.partition("/query/")[2]:  # the second page of a table
            asked.set()
            pressed.wait(60)
        return answer(request)

    def press() -> None:
        asked.wait(60)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        pressed.set()

    monkeypatch.setattr(crm._server, "_answer", held)
    someone = threading.Thread(target=press)
    # Tests that are run in the background may have inherited that Ctrl-C is ignored.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        someone.start()
        result = shell(*command)
        someone.join()
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert result.exit_code == 130
    assert "it goes on where it stopped" in result.stderr
    assert shell(*command).exit_code == 0


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
