"""What do the columns of an export mean together?

A status comes from flags or stages, one close date becomes two columns, and accounts and
opportunities that know each other by name are linked.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors.files._headers import Lexicon
from crm_portfolio.connectors.files._links import linked
from crm_portfolio.connectors.files._settings import FilesSettings
from crm_portfolio.connectors.files._status import (
    closings,
    own_stage,
    replaced,
    statuses,
)
from crm_portfolio.schema import TABLES, TableName

__all__ = ["Finished", "finished"]


@attrs.frozen(eq=False)
class Finished:
    """Tables of the model, what was derived on the way, and what a person must settle."""

    tables: Mapping[TableName, pa.Table]
    notes: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def finished(
    tables: Mapping[TableName, pa.Table], words: Lexicon, settings: FilesSettings
) -> Finished:
    """The tables with model columns only; our own tables are finished as they are."""
    if words.dialect == "tables":
        return Finished(tables)
    done = dict(tables)
    notes: list[str] = []
    questions: list[str] = []
    if "opportunity" in done:
        told = statuses(own_stage(done["opportunity"]), words, settings.stages)
        done["opportunity"] = closings(told.table)
        notes += told.notes
        questions += told.questions
    links = linked(done.get("account"), done.get("opportunity"))
    notes += links.notes
    questions += links.questions
    if links.account is not None:
        done["account"] = _without_people(links.account)
    if links.opportunity is not None:
        done["opportunity"] = links.opportunity
    return Finished(
        {name: _of_the_model(name, table) for name, table in done.items()},
        tuple(notes),
        tuple(questions),
    )


def _without_people(account: pa.Table) -> pa.Table:
    """Companies keep their names; a private person has none here."""
    if not {"name", "is_person"} <= set(account.column_names):
        return account
    is_person = account["is_person"].combine_chunks().fill_null(fill_value=False)
    nothing = pa.scalar(None, pa.string())
    return replaced(account, "name", pc.if_else(is_person, nothing, account["name"]))


def _of_the_model(name: TableName, table: pa.Table) -> pa.Table:
    known = TABLES[name]
    return table.select([column for column in table.column_names if column in known])
