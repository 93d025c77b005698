"""Which queries does Bulk API 2.0 not take?

Vendor docs, where not said otherwise; most codes are unverified, since the docs give texts.
"""

from __future__ import annotations

import re
from typing import Final

from crm_portfolio.simulator.salesforce._answers import compiled, must_fit
from crm_portfolio.simulator.salesforce._compiled import Compiled
from crm_portfolio.simulator.salesforce._jobs import Bulk
from crm_portfolio.simulator.salesforce._metadata import Field
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._refusal import Refusal
from crm_portfolio.simulator.salesforce._soql import parse
from crm_portfolio.simulator.salesforce._statement import Child, Path, Statement

__all__ = ["compiled_for_bulk", "must_be_in_bulk", "why_it_will_fail"]

# Objects that clients list as refused (airbytehq/airbyte#16135 and others).
_REFUSED: Final = frozenset({
    "casestatus", "contractstatus", "taskstatus", "taskpriority", "partnerrole",
    "recentlyviewed", "userrecordaccess", "aggregateresult", "caseteamtemplate",
})  # fmt: skip
_TEXT: Final = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_TYPEOF: Final = re.compile(r"\bTYPEOF\b", re.IGNORECASE)
_COMPOUND: Final = ("address", "location")


def compiled_for_bulk(
    org: Org, bulk: Bulk, soql: str, *, with_deleted: bool
) -> tuple[Statement, Compiled]:
    """The statement and its SQL, or why the job is not made."""
    if _TYPEOF.search(_TEXT.sub("''", soql)):
        raise Refusal("MALFORMED_QUERY", "TYPEOF is not supported in Bulk Query")
    statement = parse(soql)
    must_be_in_bulk(bulk, statement.entity)
    if any(isinstance(item, Child) for item in statement.select):
        message = "Aggregate Relationships not supported in Bulk V2 Query with CSV content type"
        raise Refusal("API_ERROR", message)
    if statement.is_aggregate or statement.is_count:
        message = "GROUP BY and aggregate functions are not supported in Bulk Query"
        raise Refusal("MALFORMED_QUERY", message)
    if statement.offset:
        raise Refusal("MALFORMED_QUERY", "OFFSET is not supported in Bulk Query")
    for path in statement.select:
        if isinstance(path, Path):
            _must_be_plain(org, statement.entity, path)
    return statement, compiled(org, statement, with_deleted=with_deleted)


def why_it_will_fail(org: Org, query: Compiled) -> str:
    """What the job ends with where the query takes too long; empty if it does not."""
    try:
        must_fit(org, query)
    except Refusal as refusal:
        if refusal.code == "QUERY_TIMEOUT":
            return f"{refusal.code}: {refusal.message}"
        message = "Implementation restriction: View All Data is needed for this query"
        raise Refusal("API_ERROR", message) from refusal
    return ""


def must_be_in_bulk(bulk: Bulk, name: str) -> None:
    """Refuse an object that Bulk does not serve."""
    if name.lower() in _REFUSED | {other.lower() for other in bulk.refuses}:
        message = f"Entity '{name}' is not supported by the Bulk API"
        raise Refusal("INVALIDENTITY", message)


def _must_be_plain(org: Org, entity: str, path: Path) -> None:
    field = _field(org, entity, path)
    if field is None:
        return  # the compiler says so better
    if field.type in _COMPOUND:
        raise Refusal(
            "API_ERROR", "Selecting compound data not supported in Bulk Query"
        )
    if not field.is_in_bulk:
        # Seen at airbytehq/airbyte#6886: readers by Bulk have lost such columns.
        message = (
            f"Implementation restriction: {field.name} is not supported in Bulk Query"
        )
        raise Refusal("API_ERROR", message)


def _field(org: Org, entity: str, path: Path) -> Field | None:
    *parents, name = path.parts
    if parents and parents[0].lower() == entity.lower():
        parents = parents[1:]
    for parent in parents:
        fields = org.access.fields(entity) or {}
        links = (f for f in fields.values() if f.relationship.lower() == parent.lower())
        link = next(links, None)
        if link is None:
            return None
        entity = link.refers_to[0]
    found = org.catalogue.find(entity)
    return (
        None if found is None else (org.access.fields(entity) or {}).get(name.lower())
    )
