"""Analyse the book of a folder once, its rows shuffled, and tell the digests of all.

Run as a program of its own, for what only a new process can change: the seed of its
hashes, its locale and its time zone.
"""

from __future__ import annotations

import gc
import hashlib
import json
import locale
import random
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crm_portfolio import Settings, analyse
from crm_portfolio.portfolio import Calendar, Portfolio


def shuffled(table: pa.Table, draw: random.Random) -> pa.Table:
    places = list(range(table.num_rows))
    draw.shuffle(places)
    columns = list(table.column_names)
    draw.shuffle(columns)
    return table.take(pa.array(places, pa.int64())).select(columns)


def one_run(folder: Path, seed: int, formats: list[str]) -> dict[str, dict[str, str]]:
    draw = random.Random(seed)
    files = sorted(folder.glob("*.parquet"))
    draw.shuffle(files)
    tables = {each.stem: shuffled(pq.read_table(each), draw) for each in files}
    book = Portfolio.from_frames(
        as_of=date(2026, 6, 30),
        currency="EUR",
        calendar=Calendar("Europe/Paris"),
        **tables,
    )
    found = analyse(book, Settings.load(folder / "portfolio.toml"))
    told = {"id": book.id, "lacking": json.dumps(found.lacking())}
    told |= {name: json.dumps(result.to_dict()) for name, result in found.items()}
    seen = {
        name: hashlib.sha256(text.encode()).hexdigest() for name, text in told.items()
    }
    with tempfile.TemporaryDirectory() as place:
        for name, result in found.items():
            for ending in formats:
                path = Path(place) / f"{name}.{ending}"
                result.save(path, lang="fr")
                seen[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    differs = {
        "hash": str(hash("account")),
        "first_row": str(tables["revenue_line"].slice(0, 1).to_pylist()),
        "zone": time.tzname[0],
    }
    return {"told": differs, "digests": seen}


if __name__ == "__main__":
    gc.disable()  # it has ended before there is much to collect
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        print("a locale that is not on this machine", file=sys.stderr)
    source, number, *asked = sys.argv[1:]
    print(json.dumps(one_run(Path(source), int(number), asked)))
