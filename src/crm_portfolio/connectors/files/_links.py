"""Which account does each opportunity belong to, and which account each account?"""

from __future__ import annotations

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors.files._status import Told, replaced

__all__ = ["Linked", "linked"]

_NOTHING = pa.scalar(None, pa.string())


@attrs.frozen(eq=False)
class Linked:
    """Accounts and opportunities that point at each other."""

    account: pa.Table | None
    opportunity: pa.Table | None
    notes: tuple[str, ...]
    questions: tuple[str, ...]


def linked(account: pa.Table | None, opportunity: pa.Table | None) -> Linked:
    """Accounts with ids, and opportunities with the ids of their accounts.

    A name stands for an id only where no id was exported, and only if one account alone
    has that name. Without a file of accounts, those of the opportunities are all there are.
    """
    notes: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    if opportunity is not None:
        told = _one_company(opportunity)
        opportunity, notes = told.table, told.notes
    if account is not None:
        has_ids = "account_id" in account.column_names
        told = _identified(account, opportunity)
        account = told.table
        notes, questions = (*notes, *told.notes), told.questions
        if not has_ids and opportunity is not None and not questions:
            opportunity = opportunity.drop(
                [name for name in ("account_id",) if name in opportunity.column_names]
            )
    elif opportunity is not None:
        account, more = _from_opportunities(opportunity)
        notes = (*notes, *more)
        if account is not None and "account_id" not in opportunity.column_names:
            opportunity = replaced(
                opportunity, "account_id", opportunity["account_name"]
            )
    if account is not None and not questions:
        if opportunity is not None and _is_by_name(opportunity):
            told = _by_name(opportunity, "account_name", "account_id", account)
            opportunity, notes = told.table, (*notes, *told.notes)
        if (
            "parent_name" in account.column_names
            and "parent_id" not in account.column_names
        ):
            told = _by_name(account, "parent_name", "parent_id", account)
            account, notes = told.table, (*notes, *told.notes)
    return Linked(account, opportunity, notes, questions)


def _is_by_name(opportunity: pa.Table) -> bool:
    names = opportunity.column_names
    return "account_name" in names and "account_id" not in names


def _one_company(opportunity: pa.Table) -> Told:
    """The primary company; else the only one; else none."""
    names = opportunity.column_names
    if "account_ids" not in names:
        if "account_names" in names:
            return Told(
                _filled_up(opportunity, "account_name", opportunity["account_names"])
            )
        return Told(opportunity)
    only, has_some = _only_id(opportunity["account_ids"].combine_chunks())
    table = opportunity
    if "account_id" in names:
        primary, has_primary = _only_id(opportunity["account_id"].combine_chunks())
        table = replaced(table, "account_id", primary)
        has_some = pc.or_(has_some, has_primary)
    table = _filled_up(table, "account_id", only)
    if "account_names" in names:
        name = opportunity["account_names"].combine_chunks()
        table = _filled_up(
            table, "account_name", pc.if_else(only.is_valid(), name, _NOTHING)
        )
    unknown = pc.and_(has_some, table["account_id"].combine_chunks().is_null())
    several = pc.sum(unknown).as_py() or 0
    if not several:
        return Told(table)
    note = (
        f"{several} row(s) name several companies and no primary one: their account "
        "is left unknown; export the primary company to settle it"
    )
    return Told(table, (note,))


