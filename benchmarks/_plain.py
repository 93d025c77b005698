"""Concentration, tiers and triage of a folder, ours and as a pandas script of two kinds.

One tells the classes by a function of a row, as the rules are read; the other by whole
columns throughout. All read what they need of the same Parquet files and find the same:
the sums of two frames, and how much of what is lost is in each class.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks._process import bounded, timed
from benchmarks._whole_book import ZONE

__all__: list[str] = []

Found = dict[str, Any]


def _ours(folder: Path) -> Found:
    from crm_portfolio import Portfolio, analysis

    book = Portfolio.load(folder, backend="duckdb")
    concentration, tiers = analysis.concentration(book), analysis.tiers(book)
    lost = analysis.lost_opportunities(book).arrow
    classes = {
        row["class"]: [row["count"], round((row["amount"] or 0) * 100)]
        for row in lost.to_pylist()
        if row["count"]
    }
    columns = concentration.arrow["rank"], tiers.arrow["share_before"]
    return _found(*(each.to_numpy() for each in columns), classes)


def _by_row(folder: Path) -> Found:
    from benchmarks._triage_by_row import classes

    return _script(folder, classes)


def _by_column(folder: Path) -> Found:
    from benchmarks._triage_in_pandas import by_column

    return _script(folder, by_column)


def _script(folder: Path, classes: Callable[[Any, str], Any]) -> Found:
    import pandas as pd

    from benchmarks._scripts import pandas_concentration_and_tiers
    from benchmarks._triage_in_pandas import triage

    account = pd.read_parquet(
        folder / "account.parquet",
        columns=["account_id", "name", "parent_id", "ultimate_parent_id"],
    )
    lines = pd.read_parquet(
        folder / "revenue_line.parquet", columns=["account_id", "booked_on", "amount"]
    )
    lines["booked_on"] = pd.to_datetime(lines["booked_on"])
    concentration, tiers = pandas_concentration_and_tiers(account, lines)
    del lines
    counted = triage(folder, ZONE, classes)
    return _found(concentration["rank"], tiers["share_before"], counted)


def _found(ranks: Any, shares: Any, classes: dict[str, list[int]]) -> Found:
    sums = [f"{np.nansum(np.asarray(e, float)):.9g}" for e in (ranks, shares)]
    return {"sums": sums, "classes": dict(sorted(classes.items()))}


def _imported() -> None:
    """Imports are not what is compared."""
    import duckdb  # noqa: F401
    import pandas as pd  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    from benchmarks import _scripts, _triage_by_row, _triage_in_pandas
    from crm_portfolio import analysis

    assert _scripts.pandas_frames
    assert _triage_in_pandas.triage
    assert _triage_by_row.classes
    assert analysis.lost_opportunities


_CONTENDERS: Final[dict[str, Callable[[Path], Found]]] = {
    "ours": _ours,
    "by_row": _by_row,
    "by_column": _by_column,
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")  # a script's own
    name, place = sys.argv[1:]
    with bounded():
        _imported()
        measured, found = timed(lambda: _CONTENDERS[name](Path(place)))
    print(json.dumps({"measured": measured, "found": found}))
