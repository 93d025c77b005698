"""How do records become the JSON of a page, fast enough that a client's own cost shows?

DuckDB writes the JSON, a block of pages at a time; a block serves the pages behind the
first one until anything in the portal changes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from crm_portfolio.simulator._store import quoted
from crm_portfolio.simulator.hubspot._history import histories
from crm_portfolio.simulator.hubspot._portal import LIVE, STAMPS, Portal
from crm_portfolio.simulator.hubspot._refusal import as_json
from crm_portfolio.simulator.hubspot._time import sql_iso

__all__ = ["Page", "Pages", "Wanted", "always", "page_in_the_app", "wanted"]

_BIN: Final = '"$archived" AND "$merged_into" IS NULL'
_BLOCK: Final = 2_000
_BLOCKS_HELD: Final = 8
_DENSE: Final = 10  # ids in a range for each one that is wanted, at most
_APP: Final = "https://app.hubspot.com/contacts"


@attrs.frozen
class Wanted:
    """What of each record is to be shown."""

    kind: str
    names: tuple[str, ...]
    history: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    is_archived: bool = False


@attrs.frozen
class Page:
    """Records as JSON, and the id behind them; None: these were the last."""

    rows: Sequence[str]
    next_id: int | None

    @property
    def text(self) -> str:
        return "[" + ",".join(self.rows) + "]"


def always(portal: Portal, kind: str) -> tuple[str, ...]:
    """Vendor docs: these come back even when not asked for."""
    made = "createdate" if "createdate" in portal.properties(kind) else "hs_createdate"
    return (made, portal.kinds[kind].stamp, "hs_object_id")


def page_in_the_app(portal: Portal, kind: str) -> str:
    """Recorded: a record tells where people look at it."""
    return f"{_APP}/{portal.portal_id}/record/{portal.kinds[kind].type_id}"


def wanted(
    portal: Portal,
    kind: str,
    names: Iterable[str],
    *,
    history: Iterable[str] = (),
    links: Iterable[str] = (),
    is_archived: bool = False,
) -> Wanted:
    """The properties that will be shown, sorted as recorded; unknown ones are not."""
    asked, past = list(names), list(history)
    known = portal.properties(kind)
    if not asked and not past:
        asked = list(portal.definitions.defaults(kind))
    shown = {name for name in (*asked, *past) if name in known}
    return Wanted(
        kind,
        tuple(sorted(shown | set(always(portal, kind)))),
        tuple(name for name in past if name in known),
        tuple(dict.fromkeys(links)),
        is_archived,
    )


@attrs.frozen
class _Block:
    """Records in a row: all there are from ``start`` to the last of them."""

    start: int
    ids: Sequence[int]
    rows: Sequence[str]
    is_end: bool

    def page(self, after: int, limit: int) -> Page | None:
        """The page, if all of it and the id behind it stand here."""
        at = bisect_left(self.ids, after)
        end = at + limit
        if after < self.start or (end >= len(self.ids) and not self.is_end):
            return None
        behind = self.ids[end] if end < len(self.ids) else None
        return Page(self.rows[at:end], behind)


class Pages:
    """Pages of one portal, written ahead."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._version = -1
        self._blocks: dict[Wanted, _Block] = {}

    def page(self, want: Wanted, after: int, limit: int) -> Page:
        """The records from that id on, in the order of their ids."""
        if self._version != self._portal.version:
            self._version = self._portal.version
            self._blocks.clear()
        held = self._blocks.get(want)
        page = held and held.page(after, limit)
        if page:
            return page
        block = self._block(want, after, limit if want.history else _BLOCK)
        if len(self._blocks) >= _BLOCKS_HELD:
            del self._blocks[next(iter(self._blocks))]
        self._blocks[want] = block
        return block.page(after, limit) or Page((), None)

    def rows(self, want: Wanted, ids: Sequence[int], table: str = "") -> dict[int, str]:
        """Records by id as JSON, from the table of their kind or another that is like it."""
        if not ids:
            return {}
        source = table or quoted(want.kind)
        shown = self._portal.store.rows(
            f"SELECT {self._row_sql(want)} FROM {source} "  # noqa: S608
            'WHERE "$id" BETWEEN ? AND ? AND "$id" IN (SELECT unnest(?::BIGINT[]))',
            [min(ids), max(ids), list(ids)],
        )
        return self._completed(want, dict(shown))

    def _block(self, want: Wanted, after: int, size: int) -> _Block:
        table, state = quoted(want.kind), _BIN if want.is_archived else LIVE
        ids = [
            row[0]
            for row in self._portal.store.rows(
                f'SELECT "$id" FROM {table} WHERE "$id" >= ? AND {state} '  # noqa: S608
                'ORDER BY "$id" LIMIT ?',
                [after, size + 1],
            )
        ]
        if not ids:
            return _Block(after, (), (), is_end=True)
        rows = self._portal.store.rows(
            f"SELECT {self._row_sql(want)} FROM {table} "  # noqa: S608
            f'WHERE "$id" BETWEEN ? AND ? AND {state} ORDER BY "$id"',
            [ids[0], ids[-1]],
        )
        found = self._completed(want, dict(rows))
        return _Block(after, ids, list(found.values()), is_end=len(ids) <= size)

    def _row_sql(self, want: Wanted) -> str:
        """The id, and the record as JSON without its last brace."""
        values = ", ".join(f"{quoted(name)} := {_shown(name)}" for name in want.names)
        place = page_in_the_app(self._portal, want.kind)
        ends = (
            "true",
            f""" || ',"archivedAt":"' || {sql_iso('"$archived_at"')} || '"'""",
        )
        state, when = ends if want.is_archived else ("false", "")
        return f"""
            "$id", '{{"id":"' || "$id"::VARCHAR || '","properties":'
            || to_json(struct_pack({values}))::VARCHAR
            || ',"createdAt":"' || {sql_iso('"$created"')}
            || '","updatedAt":"' || {sql_iso('"$updated"')}
            || '","archived":{state}'{when}
            || ',"url":"{place}/' || "$id"::VARCHAR || '"'"""

    def _completed(self, want: Wanted, rows: Mapping[int, str]) -> dict[int, str]:
        """Add links and history, and close the brace."""
        links = self._links(want, list(rows)) if want.links else {}
        past: Mapping[int, Any] = {}
        if want.history:
            past = histories(self._portal, want.kind, list(rows), want.history)
        found = {}
        for record_id, row in rows.items():
            more = (
                f',"associations":{{{links[record_id]}}}' if record_id in links else ""
            )
            if want.history:
                told = as_json(past.get(record_id, {}))
                more = f',"propertiesWithHistory":{told}{more}'
            found[record_id] = row + more + "}"
        return found

    def _links(self, want: Wanted, ids: Sequence[int]) -> dict[int, str]:
        """Linked records by the id they hang on, as JSON."""
        found: dict[int, list[str]] = {}
        most = self._portal.assumptions.inner_page
        for other in want.links:
            for record_id, count, entries in self._inline(want.kind, other, ids):
                told = f'"results":[{entries}]'
                if count > most:
                    told = self._inner_page(want.kind, record_id, other, most)
                found.setdefault(record_id, []).append(f'"{other}":{{{told}}}')
        return {record_id: ",".join(parts) for record_id, parts in found.items()}

    def _inline(
        self, kind: str, other: str, ids: Sequence[int]
    ) -> list[tuple[int, int, str]]:
        """Vendor docs: a list shows each label of a link as an entry of its own."""
        links = self._portal.links
        names = " ".join(
            f"WHEN {link.type_id} THEN '{link.name}'"
            for link in links.types(kind, other)
        )
        if not names or not ids:
            return []
        where, bound = "from_id BETWEEN ? AND ?", list[Any]([min(ids), max(ids)])
        if bound[1] - bound[0] > _DENSE * len(ids):
            where, bound = "from_id IN (SELECT unnest(?::BIGINT[]))", [list(ids)]
        return self._portal.store.rows(
            f"""SELECT from_id, count(*), string_agg('{{"id":"' || to_id::VARCHAR
                || '","type":"' || CASE type_id {names} END || '"}}', ','
                ORDER BY to_id, type_id)
            FROM {quoted(links.table(kind, other))} WHERE {where}
            GROUP BY from_id""",  # noqa: S608
            bound,
        )

    def _inner_page(self, kind: str, record_id: int, other: str, most: int) -> str:
        """Unverified: from how many entries on a list shows only the first ones."""
        linked = self._portal.links.of(kind, [record_id], other)[record_id]
        entries = [
            {"id": str(to_id), "type": link.name}
            for to_id, types in linked.items()
            for link in types
        ]
        behind = entries[most]["id"]
        link = f"{self._portal.url}/crm/v4/objects/{kind}/{record_id}/associations/"
        paging = {"next": {"after": behind, "link": f"{link}{other}?after={behind}"}}
        shown = [entry for entry in entries[:most] if entry["id"] != behind]
        return f'"results":{as_json(shown)},"paging":{as_json(paging)}'


def _shown(name: str) -> str:
    """A property as text, in SQL."""
    own = STAMPS.get(name)
    if own is None:
        return quoted(name)
    return f"{quoted(own)}::VARCHAR" if own == "$id" else sql_iso(quoted(own))
