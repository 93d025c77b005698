"""What is left of every table when only some accounts are kept?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._upwards import least_above
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.schema import TABLES, Table, TableName

__all__ = ["cut"]

_MANY = 20_000  # ids among which looking for a near one would take long


def cut(
    tables: Mapping[TableName, pa.Table], account_ids: pa.Array
) -> dict[TableName, pa.Table]:
    """Rows of these accounts; tables that know no accounts whole.

    A row that names no account goes, unless it belongs to an opportunity that stays. An
    opt-out of a parent that goes stays with what it owned.
    """
    _all_known(tables["account"]["account_id"], account_ids)
    tables = {**tables, "account": _opted_out(tables["account"], account_ids)}
    opportunities = _opportunities(tables, account_ids)
    return {
        name: table.filter(_stays(table, TABLES[name], account_ids, opportunities))
        if {"account_id", "opportunity_id"} & set(TABLES[name].names)
        else table
        for name, table in tables.items()
    }


def _opted_out(account: pa.Table, account_ids: pa.Array) -> pa.Table:
    """Those that lose their parent keep the first opt-out of all that own them."""
    if not {"parent_id", "do_not_contact_on"} <= set(account.column_names):
        return account
    at = account.column_names.index("do_not_contact_on")
    own = account["do_not_contact_on"].combine_chunks()
    parent = account["parent_id"].combine_chunks()
    days = own.cast(pa.int32()).cast(pa.int64())
    values = pc.fill_null(days, np.iinfo(np.int64).max).to_numpy()
    above = pc.fill_null(
        pc.index_in(parent, account["account_id"].combine_chunks()), -1
    )
    first = own.take(pa.array(least_above(values, above.to_numpy().astype(np.int64))))
    stays = pc.is_in(parent, value_set=account_ids)
    goes = pc.and_(pc.is_valid(parent), pc.invert(stays))
    field = account.schema.field(at)
    return account.set_column(at, field, pc.if_else(goes, first, own).cast(field.type))


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
