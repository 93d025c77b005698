"""Does `pull warehouse` bring a replica into a folder of ours, as the settings say?"""

from __future__ import annotations

from pathlib import Path

import pytest
from laid_down import COUNT, laid_down, replicated

from crm_portfolio._frames import to_arrow
from crm_portfolio.portfolio import Portfolio

AS_OF = ("--as-of", "2026-06-30", "--currency", "EUR")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return laid_down("fivetran-salesforce", tmp_path / "replica")


def test_a_replica_becomes_a_folder_with_the_fields_of_its_crm(
    shell, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "portfolio.toml"
    file.write_text(
        "[warehouse]\nlayout = 'fivetran-salesforce'\n"
        "[salesforce.fields.account]\nsegment = 'Own_Class__c'\n",
        encoding="utf-8",
    )
    checked = shell("settings", "check", file)
    assert checked.exit_code == 0, checked.stdout + checked.stderr
    done = shell(
        "pull",
        "warehouse",
        folder,
        "--to",
        tmp_path / "book",
        "--settings",
        file,
        *AS_OF,
    )
    assert done.exit_code == 0, done.stderr
    accounts = to_arrow(Portfolio.load(tmp_path / "book")["account"])
    assert accounts["segment"].to_pylist() == ["gold"] * COUNT


def test_a_replica_that_ends_before_the_books_close_is_told(
    shell, folder: Path, tmp_path: Path
) -> None:
    done = shell(
        "pull", "warehouse", folder, "--layout", "fivetran-salesforce",
        "--to", tmp_path / "book", "--as-of", "2026-07-02", "--currency", "EUR",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "last brought up to date on 2026-06-30" in done.stderr


def test_what_is_found_in_a_replica_is_planned_with_the_crm(
    shell, ready, tmp_path: Path
) -> None:
    folder = replicated(ready, "salesforce", "dlt-salesforce", tmp_path)
    said = tmp_path / "portfolio.toml"
    said.write_text(f"[warehouse]\norg = '{ready.org_id}'\n", encoding="utf-8")
    pulled = shell(
        "pull", "warehouse", folder, "--layout", "dlt-salesforce",
        "--to", tmp_path / "book", "--settings", said, *AS_OF,
    )  # fmt: skip
    assert pulled.exit_code == 0, pulled.stderr
    plan = tmp_path / "plan.jsonl"
    planned = shell("plan", tmp_path / "book", "--crm", "salesforce", "-o", plan)
    assert planned.exit_code == 0, planned.stderr
    applied = shell("apply", plan, "--archive", tmp_path / "runs")
    assert applied.exit_code == 0, applied.stderr
    accounts = ready.snapshot()["Account"].values()
    assert {account["Portfolio_Tier__c"] for account in accounts} >= {"A", "B"}


def test_a_replica_of_nobody_knows_which_org_is_not_planned_and_what_to_write_is_told(
    shell, ready, tmp_path: Path
) -> None:
    folder = replicated(ready, "salesforce", "dlt-salesforce", tmp_path)
    pulled = shell(
        "pull", "warehouse", folder, "--layout", "dlt-salesforce",
        "--to", tmp_path / "book", *AS_OF,
    )  # fmt: skip
    assert pulled.exit_code == 0, pulled.stderr
    plan = tmp_path / "plan.jsonl"
    planned = shell("plan", tmp_path / "book", "--crm", "salesforce", "-o", plan)
    assert planned.exit_code == 2
    assert f'[warehouse]\n  org = "{ready.org_id}"' in planned.stderr
    assert not plan.exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["warehouse", "."], "say the layout of the replica"),
        (["warehouse"], "needs the replica to read"),
        (["warehouse", ".", "--dialect", "tables"], "--layout for warehouse"),
        (["files", ".", "--layout", "dlt-hubspot"], "--layout for warehouse"),
        (["warehouse", ".", "--since-last"], "and so is a replica"),
    ],
)
def test_what_does_not_fit_is_refused(
    shell, given: list[str], told: str, folder: Path, tmp_path: Path
) -> None:
    where = [str(folder) if each == "." else each for each in given]
    extra = ["--layout", "fivetran-salesforce"] if "--since-last" in given else []
    done = shell("pull", *where, *extra, "--to", tmp_path / "book", *AS_OF)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.replace("│", " ").split())
