"""Does a pull that was killed, wherever it stood, end as if nothing had happened?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("killed.py")
EVERY_TABLE = {"account": 7, "opportunity": 11, "opportunity_change": 11, "owner": 1}
AFTERWARDS = {"account": 6, "opportunity": 10, "opportunity_change": 11, "owner": 0}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")


def deaths(place: Path, *arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, SCRIPT, place, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return deaths(tmp_path_factory.mktemp("whole"), "whole", "3")


def test_a_whole_pull_killed_anywhere_ends_in_the_same_bytes(
    whole: list[dict[str, Any]],
) -> None:
    unbroken, *killed = whole
    assert sum(death["code"] == 9 for death in killed) > 30
    for death in killed:
        assert (death["ended"], death["error"]) == (0, None), death
        assert death["sum"] == unbroken["sum"], death


def test_it_asks_for_no_more_than_the_batch_in_flight_again(
    whole: list[dict[str, Any]],
) -> None:
    unbroken, *killed = whole
    # The last thing a run does is to note that it has ended; after that, it is another.
    for death in killed[:-2]:
        assert death["calls"] <= unbroken["calls"] + 1, death


def test_until_it_is_whole_nobody_takes_it_for_a_portfolio(
    whole: list[dict[str, Any]],
) -> None:
    seen = [death["between"] for death in whole if death["code"]]
    assert all(it["found"] in (None, EVERY_TABLE) for it in seen)
    assert any("goes on where it stopped" in it.get("said", "") for it in seen)


def test_an_increment_killed_anywhere_leaves_the_old_readable_and_ends_in_the_same_bytes(
    tmp_path: Path,
) -> None:
    unbroken, *killed = deaths(tmp_path / "since", "since", "7")
    assert sum(death["code"] == 9 for death in killed) > 15
    for death in killed:
        assert (death["ended"], death["error"]) == (0, None), death
        assert death["sum"] == unbroken["sum"], death
        if death["code"]:
            assert death["between"]["found"] in (EVERY_TABLE, AFTERWARDS)


def test_a_portfolio_saved_over_another_is_one_of_the_two_wherever_it_is_killed(
    tmp_path: Path,
) -> None:
    unbroken, *killed = deaths(tmp_path / "save", "save", "1")
    assert sum(death["code"] == 9 for death in killed) > 15
    found = set()
    for death in killed:
        assert (death["ended"], death["error"]) == (0, None), death
        assert death["sum"] == unbroken["sum"], death
        if death["code"]:
            found.add(death["between"]["found"]["account"])
    assert found == {7, 2}


def test_four_tables_at_once_may_be_shot_from_outside(tmp_path: Path) -> None:
    unbroken, *killed = deaths(tmp_path / "shot", "shot", "0")
    assert killed[0]["ended"] == -9
    assert killed[-1] == {**killed[-1], "ended": 0, "sum": unbroken["sum"]}
