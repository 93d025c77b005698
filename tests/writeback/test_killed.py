"""Does an apply that was killed, wherever it stood, end as if nothing had happened?

`CRM_PORTFOLIO_EXAMPLES=1` kills it at each point there is, not at every seventh or so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

SCRIPT = Path(__file__).with_name("killed.py")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")


def deaths(way: str, place: Path, *, step: int) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, SCRIPT, way, place, str(step)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class Killed:
    """Each way is a class of its own, so that they can run side by side."""

    way: str
    step = 7
    counts: ClassVar[dict[str, int]]

    def test_killed_at_any_call_and_any_write_to_disk_it_ends_as_if_it_had_not_been(
        self, tmp_path: Path
    ) -> None:
        step = 1 if "CRM_PORTFOLIO_EXAMPLES" in os.environ else self.step
        unbroken, *killed = deaths(self.way, tmp_path, step=step)
        assert (unbroken["codes"], unbroken["interrupted"]) == ([0], "")
        assert unbroken["counts"] == self.counts
        *dead, survived = killed
        print(f"{self.way}: killed at {len(dead)} of {survived['count']} points")
        points = range(1, survived["count"] + 1, step)
        assert [death["at"] for death in dead] == [*points]
        assert survived["count"] > 80
        for death in killed:
            assert death["codes"] == ([0] if death is survived else [-9, 0]), death
            for told in ("org", "states", "counts", "interrupted"):
                assert death[told] == unbroken[told], (told, death)


class TestByRest(Killed):
    way = "rest"
    counts: ClassVar = {"gone": 6, "rejected": 6, "stale": 3, "written": 77}


class TestByBulk(Killed):
    way, step = "bulk", 23
    counts: ClassVar = {"gone": 6, "rejected": 6, "stale": 3, "written": 77}


class TestOfHubSpot(Killed):
    way = "hubspot"
    counts: ClassVar = {"gone": 6, "stale": 3, "written": 83}
