"""Which account does a row belong to, and which account stands at its top?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise._rows import (
    ROW,
    Tables,
    leave_out,
    null,
    report,
    set_column,
)
from crm_portfolio.schema import (
    ACCOUNT,
    OPPORTUNITY,
    TABLES,
    Column,
    Table,
    faults_of,
)

__all__ = ["link"]

Places = npt.NDArray[np.int64]


def link(tables: Tables) -> tuple[Tables, list[pa.Table]]:
    """Links to accounts mended or reported, ultimate parents and spans of changes made."""
    account, faults = _with_parents(tables["account"])
    linked: Tables = {"account": account}
    ids = account["account_id"].combine_chunks()
    for name, table in tables.items():
        if name == "account":
            continue
        if name == "opportunity":
            faults += _without_account(table)
        linked[name] = table
        for column in TABLES[name].columns:
            if column.refers_to == "account" and column.name in table.column_names:
                linked[name], found = _linked(linked[name], TABLES[name], column, ids)
                faults += found
    if "opportunity_change" in linked:
        linked["opportunity_change"] = _with_spans(linked["opportunity_change"])
    return linked, faults


def _without_account(table: pa.Table) -> Iterator[pa.Table]:
    code = "opportunity_without_account"
    if "account_id" not in table.column_names:
        if len(table):
            yield faults_of("opportunity", "account_id", code)
        return
    mask = table["account_id"].is_null()
    yield report(table, OPPORTUNITY, "account_id", code, mask, shown="opportunity_id")


def _linked(
    table: pa.Table, spec: Table, column: Column, ids: pa.Array
) -> tuple[pa.Table, list[pa.Table]]:
    values = table[column.name]
    dangling = pc.and_not(values.is_valid(), pc.is_in(values, value_set=ids))
    if not pc.any(dangling).as_py():
        return table, []
    if column.required:
        code = "dangling_required_account_id"
        found = report(table, spec, column.name, code, dangling)
        return leave_out(table, dangling), [found]
    found = report(table, spec, column.name, "dangling_account_id", dangling)
    mended = pc.if_else(dangling, null(pa.string()), values)
    return set_column(table, column.name, mended), [found]


def _with_parents(account: pa.Table) -> tuple[pa.Table, list[pa.Table]]:
    ids = account["account_id"].combine_chunks()
    if "parent_id" not in account.column_names:
        return account.append_column("ultimate_parent_id", ids), []
    parents = account["parent_id"].combine_chunks()
    found = pc.index_in(parents, value_set=ids)
    dangling = pc.and_(parents.is_valid(), found.is_null())
    faults = [report(account, ACCOUNT, "parent_id", "dangling_parent_id", dangling)]
    self_ = np.arange(len(ids), dtype=np.int64)
    above = np.where(found.is_valid(), found.fill_null(0), self_).astype(np.int64)
    # A row that names itself is a loop too, but looks like a root here.
    selfish = (above == self_) & np.asarray(found.is_valid())
    broken = np.union1d(np.flatnonzero(selfish), _loop_heads(above, ids)).astype(
        np.int64
    )
    above[broken] = broken
    faults.append(
        faults_of(
            "account",
            "parent_id",
            "parent_loop",
            rows=account[ROW].take(pa.array(broken)).combine_chunks(),
            values=parents.take(pa.array(broken)),
        )
    )
    cut = pc.or_(dangling, pa.array(np.isin(self_, broken)))
    mended = pc.if_else(cut, null(pa.string()), parents)
    account = set_column(account, "parent_id", mended)
    roots = ids.take(pa.array(_roots(above)))
    return account.append_column("ultimate_parent_id", roots), faults


def _roots(above: Places) -> Places:
    """The end of each chain, in as many steps as the longest has binary digits."""
    for _ in range(_steps(above)):
        above = above[above]
    return above


def _steps(above: Places) -> int:
    return max(1, len(above).bit_length())


def _loop_heads(above: Places, ids: pa.Array) -> Places:
    """The smallest id of each loop, by place."""
    ends = _roots(above)
    # After at least n steps one stands on a root or in a loop, and a loop's members are
    # all reached, since going round only permutes them.
    in_loops = np.unique(ends[above[ends] != ends])
    heads: list[int] = []
    seen: set[int] = set()
    for start in in_loops.tolist():
        if start in seen:
            continue
        loop = [start]
        while (place := int(above[loop[-1]])) != start:
            loop.append(place)
        seen.update(loop)
        heads.append(min(loop, key=lambda place: str(ids[place].as_py())))
    return np.array(heads, dtype=np.int64)


def _with_spans(changes: pa.Table) -> pa.Table:
    """Each change with the moment of the next one of the same field."""
    order = ["opportunity_id", "field", "changed_at", "old", "new"]
    keys = [(name, "ascending") for name in order if name in changes.column_names]
    changes = changes.sort_by(keys).combine_chunks()
    if not len(changes):
        empty = pa.array([], pa.timestamp("us", "UTC"))
        return set_column(changes, "until_at", empty)
    same = pa.array([True] * (len(changes) - 1))
    for name in ("opportunity_id", "field"):
        values = changes[name].combine_chunks()
        same = pc.and_(same, pc.equal(values[:-1], values[1:]))
    moments = changes["changed_at"].combine_chunks()
    until = pc.if_else(same, moments[1:], null(moments.type))
    last = pa.nulls(1, moments.type)
    return set_column(changes, "until_at", pa.concat_arrays([until, last]))
