"""What is left of every table when only some accounts are kept?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._upwards import least_above
from crm_portfolio._normalise import Opportunities, Stream
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.portfolio._saved import pieces
from crm_portfolio.schema import TABLES, Table, TableName

__all__ = ["cut"]

_MANY = 20_000  # ids among which looking for a near one would take long


def cut(
    tables: Mapping[TableName, pa.Table], account_ids: pa.Array
) -> dict[TableName, Stream]:
    """Rows of these accounts; tables that know no accounts whole.

    A row that names no account goes, unless it belongs to an opportunity that stays. An
    opt-out or a refusal of a parent that goes stays with what it owned.
    """
    account = tables["account"]
    _all_known(account["account_id"], account_ids)
    account = _with_parents_words(account, _refusals(tables), account_ids)
    own = account.filter(_is_in(account, "account_id", account_ids))
    stays = _Stays(tables, account_ids)
    return {
        name: Stream.of(own) if name == "account" else stays.stream(name)
        for name in tables
    }


@attrs.frozen(eq=False, slots=False)
class _Stays:
    """What stays of long tables, some rows at a time."""

    tables: Mapping[TableName, pa.Table]
    account_ids: pa.Array

    def stream(self, name: TableName) -> Stream:
        spec = TABLES[name]
        knows_accounts = {"account_id", "opportunity_id"} & set(spec.names)

        def walk(names: Sequence[str] | None) -> Iterator[pa.Table]:
            for rows in pieces(self.tables, name):
                own = rows.filter(self._of(spec, rows)) if knows_accounts else rows
                yield own if names is None else own.select(list(names))

        columns = next(pieces(self.tables, name)).column_names
        return Stream(tuple(columns), walk, is_ordered=bool(spec.key))

    def _of(self, spec: Table, rows: pa.Table) -> pa.ChunkedArray:
        stays = _is_in(rows, "account_id", self.account_ids)
        if spec.name == "opportunity" or "opportunity_id" not in rows.column_names:
            return stays
        ids = rows["opportunity_id"]
        is_lacking = pa.array(self._opportunities.lacking(ids))
        by_opportunity = pc.and_(ids.is_valid(), pc.invert(is_lacking))
        if "account_id" in rows.column_names:
            by_opportunity = pc.and_(by_opportunity, rows["account_id"].is_null())
        return pc.or_(stays, by_opportunity)

    @cached_property
    def _opportunities(self) -> Opportunities:
        found = Opportunities()
        found.are_wanted = True
        if "opportunity" in self.tables:
            for rows in pieces(self.tables, "opportunity"):
                if "account_id" in rows.column_names:
                    own = _is_in(rows, "account_id", self.account_ids)
                    found.add(rows["opportunity_id"].filter(own))
        return found


def _with_parents_words(
    account: pa.Table, refusals: pa.Table | None, account_ids: pa.Array
) -> pa.Table:
    """The accounts; those that lose their parent keep what those above them said."""
    account = account.combine_chunks()
    if "parent_id" not in account.column_names:
        return account
    parent = account["parent_id"].combine_chunks()
    above = pc.index_in(parent, account["account_id"].combine_chunks())
    stays = pc.is_in(parent, value_set=account_ids)
    goes = pc.and_(pc.is_valid(parent), pc.invert(stays))
    account = _opted_out(account, above, goes)
    return _refused(account, refusals, above, goes)


def _refusals(tables: Mapping[TableName, pa.Table]) -> pa.Table | None:
    """The last day on which each account refused something, where anybody says so."""
    found = []
    for rows in pieces(tables, "opportunity") if "opportunity" in tables else ():
        if not {"account_id", "refused_on"} <= {*rows.column_names}:
            return None
        found.append(_last(rows, "refused_on"))
    return _last(pa.concat_tables(found), "refused_on") if found else None


def _last(rows: pa.Table, name: str) -> pa.Table:
    last = rows.group_by("account_id").aggregate([(name, "max")])
    named = {"account_id": last["account_id"], name: last[f"{name}_max"]}
    return pa.table(named)


def _opted_out(account: pa.Table, above: pa.Array, goes: pa.Array) -> pa.Table:
    """The first opt-out of all that own them."""
    if "do_not_contact_on" not in account.column_names:
        return account
    own = account["do_not_contact_on"].combine_chunks()
    first = own.take(_first(own.cast(pa.int32()), above))
    return _with_days(account, "do_not_contact_on", pc.if_else(goes, first, own))


def _refused(
    account: pa.Table, refusals: pa.Table | None, above: pa.Array, goes: pa.Array
) -> pa.Table:
    """The last refusal of all that own them: the opportunities that tell it go too."""
    own = pa.nulls(len(account), pa.date32())
    if "refused_on" in account.column_names:
        own = account["refused_on"].combine_chunks()
    days = own
    if refusals is not None:
        ids = refusals["account_id"].combine_chunks()
        told = refusals["refused_on"].combine_chunks()
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


def _is_in(table: pa.Table, column: str, ids: pa.Array) -> pa.ChunkedArray:
    if column not in table.column_names:
        return pa.chunked_array([pa.repeat(pa.scalar(value=False), len(table))])
    return pc.is_in(table[column], value_set=ids)