def _filled_up(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """The table with these values where the column has none."""
    if name in table.column_names:
        values = pc.coalesce(table[name].combine_chunks(), values)
    return replaced(table, name, values)


def _only_id(cells: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The id of each cell that names exactly one, and whether it names any."""
    lists = pc.split_pattern(cells, ";")
    ids = pc.utf8_trim_whitespace(pc.list_flatten(lists))
    row = pc.list_parent_indices(lists)
    is_id = pc.not_equal(ids, "")
    by_row = (
        pa.table({"row": row.filter(is_id), "id": ids.filter(is_id)})
        .group_by("row")
        .aggregate([("id", "min"), ("id", "count_distinct")])
    )
    place = pc.index_in(
        pa.array(np.arange(len(cells)), row.type), by_row["row"].combine_chunks()
    )
    count = by_row["id_count_distinct"].combine_chunks().take(place)
    only = pc.if_else(
        pc.equal(count, 1), by_row["id_min"].combine_chunks().take(place), _NOTHING
    )
    return only, count.is_valid()


def _identified(account: pa.Table, opportunity: pa.Table | None) -> Told:
    """Accounts exported without ids go by their names, if no two share one."""
    if "account_id" in account.column_names or "name" not in account.column_names:
        return Told(account)
    name = account["name"]
    shared = len(name) - name.null_count - pc.count_distinct(name).as_py()
    asked = ""
    if shared:
        asked = (
            f"account.account_id: the accounts have no ids and {shared} of them share a "
            "name; add the account's id to the export"
        )
    elif opportunity is not None and "account_name" not in opportunity.column_names:
        asked = (
            "account.account_id: the accounts have no ids, the opportunities no account "
            "names; add the account's id to the export of the accounts"
        )
    if asked:
        return Told(account, questions=(asked,))
    note = "the accounts were exported without ids: their names stand for them"
    return Told(replaced(account, "account_id", name), (note,))


def _from_opportunities(
    opportunity: pa.Table,
) -> tuple[pa.Table | None, tuple[str, ...]]:
    """The accounts that opportunities name, each once, in the order they come."""
    columns = opportunity.column_names
    if "account_id" not in columns and "account_name" not in columns:
        return None, ("there is no file of accounts, and the opportunities name none",)
    has_ids = "account_id" in columns
    ids = opportunity["account_id" if has_ids else "account_name"].combine_chunks()
    name = (
        opportunity["account_name"].combine_chunks()
        if "account_name" in columns
        else ids
    )
    grouped = (
        pa.table({"account_id": ids, "name": name})
        .filter(ids.is_valid())
        .group_by("account_id", use_threads=False)
        .aggregate([("name", "first"), ("name", "count_distinct")])
    )
    renamed = pc.sum(pc.greater(grouped["name_count_distinct"], 1)).as_py() or 0
    first = (
        f"there is no file of accounts: those that opportunities name "
        f"({grouped.num_rows}) are all there are; accounts without opportunities are missing"
    )
    notes = [first]
    if not has_ids:
        notes.append("accounts are known by name only: two with one name count as one")
    if renamed:
        notes.append(f"{renamed} account(s) have more than one name: the first is kept")
    table = pa.table(
        {"account_id": grouped["account_id"], "name": grouped["name_first"]}
    )
    return (table if "account_name" in columns else table.drop(["name"])), tuple(notes)


def _by_name(table: pa.Table, name: str, column: str, account: pa.Table) -> Told:
    """The ids of accounts by their names, where a name is one account's alone."""
    if "name" not in account.column_names:
        note = f"{column} is unknown: the accounts were exported without names"
        return Told(
            table.append_column(column, pa.nulls(table.num_rows, pa.string())), (note,)
        )
    owners = (
        account.select(["name", "account_id"])
        .group_by("name", use_threads=False)
        .aggregate([("account_id", "first"), ("account_id", "count")])
    )
    said = table[name].combine_chunks()
    place = pc.index_in(said, owners["name"].combine_chunks(), skip_nulls=True)
    count = owners["account_id_count"].combine_chunks().take(place)
    found = owners["account_id_first"].combine_chunks().take(place)
    is_one = pc.equal(count, 1).fill_null(fill_value=False)
    ids = pc.if_else(is_one, found, _NOTHING)
    shared = pc.sum(pc.greater(count, 1)).as_py() or 0
    absent = pc.sum(pc.and_(said.is_valid(), count.is_null())).as_py() or 0
    notes = [f"{column} is found by name"]
    if shared:
        notes.append(
            f"{shared} row(s) name an account whose name several have: {column} unknown"
        )
    if absent:
        notes.append(
            f"{absent} row(s) name an account that is not among them: {column} unknown"
        )
    return Told(replaced(table, column, ids), tuple(notes))
