"""Does `backtest` replay the days it is told, and say what came of them?"""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from pathlib import Path

import pytest

from crm_portfolio import samples


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("firm")
    samples.firm().save(folder / "book")
    return folder


def test_json_has_what_the_result_has(shell, firm: Path) -> None:
    said = shell("backtest", firm / "book", "--days", "2025-12-31", "--output", "json")
    assert said.exit_code == 0, said.stderr
    found = json.loads(said.stdout)
    assert found["params"]["settings"]["days"] == ["2025-12-31"]
    assert {row["state"] for row in found["frame"]} == {"not_yet_known"}


def test_csv_has_a_line_for_each_list_and_day(shell, firm: Path) -> None:
    days = ("--every", "quarter", "--from", "2025-07-01", "--to", "2025-12-31")
    horizon = ("--horizon-months", "6", "--lost-share", "0.8")
    said = shell("backtest", firm / "book", *days, *horizon, "--output", "csv")
    assert said.exit_code == 0, said.stderr
    rows = list(csv.DictReader(io.StringIO(said.stdout)))
    assert [row["day_on"] for row in rows if row["list"] == "risk"] == [
        *("2025-09-30", "2025-12-31"),
    ]


def test_the_table_fits_a_terminal(shell, firm: Path) -> None:
    days = "2025-06-30, 2025-12-31"
    said = shell("backtest", firm / "book", "--days", days, "--horizon-months", "6")
    assert said.exit_code == 0, said.stderr
    assert max(map(len, said.stdout.splitlines())) <= 80
    assert "stability" in said.stdout
    assert "backtest: " in said.stderr


def test_the_examples_of_the_help_run(
    shell, firm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(firm)
    told = shell("backtest", "--help").stdout
    told = " ".join(told.replace("│", " ").split())
    examples = re.findall(
        r"crm-portfolio (backtest book --\S+ \S+(?: --\S+ 2\S+)*)", told
    )
    assert len(examples) == 2
    for example in examples:
        said = shell(*shlex.split(example))
        assert said.exit_code == 0, said.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "name one of them"),
        (("--days", "2025-06-30", "--every", "month"), "name one of them"),
        (("--days", "june"), "is not a day"),
        (("--days", "2030-06-30"), "the portfolio ends on"),
        (("--every", "year"), "--from DAY and --to DAY"),
        (
            ("--every", "year", "--from", "2025-01-01", "--to", "2025-06-30"),
            "no year ends between",
        ),
        (("--days", "2025-06-30", "--lost-share", "7"), "lost_share"),
    ],
)
def test_what_cannot_be_replayed_is_a_usage_error(
    shell, firm: Path, arguments: tuple[str, ...], says: str
) -> None:
    said = shell("backtest", firm / "book", *arguments)
    assert (said.exit_code, said.stdout) == (2, "")
    assert says in " ".join(said.stderr.replace("│", " ").split())
