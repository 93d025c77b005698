"""Is a day that lies ahead refused before anything is read or written for it?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from crm_portfolio import Portfolio, samples
from crm_portfolio.simulator import Salesforce

FIRST_ON_EARTH, LAST_ON_EARTH = "Pacific/Kiritimati", "Pacific/Niue"
DAY = timedelta(days=1)
NIGHT = '[sync]\ncrm = "salesforce"\nfolder = "book"\n'


def today(zone: str) -> date:
    now = datetime.now(UTC)  # noqa: TID251 - the commands read the same clock
    return now.astimezone(ZoneInfo(zone)).date()


@pytest.fixture(scope="module")
def first_on_earth() -> Iterator[Salesforce]:
    tables = samples.book(accounts=60, opportunities=250).tables
    with Salesforce(tables, currency="EUR", time_zone=FIRST_ON_EARTH) as pretend:
        yield pretend


@pytest.fixture
def org(first_on_earth: Salesforce, monkeypatch: pytest.MonkeyPatch) -> Salesforce:
    """Where a day begins fourteen hours before it does in UTC."""
    first_on_earth.reset()
    for name, value in first_on_earth.environment.items():
        monkeypatch.setenv(name, value)
    return first_on_earth


def calendar(zone: str) -> str:
    return f'[calendar]\ntime_zone = "{zone}"\n'


def test_pull_refuses_tomorrow_and_takes_today_in_the_zone_of_the_org(
    org: Salesforce, shell, tmp_path: Path
) -> None:
    day, to = today(FIRST_ON_EARTH), tmp_path / "book"
    refused = shell("pull", "salesforce", "--to", to, "--as-of", day + DAY)
    assert refused.exit_code == 2
    said = " ".join(refused.stderr.split())
    assert f"still ahead, today is {day} in {FIRST_ON_EARTH}" in said
    assert f"--as-of {day}" in said
    assert not to.exists()
    taken = shell("pull", "salesforce", "--to", to, "--as-of", day)
    assert taken.exit_code == 0, taken.stderr


def test_pull_of_files_goes_by_the_zone_of_the_settings(
    shell, settings_file, tmp_path: Path
) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "account.csv").write_text("account_id\nA\n")
    file = settings_file(calendar(LAST_ON_EARTH))
    words = ("pull", "files", tmp_path / "exports", "--currency", "EUR")
    words += ("--to", tmp_path / "book", "--settings", file, "--as-of")
    day = today(LAST_ON_EARTH)
    assert shell(*words, day + DAY).exit_code == 2
    assert shell(*words, day).exit_code == 0


def test_sync_refuses_it_before_it_reads_anything(
    org: Salesforce, shell, settings_file, tmp_path: Path
) -> None:
    before = org.snapshot()
    result = shell(
        *("sync", "--settings", settings_file(NIGHT), "--as-of"),
        today(FIRST_ON_EARTH) + DAY,
    )
    assert result.exit_code == 2
    assert "still ahead" in result.stderr
    assert org.snapshot() == before
    assert not (tmp_path / "book").exists()
    assert not (tmp_path / "archive").exists()


def test_sync_goes_by_the_zone_of_the_settings_before_that_of_the_org(
    org: Salesforce, shell, settings_file
) -> None:
    file = settings_file(calendar(LAST_ON_EARTH) + NIGHT)
    words = ("sync", "--settings", file, "--dry-run", "--as-of")
    day = today(LAST_ON_EARTH)
    refused, taken = shell(*words, day + DAY), shell(*words, day)
    assert f"today is {day} in {LAST_ON_EARTH}" in " ".join(refused.stderr.split())
    assert "still ahead" not in taken.stderr


def test_plan_refuses_a_folder_of_a_day_that_lies_ahead(
    org: Salesforce, shell, tmp_path: Path
) -> None:
    ahead = today(FIRST_ON_EARTH) + 2 * DAY
    tables = samples.book(accounts=60, opportunities=250).tables
    portfolio = Portfolio.from_frames(as_of=ahead, currency="EUR", **tables)
    portfolio.save(tmp_path / "book")
    file = tmp_path / "plan.jsonl"
    result = shell("plan", tmp_path / "book", "--crm", "salesforce", "-o", file)
    assert result.exit_code == 2
    assert "still ahead" in result.stderr
    assert not file.exists()
