"""Which book is analysed whole? Accounts, and ten sales and ten lines of each, in a folder.

Drawn in parts with ids of their own, each a process, so that any size fits any machine.
Sales, changes, activities and enquiries are those of `samples.lost_book`, thinned; what
else a firm keeps of its accounts is drawn here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["AS_OF", "ZONE", "drawn", "named", "shared"]

AS_OF: Final = date(2026, 6, 30)
ZONE: Final = "Europe/Berlin"
_PART: Final = 25_000  # accounts drawn at a time, with ten times as many
_TIMES: Final = 10  # sales, and lines of revenue; twice as many
_ACTIVITIES: Final = 2 * _TIMES  # activities;
_INVOICES: Final = 2  # invoices,
_NOTES: Final = 1  # notes of time worked,
_CHANGED: Final = 1 / 3  # the part of the sales whose changes are known
_FIRST: Final = np.datetime64("2023-07-01")
_DAYS: Final = 3 * 365 + 1
_PRODUCTS, _PROJECTS, _ROLES = 120, 40, ("sales", "delivery", "support")
_SHARED: Final = ("owner_id", "product_id", "pipeline", "stage")
_ONCE: Final = ("owner", "stage", "product", "capacity", "event")

Tables = dict[str, pa.Table]


def drawn(folder: Path, accounts: int) -> Path:
    """The folder in this one that ``Portfolio.load`` reads, of so many accounts.

    A part that was drawn before stays as it is: what was stopped goes on.
    """
    parts, book = folder / "parts", folder / "book"
    if (book / "portfolio.json").exists():
        return book
    parts.mkdir(parents=True, exist_ok=True)
    sizes = [min(_PART, accounts - at) for at in range(0, accounts, _PART)]
    for at, size in enumerate(sizes):
        if not _done(parts, at).exists():
            _run("part", parts, at, size)
        print(f"drawn: {at + 1} of {len(sizes)} parts", file=sys.stderr, flush=True)
    _run("joined", folder, len(sizes))
    return book


def shared() -> tuple[str, ...]:
    """What a book has once, however many parts it was made of."""
    return (*_ONCE, "faults", "balance")


def _done(parts: Path, at: int) -> Path:
    """What stands beside a part that is whole."""
    return parts / f"{at:03}.whole"


def _run(*asked: Any) -> None:
    command = [sys.executable, "-m", "benchmarks._whole_book", *map(str, asked)]
    subprocess.run(command, check=True)


# In the processes


def _part(folder: Path, at: int, accounts: int) -> None:
    """One part, normalised, as Parquet files; the rows of each are in their order."""
    from crm_portfolio import Calendar, Portfolio

    tables = _sales(at, accounts) | _books(at, accounts)
    book = Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", calendar=Calendar(ZONE), **tables
    )
    told = {"faults": pa.table(book.faults), "balance": pa.table(book.balance)}
    for name, table in [(name, book.arrow(name)) for name in book.tables] + [
        *told.items()
    ]:
        own = table if name in told else named(table, f"{at:03}-")
        pq.write_table(own, folder / f"{name}-{at:03}.parquet")
    _done(folder, at).touch()


def _joined(folder: Path, parts: int) -> None:
    from crm_portfolio.portfolio import Draft, Header

    draft = Draft(folder / "book")
    first = sorted((folder / "parts").glob("*-000.parquet"))
    for name in (each.name.removesuffix("-000.parquet") for each in first):
        count = 1 if name in shared() else parts
        files = [folder / "parts" / f"{name}-{at:03}.parquet" for at in range(count)]
        rows = draft.opened(name, pq.read_schema(files[0]).remove_metadata())
        for file in files:
            with pq.ParquetFile(file) as part:
                for at in range(part.num_row_groups):
                    group = part.read_row_group(at)
                    rows.write(group.replace_schema_metadata(None))
    draft.publish(
        Header(as_of=AS_OF, currency="EUR", time_zone=ZONE, year_starts=1, org=None)
    )
    shutil.rmtree(folder / "parts")


def named(table: pa.Table, prefix: str) -> pa.Table:
    """With ids that no other part has; owners and products are those of all."""
    for at, name in enumerate(table.column_names):
        if name.endswith("_id") and name not in _SHARED:
            named = pc.binary_join_element_wise(prefix, table[name], "")
            table = table.set_column(at, name, named)
    return table


def _sales(at: int, accounts: int) -> Tables:
    from crm_portfolio import samples

    book = samples.lost_book(opportunities=_TIMES * accounts, seed=at)
    tables = dict(book.tables)
    chance = np.random.default_rng(at)
    activity, change = tables["activity"], tables["opportunity_change"]
    kept = chance.random(len(activity)) < _ACTIVITIES * accounts / len(activity)
    tables["activity"] = activity.filter(pa.array(kept))
    known = chance.random(_TIMES * accounts) < _CHANGED
    of = pc.utf8_slice_codeunits(change["opportunity_id"], 1).cast(pa.int64())
    tables["opportunity_change"] = change.filter(pa.array(known[of.to_numpy()]))
    sold = tables["opportunity"]
    product = _named_of("P", chance.integers(0, _PRODUCTS, len(sold)))
    tables["opportunity"] = sold.append_column("product_id", product)
    return {
        name: _folded(table, accounts) if "account_id" in table.column_names else table
        for name, table in tables.items()
    }


def _folded(table: pa.Table, accounts: int) -> pa.Table:
    """The same of fewer accounts: what belongs to several goes to one of them."""
    at = table.column_names.index("account_id")
    own = _places(table["account_id"], accounts)
    whose = pa.array(own, mask=own < 0)
    table = table.set_column(at, "account_id", _named_of("A", whose))
    if "parent_id" not in table.column_names:
        return table
    table = table.slice(0, accounts)
    own = np.arange(accounts)
    table = table.set_column(at, "account_id", _named_of("A", own))
    above = _places(table["parent_id"], accounts)
    parent = _named_of("A", pa.array(above, mask=(above < 0) | (above >= own)))
    return table.set_column(table.column_names.index("parent_id"), "parent_id", parent)


def _places(ids: pa.ChunkedArray, accounts: int) -> Any:
    numbers = pc.utf8_slice_codeunits(ids, 1).cast(pa.int64())
    found = pc.fill_null(numbers, -1).to_numpy()
    return np.where(found < 0, -1, found % accounts)


def _books(at: int, accounts: int) -> Tables:
    """What was invoiced, paid, worked, spent, agreed and judged."""
    chance = np.random.default_rng([at, 1])
    lines = _lines(chance, accounts)
    return {
        "revenue_line": lines,
        "invoice": _invoices(chance, accounts),
        "effort": _efforts(chance, accounts),
        "cost": _costs(chance, accounts // 10),
        "contract": _contracts(chance, accounts // 4),
        "rating": _ratings(chance, accounts // 10),
        "ticket": _tickets(chance, accounts // 2),
        "project": _projects(chance, accounts),
        "product": _products(),
        "capacity": _capacities(),
        "event": _events(),
    }


def _whose(chance: Any, accounts: int, count: int) -> Any:
    """Few accounts bring much: the place of a line's account is a cube of chance."""
    return (accounts * chance.random(count) ** 3).astype(np.int64)


