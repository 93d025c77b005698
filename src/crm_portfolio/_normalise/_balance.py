"""Is every amount that came in kept, left out with a reason, or rounded away?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise._money import (
    MONEY_TABLES,
    currencies_in,
    currency_codes,
    said_amounts,
)
from crm_portfolio._normalise._rounding import Floats, minor_units, residue
from crm_portfolio._normalise._rows import ROW, Tables
from crm_portfolio.errors import DataError
from crm_portfolio.schema import TableName, minor_digits

__all__ = ["BALANCE_SCHEMA", "closed_balance"]

BALANCE_SCHEMA = pa.schema(
    [
        ("table", pa.string()),
        ("currency", pa.string()),
        ("came_in", pa.int64()),
        ("kept", pa.int64()),
        ("left_out", pa.int64()),
        ("residue", pa.int64()),
    ]
)


def closed_balance(
    before: Tables, after: Tables, faults: pa.Table, currency: str
) -> pa.Table:
    """One line for each table and currency, in minor units of that currency.

    Raises:
        DataError: It does not close, so rows went without a word: a bug of this library.
    """
    lines = [
        _line(
            name,
            code,
            _in_currency(before[name], code, currency),
            _kept(after[name], code, currency),
            _left_out(faults, name),
        )
        for name in MONEY_TABLES
        if name in before
        for code in currencies_in(before[name], currency)
    ]
    return pa.Table.from_pylist(lines, schema=BALANCE_SCHEMA)


def _line(
    name: TableName, code: str, came: pa.Table, kept: pa.Array, reported: pa.Array
) -> dict[str, str | int]:
    digits = minor_digits(code)
    left = came.filter(pc.is_in(came[ROW], value_set=reported))
    rest = residue(_amounts(said_amounts(came)), digits)
    line: dict[str, str | int] = {
        "table": name,
        "currency": code,
        "came_in": _total(said_amounts(came), digits) + rest,
        "kept": _total(kept, digits),
        "left_out": _total(said_amounts(left), digits),
        "residue": rest,
    }
    parts = sum(int(line[part]) for part in ("kept", "left_out", "residue"))
    if line["came_in"] != parts:
        raise DataError(f"the amounts of {name} in {code} do not add up: {line}")
    return line


def _kept(after: pa.Table, code: str, currency: str) -> pa.Array | pa.ChunkedArray:
    """What the table now says; for converted rows, what they were converted from."""
    rows = _in_currency(after, code, currency)
    if code == currency and "amount" in rows.column_names:
        return rows["amount"]
    return said_amounts(rows)


def _in_currency(table: pa.Table, code: str, currency: str) -> pa.Table:
    return table.filter(pc.equal(currency_codes(table, currency), code))


def _left_out(faults: pa.Table, name: TableName) -> pa.Array:
    mask = pc.and_(
        pc.equal(faults["table"], name), pc.equal(faults["effect"], "left_out")
    )
    return faults.filter(mask)["row"].combine_chunks()


def _total(amounts: pa.Array | pa.ChunkedArray, digits: int) -> int:
    return int(minor_units(_amounts(amounts), digits).sum())


def _amounts(amounts: pa.Array | pa.ChunkedArray) -> Floats:
    return np.asarray(pc.drop_null(amounts), dtype=np.float64)
