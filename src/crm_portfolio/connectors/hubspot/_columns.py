"""Which properties does this portal have, and which of them become which columns?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingOf
from datetime import datetime
from functools import cached_property
from typing import Any, TypeAlias

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors._mapping import Field, chosen, empty_as_null, extended
from crm_portfolio.connectors.hubspot._converting import WON, Plan, shape, strings
from crm_portfolio.connectors.hubspot._fields import (
    ID,
    MERGED,
    OUR_PROPERTIES,
    PRIMARY_COMPANY,
    SOURCES,
    Link,
    RecordSource,
    custom,
)
from crm_portfolio.connectors.hubspot._settings import HubSpotSettings
from crm_portfolio.errors import FieldNotFoundError, SettingsError
from crm_portfolio.protocols import gone_schema
from crm_portfolio.schema import TABLES, TableName

__all__ = ["Layout", "Record", "Stages", "layout", "record_sources"]

Record: TypeAlias = MappingOf[str, Any]
# Each stage's ids, names and status, as the pipelines of that kind of record tell.
Stages: TypeAlias = Callable[[str], pa.Table]


@attrs.frozen
class Layout:
    """The properties to ask for of one kind of record, and what becomes of them.

    Attributes:
        kinds: Property → HubSpot's type, for every property of the portal.
        stages: The names of a record's stage, and what it is there.
        tells_merged: Is it asked who is now part of a record?
    """

    table: TableName
    source: RecordSource
    fields: tuple[Field, ...]
    kinds: MappingOf[str, str]
    stages: Stages
    tells_merged: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.column for field in self.fields)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        named = (source for field in self.fields for source in field.sources)
        return tuple(dict.fromkeys(named))

    @cached_property
    def properties(self) -> tuple[str, ...]:
        """What to ask for, each once."""
        names = [*self.sources, *(self.source.place if self.is_staged else ())]
        if self.tells_merged and MERGED in self.kinds:
            names.append(MERGED)
        return tuple(dict.fromkeys(name for name in names if name[0] != "$"))

    @property
    def history(self) -> tuple[str, ...]:
        """Properties of which all that they ever said is asked for."""
        return ()

    @property
    def is_staged(self) -> bool:
        """Is it told in which stage a record is, and what that makes of it?"""
        return bool({WON, *self.source.place} & set(self.sources))

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The links to ask for."""
        wanted = self.sources
        return tuple(link for link in self.source.links if link.source in wanted)

    @property
    def linked(self) -> tuple[str, ...]:
        """The columns that say whom a record is linked to: HubSpot stamps no such change."""
        told = {link.source for link in self.links}
        return tuple(f.column for f in self.fields if told & set(f.sources))

    def only(self, columns: Sequence[str] | None) -> Layout:
        """The layout of these columns.

        Raises:
            FieldNotFoundError: A column that this portal does not have.
        """
        for column in columns or ():
            if column not in self.columns:
                raise _absent_column(self.table, column, self.columns)
        key = TABLES[self.table].key
        wanted = None if columns is None else (*key, *columns)
        return attrs.evolve(self, fields=chosen(self.fields, wanted))

    def plan(self, time_zone: str, columns: Sequence[str] = ()) -> Plan:
        """What turns its records into columns; with nulls for those it has not."""
        return Plan(self, time_zone, columns)

    def for_increment(self, since: datetime) -> Layout:  # noqa: ARG002
        """The same for what has changed since then."""
        return attrs.evolve(self, tells_merged=True)

    def merged(self, records: Sequence[Record]) -> pa.Table:
        """Who is now part of one of these records, as `gone_schema` says."""
        if MERGED not in self.kinds:
            return gone_schema().empty_table()
        found = strings(records, shape((MERGED,)), (MERGED,), self.table)
        losers = pc.split_pattern(empty_as_null(found[MERGED]), ";")
        place = pc.list_parent_indices(losers)
        ids = pc.utf8_trim_whitespace(pc.list_flatten(losers))
        nothing = pa.nulls(len(ids), pa.timestamp("us", "UTC"))
        reason = pa.repeat(pa.scalar("merged"), len(ids))
        columns = [ids, reason, pc.take(found[ID], place), nothing]
        return pa.table(columns, schema=gone_schema())

    def cut(self, records: Sequence[Record]) -> list[int]:
        """Places of the records with more links than a list shows."""
        return [
            place
            for place, record in enumerate(records)
            if any(
                "paging" in shown
                for shown in (record.get("associations") or {}).values()
            )
        ]

    def unlinked(self, records: Sequence[Record]) -> Sequence[int]:
        """Places of the records whose links no property tells."""
        if PRIMARY_COMPANY not in self.properties or len(self.links) != 1:
            return range(len(records))
        return [
            place
            for place, record in enumerate(records)
            if not (record.get("properties") or {}).get(PRIMARY_COMPANY)
        ]