def _lines(chance: Any, accounts: int) -> pa.Table:
    count = _TIMES * accounts
    amount = np.exp(chance.normal(6, 1.2, count)).round(2)
    is_credit = chance.random(count) < 0.02
    kind = np.where(is_credit, "credit_note", "invoice")
    # Nine in ten of what an account buys is of the few products it knows.
    whose = _whose(chance, accounts, count)
    known = whose * 7 + chance.integers(0, 3, count)
    is_known = chance.random(count) < 0.9
    product = np.where(is_known, known, chance.integers(0, _PRODUCTS, count))
    return pa.table(
        {
            "line_id": _named_of("L", np.arange(count)),
            "account_id": _named_of("A", whose),
            "booked_on": _days(chance, count),
            "amount": np.where(is_credit, -amount, amount),
            "kind": kind,
            "product_id": _named_of("P", product % _PRODUCTS),
            "quantity": chance.integers(1, 9, count).astype(float),
            "list_price": (amount * (1 + chance.random(count) / 4)).round(2),
            "cost": (amount * (0.3 + chance.random(count) / 2)).round(2),
        }
    )


def _invoices(chance: Any, accounts: int) -> pa.Table:
    count = _INVOICES * accounts
    amount = np.exp(chance.normal(8, 1.2, count)).round(2)
    issued = _FIRST + chance.integers(0, _DAYS, count).astype("timedelta64[D]")
    due = issued + np.timedelta64(30, "D")
    paid = due + chance.integers(-20, 60, count).astype("timedelta64[D]")
    is_open = (paid > np.datetime64(AS_OF)) | (chance.random(count) < 0.02)
    return pa.table(
        {
            "invoice_id": _named_of("I", np.arange(count)),
            "account_id": _named_of("A", _whose(chance, accounts, count)),
            "issued_on": pa.array(issued, pa.date32()),
            "due_on": pa.array(due, pa.date32()),
            "paid_on": pa.array(paid, pa.date32(), mask=is_open),
            "amount": amount,
            "open_amount": np.where(is_open, amount, 0.0),
            "is_disputed": chance.random(count) < 0.03,
        }
    )


def _efforts(chance: Any, accounts: int) -> pa.Table:
    count = _NOTES * accounts
    kinds = np.array(["meeting", "delivery", "support", "review"])
    sale = chance.integers(0, _TIMES * accounts, count)
    project = chance.integers(0, _PROJECTS, count)
    return pa.table(
        {
            "account_id": _named_of("A", _whose(chance, accounts, count)),
            "worked_on": _days(chance, count),
            "minutes": chance.integers(1, 32, count) * 15.0,
            "kind": kinds[chance.integers(0, 4, count)],
            "role": np.array(_ROLES)[chance.integers(0, len(_ROLES), count)],
            "opportunity_id": _some(chance, _named_of("O", sale), 0.3),
            "project_id": _some(chance, _named_of("J", project), 0.2),
            "product_id": _named_of("P", chance.integers(0, _PRODUCTS, count)),
        }
    )


