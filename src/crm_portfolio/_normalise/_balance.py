"""Is every amount that came in kept, left out with a reason, or rounded away?"""

from __future__ import annotations

from decimal import Decimal

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise._money import (
    MONEY_TABLES,
    currencies_in,
    currency_codes,
    said_amounts,
)
from crm_portfolio._normalise._rounding import (
    Floats,
    exact_sum,
    minor_units,
    nearest,
    residue,
)
from crm_portfolio._normalise._rows import ROW
from crm_portfolio.errors import DataError
from crm_portfolio.schema import TableName, minor_digits

__all__ = ["BALANCE_SCHEMA", "Balance"]

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
_USED = ("amount", "original_amount", "currency", ROW)


@attrs.define
class _Line:
    came: int = 0
    kept: int = 0
    left_out: int = 0
    rest: Decimal = Decimal()


class Balance:
    """One line for each table and currency, in minor units of that currency."""

    def __init__(self, currency: str) -> None:
        self._currency = currency
        self._lines: dict[tuple[TableName, str], _Line] = {}

    def add(
        self, name: TableName, came: pa.Table, kept: pa.Table, left_out: pa.Array
    ) -> None:
        """Count these rows.

        Args:
            came: As the source said them.
            kept: What became of them.
            left_out: The numbers of those that were reported as left out.
        """
        if name not in MONEY_TABLES:
            return
        came, kept = _used(came), _used(kept)
        for code in currencies_in(came, self._currency):
            mine = self._in(came, code)
            line = self._lines.setdefault((name, code), _Line())
            digits, said = minor_digits(code), _floats(said_amounts(mine))
            line.came += int(minor_units(said, digits).sum())
            line.rest = exact_sum(line.rest, residue(said, digits))
            line.kept += self._kept(self._in(kept, code), code)
            if len(left_out):
                left = mine.filter(pc.is_in(mine[ROW], value_set=left_out))
                amounts = _floats(said_amounts(left))
                line.left_out += int(minor_units(amounts, digits).sum())

    def _in(self, table: pa.Table, code: str) -> pa.Table:
        if "currency" not in table.column_names:
            return table if code == self._currency else table.slice(0, 0)
        mine = pc.equal(currency_codes(table, self._currency), code)
        return table if pc.all(mine).as_py() else table.filter(mine)

    def _kept(self, rows: pa.Table, code: str) -> int:
        """What the rows now say; for converted ones, what they were converted from."""
        is_own = code == self._currency and "amount" in rows.column_names
        amounts = rows["amount"] if is_own else said_amounts(rows)
        return int(minor_units(_floats(amounts), minor_digits(code)).sum())

    def forget(self, name: TableName) -> None:
        """The table is walked anew."""
        for place in [place for place in self._lines if place[0] == name]:
            del self._lines[place]

    def closed(self) -> pa.Table:
        """All lines.

        Raises:
            DataError: It does not close, so rows went without a word: a bug of this
                library.
        """
        order = sorted(
            self._lines, key=lambda place: (MONEY_TABLES.index(place[0]), place[1])
        )
        lines = [self._closed(*place) for place in order]
        return pa.Table.from_pylist(lines, schema=BALANCE_SCHEMA)

    def _closed(self, name: TableName, code: str) -> dict[str, str | int]:
        line = self._lines[name, code]
        if line.came != line.kept + line.left_out:
            raise DataError(f"the amounts of {name} in {code} do not add up: {line}")
        rest = nearest(line.rest)
        return {
            "table": name,
            "currency": code,
            "came_in": line.came + rest,
            "kept": line.kept,
            "left_out": line.left_out,
            "residue": rest,
        }


def _used(table: pa.Table) -> pa.Table:
    return table.select([name for name in table.column_names if name in _USED])


def _floats(amounts: pa.Array | pa.ChunkedArray) -> Floats:
    return np.asarray(pc.drop_null(amounts), dtype=np.float64)
