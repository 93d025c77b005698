"""Which account and opportunity does a row belong to, and how long did a change last?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise._accounts import Accounts, Places
from crm_portfolio._normalise._opportunities import Opportunities
from crm_portfolio._normalise._rows import leave_out, null, report, set_column
from crm_portfolio.schema import OPPORTUNITY, Table, faults_of

__all__ = ["SPAN_ORDER", "in_chains", "link_rows", "with_spans"]

SPAN_ORDER = ("opportunity_id", "field", "changed_at", "old", "new")


def link_rows(
    table: pa.Table, spec: Table, accounts: Accounts, opportunities: Opportunities
) -> tuple[pa.Table, list[pa.Table]]:
    """Links mended or reported; the accounts that rows which stay name are noted."""
    table, faults = _to_accounts(table, spec, accounts)
    for column in spec.columns:
        is_link = column.refers_to == "opportunity" and not column.required
        if not is_link or column.name not in table.column_names:
            continue
        dangling = opportunities.lacking(table[column.name])
        if dangling.any():
            mask = pa.array(dangling)
            code = "dangling_opportunity_id"
            faults.append(report(table, spec, column.name, code, mask))
            mended = pc.if_else(mask, null(pa.string()), table[column.name])
            table = set_column(table, column.name, mended)
    return table, faults


def _to_accounts(
    table: pa.Table, spec: Table, accounts: Accounts
) -> tuple[pa.Table, list[pa.Table]]:
    faults = list(_without_account(table)) if spec.name == "opportunity" else []
    found: dict[str, Places] = {}
    for column in spec.columns:
        if column.refers_to != "account" or column.name not in table.column_names:
            continue
        values = table[column.name]
        found[column.name] = places = accounts.places_of(values)
        dangling = np.asarray(values.is_valid()) & (places < 0)
        if not dangling.any():
            continue
        mask = pa.array(dangling)
        if column.required:
            code = "dangling_required_account_id"
            faults.append(report(table, spec, column.name, code, mask))
            table = leave_out(table, mask)
            found = {name: places[~dangling] for name, places in found.items()}
        else:
            code = "dangling_account_id"
            faults.append(report(table, spec, column.name, code, mask))
            mended = pc.if_else(mask, null(pa.string()), values)
            table = set_column(table, column.name, mended)
    for places in found.values():
        accounts.name(places)
    return table, faults


def _without_account(table: pa.Table) -> Iterator[pa.Table]:
    code = "opportunity_without_account"
    if "account_id" not in table.column_names:
        if len(table):
            yield faults_of("opportunity", "account_id", code)
        return
    mask = table["account_id"].is_null()
    yield report(table, OPPORTUNITY, "account_id", code, mask, shown="opportunity_id")


def with_spans(changes: pa.Table) -> pa.Table:
    """Each change with the moment of the next one of the same field.

    The rows are in the order of `SPAN_ORDER`, and all those of an opportunity are there.
    """
    if not len(changes):
        empty = pa.array([], pa.timestamp("us", "UTC"))
        return set_column(changes, "until_at", empty)
    changes = in_chains(changes)
    same = pa.array(~_begins(changes, "opportunity_id", "field")[1:])
    moments = changes["changed_at"].combine_chunks()
    until = pc.if_else(same, moments[1:], null(moments.type))
    last = pa.nulls(1, moments.type)
    return set_column(changes, "until_at", pa.concat_arrays([until, last]))


def in_chains(changes: pa.Table) -> pa.Table:
    """Changes of one moment in their order too: each begins with what another ended with.

    The rows are in the order of `SPAN_ORDER`, which puts those of one moment by content.
    """
    begins = _begins(changes, "opportunity_id", "field", "changed_at")
    if begins.all() or not {"old", "new"} <= set(changes.column_names):
        return changes
    group = np.cumsum(begins)
    is_tied = np.bincount(group)[group] > 1
    at = pa.array(np.flatnonzero(is_tied))
    prefix = pa.array(group[is_tied]).cast(pa.string())
    old, new = (
        pc.binary_join_element_wise(
            prefix, changes[side].take(at), "\x1f", null_handling="replace"
        )
        for side in ("old", "new")
    )
    rank = np.ones(len(changes), np.int8)
    rank[is_tied] += np.asarray(pc.invert(pc.is_in(new, value_set=old)), np.int8)
    rank[is_tied] -= np.asarray(pc.invert(pc.is_in(old, value_set=new)), np.int8)
    return changes.take(pa.array(np.lexsort((np.arange(len(rank)), rank, group))))


def _begins(changes: pa.Table, *names: str) -> npt.NDArray[np.bool_]:
    """Where one of these columns says something else than on the row before."""
    differs = np.ones(len(changes), np.bool_)
    differs[1:] = False
    for name in names:
        values = changes[name].combine_chunks()
        differs[1:] |= np.asarray(pc.not_equal(values[1:], values[:-1]))
    return differs
