"""How do a query's rows become pages of JSON?

The rows are put aside in a table of their own, typed; a page is a slice of it that DuckDB
turns into text. A locator belongs to the session that made it and dies with it, and
after two days (vendor docs).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import attrs

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator._store import Store
from crm_portfolio.simulator.salesforce._compiled import CHILD_PAGE, Compiled, child_sql
from crm_portfolio.simulator.salesforce._ids import MADE_HERE, new_ids
from crm_portfolio.simulator.salesforce._org import Clock
from crm_portfolio.simulator.salesforce._refusal import JSON_TYPE, Refusal

__all__ = ["Pages"]

_MAX_GROUPS: Final = 2000
_LIFETIME: Final = timedelta(days=2)


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
        self,
        compiled: Compiled,
        *,
        token: str,
        batch: int,
        version: str,
        size: int | None = None,
    ) -> Reply:
        """Run the query and answer its first page.

        Args:
            size: Rows of this page only, where a fault makes it smaller.
        """
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
        return self._page(key, 0, version, size)

    def next(
        self, locator: str, *, token: str, version: str, size: int | None = None
    ) -> Reply:
        """The page that a ``nextRecordsUrl`` names."""
        place, _, start = locator.rpartition("-")
        key, _, below = place.partition(".")
        result = self._open.get(key)
        if (
            result is None
            or result.token != token
            or self._clock.now - result.opened_at >= _LIFETIME
            or not start.isdecimal()
        ):
            raise Refusal("INVALID_QUERY_LOCATOR", "invalid query locator")
        if below:
            return self._children(result, place, int(start), version)
        return self._page(key, int(start), version, size)

    def close(self) -> None:
        """Forget every result: their sessions are over."""
        for result in self._open.values():
            self._store.rows(f"DROP TABLE {result.table}")
        self._open.clear()

    def _page(self, key: str, start: int, version: str, size: int | None) -> Reply:
        result = self._open[key]
        end = min(start + (result.batch if size is None else size), result.total)
        record = result.compiled.record_sql(version, locator=key)
        found = self._store.rows(
            f"SELECT to_json({record}) FROM {result.table} "  # noqa: S608
            "WHERE rowid >= ? AND rowid < ? ORDER BY rowid",
            [start, end],
        )
        follows = f"{key}-{end}" if end < result.total else ""
        has_below = any(c.type == "children" for c in result.compiled.columns)
        if not start and not follows and not has_below:
            # One page was all: nothing can ask for it again.
            self._store.rows(f"DROP TABLE {result.table}")
            del self._open[key]
        return _reply(result.total, follows, version, [body for (body,) in found])

    def _children(self, result: _Result, place: str, start: int, version: str) -> Reply:
        """More of the records below one record."""
        _, row, name = place.split(".")
        column = next(c for c in result.compiled.columns if c.sql_name == name)
        part = child_sql(column, version, start, start + CHILD_PAGE)
        ((total, bodies),) = self._store.rows(
            f"SELECT len({name}), list_transform({part}, lambda y: to_json(y)) "  # noqa: S608
            f"FROM {result.table} WHERE rowid = ?",
            [int(row)],
        )
        end = start + len(bodies)
        return _reply(total, f"{place}-{end}" if end < total else "", version, bodies)


def _reply(total: int, follows: str, version: str, bodies: list[str]) -> Reply:
    head = f'{{"totalSize":{total},"done":{"false" if follows else "true"}'
    if follows:
        head += f',"nextRecordsUrl":"/services/data/{version}/query/{follows}"'
    body = head + ',"records":[' + ",".join(bodies) + "]}"
    return Reply(200, body.encode(), {"content-type": JSON_TYPE}, rows=len(bodies))
