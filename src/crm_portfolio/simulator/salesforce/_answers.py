"""May this query be run, and what does it find?

Also the way from a parsed statement to SQL, for REST and for Bulk 2.0.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.salesforce._call import DATA, Call, Route
from crm_portfolio.simulator.salesforce._compiled import Compiled
from crm_portfolio.simulator.salesforce._metadata import SObject
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._query import World, compile_query
from crm_portfolio.simulator.salesforce._refusal import Refusal, json_reply
from crm_portfolio.simulator.salesforce._soql import parse
from crm_portfolio.simulator.salesforce._statement import Statement

__all__ = ["ROUTES", "compiled", "must_fit", "only_own"]

_PAGE: Final = 2000
_SMALLEST_PAGE: Final = 200


def compiled(org: Org, statement: Statement, *, with_deleted: bool) -> Compiled:
    """The statement as SQL, or the refusal: for REST and for Bulk 2.0."""
    world = World(
        visible=org.access.fields,
        find=org.catalogue.find,
        children=org.catalogue.children,
        now=org.clock.now,
        zone=org.zone,
        assumptions=org.assumptions,
        only_own=partial(only_own, org),
    )
    return compile_query(statement, world, with_deleted=with_deleted)


def only_own(org: Org, entity: SObject) -> str | None:
    """Vendor docs: who may not view all sees what he owns or is shared with him.

    Here nothing is shared.
    """
    is_owned = "OwnerId" in entity.fields
    return org.user_id if is_owned and not org.access.sees_all(entity.name) else None


def must_fit(org: Org, query: Compiled) -> None:
    """Refuse what takes too long or is too large; a narrower query gets through."""
    slow = org.rules.slow.get(query.entity)
    large = org.rules.large.get(query.entity)
    if query.is_count or slow is large is None:
        return
    bound = list(query.parameters[: query.counted])
    ((found,),) = org.store.rows(query.counting, bound)
    if slow is not None and found > slow:
        message = "Your query request was running for too long."
        raise Refusal("QUERY_TIMEOUT", message)
    if large is not None and found > large and not org.access.may("View All Data"):
        # vendor docs: narrow the query, or View All Data; the text is unverified.
        message = (
            "exceeded 100000 distinct who/what's: the operation is too large, try a more "
            "selective query"
        )
        raise Refusal("OPERATION_TOO_LARGE", message)


def _query(org: Org, call: Call) -> Reply:
    return _run(org, call, with_deleted=False)


def _query_all(org: Org, call: Call) -> Reply:
    return _run(org, call, with_deleted=True)


def _run(org: Org, call: Call, *, with_deleted: bool) -> Reply:
    soql = call.request.query.get("q")
    if not soql:
        raise Refusal("MALFORMED_QUERY", "A query string has to be specified")
    query = compiled(org, parse(soql), with_deleted=with_deleted)
    must_fit(org, query)
    if query.is_count:
        # Recorded: SELECT COUNT() answers in totalSize, without records.
        ((total,),) = org.store.rows(query.sql, query.parameters)
        return json_reply({"totalSize": total, "done": True, "records": []})
    batch = _batch_size(call.request.headers.get("sforce-query-options", ""))
    return call.pages.first(
        query,
        token=call.token,
        batch=batch,
        version=call.version,
        size=_size(call, batch),
    )


def _batch_size(options: str) -> int:
    """Vendor docs: a hint from 200 to 2000."""
    found = re.search(r"batchSize\s*=\s*(\d+)", options, re.IGNORECASE)
    return min(_PAGE, max(_SMALLEST_PAGE, int(found[1]))) if found else _PAGE


def _size(call: Call, batch: int) -> int | None:
    """Rows of the page, where a fault makes it smaller."""
    if call.fault("empty_page"):
        return 0
    fewer = call.fault("fewer_rows")
    if fewer is None:
        return None
    return batch // 2 if fewer.size is None else fewer.size


def _query_more(_org: Org, call: Call) -> Reply:
    return call.pages.next(
        call.parts["locator"],
        token=call.token,
        version=call.version,
        size=_size(call, _PAGE),
    )


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", DATA + "query", _query),
    Route("GET", DATA + "queryAll", _query_all),
    Route("GET", DATA + "query/{locator}", _query_more),
    Route("GET", DATA + "queryAll/{locator}", _query_more),
)
