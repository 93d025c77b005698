"""Which records are linked, and by which labels?

One table for each ordered pair of kinds, sorted by the id it starts from; every link
stands in both directions, once for each of its types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa

from crm_portfolio.simulator._store import SqlType, Store, quoted
from crm_portfolio.simulator.hubspot._kinds import LINKS, LinkType

__all__ = ["Links"]

Pair = tuple[str, str]
_COLUMNS: Final[Mapping[str, SqlType]] = {
    "from_id": "BIGINT",
    "to_id": "BIGINT",
    "type_id": "BIGINT",
}


class Links:
    """Who is linked to whom."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._types: dict[Pair, tuple[LinkType, ...]] = dict(LINKS)
        named = (name.split("$to$") for name in store if "$to$" in name)
        self._tables: set[Pair] = {(one, other) for one, other in named}

    def types(self, one: str, other: str) -> tuple[LinkType, ...]:
        """The ways to link records of these kinds; none if they cannot be linked."""
        return self._types.get((one, other), ())

    def add_label(self, one: str, other: str, label: str, type_id: int) -> None:
        """A label of the customer's own, from one kind to the other and back."""
        name = label.lower().replace(" ", "_")
        for pair, own, back in (
            ((one, other), type_id, type_id + 1),
            ((other, one), type_id + 1, type_id),
        ):
            made = LinkType(own, label, name, "USER_DEFINED", inverse=back)
            self._types[pair] = (*self._types.get(pair, ()), made)

    def add_plain(self, one: str, other: str, type_id: int) -> None:
        """Let a custom object be linked at all."""
        there = LinkType(type_id, None, f"{one}_to_{other}", inverse=type_id + 1)
        back = LinkType(type_id + 1, None, f"{other}_to_{one}", inverse=type_id)
        self._types[one, other], self._types[other, one] = (there,), (back,)

    def table(self, one: str, other: str) -> str:
        """The table of a direction, made when first asked for."""
        name = f"{one}$to${other}"
        if (one, other) not in self._tables:
            self._store.create(name, _COLUMNS)
            self._tables.add((one, other))
        return name

    def are_there(self, one: str, other: str) -> bool:
        """May there be any in this direction?"""
        return (one, other) in self._tables

    def load(self, one: str, other: str, rows: pa.Table) -> None:
        """Append ``from_id, to_id, type_id`` of one direction."""
        order = [(name, "ascending") for name in _COLUMNS]
        given = rows.select(list(_COLUMNS)).sort_by(order)
        self._store.insert(self.table(one, other), given)

    def add(
        self, one: str, one_id: int, other: str, other_id: int, link: LinkType
    ) -> None:
        """Link two records; a new primary takes the place of the old one."""
        back = next(t for t in self.types(other, one) if t.type_id == link.inverse)
        if back.is_primary:
            self.add(other, other_id, one, one_id, back)
            return
        if link.is_primary:
            old = self.primary(one, [one_id], other).get(one_id)
            if old is not None:
                self.remove(one, one_id, other, old, only=link)
        for each in self.types(one, other):
            if each == link or each.label is None:
                self._put(one, one_id, other, other_id, each)

    def remove(
        self,
        one: str,
        one_id: int,
        other: str,
        other_id: int,
        *,
        only: LinkType | None = None,
    ) -> None:
        """Unlink two records, or take one label from their link."""
        for table, ids, link in (
            (self.table(one, other), [one_id, other_id], only and only.type_id),
            (self.table(other, one), [other_id, one_id], only and only.inverse),
        ):
            where, more = ("", []) if link is None else (" AND type_id = ?", [link])
            self._store.delete(
                table, "from_id = ? AND to_id = ?" + where, [*ids, *more]
            )

    def drop(self, kind: str, ids: Sequence[int]) -> None:
        """Unlink records from all others."""
        for one, other in sorted(self._tables):
            for column, end in (("from_id", one), ("to_id", other)):
                if end == kind:
                    where = f"{column} IN (SELECT unnest(?::BIGINT[]))"
                    self._store.delete(self.table(one, other), where, [list(ids)])

    def of(
        self, one: str, ids: Sequence[int], other: str
    ) -> dict[int, dict[int, list[LinkType]]]:
        """From each record to each linked record, the types of the link."""
        if not ids or not self.types(one, other):
            return {}
        known = {t.type_id: t for t in self.types(one, other)}
        found: dict[int, dict[int, list[LinkType]]] = {}
        for from_id, to_id, type_id in self._store.rows(
            f"SELECT from_id, to_id, type_id FROM {quoted(self.table(one, other))} "  # noqa: S608
            "WHERE from_id IN (SELECT unnest(?)) ORDER BY from_id, to_id, type_id",
            [list(ids)],
        ):
            found.setdefault(from_id, {}).setdefault(to_id, []).append(known[type_id])
        return found

    def primary(self, one: str, ids: Sequence[int], other: str) -> dict[int, int]:
        """The primary linked record of each record that has one."""
        return {
            from_id: to_id
            for from_id, linked in self.of(one, ids, other).items()
            for to_id, types in linked.items()
            if any(link.is_primary for link in types)
        }

    def move(self, kind: str, loser: int, winner: int) -> None:
        """What was linked to the loser of a merge is linked to the winner."""
        for other in {end for one, end in self._tables if one == kind}:
            held = self.primary(kind, [loser, winner], other)
            for link in self.types(kind, other):
                if link.is_primary and len(held) > 1:
                    self.remove(kind, loser, other, held[loser], only=link)
        for one, other in sorted(self._tables):
            for column, end in (("from_id", one), ("to_id", other)):
                if end == kind:
                    self._moved(quoted(self.table(one, other)), column, loser, winner)

    def _moved(self, table: str, column: str, loser: int, winner: int) -> None:
        fixed = "to_id" if column == "from_id" else "from_id"
        self._store.rows(
            f"DELETE FROM {table} WHERE {column} = ? AND ({fixed}, type_id) IN "  # noqa: S608
            f"(SELECT ({fixed}, type_id) FROM {table} WHERE {column} = ?)",
            [loser, winner],
        )
        self._store.rows(
            f"UPDATE {table} SET {column} = ? WHERE {column} = ?",  # noqa: S608
            [winner, loser],
        )

    def _put(
        self, one: str, one_id: int, other: str, other_id: int, link: LinkType
    ) -> None:
        for table, row in (
            (self.table(one, other), (one_id, other_id, link.type_id)),
            (self.table(other, one), (other_id, one_id, link.inverse)),
        ):
            self._store.delete(
                table, "from_id = ? AND to_id = ? AND type_id = ?", list(row)
            )
            self._store.insert_records(table, [dict(zip(_COLUMNS, row, strict=True))])