def record_sources(
    settings: HubSpotSettings,
) -> MappingOf[TableName, tuple[RecordSource, ...]]:
    """Our lines and a person's own."""
    sources = dict(SOURCES)
    for table, kind in settings.objects.items():
        name: TableName = table  # type: ignore[assignment]
        sources[name] = (custom(name, kind),)
    for table, said in settings.fields.items():
        known: TableName = table  # type: ignore[assignment]
        extended(dict.fromkeys(sources, ()), {table: said})
        sources[known] = tuple(
            attrs.evolve(part, fields=_extended(known, part.fields, said))
            for part in sources[known]
        )
    if settings.loss_reason:
        sources["opportunity"] = tuple(
            attrs.evolve(part, fields=_with_reason(part.fields, settings.loss_reason))
            for part in sources["opportunity"]
        )
    return sources


def _extended(
    table: TableName, fields: tuple[Field, ...], said: MappingOf[str, object]
) -> tuple[Field, ...]:
    return extended({table: fields}, {table: said})[table]


def _with_reason(fields: tuple[Field, ...], name: str) -> tuple[Field, ...]:
    kept = tuple(field for field in fields if field.column != "loss_reason")
    return (*kept, Field("loss_reason", (name,), "code", is_required=True))


def layout(
    table: TableName,
    source: RecordSource,
    kinds: MappingOf[str, str],
    stages: Stages,
) -> Layout:
    """The part of the mapping that this portal has.

    Raises:
        FieldNotFoundError: A property that must be there is not.
    """
    seen = []
    for field in source.fields:
        missing = [
            name for name in field.sources if name[0] != "$" and name not in kinds
        ]
        if missing and field.is_required:
            raise FieldNotFoundError(
                "hubspot",
                table,
                missing[0],
                tuple(kinds),
                f"It is a property of {source.kind} by its internal name.",
            )
        if not missing:
            _must_be_a_number(table, field, kinds)
            seen.append(field)
    return Layout(table, source, tuple(seen), kinds, stages)


def _must_be_a_number(
    table: TableName, field: Field, kinds: MappingOf[str, str]
) -> None:
    for source in field.sources:
        if field.convert == "percent" and kinds.get(source) != "number":
            raise SettingsError(
                f"fields.{table}.{field.column}: as = 'percent' needs a number, and "
                f"{source} is a {kinds.get(source)}"
            )


def _absent_column(
    table: TableName, column: str, known: tuple[str, ...]
) -> FieldNotFoundError:
    ours = OUR_PROPERTIES.get(table, {})  # type: ignore[arg-type]
    if column in ours:
        hint = (
            "Run setup first (crm-portfolio setup hubspot --apply): it creates the "
            "property."
        )
        return FieldNotFoundError("hubspot", table, ours[column], (), hint)
    if column in TABLES[table].names:
        hint = "The column is not mapped, or this portal does not have its property."
        return FieldNotFoundError("hubspot", table, column, (), hint)
    return FieldNotFoundError("hubspot", table, column, known)
