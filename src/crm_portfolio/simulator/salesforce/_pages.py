"""How do a query's rows become pages of JSON?

The rows are put aside in a table of their own, typed; a page is a slice of it that DuckDB
turns into text. A locator belongs to the session that made it and dies with it, and
after two days (vendor docs).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator._store import Store
from crm_portfolio.simulator.salesforce._ids import MADE_HERE, new_ids
from crm_portfolio.simulator.salesforce._org import Clock
from crm_portfolio.simulator.salesforce._refusal import JSON_TYPE, Refusal

__all__ = ["Column", "Compiled", "Pages"]

_MAX_GROUPS: Final = 2000
_LIFETIME: Final = timedelta(days=2)


@attrs.frozen
class Column:
    """One column of the rows put aside: where it goes in the answer, and its type."""

    names: tuple[str, ...]
    sql_name: str
    type: str
    entity: str = ""  # of the record whose id this column is, else empty


@attrs.frozen
class Compiled:
    sql: str
    parameters: tuple[Any, ...]
    columns: tuple[Column, ...]
    is_aggregate: bool

    def record_sql(self, version: str) -> str:
        """SQL for a record as a struct, its attributes first."""
        record: dict[str, Any] = {}
        for column in self.columns:
            place = record
            for name in column.names[:-1]:
                place = place.setdefault(name, {})
            place[column.names[-1]] = column
        attributes = "{'type': 'AggregateResult'}" if self.is_aggregate else None
        return _record_sql(record, version, attributes)


@attrs.frozen
class _Result:
    """Rows put aside: for whom, since when, how many, and how they are paged."""

    table: str
    token: str
    opened_at: datetime
    total: int
    batch: int
    compiled: Compiled


class Pages:
    """The open results of an org."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._open: dict[str, _Result] = {}
        self._count = 0

    def first(
        self, compiled: Compiled, *, token: str, batch: int, version: str
    ) -> Reply:
        """Run the query and answer its first page."""
        self._count += 1
        made = new_ids("01g", MADE_HERE, first=self._count, count=1)
        key: str = made[0].as_py()
        table = f"result_{self._count}"
        self._store.rows(
            f"CREATE TEMP TABLE {table} AS {compiled.sql}", compiled.parameters
        )
        ((total,),) = self._store.rows(f"SELECT count(*) FROM {table}")  # noqa: S608
        if compiled.is_aggregate and total > _MAX_GROUPS:
            self._store.rows(f"DROP TABLE {table}")
            # vendor docs: the text; the code is unverified.
            message = (
                "Aggregate query does not support queryMore(), use LIMIT to restrict the "
                "results to a single batch"
            )
            raise Refusal("EXCEEDED_ID_LIMIT", message)
        now = self._clock.now
        self._open[key] = _Result(table, token, now, total, batch, compiled)
        return self._page(key, 0, version)

    def next(self, locator: str, *, token: str, version: str) -> Reply:
        """The page that a ``nextRecordsUrl`` names."""
        key, _, start = locator.partition("-")
        result = self._open.get(key)
        if (
            result is None
            or result.token != token
            or self._clock.now - result.opened_at >= _LIFETIME
            or not start.isdecimal()
        ):
            raise Refusal("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(key, int(start), version)

    def close(self) -> None:
        """Forget every result: their sessions are over."""
        for result in self._open.values():
            self._store.rows(f"DROP TABLE {result.table}")
        self._open.clear()

    def _page(self, key: str, start: int, version: str) -> Reply:
        result = self._open[key]
        end = min(start + result.batch, result.total)
        record = result.compiled.record_sql(version)
        found = self._store.rows(
            f"SELECT to_json({record}) FROM {result.table} "  # noqa: S608
            "WHERE rowid >= ? AND rowid < ? ORDER BY rowid",
            [start, end],
        )
        bodies = [body for (body,) in found]
        head = f'{{"totalSize":{result.total},"done":{"true" if end == result.total else "false"}'
        if end < result.total:
            head += f',"nextRecordsUrl":"/services/data/{version}/query/{key}-{end}"'
        elif not start:
            # One page was all: nothing can ask for it again.
            self._store.rows(f"DROP TABLE {result.table}")
            del self._open[key]
        body = head + ',"records":[' + ",".join(bodies) + "]}"
        return Reply(200, body.encode(), {"content-type": JSON_TYPE})


def _record_sql(record: dict[str, Any], version: str, attributes: str | None) -> str:
    key = record.pop("", None)
    if key is not None:
        root = f"/services/data/{version}/sobjects/{key.entity}/"
        attributes = f"{{'type': '{key.entity}', 'url': '{root}' || {key.sql_name}}}"
    parts = [f"'attributes': {attributes}"]
    for name, value in record.items():
        if isinstance(value, dict):
            parent = value[""].sql_name
            nested = _record_sql(value, version, None)
            shown = f"CASE WHEN {parent} IS NULL THEN NULL ELSE {nested} END"
        else:
            shown = _shown(value)
        parts.append(f"'{name}': {shown}")
    return "{" + ", ".join(parts) + "}"


def _shown(column: Column) -> str:
    if column.type == "date":
        return f"strftime({column.sql_name}, '%Y-%m-%d')"
    if column.type == "datetime":
        return f"strftime({column.sql_name}, '%Y-%m-%dT%H:%M:%S.%g+0000')"
    return column.sql_name
