"""What is left of every table when only some accounts are kept?"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.schema import TABLES, Table, TableName

__all__ = ["cut"]

_MANY = 20_000  # ids among which looking for a near one would take long


def cut(
    tables: Mapping[TableName, pa.Table], account_ids: pa.Array
) -> dict[TableName, pa.Table]:
    """Rows of these accounts; tables that know no accounts whole.

    A row that names no account goes, unless it belongs to an opportunity that stays.
    """
    _all_known(tables["account"]["account_id"], account_ids)
    opportunities = _opportunities(tables, account_ids)
    return {
        name: table.filter(_stays(table, TABLES[name], account_ids, opportunities))
        if {"account_id", "opportunity_id"} & set(TABLES[name].names)
        else table
        for name, table in tables.items()
    }


def _all_known(known: pa.ChunkedArray, account_ids: pa.Array) -> None:
    missing = account_ids.filter(pc.invert(pc.is_in(account_ids, value_set=known)))
    if len(missing):
        first = str(missing[0])
        near = did_you_mean(first, known.to_pylist()) if len(known) < _MANY else ""
        raise SettingsError(
            f"{len(missing)} account id(s) are not in this portfolio, as {first!r}{near}"
        )


def _opportunities(
    tables: Mapping[TableName, pa.Table], account_ids: pa.Array
) -> pa.Array:
    table = tables.get("opportunity")
    if table is None or "account_id" not in table.column_names:
        return pa.array([], pa.string())
    mine = table.filter(pc.is_in(table["account_id"], value_set=account_ids))
    return mine["opportunity_id"].combine_chunks()


def _stays(
    table: pa.Table, spec: Table, account_ids: pa.Array, opportunities: pa.Array
) -> pa.ChunkedArray:
    stays = _is_in(table, "account_id", account_ids)
    if spec.name == "opportunity" or "opportunity_id" not in table.column_names:
        return stays
    by_opportunity = _is_in(table, "opportunity_id", opportunities)
    if "account_id" in table.column_names:
        by_opportunity = pc.and_(by_opportunity, table["account_id"].is_null())
    return pc.or_(stays, by_opportunity)


def _is_in(table: pa.Table, column: str, ids: pa.Array) -> pa.ChunkedArray:
    if column not in table.column_names:
        return pa.chunked_array([pa.repeat(pa.scalar(value=False), len(table))])
    return pc.is_in(table[column], value_set=ids)
