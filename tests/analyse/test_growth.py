"""Does any analysis take a step for each account, or each two of them?

Steps of Python are counted. What numpy or an engine does for each two accounts takes a
hundred times the CPU for ten times as many: it is held to that of fewer in the same run,
so that no machine is too slow. The run is held to so much memory and CPU, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from crm_portfolio._analyse._book import NOUNS

FEW: Final = 20_000
MANY: Final = 200_000
PEAK: Final = 4 * 2**30  # a byte for each two of them would be 37 * 2**30
STEPS: Final = (MANY - FEW) // 3
"""Fewer than a line of Python for each account: some are run for thousands at once."""
SOUGHT: Final = ("revenue_at_risk", "lifetime_value")
"""They fit a model by steps of which nobody knows how many: as many again are allowed."""
TIMES: Final = 3
"""Most of the CPU is spent once, however many there are."""
SHARE: Final = 0.5
"""Of the CPU of all analyses; what grows with the accounts takes half of it at most."""


@pytest.fixture(scope="module")
def both() -> list[dict[str, Any]]:
    """Of few, then of many, in one process."""
    program = str(Path(__file__).with_name("slim_run.py"))
    done = subprocess.run(
        [sys.executable, program, str(FEW), str(MANY)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_every_analysis_is_made_of_many_accounts(both) -> None:
    assert both[1]["made"] == list(NOUNS)


def test_no_analysis_takes_a_step_for_each_account(both) -> None:
    few, many = (each["lines"] for each in both)
    more = {name: many[name] - few[name] for name in NOUNS}
    for name in SOUGHT:
        more[name] -= few[name]
    assert not {name: count for name, count in more.items() if count > STEPS}


def test_no_analysis_takes_a_step_for_each_two_accounts(both) -> None:
    few, many = (each["seconds"] for each in both)
    assert few.keys() >= {*NOUNS}
    spare = SHARE * sum(few.values())
    bounds = {name: TIMES * few[name] + spare for name in NOUNS}
    assert not {
        name: (few[name], many[name]) for name in NOUNS if many[name] > bounds[name]
    }


def test_memory_is_that_of_the_accounts_and_not_of_each_two_of_them(both) -> None:
    assert both[1]["peak"] < PEAK
