"""Do `plan`, `apply` and `undo` write the plan, nothing but the plan, and take it back?"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from crm_portfolio import samples
from crm_portfolio.simulator import Fault, Salesforce

TIGHT = """
[tiers]
method = "quantiles"
[limits]
max_share = 0.0
min_changes = 0
"""


def _applied(shell, plan: Path, archive: Path, *more: object):
    return shell("apply", plan, "--archive", archive, *more)


class TestPlan:
    def test_it_shows_the_plan_and_writes_it_to_a_file(
        self, shell, crm: Salesforce, folder: Path, tmp_path
    ) -> None:
        before = crm.snapshot(audit=True)
        file = tmp_path / "plan.jsonl"
        result = shell("plan", folder, "--crm", "salesforce", "-o", file)
        assert result.exit_code == 0, result.stderr
        assert "changes on 60 of 60 accounts" in result.stdout
        assert len(result.stdout.splitlines()) < 24
        assert f"apply {file}" in result.stderr
        assert file.is_file()
        assert crm.snapshot(audit=True) == before

    def test_it_names_no_account(
        self, shell, folder: Path, plan_file: Path, book
    ) -> None:
        text = plan_file.read_text(encoding="utf-8")
        names = [n for n in book.tables["account"]["name"].to_pylist() if len(n) > 6]
        assert not [name for name in names if json.dumps(name)[1:-1] in text]

    def test_json_has_every_change_with_its_reasons(
        self, shell, folder: Path, tmp_path
    ) -> None:
        result = shell(
            "plan",
            folder,
            "--crm",
            "salesforce",
            "-o",
            tmp_path / "p",
            "--output",
            "json",
        )
        found = json.loads(result.stdout)
        tier = next(c for c in found["changes"] if c["column"] == "tier")
        assert tier["is_first_fill"]
        assert tier["reasons"]
        assert found["refusals"] == []

    def test_csv_has_a_line_for_each_change(
        self, shell, folder: Path, tmp_path
    ) -> None:
        result = shell(
            "plan",
            folder,
            "--crm",
            "salesforce",
            "-o",
            tmp_path / "p",
            "--output",
            "csv",
        )
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        assert {"tier", "portfolio_rank", "portfolio_stamp"} <= {
            r["column"] for r in rows
        }

    def test_an_org_without_our_fields_is_told_to_set_up(
        self, shell, crm: Salesforce, tmp_path
    ) -> None:
        to = tmp_path / "book"
        shell("pull", "salesforce", "--to", to, "--as-of", "2026-06-30")
        result = shell("plan", to, "--crm", "salesforce", "-o", tmp_path / "p")
        assert result.exit_code == 2
        assert "setup salesforce --apply" in result.stderr
        assert not (tmp_path / "p").exists()

    def test_a_folder_that_is_not_ours_names_pull_files(
        self, shell, crm: Salesforce, tmp_path
    ) -> None:
        (tmp_path / "account.csv").write_text("account_id\nA1\n")
        result = shell("plan", tmp_path, "--crm", "salesforce", "-o", tmp_path / "p")
        assert result.exit_code == 2
        assert "pull files" in result.stderr


class TestApply:
    def test_a_whole_night_and_back(
        self, shell, ready: Salesforce, folder: Path, plan_file: Path, tmp_path
    ) -> None:
        archive = tmp_path / "runs"
        before = ready.snapshot("Account")
        applied = _applied(shell, plan_file, archive)
        assert applied.exit_code == 0, applied.stderr
        assert "written" in applied.stdout
        assert ready.snapshot("Account") != before
        # the next night finds nothing to do
        shell("pull", "salesforce", "--to", tmp_path / "b2", "--as-of", "2026-06-30")
        again = shell(
            "plan", tmp_path / "b2", "--crm", "salesforce", "-o", tmp_path / "p2"
        )
        assert "Nothing to change" in again.stdout
        # and the run can be taken back, as the message of apply says
        run = re.search(r"undo (\w+) --archive", applied.stderr)
        assert run is not None
        back = tmp_path / "back.jsonl"
        undone = shell("undo", run[1], "--archive", archive, "-o", back)
        assert undone.exit_code == 0, undone.stderr
        assert run[1] in undone.stdout
        assert _applied(shell, back, archive).exit_code == 0
        assert ready.snapshot("Account") == before

    def test_the_archive_says_why_an_account_has_what_was_written(
        self, shell, ready: Salesforce, book: samples.Book, plan_file: Path, tmp_path
    ) -> None:
        archive = tmp_path / "runs"
        _applied(shell, plan_file, archive)
        account = ready.ids("account")[book.truths["giant"]]
        told = shell("explain", account, "--archive", archive)
        assert told.exit_code == 0, told.stderr
        assert "tier: A (run " in told.stdout
        assert "Tier A: " in told.stdout
        found = shell("explain", account, "--archive", archive, "--output", "json")
        fields = json.loads(found.stdout)["fields"]
        record = ready.record("Account", account)
        assert fields["tier"]["value"] == record["Portfolio_Tier__c"]
        assert fields["portfolio_stamp"]["value"] == record["Portfolio_Stamp__c"]
        unknown = shell("explain", "001nobody", "--archive", archive)
        assert unknown.exit_code == 2
        assert "no run in the archive" in unknown.stderr
        both = shell("explain", account, "--archive", archive, "--folder", archive)
        assert both.exit_code == 2

    def test_json_counts_every_change(self, shell, plan_file: Path, tmp_path) -> None:
        result = _applied(shell, plan_file, tmp_path / "runs", "--output", "json")
        found = json.loads(result.stdout)
        assert found["exit_code"] == 0
        assert list(found["counts"]) == ["written"]
        assert found["failed"] == []

    def test_csv_has_the_state_of_every_change(
        self, shell, plan_file: Path, tmp_path
    ) -> None:
        result = _applied(shell, plan_file, tmp_path / "runs", "--output", "csv")
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        assert {row["state"] for row in rows} == {"written"}

    def test_a_plan_edited_by_hand_is_refused(
        self, shell, ready: Salesforce, plan_file: Path, tmp_path
    ) -> None:
        before = ready.snapshot(audit=True)
        text = plan_file.read_text(encoding="utf-8")
        plan_file.write_text(text.replace('"D"', '"A"', 1), encoding="utf-8")
        result = _applied(shell, plan_file, tmp_path / "runs")
        assert result.exit_code == 4
        assert "edited by hand" in result.stderr
        assert ready.snapshot(audit=True) == before

    def test_a_plan_for_another_org_is_refused(
        self, shell, book, plan_file: Path, tmp_path, monkeypatch
    ) -> None:
        with Salesforce(book.tables, is_sandbox=False) as other:
            for name, value in other.environment.items():
                monkeypatch.setenv(name, value)
            before = other.snapshot(audit=True)
            result = _applied(shell, plan_file, tmp_path / "runs")
            assert result.exit_code == 4
            assert "another" in result.stderr or "made for" in result.stderr
            assert other.snapshot(audit=True) == before

    def test_a_file_that_is_no_plan_is_refused(self, shell, crm, tmp_path) -> None:
        (tmp_path / "plan.jsonl").write_text("{}\n")
        assert _applied(shell, tmp_path / "plan.jsonl", tmp_path / "r").exit_code == 7

    def test_a_plan_that_is_not_there_is_a_usage_error(self, shell, tmp_path) -> None:
        result = _applied(shell, tmp_path / "none.jsonl", tmp_path / "r")
        assert result.exit_code == 2
        assert "none.jsonl" in result.stderr

    def test_a_record_that_is_gone_makes_it_partly_done(
        self, shell, ready: Salesforce, plan_file: Path, tmp_path
    ) -> None:
        ready.delete("Account", ready.ids("account")["A0000030"])
        result = _applied(shell, plan_file, tmp_path / "runs")
        assert result.exit_code == 3
        assert "gone" in result.stdout
        assert ready.ids("account")["A0000030"] in result.stdout

    def test_a_crm_that_goes_away_is_transient_and_can_be_gone_on_with(
        self, shell, ready: Salesforce, plan_file: Path, hasty: Path, tmp_path
    ) -> None:
        archive = tmp_path / "runs"
        ready.fault(Fault(at_call=ready.api_calls + 3, kind="reset"))
        more = ("--settings", hasty)
        first = _applied(shell, plan_file, archive, *more)
        assert first.exit_code == 5
        assert "again" in first.stderr
        second = _applied(shell, plan_file, archive, *more)
        assert second.exit_code == 0, second.stderr


class TestMistakes:
    def test_a_plan_into_a_folder_that_is_not_there(
        self, shell, folder: Path, tmp_path
    ) -> None:
        to = tmp_path / "none" / "p"
        result = shell("plan", folder, "--crm", "salesforce", "-o", to)
        assert result.exit_code == 2
        assert "cannot be saved" in result.stderr

    def test_an_archive_that_is_a_file(
        self, shell, ready: Salesforce, plan_file: Path
    ) -> None:
        before = ready.snapshot(audit=True)
        result = _applied(shell, plan_file, plan_file)
        assert result.exit_code == 2
        assert "must be a folder" in result.stderr
        assert ready.snapshot(audit=True) == before

    def test_what_is_to_be_pasted_next_may_have_a_space_in_its_path(
        self, shell, folder: Path, tmp_path
    ) -> None:
        file, archive = tmp_path / "my plan", tmp_path / "my runs"
        planned = shell("plan", folder, "--crm", "salesforce", "-o", file)
        assert f"apply '{file}' --archive" in planned.stderr
        applied = _applied(shell, file, archive)
        assert f"--archive '{archive}' -o" in applied.stderr

    def test_the_run_is_told_before_it_can_be_stopped(
        self, shell, ready: Salesforce, plan_file: Path, tmp_path, monkeypatch
    ) -> None:
        monkeypatch.setenv("SALESFORCE_CLIENT_SECRET", "wrong")
        result = _applied(shell, plan_file, tmp_path / "runs")
        run = json.loads(plan_file.read_text(encoding="utf-8").splitlines()[0])["id"]
        assert result.exit_code == 2
        assert result.stderr.startswith(f"Run {run}, to salesforce org ")


class TestLimits:
    @pytest.fixture
    def beyond(
        self, shell, folder: Path, plan_file: Path, settings_file, tmp_path
    ) -> Path:
        """A plan that moves accounts between tiers, where none may move."""
        assert _applied(shell, plan_file, tmp_path / "runs").exit_code == 0
        to = tmp_path / "b2"
        shell("pull", "salesforce", "--to", to, "--as-of", "2026-06-30")
        file = tmp_path / "moves.jsonl"
        settings = settings_file(TIGHT)
        result = shell(
            "plan", to, "--crm", "salesforce", "-o", file, "--settings", settings
        )
        assert result.exit_code == 0, result.stderr
        assert "limit" in result.stdout
        return file

    def test_beyond_the_limits_nothing_is_written(
        self, shell, ready: Salesforce, beyond: Path, tmp_path
    ) -> None:
        before = ready.snapshot(audit=True)
        result = _applied(shell, beyond, tmp_path / "runs")
        assert result.exit_code == 4
        assert "--accept-changes" in result.stderr
        assert ready.snapshot(audit=True) == before

    def test_the_exact_number_of_changes_releases_it(
        self, shell, ready: Salesforce, beyond: Path, tmp_path
    ) -> None:
        refused = _applied(shell, beyond, tmp_path / "runs")
        count = re.search(r"--accept-changes (\d+)", refused.stderr)
        assert count is not None
        wrong = ("--accept-changes", int(count[1]) + 1)
        assert _applied(shell, beyond, tmp_path / "runs", *wrong).exit_code == 4
        right = ("--accept-changes", count[1])
        done = _applied(shell, beyond, tmp_path / "runs", *right)
        assert done.exit_code == 0, done.stderr


class TestUndo:
    def test_an_unknown_run_is_asked_about(self, shell, crm, tmp_path) -> None:
        result = shell("undo", "abc", "--archive", tmp_path, "-o", tmp_path / "p")
        assert result.exit_code == 2
        assert "abc" in result.stderr

    def test_a_run_cannot_lead_out_of_the_archive(self, shell, crm, tmp_path) -> None:
        result = shell("undo", "../../etc", "--archive", tmp_path, "-o", tmp_path / "p")
        assert result.exit_code == 2

    def test_what_a_person_changed_since_stays(
        self, shell, ready: Salesforce, plan_file: Path, tmp_path
    ) -> None:
        archive, back = tmp_path / "runs", tmp_path / "back.jsonl"
        found = json.loads(
            _applied(shell, plan_file, archive, "--output", "json").stdout
        )
        account = ready.ids("account")["A0000000"]
        ready.edit("Account", account, {"Portfolio_Tier__c": "B"})
        shell("undo", found["run_id"], "--archive", archive, "-o", back)
        _applied(shell, back, archive)
        assert ready.record("Account", account)["Portfolio_Tier__c"] == "B"
