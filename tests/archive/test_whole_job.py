"""A worker without a disk does the whole job: plan, journal and locks are in a store."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from shelves import Answer, Asked, Between
from typer.testing import CliRunner, Result

from crm_portfolio import samples
from crm_portfolio.archive import Archive
from crm_portfolio.cli import app
from crm_portfolio.errors import SettingsError
from crm_portfolio.simulator import Salesforce
from crm_portfolio.writeback import Plan

Shell = Callable[..., Result]


@pytest.fixture(scope="module")
def org() -> Iterator[Salesforce]:
    book = samples.book(accounts=40, opportunities=250)
    with Salesforce(book.tables, currency="EUR") as pretend:
        yield pretend


@pytest.fixture
def shell(org: Salesforce, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    org.reset()
    for name in tuple(os.environ):
        if name.startswith(("SALESFORCE_", "CRM_PORTFOLIO_")):
            monkeypatch.delenv(name)
    for name, value in org.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})

    def run(*arguments: object) -> Result:
        return runner.invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def pulled(shell: Shell) -> str:
    assert shell("setup", "salesforce", "--apply").exit_code == 0
    found = shell("pull", "salesforce", "--to", "book", "--as-of", "2026-06-30")
    assert found.exit_code == 0, found.stderr
    return "book"


def there(org: Salesforce) -> dict[str, object]:
    """What the accounts' fields of ours hold."""
    return {
        key: [value for name, value in row.items() if name.startswith("Portfolio_T")]
        for key, row in org.snapshot()["Account"].items()
    }


def test_from_the_plan_to_the_way_back(
    shell: Shell, pulled: str, org: Salesforce, s3: str, tmp_path: Path
) -> None:
    files = {path for path in tmp_path.rglob("*") if "book" not in path.parts}
    before = there(org)
    plan, back = f"{s3}/plans/tonight.jsonl", f"{s3}/plans/back.jsonl"
    of_crm = ("--crm", "salesforce", "--archive", s3)
    made = shell("plan", pulled, *of_crm, "-o", plan)
    assert made.exit_code == 0, made.stderr
    assert f"apply {plan} --archive {s3}" in made.stderr
    accepts = ("--accept-changes", len(Plan.load(plan).changes))
    applied = shell("apply", plan, "--archive", s3, *accepts)
    assert applied.exit_code == 0, applied.stderr
    assert there(org) != before
    (run,) = Archive(s3).runs()
    assert shell("verify", "--archive", s3).exit_code == 0
    history = shell("history", run, "--archive", s3, "--output", "json")
    assert {step["state"] for step in json.loads(history.stdout)["steps"]} == {
        "written"
    }
    account = Plan.load(plan).records[0].record_id
    why = shell("explain", account, "--archive", s3)
    assert run in why.stdout, why.stderr
    undone = shell("undo", run, "--archive", s3, "-o", back)
    assert undone.exit_code == 0, undone.stderr
    accepts = ("--accept-changes", len(Plan.load(back).changes))
    again = shell("apply", back, "--archive", s3, *accepts)
    assert again.exit_code == 0, again.stderr
    assert there(org) == before
    assert len(Archive(s3).runs()) == 2
    left = {path for path in tmp_path.rglob("*") if "book" not in path.parts}
    assert left == files  # nothing but the pulled book lies on the disk


def test_a_night_whose_plan_is_kept_in_the_store_for_a_person_to_release(
    shell: Shell, pulled: str, s3: str, tmp_path: Path
) -> None:
    (tmp_path / "portfolio.toml").write_text(
        f'[sync]\ncrm = "salesforce"\narchive = "{s3}"\n', encoding="utf-8"
    )
    night = ("sync", "--settings", "portfolio.toml", "--as-of", "2026-06-30")
    dry = shell(*night, "--dry-run")
    assert dry.exit_code == 0, dry.stderr
    (name,) = (Archive(s3).root / "kept").files()
    kept = f"{s3}/kept/{name}"
    assert f"apply {kept} --archive {s3}" in dry.stderr.replace("\n", " ")
    assert shell("apply", kept, "--archive", s3).exit_code == 0
    quiet = shell(*night)
    assert quiet.exit_code == 0, quiet.stderr
    assert [run.is_quiet for run in Archive(s3).index()] == [False, True]
    assert not (tmp_path / "archive").exists()


# The chain gets two lines when a run begins, the index one.
@pytest.mark.parametrize(("file", "lines"), [("chain.jsonl", 2), ("index.jsonl", 1)])
def test_a_log_that_cannot_grow_ends_a_run_with_5_and_the_next_apply_goes_on(
    shell: Shell, pulled: str, between: Between, s3: str, file: str, lines: int
) -> None:
    assert shell("plan", pulled, "--crm", "salesforce", "-o", "plan").exit_code == 0
    count = len(Plan.load("plan").changes)
    told = ("apply", "plan", "--archive", s3, "--accept-changes", count)
    put: list[str] = []

    def act(asked: Asked, true: Callable[[], Answer]) -> Answer | None:
        is_log = asked.key.endswith(file) and asked.method in ("PUT", "GET")
        put.extend([asked.key] * (is_log and asked.method == "PUT"))
        return None if is_log and len(put) > lines else true()

    between.act = act
    ended = shell(*told)
    assert ended.exit_code == 5, ended.stderr
    assert "another run" not in ended.stderr
    between.act = lambda _, true: true()
    assert shell(*told).exit_code == 0
    assert shell("verify", "--archive", s3).exit_code == 0


def test_a_plan_that_is_not_there_is_named(s3: str) -> None:
    with pytest.raises(SettingsError, match=f"no plan 'x.jsonl' in '{s3}'"):
        Plan.load(f"{s3}/x.jsonl")
    with pytest.raises(SettingsError, match="names a bucket and no file"):
        Plan.load("s3://bucket")


def test_an_address_with_a_login_ends_with_2_and_repeats_nothing(shell: Shell) -> None:
    address = "s3://AKIDEXAMPLE:wJalrXUtnFEMI@bucket/crm"
    for words in (
        ("verify", "--archive", address),
        ("apply", f"{address}/plan.jsonl", "--archive", "runs"),
        ("undo", "0a1b", "--archive", address, "-o", "back.jsonl"),
    ):
        result = shell(*words)
        assert result.exit_code == 2
        assert "wJalr" not in result.output
        assert "AKID" not in result.output