def _costs(chance: Any, count: int) -> pa.Table:
    kinds = np.array(["delivery", "acquisition", "service", "overhead", "exceptional"])
    return pa.table(
        {
            "cost_id": _named_of("C", np.arange(count)),
            "booked_on": _days(chance, count),
            "amount": np.exp(chance.normal(5, 1, count)).round(2),
            "currency": np.full(count, "EUR"),
            "kind": kinds[chance.integers(0, 5, count)],
            "account_id": _some(chance, _named_of("A", np.arange(count)), 0.8),
            "is_avoidable": chance.random(count) < 0.5,
            "label": np.full(count, "Cost"),
        }
    )


def _contracts(chance: Any, count: int) -> pa.Table:
    starts = _FIRST + chance.integers(0, _DAYS, count).astype("timedelta64[D]")
    return pa.table(
        {
            "contract_id": _named_of("K", np.arange(count)),
            "account_id": _named_of("A", np.arange(count)),
            "starts_on": pa.array(starts, pa.date32()),
            "ends_on": pa.array(starts + np.timedelta64(730, "D"), pa.date32()),
            "amount_per_year": np.exp(chance.normal(8, 1, count)).round(2),
            "auto_renews": chance.random(count) < 0.5,
        }
    )


def _ratings(chance: Any, count: int) -> pa.Table:
    return pa.table(
        {
            "account_id": _named_of("A", np.arange(count)),
            "criterion": np.full(count, "relationship"),
            "value": chance.integers(0, 11, count).astype(float),
            "rated_by": _named_of("U", chance.integers(0, 10, count)),
            "rated_on": _days(chance, count),
        }
    )


def _tickets(chance: Any, count: int) -> pa.Table:
    opened = np.datetime64("2025-01-01T08:00", "us") + chance.integers(
        0, 500, count
    ).astype("timedelta64[D]")
    return pa.table(
        {
            "ticket_id": _named_of("T", np.arange(count)),
            "opened_at": pa.array(opened, pa.timestamp("us", "UTC")),
            "account_id": _named_of("A", np.arange(count)),
            "is_escalated": chance.random(count) < 0.1,
        }
    )


def _projects(chance: Any, accounts: int) -> pa.Table:
    count = _PROJECTS
    return pa.table(
        {
            "project_id": _named_of("J", np.arange(count)),
            "account_id": _named_of("A", chance.integers(0, accounts, count)),
            "name": _named_of("Project ", np.arange(count)),
            "kind": np.where(np.arange(count) % 2, "client", "internal"),
            "status": np.where(np.arange(count) % 3, "open", "done"),
            "role": np.array(_ROLES)[np.arange(count) % len(_ROLES)],
            "hours_spent": chance.integers(0, 400, count).astype(float),
            "hours_to_finish": chance.integers(0, 400, count).astype(float),
            "expected_contribution": chance.integers(0, 90_000, count).astype(float),
            "started_on": _days(chance, count),
        }
    )


def _products() -> pa.Table:
    places = np.arange(_PRODUCTS)
    return pa.table(
        {
            "product_id": _named_of("P", places),
            "name": _named_of("Product ", places),
            "line": _named_of("Line ", places % 12),
            "is_core": places % 12 < 3,
            "list_price": (places + 1) * 100.0,
        }
    )


def _capacities() -> pa.Table:
    count = len(_ROLES)
    return pa.table(
        {
            "role": list(_ROLES),
            "from_on": pa.array([date(2023, 1, 1)] * count, pa.date32()),
            "to_on": pa.array([date(2027, 1, 1)] * count, pa.date32()),
            "hours": [4e6, 8e6, 2e6],
            "cost_per_hour": [80.0, 65.0, 45.0],
        }
    )


def _events() -> pa.Table:
    return pa.table(
        {
            "event_id": ["V1"],
            "from_on": pa.array([date(2026, 1, 10)], pa.date32()),
            "label": ["New prices"],
            "kind": ["price"],
        }
    )


def _days(chance: Any, count: int) -> pa.Array:
    days = _FIRST + chance.integers(0, _DAYS, count).astype("timedelta64[D]")
    return pa.array(days, pa.date32())


def _named_of(letter: str, numbers: Any) -> pa.Array:
    """Ids as those of the samples."""
    text = pa.array(numbers).cast(pa.string())
    if letter.endswith(" "):
        return pc.binary_join_element_wise(letter, text, "")
    return pc.binary_join_element_wise(letter, pc.utf8_lpad(text, 7, "0"), "")


def _some(chance: Any, values: pa.Array, share: float) -> pa.Array:
    """Some of them, the rest null."""
    is_kept = pa.array(chance.random(len(values)) < share)
    return pc.if_else(is_kept, values, pa.scalar(None, pa.string()))


if __name__ == "__main__":
    asked, place, *more = sys.argv[1:]
    run = {"part": _part, "joined": _joined}[asked]
    run(Path(place), *map(int, more))
