"""Which org is a replica a copy of?

The settings may say it, and the replica may tell it; what both say must agree. Ids of two
orgs may be the same, so figures of one must not reach the records of the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import pyarrow as pa

from crm_portfolio._frames import nw, to_arrow
from crm_portfolio.connectors.salesforce._id_ranges import guard
from crm_portfolio.connectors.warehouse._conditions import todays
from crm_portfolio.connectors.warehouse._layouts import Layout
from crm_portfolio.connectors.warehouse._parts import Names
from crm_portfolio.connectors.warehouse._place import Place
from crm_portfolio.connectors.warehouse._values import typed
from crm_portfolio.errors import SettingsError
from crm_portfolio.protocols import CopiedOrg

__all__ = ["org_of", "said_org"]

_ID: Final = "org_id"
_IS_SANDBOX: Final = "is_sandbox"
_SHOWN: Final = 4
_FULL: Final = re.compile(r"(\S+) org (\S+)( \(sandbox\))?")
_FORMS: Final = {
    "salesforce": (
        re.compile("00D[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?"),
        "the organisation id, which begins with 00D and is in Setup, Company Information",
    ),
    "hubspot": (
        re.compile("[1-9][0-9]*"),
        "the portal's number, which HubSpot shows as Hub ID below the account's name",
    ),
}


def said_org(said: str, vendor: str) -> CopiedOrg:
    """The org as a person names it: by its id, or as ``doctor`` prints it.

    Raises:
        SettingsError: It is no name of an org of that CRM.
    """
    text = said.strip()
    full = _FULL.fullmatch(text)
    if full is not None and full[1] != vendor:
        raise SettingsError(
            f"org: {text!r} is of {full[1]}, and the layout is one of {vendor}"
        )
    written = full[2] if full is not None else text
    form, meaning = _FORMS[vendor]
    org_id = _whole(written) if form.fullmatch(written) else None
    if org_id is None:
        raise SettingsError(
            f"org: {text!r} names no org of {vendor}: give {meaning}, or the whole name "
            f"that `crm-portfolio doctor {vendor}` prints"
        )
    return CopiedOrg(vendor, org_id, None if full is None else full[3] is not None)


def org_of(
    place: Place, layout: Layout, said: str | None, tables: Iterable[Names]
) -> CopiedOrg:
    """What the settings say and the replica tells, which must be one org.

    Args:
        tables: Those of records.

    Raises:
        SettingsError: The replica is of several, or of another than the settings say.
    """
    told = _told(place, layout, tables)
    if said is None:
        return told or CopiedOrg(layout.vendor)
    named = said_org(said, layout.vendor)
    if told is None:
        return named
    kinds = {named.is_sandbox, told.is_sandbox} - {None}
    if named.org_id != told.org_id or len(kinds) > 1:
        raise SettingsError(
            f"org: the settings say {said.strip()!r}, and the replica tells that it is of "
            f"{told}: correct the settings, or read the other replica"
        )
    return told if named.is_sandbox is None else named


def _told(place: Place, layout: Layout, tables: Iterable[Names]) -> CopiedOrg | None:
    """What the replica tells; None: nothing."""
    if layout.org is None:
        return None
    if layout.org.table:
        tables = _named(place, layout.org.table)
    asked = [names for names in tables if names.column(layout.org.id) is not None]
    found = list(dict.fromkeys(o for names in asked for o in _in(place, layout, names)))
    if len({one.org_id for one in found}) > 1:
        ids = ", ".join(one.org_id for one in found[:_SHOWN])
        where = " and ".join(names.table for names in asked)
        raise SettingsError(
            f"the replica holds more than one org of {layout.vendor} ({ids}, by "
            f"{layout.org.id} of {where}), and a portfolio is of one: name the one by its "
            "own schema, or by views that hold its rows alone"
        )
    kinds = {one.is_sandbox for one in found} - {None}
    is_sandbox = kinds.pop() if len(kinds) == 1 else None
    return CopiedOrg(layout.vendor, found[0].org_id, is_sandbox) if found else None


def _named(place: Place, table: str) -> Sequence[Names]:
    """The table of that name and its columns, if it is there."""
    for name in place.tables:
        if name.lower() == table:
            columns = place.frame(name).collect_schema().names()
            return (Names(name, {column.lower(): column for column in columns}),)
    return ()


def _in(place: Place, layout: Layout, names: Names) -> list[CopiedOrg]:
    """The orgs that a table tells of."""
    assert layout.org is not None
    column = names.columns[layout.org.id]
    sandbox = next(filter(None, map(names.column, layout.org.sandbox)), None)
    wanted = {_ID: column} | ({_IS_SANDBOX: sandbox} if sandbox else {})
    frame = todays(place.frame(names.table), layout, names.table)
    picked = frame.select(**{name: nw.col(source) for name, source in wanted.items()})
    rows = to_arrow(nw.to_native(picked.filter(~nw.col(_ID).is_null()).unique()))
    where = f"{names.table}.{column}"
    ids = typed(_one(rows[_ID]), "id", where).to_pylist()
    kinds = [None] * len(ids)
    if sandbox:
        kinds = typed(_one(rows[_IS_SANDBOX]), "boolean", where).to_pylist()
    told = sorted(
        {(one, kind) for one, kind in zip(ids, kinds, strict=True) if one}, key=str
    )
    return [CopiedOrg(layout.vendor, _whole(one) or one, kind) for one, kind in told]


def _whole(org_id: str) -> str | None:
    """An id of Salesforce with the characters that guard its case; None: they do not."""
    if not org_id.startswith("00D"):
        return org_id
    whole = org_id[:15] + guard(org_id[:15])
    return whole if org_id in (whole, whole[:15]) else None


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
