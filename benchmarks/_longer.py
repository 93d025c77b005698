"""Three analyses of a book in a folder, and of one ten times as long.

The longer one is made of copies of the other, each with ids of its own, written a part at
a time: to draw it anew would take hours, and nothing that is measured tells the two apart.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks._process import bounded, timed, told
from benchmarks._stage import Measured
from benchmarks._whole import LONG
from benchmarks._whole_book import named, shared

__all__ = ["TIMES", "long_rows", "longer", "three_analyses"]

TIMES: Final = 10


def long_rows(folder: Path) -> int:
    """Of the long tables together."""
    paths = (folder / f"{name}.parquet" for name in LONG)
    return sum(int(pq.read_metadata(path).num_rows) for path in paths)


def longer(folder: Path, into: Path) -> Path:
    """A book of so many copies of the one in the folder, in a process of its own."""
    if not (into / "portfolio.json").exists():
        told("_longer", "copied", folder, into)
    return into


def three_analyses(folder: Path) -> Measured:
    """Concentration, tiers and triage, on DuckDB that holds 2 GB."""
    return Measured(**told("_longer", "analysed", folder)["measured"])


# In the processes


def _copied(folder: Path, into: Path) -> dict[str, Any]:
    from crm_portfolio.portfolio import Draft, read_header

    draft = Draft(into)
    for path in sorted(folder.glob("*.parquet")):
        name = path.stem
        with pq.ParquetFile(path) as file:
            rows = draft.opened(name, file.schema_arrow.remove_metadata())
            for at in range(1 if name in shared() else TIMES):
                for number in range(file.num_row_groups):
                    group = file.read_row_group(number).replace_schema_metadata(None)
                    rows.write(_own(group, at) if name not in shared() else group)
    draft.publish(read_header(folder))
    return {"rows": long_rows(into)}


def _own(group: pa.Table, at: int) -> pa.Table:
    return named(group, f"{at}-")


def _analysed(folder: Path) -> dict[str, Any]:
    import duckdb

    from crm_portfolio import Portfolio, analysis

    assert duckdb
    assert analysis.lost_opportunities  # imported before the clock starts

    def run() -> int:
        book = Portfolio.load(folder, backend="duckdb")
        found = (analysis.concentration, analysis.tiers, analysis.lost_opportunities)
        return sum(noun(book).arrow.num_rows for noun in found)

    measured, _ = timed(run)
    return {"measured": measured}


if __name__ == "__main__":
    what, *places = sys.argv[1:]
    with bounded():
        run = {"copied": _copied, "analysed": _analysed}[what]
        print(json.dumps(run(*map(Path, places))))
