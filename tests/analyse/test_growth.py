"""Does any analysis take a step for each account, or each two of them?

Nothing is timed. Steps of Python are counted, and the run is held to so much memory and
CPU that 100,000 times 100,000 of anything would end it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from crm_portfolio._analyse._book import NOUNS

FEW: Final = 2_000
MANY: Final = 100_000
PEAK: Final = 3 * 2**30  # a byte for each two of them would be 9 * 2**30
STEPS: Final = (MANY - FEW) // 4
"""Fewer than a line of Python for each account: some are run for thousands at once."""
SOUGHT: Final = ("revenue_at_risk", "lifetime_value")
"""They fit a model by steps of which nobody knows how many: as many again are allowed."""


def run(accounts: int) -> dict[str, Any]:
    program = str(Path(__file__).with_name("slim_run.py"))
    done = subprocess.run(
        [sys.executable, program, str(accounts)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def few() -> dict[str, Any]:
    return run(FEW)


@pytest.fixture(scope="module")
def many() -> dict[str, Any]:
    return run(MANY)


def test_every_analysis_is_made_of_many_accounts(many) -> None:
    assert many["made"] == list(NOUNS)


def test_no_analysis_takes_a_step_for_each_account(few, many) -> None:
    more = {name: many["lines"][name] - few["lines"][name] for name in NOUNS}
    for name in SOUGHT:
        more[name] -= few["lines"][name]
    assert not {name: count for name, count in more.items() if count > STEPS}


def test_memory_is_that_of_the_accounts_and_not_of_each_two_of_them(many) -> None:
    assert many["peak"] < PEAK
