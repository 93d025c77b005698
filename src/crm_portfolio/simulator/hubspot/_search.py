"""Which records does a search find, and which of them does a page show?

vendor docs: at most 5 groups of filters, 6 filters in each, 18 in all; 1 sort; 200 records
a page, 10,000 a query; no archived records, no links; new states are found late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator._store import quoted
from crm_portfolio.simulator.hubspot._call import Call, Route, kind_of
from crm_portfolio.simulator.hubspot._filters import Where, compiled, sortable
from crm_portfolio.simulator.hubspot._objects import may_read
from crm_portfolio.simulator.hubspot._pages import wanted
from crm_portfolio.simulator.hubspot._portal import LIVE, Portal
from crm_portfolio.simulator.hubspot._refusal import Refusal, json_reply

__all__ = ["ROUTES", "indexed"]

_DEFAULT: Final = 10
_MOST: Final = 200
_DEEPEST: Final = 10_000
_LONGEST_QUERY: Final = 3_000


@attrs.frozen
class _Asked:
    where: Where
    order: str
    limit: int
    after: int
    names: Sequence[str]


def _search(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call).name
    asked = _asked(portal, kind, call)
    source, shown = indexed(portal, kind)
    sql = f"FROM {source} WHERE {shown} AND {asked.where.sql}"
    ((total,),) = portal.store.rows(
        f"SELECT count(*) {sql}",
        asked.where.parameters,
    )
    ids = [
        row[0]
        for row in portal.store.rows(
            f'SELECT "$id" {sql} ORDER BY {asked.order} LIMIT ? OFFSET ?',
            [*asked.where.parameters, asked.limit, asked.after],
        )
    ]
    want = wanted(portal, kind, asked.names)
    rows = call.pages.rows(want, ids, f"(SELECT * FROM {source} WHERE {shown})")  # noqa: S608
    results = ",".join(rows[record_id] for record_id in ids)
    text = f'{{"total":{total},"results":[{results}]'
    behind = asked.after + asked.limit
    if behind < total:
        text += f',"paging":{{"next":{{"after":"{behind}"}}}}'
    return json_reply(text + "}", rows=len(ids))


def indexed(portal: Portal, kind: str) -> tuple[str, str]:
    """Where search looks, and which states it has found so far.

    A record that was changed shows its old state until the index has the new one.
    """
    table, now = quoted(kind), f"TIMESTAMP '{portal.clock.stored.isoformat(' ')}'"
    if not portal.index_lag:
        return table, LIVE
    old = quoted(f"{kind}$old")
    known = f'"$indexed" <= {now}'
    both = (
        f'SELECT * FROM {table} WHERE {known} UNION ALL SELECT * EXCLUDE ("$until") '  # noqa: S608
        f'FROM {old} WHERE {known} AND {now} < "$until"'
    )
    return f"({both})", LIVE


def _asked(portal: Portal, kind: str, call: Call) -> _Asked:
    body = call.json()
    limit = _number(body, "limit", _DEFAULT)
    if limit > _MOST:
        # unverified: that it is refused
        if portal.assumptions.over_limit_status == 400:
            raise Refusal(f"Page limit of {limit} is more than the maximum of {_MOST}")
        limit = _MOST
    after = _number(body, "after", 0)
    if after + limit > _DEEPEST:
        # unverified: the words
        raise Refusal(
            f"Unable to fetch past the first {_DEEPEST:,} results of a search: narrow it"
        )
    fewer = call.fault("fewer_rows")
    if fewer is not None:
        limit = limit // 2 if fewer.size is None else min(limit, fewer.size)
    if call.fault("empty_page"):
        limit = 0
    query = str(body.get("query") or "")
    if len(query) > _LONGEST_QUERY:
        raise Refusal(f"query is longer than {_LONGEST_QUERY} characters")
    return _Asked(
        compiled(portal, kind, body.get("filterGroups") or [], query),
        _order(portal, kind, body.get("sorts") or []),
        limit,
        after,
        [str(name) for name in body.get("properties") or ()],
    )


def _number(body: Mapping[str, Any], name: str, default: int) -> int:
    said = str(body.get(name) or default)
    if not said.isdecimal():
        raise Refusal(f"Invalid value for {name}: {said} is not a number")
    return int(said)


def _order(portal: Portal, kind: str, sorts: Sequence[Any]) -> str:
    if len(sorts) > 1:
        raise Refusal("Only one sort is allowed")
    if not sorts:
        return '"$created", "$id"'
    (sort,) = sorts
    # seen in the clients: a sort may be the name alone
    sort = sort if isinstance(sort, Mapping) else {"propertyName": sort}
    direction = str(sort.get("direction", "ASCENDING")).upper()
    if direction not in ("ASCENDING", "DESCENDING"):
        raise Refusal(f"Invalid sort direction: {direction}")
    by = sortable(portal, kind, str(sort.get("propertyName", "")))
    return f'{by} {"DESC" if direction == "DESCENDING" else "ASC"} NULLS LAST, "$id"'


ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "POST",
        "/crm/v3/objects/{kind}/search",
        "/crm/objects/2026-09/{kind}/search",
        _search,
        may_read,
        is_search=True,
    ),
)
