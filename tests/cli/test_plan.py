"""Does `plan` tell what a person must know, and on paper too?"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm_portfolio.simulator import Salesforce

Shell = Callable[..., Any]
MANY = "[limits]\nmax_share = 0.0\nmin_changes = 0\nmax_two_tier_jumps = 0\n"


@pytest.fixture
def planned(shell: Shell, folder: Path, tmp_path: Path) -> Callable[..., Any]:
    def run(*more: object) -> Any:
        file = tmp_path / "plan.jsonl"
        return shell("plan", folder, "--crm", "salesforce", "-o", file, *more)

    return run


@pytest.fixture
def names(book: Any) -> list[str]:
    return [n for n in book.tables["account"]["name"].to_pylist() if len(n) > 6]


class TestDocuments:
    def test_both_are_written_beside_the_plan(
        self, planned: Callable[..., Any], tmp_path: Path, names: list[str]
    ) -> None:
        markdown, page = tmp_path / "plan.md", tmp_path / "plan.html"
        result = planned("--markdown", markdown, "--html", page)
        assert result.exit_code == 0, result.stderr
        assert f"{markdown}: the plan, to read." in result.stderr
        assert "## Near a border" in markdown.read_text(encoding="utf-8")
        assert "<h2>Changes</h2>" in page.read_text(encoding="utf-8")
        both = markdown.read_text("utf-8") + page.read_text("utf-8")
        assert not [name for name in names if name in both]

    def test_names_stand_in_them_where_they_are_asked_for(
        self, planned: Callable[..., Any], tmp_path: Path, names: list[str]
    ) -> None:
        page = tmp_path / "plan.html"
        result = planned("--html", page, "--names")
        assert [name for name in names if name in page.read_text("utf-8")]
        plan_file = (tmp_path / "plan.jsonl").read_text("utf-8")
        told = result.stdout + result.stderr + plan_file
        assert not [name for name in names if name in told]

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
    def test_they_are_their_owners(
        self, planned: Callable[..., Any], tmp_path: Path
    ) -> None:
        page = tmp_path / "plan.html"
        planned("--html", page)
        assert stat.S_IMODE(page.stat().st_mode) == 0o600

    def test_names_without_a_document_are_a_mistake(
        self, planned: Callable[..., Any], tmp_path: Path
    ) -> None:
        result = planned("--names")
        assert result.exit_code == 2
        assert "--markdown" in result.stderr
        assert not (tmp_path / "plan.jsonl").exists()

    def test_a_folder_that_is_not_there_says_what_to_do(
        self, planned: Callable[..., Any], tmp_path: Path
    ) -> None:
        result = planned("--html", tmp_path / "none" / "plan.html")
        assert result.exit_code == 2
        assert "Name a file in a folder that is there" in result.stderr

    def test_reasons_are_in_the_language_of_the_settings(
        self,
        planned: Callable[..., Any],
        tmp_path: Path,
        settings_file: Callable[[str], Path],
    ) -> None:
        page = tmp_path / "plan.md"
        planned("--markdown", page, "--settings", settings_file('language = "fr"\n'))
        assert "La tranche A" in page.read_text(encoding="utf-8")


class TestWithAnArchive:
    def test_it_names_what_people_edited(
        self,
        shell: Shell,
        planned: Callable[..., Any],
        ready: Salesforce,
        folder: Path,
        tmp_path: Path,
    ) -> None:
        archive = tmp_path / "runs"
        assert planned("--archive", archive).exit_code == 0
        applied = shell("apply", tmp_path / "plan.jsonl", "--archive", archive)
        assert applied.exit_code == 0, applied.stderr
        account = min(ready.ids("account").values())
        ready.edit("Account", account, {"Portfolio_Rank__c": 4711})
        result = shell("pull", "salesforce", "--to", folder, "--as-of", "2026-06-30")
        assert result.exit_code == 0, result.stderr
        again = planned("--archive", archive)
        assert f"Edited by people: 1 ({account} portfolio_rank kept)" in again.stdout, (
            again.stderr
        )
        found = json.loads(planned("--archive", archive, "--output", "json").stdout)
        assert found["edited"][0]["edited"] == ["portfolio_rank"]
        assert found["population"] == found["population_before"] == 60

    def test_the_next_step_names_it(
        self, planned: Callable[..., Any], tmp_path: Path
    ) -> None:
        result = planned("--archive", tmp_path / "my runs")
        assert f"--archive '{tmp_path / 'my runs'}'" in result.stderr
        assert "--archive FOLDER" in planned().stderr


class TestBeyondTheLimits:
    def test_the_plan_is_made_and_says_what_to_do(
        self,
        shell: Shell,
        planned: Callable[..., Any],
        crm: Salesforce,
        folder: Path,
        tmp_path: Path,
        settings_file: Callable[[str], Path],
    ) -> None:
        archive = tmp_path / "runs"
        planned()
        shell("apply", tmp_path / "plan.jsonl", "--archive", archive)
        shell("pull", "salesforce", "--to", folder, "--as-of", "2026-06-30")
        other = settings_file(MANY + '[tiers]\nmethod = "quantiles"\n')
        result = planned("--settings", other)
        assert result.exit_code == 0
        plan_file = tmp_path / "plan.jsonl"
        count = len(
            json.loads(planned("--output", "json", "--settings", other).stdout)[
                "changes"
            ]
        )
        assert "the limits refuse this plan" in result.stderr
        assert f"--accept-changes {count}" in result.stderr
        refused = shell("apply", plan_file, "--archive", archive)
        assert refused.exit_code == 4
        short = shell(
            "apply", plan_file, "--archive", archive, "--accept-changes", count - 1
        )
        assert short.exit_code == 4
        done = shell(
            "apply", plan_file, "--archive", archive, "--accept-changes", count
        )
        assert done.exit_code == 0, done.stderr


def test_json_tells_the_cost_and_who_stands_near_a_border(
    planned: Callable[..., Any],
) -> None:
    found = json.loads(planned("--output", "json").stdout)
    assert found["call_estimate"] > 0
    assert found["quota"]["remaining"] < found["quota"]["limit"]
    assert {"record_id", "code", "values"} == found["borders"][0].keys()
    assert (found["ended"], found["population_before"]) == ([], None)


def test_help_says_what_each_option_is_for(shell: Shell) -> None:
    told = " ".join(shell("plan", "--help").stdout.split())
    for option in ("--archive", "--markdown", "--html", "--names"):
        assert option in told
