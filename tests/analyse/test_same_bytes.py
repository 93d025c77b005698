"""Does the whole book come out the same, to the byte, wherever and however it is run?

Each run is a process of its own, with other hashes, another order of rows, columns and
tables, another locale, another time zone and another number of threads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

from crm_portfolio._analyse._book import NOUNS

Run = dict[str, Any]

RUNS: Final = 20
PLACES: Final = (
    {"LC_ALL": "C.UTF-8", "TZ": "UTC", "OPENBLAS_NUM_THREADS": "2"},
    # Text written without saying how would come out in ASCII here, or not at all.
    {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "TZ": "Asia/Kathmandu",
    },
    {"LC_ALL": "fr_FR.ISO8859-1", "TZ": "Pacific/Kiritimati"},
    {"LC_ALL": "tr_TR.UTF-8", "TZ": "America/St_Johns"},
)
FEW: Final = ("csv", "parquet")
ALL: Final = (*FEW, "xlsx", "html")
SETTINGS: Final = """
language = "fr"
[loss_scenario]
fixed_costs = 30_000
variable_cost_share = 0.4
draws = 60
[freed_capacity]
draws = 60
[receivables]
financing_rate = 0.06
[revenue_at_risk]
draws = 100
[review]
target = 90_000
"""


@pytest.fixture(scope="module")
def runs(tables, tmp_path_factory) -> list[Run]:
    folder = tmp_path_factory.mktemp("whole")
    for name, each in tables.items():
        pq.write_table(each, folder / f"{name}.parquet")
    (folder / "portfolio.toml").write_text(SETTINGS, encoding="utf-8")

    def run(seed: int) -> Run:
        # A page with its picture takes longer than all analyses: two runs make them.
        formats = ALL if seed in {1, 2} else FEW
        return one_run(folder, seed, formats)

    with ThreadPoolExecutor(2) as two:
        return list(two.map(run, range(1, RUNS + 1)))


def one_run(folder: Path, seed: int, formats: tuple[str, ...]) -> Run:
    program = [sys.executable, str(Path(__file__).with_name("one_run.py"))]
    place = PLACES[seed % len(PLACES)] | {"PYTHONHASHSEED": str(seed)}
    done = subprocess.run(
        [*program, str(folder), str(seed), *formats],
        env=os.environ | place,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: Run = json.loads(done.stdout)
    return found


def test_the_runs_are_not_alike_in_anything_but_the_book(runs) -> None:
    for what in ("hash", "first_row"):
        assert len({run["told"][what] for run in runs}) > RUNS // 2
    assert {run["told"]["zone"] for run in runs} >= {"UTC", "+0545", "+14", "NST"}


def test_every_analysis_was_made_and_saved_in_every_format(runs) -> None:
    made = {"id", "lacking", *NOUNS}
    saved = {f"{name}.{ending}" for name in NOUNS for ending in ALL}
    assert set(runs[0]["digests"]) == set(runs[1]["digests"]) == made | saved


def test_every_run_gives_the_same_bytes(runs) -> None:
    first = runs[0]["digests"]
    differ = {
        name: seed
        for seed, run in enumerate(runs, 1)
        for name, digest in run["digests"].items()
        if digest != first[name]
    }
    assert not differ
