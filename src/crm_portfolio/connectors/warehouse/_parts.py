"""What does this replica hold of each table, and what does it lack?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from crm_portfolio.connectors._mapping import Field, chosen
from crm_portfolio.connectors.warehouse._layouts import Layout, Linked, Replica
from crm_portfolio.connectors.warehouse._place import Place
from crm_portfolio.connectors.warehouse._settings import WarehouseSettings
from crm_portfolio.connectors.warehouse._stages import has_stages
from crm_portfolio.connectors.warehouse._vendors import (
    KEYS,
    LOST,
    STAGE,
    WON,
    lines_of,
    with_org,
)
from crm_portfolio.errors import SettingsError
from crm_portfolio.schema import TABLES, TableName

__all__ = ["Link", "Names", "Part", "parts_of"]

_SHOWN: Final = 12


@attrs.frozen
class Names:
    """A table of the replica and its columns, each by its name in lower case."""

    table: str
    columns: Mapping[str, str]

    def column(self, name: str) -> str | None:
        return self.columns.get(name.lower())


@attrs.frozen
class Link:
    """The records of another kind that one belongs to, where the replica has them.

    Attributes:
        root: The table in which that of the links is nested.
    """

    source: str
    linked: Linked
    names: Names
    root: Names | None = None


@attrs.frozen
class Part:
    """One kind of record behind a table, as this replica has it.

    Attributes:
        sources: The CRM's name → column, for every field that is read.
    """

    table: TableName
    kind: str
    replica: Replica
    names: Names
    fields: tuple[Field, ...]
    sources: Mapping[str, str]
    links: tuple[Link, ...]
    is_staged: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.column for field in self.fields)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The CRM's names of what the chosen columns are made of."""
        named = [source for field in self.fields for source in field.sources]
        if self.is_staged and {WON, LOST, *STAGE} & set(named):
            named += STAGE
        return tuple(dict.fromkeys(named))

    def only(self, columns: Sequence[str] | None) -> Part:
        """The part with these columns and the key."""
        if columns is None:
            return self
        names = (*TABLES[self.table].key, *columns)
        return attrs.evolve(self, fields=chosen(self.fields, names))


def parts_of(
    place: Place, layout: Layout, settings: WarehouseSettings
) -> dict[TableName, tuple[Part, ...]]:
    """Each table that can be read, and the parts that it is made of.

    Raises:
        SettingsError: All that is missing, which layout was expected, what was found.
    """
    look = _Look(place, layout, settings)
    found = {
        table: parts
        for table, kinds in lines_of(layout.vendor, settings).items()
        if (parts := look.parts(table, kinds))
    }
    look.tell_faults()
    return found


class _Look:
    """A look at all tables of a replica; what is missing is gathered."""

    def __init__(
        self, place: Place, layout: Layout, settings: WarehouseSettings
    ) -> None:
        self._place, self._layout, self._settings = place, layout, settings
        self._there = {name.lower(): name for name in place.tables}
        self._seen: dict[str, Names] = {}
        self._faults: list[str] = []

    def parts(
        self, table: TableName, kinds: Sequence[tuple[str, tuple[Field, ...]]]
    ) -> tuple[Part, ...]:
        """The parts of a table that is wanted."""
        objects, wanted = self._layout.objects, self._settings.tables
        is_asked_for = table == "account" or (wanted != "all" and table in wanted)
        if wanted != "all" and not is_asked_for:
            return ()
        laid = [(kind, lines) for kind, lines in kinds if kind in objects]
        found = [
            self._part(table, kind, lines, names)
            for kind, lines in laid
            if (names := self._names(objects[kind].table)) is not None
        ]
        if is_asked_for and not found and table != "stage":
            tables = " or ".join(objects[kind].table for kind, _ in laid)
            self._faults.append(f"{table} needs the table {tables or '(unknown)'}")
        return tuple(found)

    def tell_faults(self) -> None:
        """Raise if anything is missing."""
        if self._faults:
            some = ", ".join(sorted(self._there)[:_SHOWN]) or "none"
            faults = "".join(f"\n  {fault}" for fault in dict.fromkeys(self._faults))
            raise SettingsError(
                f"this is no replica as {self._layout.name} lays it down:{faults}\n"
                f"  There are {len(self._there)} table(s): {some}."
            )

    def _names(self, table: str) -> Names | None:
        if table not in self._there:
            return None
        if table not in self._seen:
            frame = self._place.frame(self._there[table])
            columns = {name.lower(): name for name in frame.collect_schema().names()}
            self._seen[table] = Names(self._there[table], columns)
        return self._seen[table]

    def _part(
        self, table: TableName, kind: str, lines: tuple[Field, ...], names: Names
    ) -> Part:
        lines = with_org(lines, kind, frozenset(names.columns), self._settings)
        replica = self._layout.objects[kind]
        key = KEYS[self._layout.vendor]
        spelled = {
            source: column
            for source in (key, *(source for line in lines for source in line.sources))
            if (column := self._column(kind, source, names)) is not None
        }
        links = tuple(
            Link(f"${to}", linked, where, self._root(linked))
            for to, linked in replica.links.items()
            if (where := self._names(linked.table)) is not None
            and {linked.own, linked.other} <= set(where.columns)
        )
        known = {*spelled, *(link.source for link in links)}
        is_staged = table == "opportunity" and self._has_stages(known)
        known |= {WON, LOST} if is_staged else set()
        fields: dict[str, Field] = {}
        for line in lines:
            if set(line.sources) <= known:
                fields.setdefault(line.column, line)
        part = Part(
            table, kind, replica, names, (*fields.values(),), spelled, links, is_staged
        )
        self._faults += self._lacking(part, lines, known)
        if key not in spelled:
            self._faults.append(f"{table} needs {self._where(part, key)}")
        return part

    def _root(self, linked: Linked) -> Names | None:
        return None if linked.rooted is None else self._names(linked.rooted.table)

    def _has_stages(self, known: set[str]) -> bool:
        return set(STAGE) <= known and has_stages(self._place, self._layout)

    def _column(self, kind: str, source: str, names: Names) -> str | None:
        spellings = self._layout.spellings(kind, source)
        return next(filter(None, map(names.column, spellings)), None)

    def _lacking(
        self, part: Part, lines: Sequence[Field], known: set[str]
    ) -> list[str]:
        """What must be there and is not."""
        return [
            f"{part.table}.{line.column} needs {self._where(part, source)}"
            for line in lines
            if line.is_required and line.column not in part.columns
            for source in line.sources
            if source not in known
        ]

    def _where(self, part: Part, source: str) -> str:
        """The column or table in which a field of the CRM was looked for."""
        to = source.removeprefix("$")
        if source != to and to in part.replica.links:
            linked = part.replica.links[to]
            return f"the table {linked.table} with {linked.own} and {linked.other}"
        column = self._layout.spellings(part.kind, source)[0]
        found = ", ".join(sorted(part.names.columns)[:_SHOWN])
        return f"the column {column} of the table {part.names.table}, which has {found}"
