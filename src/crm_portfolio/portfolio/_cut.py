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
    opt-out or a refusal of a parent that goes stays with what it owned.
    """
    _all_known(tables["account"]["account_id"], account_ids)
    tables = {**tables, "account": _with_parents_words(tables, account_ids)}
    opportunities = _opportunities(tables, account_ids)
    return {
        name: table.filter(_stays(table, TABLES[name], account_ids, opportunities))
        if {"account_id", "opportunity_id"} & set(TABLES[name].names)
        else table
        for name, table in tables.items()
    }


def _with_parents_words(
    tables: Mapping[TableName, pa.Table], account_ids: pa.Array
) -> pa.Table:
    """The accounts; those that lose their parent keep what those above them said."""
    account = tables["account"].combine_chunks()
    if "parent_id" not in account.column_names:
        return account
    parent = account["parent_id"].combine_chunks()
    above = pc.index_in(parent, account["account_id"].combine_chunks())
    stays = pc.is_in(parent, value_set=account_ids)
    goes = pc.and_(pc.is_valid(parent), pc.invert(stays))
    account = _opted_out(account, above, goes)
    return _refused(account, tables.get("opportunity"), above, goes)


def _opted_out(account: pa.Table, above: pa.Array, goes: pa.Array) -> pa.Table:
    """The first opt-out of all that own them."""
    if "do_not_contact_on" not in account.column_names:
        return account
    own = account["do_not_contact_on"].combine_chunks()
    first = own.take(_first(own.cast(pa.int32()), above))
    return _with_days(account, "do_not_contact_on", pc.if_else(goes, first, own))


def _refused(
    account: pa.Table, opportunity: pa.Table | None, above: pa.Array, goes: pa.Array
) -> pa.Table:
    """The last refusal of all that own them: the opportunities that tell it go too."""
    own = pa.nulls(len(account), pa.date32())
    if "refused_on" in account.column_names:
        own = account["refused_on"].combine_chunks()
    days = own
    if opportunity is not None and {"account_id", "refused_on"} <= {
        *opportunity.column_names
    }:
        last = opportunity.group_by("account_id").aggregate([("refused_on", "max")])
        ids = last["account_id"].combine_chunks()
        told = last["refused_on_max"].combine_chunks()
        days = pc.max_element_wise(
            own, told.take(pc.index_in(account["account_id"].combine_chunks(), ids))
        )
    latest = days.take(_first(pc.negate(days.cast(pa.int32())), above))
    carried = pc.if_else(goes, pc.max_element_wise(own, latest.take(above)), own)
    if carried.null_count == len(carried):
        return account
    return _with_days(account, "refused_on", carried)


def _first(days: pa.Array, above: pa.Array) -> pa.Array:
    """Where the least of each and of all above it stands."""
    values = pc.fill_null(days.cast(pa.int64()), np.iinfo(np.int64).max).to_numpy()
    places = pc.fill_null(above, -1).to_numpy().astype(np.int64)
    return pa.array(least_above(values, places))


def _with_days(account: pa.Table, name: str, days: pa.Array) -> pa.Table:
    days = days.cast(pa.date32())
    if name not in account.column_names:
        return account.append_column(name, days)
    return account.set_column(account.column_names.index(name), name, days)


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
