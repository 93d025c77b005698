"""Do `verify`, `history`, `resend` and a partial `undo` tell and mend what was done?"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from crm_portfolio.archive import Archive
from crm_portfolio.protocols import Org
from crm_portfolio.simulator import Salesforce


@pytest.fixture
def runs(shell, ready: Salesforce, plan_file: Path, tmp_path: Path) -> Path:
    """The archive of one night; the account A0000030 was deleted meanwhile."""
    archive = tmp_path / "my runs"
    ready.delete("Account", ready.ids("account")["A0000030"])
    assert shell("apply", plan_file, "--archive", archive).exit_code == 3
    return archive


@pytest.fixture
def run(runs: Path) -> str:
    return Archive(runs).runs()[-1]


class TestVerify:
    def test_an_archive_as_it_was_written(self, shell, runs: Path) -> None:
        result = shell("verify", "--archive", runs)
        assert result.exit_code == 0, result.stderr
        assert "1 run(s)" in result.stdout
        assert "all as they were written" in result.stdout

    def test_the_first_altered_segment_is_named(
        self, shell, runs: Path, run: str
    ) -> None:
        segment = runs / "runs" / run / "000003.json"
        segment.write_bytes(segment.read_bytes().replace(b"written", b"unknown", 1))
        (runs / "runs" / run / "000004.json").unlink()
        result = shell("verify", run, "--archive", runs)
        assert result.exit_code == 7
        assert f"{run}/000003.json: this segment was changed" in result.stdout
        found = json.loads(
            shell("verify", "--archive", runs, "--output", "json").stdout
        )
        assert found["exit_code"] == 7
        assert [each["file"] for each in found["runs"]] == [f"{run}/000003.json"]
        told = shell("verify", "--archive", runs, "--output", "csv").stdout
        (row,) = csv.DictReader(io.StringIO(told))
        assert (row["run_id"], row["state"]) == (run, "damaged")

    def test_no_run_is_an_error(self, shell, tmp_path: Path) -> None:
        assert shell("verify", "--archive", tmp_path).exit_code == 2
        assert "nothing was verified" in shell("verify", "--archive", tmp_path).stderr


class TestHistory:
    def test_of_an_account_in_sentences(
        self, shell, ready: Salesforce, book, runs: Path, run: str
    ) -> None:
        account = ready.ids("account")[book.truths["giant"]]
        result = shell("history", account, "--archive", runs)
        assert result.exit_code == 0, result.stderr
        assert f"run {run}, salesforce org " in result.stdout
        assert "tier: empty → A, written" in result.stdout
        assert "Tier A: " in result.stdout
        french = shell("history", account, "--archive", runs, "--lang", "fr")
        assert "Tranche A" in french.stdout

    def test_of_a_run_as_data(self, shell, runs: Path, run: str) -> None:
        told = shell("history", run, "--archive", runs, "--output", "csv").stdout
        rows = list(csv.DictReader(io.StringIO(told)))
        assert {row["run_id"] for row in rows} == {run}
        assert {row["state"] for row in rows} == {"written", "gone"}
        found = json.loads(
            shell("history", run, "--archive", runs, "--output", "json").stdout
        )
        assert len(found["steps"]) == len(rows)
        assert found["steps"][0]["reasons"]

    def test_of_a_large_run_is_cut_for_people(
        self, shell, runs: Path, run: str
    ) -> None:
        result = shell("history", run, "--archive", runs)
        assert "more; --output csv has all of them" in result.stderr

    def test_of_nobody_is_asked_about(self, shell, runs: Path) -> None:
        result = shell("history", "001nobody", "--archive", runs)
        assert result.exit_code == 2
        assert "001nobody" in result.stderr


class TestResend:
    def test_apply_says_how(
        self, shell, ready: Salesforce, plan_file: Path, tmp_path: Path
    ) -> None:
        ready.delete("Account", ready.ids("account")["A0000030"])
        result = shell("apply", plan_file, "--archive", tmp_path / "my runs")
        assert "To mend what failed for good" in result.stderr
        assert f"--archive '{tmp_path / 'my runs'}' --failed FILE" in result.stderr

    def test_what_was_mended_is_planned_and_written(
        self, shell, ready: Salesforce, runs: Path, run: str, tmp_path: Path
    ) -> None:
        failed, again = tmp_path / "failed.csv", tmp_path / "again.jsonl"
        told = shell("history", run, "--archive", runs, "--failed", failed)
        assert told.exit_code == 0, told.stderr
        assert "failed for good. Mend the column `after`" in told.stderr
        rows = list(csv.DictReader(failed.read_text().splitlines()))
        assert {row["state"] for row in rows} == {"gone"}
        result = shell("resend", failed, "--archive", runs, "-o", again)
        assert result.exit_code == 0, result.stderr
        assert rows[0]["record_id"] in result.stdout
        assert shell("apply", again, "--archive", runs).exit_code == 0

    def test_a_faulty_file_is_refused_whole(
        self, shell, ready: Salesforce, runs: Path, run: str, tmp_path: Path
    ) -> None:
        failed = tmp_path / "failed.csv"
        shell("history", run, "--archive", runs, "--failed", failed)
        failed.write_text(failed.read_text().replace('"portfolio_rank"', '"rank"'))
        to = tmp_path / "again.jsonl"
        result = shell("resend", failed, "--archive", runs, "-o", to)
        assert result.exit_code == 7
        assert "fault(s) in failed.csv" in result.stderr
        assert not to.exists()

    def test_an_empty_file_is_refused(
        self, shell, crm: Salesforce, runs: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "empty.csv").touch()
        result = shell("resend", tmp_path / "empty.csv", "--archive", runs, "-o", "p")
        assert result.exit_code == 2


class TestUndo:
    def test_a_part_of_a_run(
        self, shell, ready: Salesforce, runs: Path, run: str, tmp_path: Path
    ) -> None:
        account = ready.ids("account")["A0000000"]
        back = tmp_path / "back.jsonl"
        part = ("--account", account, "--column", "tier", "--column", "dependence")
        result = shell("undo", run, "--archive", runs, "-o", back, *part)
        assert result.exit_code == 0, result.stderr
        assert shell("apply", back, "--archive", runs).exit_code == 0
        record = ready.record("Account", account)
        assert record["Portfolio_Tier__c"] is None
        assert record["Portfolio_Rank__c"] is not None

    def test_a_field_that_is_none_is_asked_about(
        self, shell, ready: Salesforce, runs: Path, run: str, tmp_path: Path
    ) -> None:
        to = tmp_path / "back.jsonl"
        result = shell("undo", run, "--archive", runs, "-o", to, "--column", "teir")
        assert result.exit_code == 2
        assert "did you mean 'tier'" in result.stderr


def test_an_org_that_another_run_holds_ends_with_6(
    shell, ready: Salesforce, plan_file: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "runs"
    header = json.loads(plan_file.read_text().splitlines()[0])
    before = ready.snapshot(audit=True)
    with Archive(archive).lock(Org(**header["org"]), "0a1b2c"):
        result = shell("apply", plan_file, "--archive", archive)
    assert result.exit_code == 6
    assert "run 0a1b2c (process " in result.stderr
    assert ready.snapshot(audit=True) == before
