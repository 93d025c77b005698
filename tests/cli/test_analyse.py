"""Does `analyse` show what the analyses found, for people and for programs?"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from crm_portfolio import analysis, samples
from crm_portfolio._analyse import analyse as analyse_portfolio
from crm_portfolio._analyse import assigning
from crm_portfolio.cli._compared import show_comparisons
from crm_portfolio.cli._views import VIEWS
from crm_portfolio.portfolio import Portfolio


@pytest.fixture(scope="module")
def firm(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("firm")
    samples.firm().save(folder / "book")
    return folder / "book"


def test_json_is_one_object_by_the_name_of_the_analysis(shell, firm) -> None:
    result = shell("analyse", firm, "--output", "json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    expected = analyse_portfolio(samples.firm())
    assert found.pop("lacking") == expected.lacking()
    assert list(found) == list(expected)
    keys = {"summary", "params", "coverage", "warnings", "rejected", "frame"}
    assert all(keys <= set(each) for each in found.values())
    tiers = {row["account_id"]: row["tier"] for row in found["tiers"]["frame"]}
    assert tiers["A01"] == "A"
    assert tiers["A11"] == "new"
    assert tiers["A12"] == "none"


def test_one_analysis_can_be_asked_for(shell, firm) -> None:
    result = shell("analyse", firm, "tiers", "--output", "json")
    assert list(json.loads(result.stdout)) == ["tiers", "lacking"]


def test_csv_has_a_line_for_each_account(shell, firm) -> None:
    result = shell("analyse", firm, "concentration", "--output", "csv")
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 13
    assert rows[0]["account_id"] == "A01"
    assert float(rows[0]["revenue"]) == 260_000


def test_csv_of_several_is_a_usage_error(shell, firm) -> None:
    result = shell("analyse", firm, "--output", "csv")
    assert result.exit_code == 2
    assert result.stdout == ""


def test_the_table_fits_a_terminal(shell, firm) -> None:
    result = shell("analyse", firm)
    assert result.exit_code == 0, result.stderr
    assert "Aster Foods" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_names_are_cut_before_figures(shell, tmp_path) -> None:
    book = samples.book(accounts=40, opportunities=250)
    long = ["A very long name of a very large and very old company & Sons"] * 40
    account = book.tables["account"]
    at = account.column_names.index("name")
    tables = {**book.tables, "account": account.set_column(at, "name", [long])}
    Portfolio.from_frames(as_of=book.truths["as_of"], currency="EUR", **tables).save(
        tmp_path / "book"
    )
    result = shell("analyse", tmp_path / "book", "concentration")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "dependence" in result.stdout
    assert " dependent" in result.stdout
    assert "…" in result.stdout


def test_settings_steer_it(shell, firm, settings_file) -> None:
    file = settings_file('[tiers]\nmethod = "bands"\nedges = [90_000]')
    result = shell("analyse", firm, "tiers", "--output", "json", "--settings", file)
    tiers = [r["tier"] for r in json.loads(result.stdout)["tiers"]["frame"]]
    assert tiers.count("A") == 4
    assert tiers.count("B") == 6


def test_an_unknown_analysis_is_asked_about(shell, firm) -> None:
    result = shell("analyse", firm, "teirs")
    assert result.exit_code == 2
    assert "tiers" in result.stderr


def test_the_help_names_every_analysis(shell, firm) -> None:
    findings = analyse_portfolio(samples.firm())
    every = {*findings, *findings.skipped}
    assert set(VIEWS) == every >= set(assigning())
    said = shell("analyse", "--help").stdout.replace("│", " ").split()
    assert every <= {word.strip(",;") for word in said}


@pytest.mark.parametrize("output", ["table", "csv", "json"])
def test_where_nothing_asked_for_can_be_made_nothing_is_printed(
    shell, firm, output: str
) -> None:
    result = shell("analyse", firm, "freed_capacity", "--output", output)
    assert (result.exit_code, result.stdout) == (2, "")
    told = "freed_capacity is not made: it needs effort or activity.minutes."
    assert told in result.stderr


def test_what_cannot_be_made_is_told_beside_what_can(shell, firm) -> None:
    result = shell("analyse", firm, "tiers", "freed_capacity", "--output", "json")
    found = json.loads(result.stdout)
    assert (result.exit_code, list(found)) == (0, ["tiers", "lacking"])
    assert found["lacking"]["skipped"] == {
        "freed_capacity": [["effort", "activity.minutes"]]
    }
    told = "freed_capacity is not made: it needs effort or activity.minutes."
    assert told in result.stderr


def test_the_last_word_is_the_best_next_step(shell, firm, settings_file) -> None:
    last = shell("analyse", firm, "risk", "receivables").stderr.splitlines()[-3:]
    assert last == [
        "Best next step: add the table invoice, with due_on.",
        "With it can be made: receivables.",
        "With it can be told: payment in risk.",
    ]
    french = settings_file('language = "fr"')
    said = shell("analyse", firm, "risk", "--settings", french).stderr
    assert "risk ne peut pas dire payment (sans invoice.due_on)" in said
    assert "Meilleure étape suivante : ajouter la table" in said


def test_where_nothing_is_lacking_nothing_is_said_of_it(shell, firm) -> None:
    result = shell("analyse", firm, "tiers", "--output", "json")
    assert json.loads(result.stdout)["lacking"] == {
        "skipped": {},
        "gaps": {},
        "unlocks": [],
    }
    assert result.stderr == ""


def test_a_loss_tells_the_way_back_and_who_is_critical(
    shell, firm, settings_file
) -> None:
    written = "fixed_costs = 320_000\nvariable_cost_share = 0.6"
    file = settings_file(f"[loss_scenario]\n{written}")
    asked = ("analyse", firm, "loss_scenario", "--settings", file)
    told = json.loads(shell(*asked, "--output", "json").stdout)["loss_scenario"]
    lines = [line.split() for line in shell(*asked).stdout.splitlines()]
    count = told["summary"]["critical"]["count"]
    assert count > 0
    assert ["critical", "accounts", f"{count}"] in lines
    months = [level["months_linear"] for level in told["summary"]["recovery"]]
    assert len(months) == 3
    assert ["months_linear", *(f"{each:.4g}" for each in months)] in lines
    assert ["back", "to", "revenue", "contribution", "break_even"] in lines


def test_a_risk_tells_its_reasons(shell, firm) -> None:
    result = shell("analyse", firm, "risk")
    said = " ".join(result.stdout.replace("\N{NO-BREAK SPACE}", " ").split())
    assert (
        "A12: Revenue 70 % or more below the period before, since the close of "
        "28 February 2026. Silent since 14 August 2025 (silence index under 0.2)."
        in said
    )
    assert "A01: " not in said
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_folder_that_is_not_ours_names_pull_files(shell, tmp_path) -> None:
    (tmp_path / "account.csv").write_text("account_id\nA1\n")
    result = shell("analyse", tmp_path)
    assert result.exit_code == 2
    assert "pull files" in result.stderr


def test_a_damaged_folder_is_refused_as_data(shell, tmp_path) -> None:
    samples.firm().save(tmp_path / "book")
    file = tmp_path / "book" / "account.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    result = shell("analyse", tmp_path / "book")
    assert result.exit_code == 7
    assert "account.parquet" in result.stderr


@pytest.mark.parametrize("output", ["table", "csv", "json"])
def test_hostile_names_are_inert(shell, tmp_path, output: str) -> None:
    book = samples.book(accounts=40, opportunities=250)
    Portfolio.from_frames(
        as_of=book.truths["as_of"], currency="EUR", **book.tables
    ).save(tmp_path / "book")
    result = shell("analyse", tmp_path / "book", "concentration", "--output", output)
    assert result.exit_code == 0, result.stderr
    for character in ("\x1b", "\u202e", "Line\nBreak"):
        assert character not in result.stdout
    if output == "csv":
        rows = csv.DictReader(io.StringIO(result.stdout))
        assert not any(
            cell.startswith("=") for row in rows for cell in row.values() if cell
        )


@pytest.fixture
def two_rules(tmp_path) -> tuple[Path, Path]:
    new, old = tmp_path / "new.toml", tmp_path / "old.toml"
    new.write_text('[tiers]\nmethod = "quantiles"\n', encoding="utf-8")
    old.write_text('[tiers]\nmethod = "slices"\n', encoding="utf-8")
    return new, old


def test_against_other_settings_it_says_who_moves_and_why(shell, firm, two_rules):
    new, old = two_rules
    result = shell("analyse", firm, "tiers", "--settings", new, "--against", old)
    assert result.exit_code == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["settings.method.kind", "Slices", "Quantiles"] in lines
    assert ["A", "1", "3", "260,000", "454,000"] in lines
    assert ["B", "A", "2"] in lines
    assert ["A05", "Cobalt", "Machines", "B", "A", "98,000"] in lines
    why = next(line for line in result.stdout.splitlines() if line.startswith("A05: "))
    assert why.endswith("2nd of 10 accounts, in 4 groups of about equal number.")
    assert "nobody noted hours" in result.stderr
    tables = result.stdout.split("A05: ")[0].splitlines()
    assert max(map(len, tables)) <= 80


def test_the_comparison_comes_as_csv_and_as_json_too(shell, firm, two_rules):
    new, old = two_rules
    asked = ("analyse", firm, "tiers", "--settings", new, "--against", old, "--output")
    rows = list(csv.DictReader(io.StringIO(shell(*asked, "csv").stdout)))
    assert [row["account_id"] for row in rows] == [
        *("A03", "A05", "A06", "A07", "A08", "A10")
    ]
    assert (rows[1]["before"], rows[1]["after"]) == ("B", "A")
    assert rows[1]["why"].startswith("Tier A: 98,000")
    found = json.loads(shell(*asked, "json").stdout)["tiers"]
    assert found["groups"][0]["revenue_after"] == 454_000
    assert found["changed"]["settings.method.kind"]["before"] == "Slices"


def test_a_rule_of_tiers_is_named_wherever_it_moves_accounts(shell, firm, tmp_path):
    new, old = tmp_path / "abc.toml", tmp_path / "three.toml"
    new.write_text('[tiers]\nmethod = "abc"\n', encoding="utf-8")
    old.write_text('[tiers]\nmethod = "slices"\ncount = 3\n', encoding="utf-8")
    asked = ("analyse", firm, "--settings", new, "--against", old, "revenue_at_risk")
    result = shell(*asked)
    assert result.exit_code == 0, result.stderr
    assert "succession.settings.method.kind" in result.stdout
    assert "revenue_at_risk: who" in result.stdout
    assert "say the same" not in result.stderr


def test_it_says_the_same_only_where_nobody_moves(capsys):
    """Odds are no settings: accounts move though every rule is the same."""
    book = samples.firm()
    chosen = analysis.RevenueAtRiskSettings(draws=100)
    one, other = (
        analysis.revenue_at_risk(book, chosen, odds={"A01": each})
        for each in (0.1, 0.2)
    )
    show_comparisons({"revenue_at_risk": other.compared_with(one)}, "table", "en")
    told = capsys.readouterr().err
    assert "its settings are the same; what it is made from is not." in told
    assert "say the same" not in told


def test_the_same_settings_on_both_sides_move_nobody(shell, firm, two_rules):
    new, _ = two_rules
    asked = ("analyse", firm, "--settings", new, "--against", new)
    result = shell(*asked, "concentration", "tiers")
    assert result.exit_code == 0, result.stderr
    assert "tiers: the two files of settings say the same about it." in result.stderr
    assert not result.stdout
    found = json.loads(shell(*asked, "--output", "json").stdout)
    assert {"concentration", "tiers"} <= set(found)
    assert not any(each["frame"] for each in found.values())
