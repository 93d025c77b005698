"""Which properties does this portal have, and how do its records become columns?

HubSpot gives every value as text. Records become Arrow columns in one step for about
20,000 of them, and each column becomes its type in another; no record is looked at in
Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingOf
from typing import Any, Final, TypeAlias

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors._mapping import (
    Field,
    chosen,
    empty_as_null,
    extended,
    mapped,
    moments,
)
from crm_portfolio.connectors.hubspot._fields import (
    COMPANY_PROPERTIES,
    ID,
    MERGED,
    PRIMARY_COMPANY,
    SOURCES,
    Link,
    RecordSource,
    custom,
)
from crm_portfolio.connectors.hubspot._settings import HubSpotSettings
from crm_portfolio.errors import ConnectorError, FieldNotFoundError, SettingsError
from crm_portfolio.protocols import gone_schema
from crm_portfolio.schema import TABLES, TableName

__all__ = ["Layout", "Record", "Stages", "layout", "record_sources"]

Record: TypeAlias = MappingOf[str, Any]
# Each stage's ids, names and status, as the pipelines of that kind of record tell.
Stages: TypeAlias = Callable[[str], pa.Table]
_WON, _LOST = "hs_is_closed_won", "hs_is_closed_lost"
_AS_TEXT: Final = frozenset({"id", "code", "text", "host"})
_LINKED: Final = pa.list_(pa.struct([("id", pa.string()), ("type", pa.string())]))
_PAGING: Final = pa.struct([("next", pa.struct([("after", pa.string())]))])
# Above every id, so that a link which is not the primary one comes after all that are.
_BEHIND: Final = 1 << 61


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

    @property
    def sources(self) -> tuple[str, ...]:
        named = (source for field in self.fields for source in field.sources)
        return tuple(dict.fromkeys(named))

    @property
    def properties(self) -> tuple[str, ...]:
        """What to ask for, each once."""
        names = [*self.sources, *(self.source.place if self.is_staged else ())]
        if self.tells_merged and MERGED in self.kinds:
            names.append(MERGED)
        return tuple(dict.fromkeys(name for name in names if name[0] != "$"))

    @property
    def is_staged(self) -> bool:
        """Is it told in which stage a record is, and what that makes of it?"""
        return bool({_WON, *self.source.place} & set(self.sources))

    @property
    def links(self) -> tuple[Link, ...]:
        """The links to ask for."""
        wanted = self.sources
        return tuple(link for link in self.source.links if link.source in wanted)

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

    def table_of(self, records: Sequence[Record], *, time_zone: str) -> pa.Table:
        """Records as the JSON gave them, as model columns."""
        found = self._arrays(records, self.properties)
        raw = {name: _typed(array, self._type(name)) for name, array in found.items()}
        raw |= {
            link.source: _nearest(self._linked(records, link), link)
            for link in self.links
        }
        if self.is_staged:
            raw |= self._staged(raw)
        return mapped(pa.table(raw), self.fields, time_zone=time_zone)

    def merged(self, records: Sequence[Record]) -> pa.Table:
        """Who is now part of one of these records, as `gone_schema` says."""
        if MERGED not in self.kinds:
            return gone_schema().empty_table()
        found = self._arrays(records, (MERGED,))
        losers = pc.split_pattern(empty_as_null(found[MERGED]), ";")
        place = pc.list_parent_indices(losers)
        ids = pc.utf8_trim_whitespace(pc.list_flatten(losers))
        nothing = pa.nulls(len(ids), pa.timestamp("us", "UTC"))
        reason = pa.repeat(pa.scalar("merged"), len(ids))
        columns = [ids, reason, pc.take(found[ID], place), nothing]
        return pa.table(columns, schema=gone_schema())

    def cut(self, records: Sequence[Record]) -> list[int]:
        """Places of the records with more links than a list shows."""
        places: set[int] = set()
        for link in self.links:
            parts = (link.to, pa.struct([("paging", _PAGING)]))
            inner = _array(records, [("associations", pa.struct([parts]))], self.table)
            more = pc.struct_field(inner, [0, 0, 0, 0, 0])
            places.update(pc.indices_nonzero(pc.is_valid(more)).to_pylist())
        return sorted(places)

    def unlinked(self, records: Sequence[Record]) -> list[int]:
        """Places of the records whose links no property tells."""
        if PRIMARY_COMPANY not in self.properties or len(self.links) != 1:
            return list(range(len(records)))
        told = self._arrays(records, (PRIMARY_COMPANY,))
        primary = empty_as_null(told[PRIMARY_COMPANY])
        places: list[int] = pc.indices_nonzero(pc.is_null(primary)).to_pylist()
        return places

    def _staged(self, raw: MappingOf[str, pa.Array]) -> dict[str, pa.Array]:
        """Names of pipeline and stage; won and lost where only the stage tells."""
        stages = self.stages(self.source.kind)
        here = pc.binary_join_element_wise(
            *(raw[name] for name in self.source.place), "\n"
        )
        place = pc.index_in(here, stages["here"].combine_chunks())
        told = {
            name: pc.take(stages[name].combine_chunks(), place)
            for name in ("pipeline", "stage", "status")
        }
        names = zip(self.source.place, ("pipeline", "stage"), strict=True)
        named = {name: pc.coalesce(told[part], raw[name]) for name, part in names}
        return named | {
            name: pc.coalesce(raw[name], pc.equal(told["status"], said))
            for name, said in ((_WON, "won"), (_LOST, "lost"))
            if name in raw
        }

    def _arrays(
        self, records: Sequence[Record], names: Sequence[str]
    ) -> dict[str, pa.Array]:
        inner = pa.struct([(name, pa.string()) for name in names])
        array = _array(
            records, [("id", pa.string()), ("properties", inner)], self.table
        )
        ids, properties = array.flatten()
        return {ID: ids, **dict(zip(names, properties.flatten(), strict=True))}

    def _linked(self, records: Sequence[Record], link: Link) -> pa.Array:
        inner = pa.struct([(link.to, pa.struct([("results", _LINKED)]))])
        array = _array(records, [("associations", inner)], self.table)
        return pc.struct_field(array, [0, 0, 0])

    def _type(self, name: str) -> str:
        is_text = any(
            name in field.sources
            and (field.convert in _AS_TEXT or name == PRIMARY_COMPANY)
            for field in self.fields
        )
        return "string" if is_text else self.kinds.get(name, "string")


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
    if table == "account" and column in COMPANY_PROPERTIES:
        hint = (
            "Run setup first (crm-portfolio setup hubspot --apply): it creates the "
            "property."
        )
        name = COMPANY_PROPERTIES[column]
        return FieldNotFoundError("hubspot", table, name, (), hint)
    if column in TABLES[table].names:
        hint = "The column is not mapped, or this portal does not have its property."
        return FieldNotFoundError("hubspot", table, column, (), hint)
    return FieldNotFoundError("hubspot", table, column, known)


def _array(
    records: Sequence[Record], parts: list[tuple[str, pa.DataType]], table: str
) -> pa.Array:
    try:
        return pa.array(records, type=pa.struct(parts))
    except (pa.ArrowException, UnicodeError, TypeError):
        raise ConnectorError(
            "hubspot", f"reading {table}: a value is not of its property's type"
        ) from None


def _typed(array: pa.Array, kind: str) -> pa.Array:
    wanted = _TYPES.get(kind)
    if wanted is None:
        return array
    try:
        return array.cast(wanted)
    except pa.ArrowException:
        return _with_care(array, kind, wanted)


def _with_care(array: pa.Array, kind: str, wanted: pa.DataType) -> pa.Array:
    """The same for text with gaps or milliseconds; left as it is where it is neither."""
    try:
        if kind == "datetime":
            return moments(array)
        if kind == "date":
            return _days(array)
        return empty_as_null(pc.utf8_trim_whitespace(array)).cast(wanted)
    except pa.ArrowException:
        return array  # the normaliser judges it, and reports every such fault at once


def _days(array: pa.Array) -> pa.Array:
    """A date is midnight UTC, as a day, an instant or milliseconds."""
    said = empty_as_null(pc.utf8_trim_whitespace(array))
    is_day = pc.match_substring_regex(said, r"^\d{4}-\d\d-\d\d$")
    nothing = pa.scalar(None, pa.string())
    day = pc.if_else(is_day, said, nothing).cast(pa.date32())
    moment = moments(pc.if_else(is_day, nothing, said))
    return pc.coalesce(day, pc.floor_temporal(moment, unit="day").cast(pa.date32()))


_TYPES: Final[MappingOf[str, pa.DataType]] = {
    "number": pa.float64(),
    "bool": pa.bool_(),
    "datetime": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
}


def _nearest(linked: pa.Array, link: Link) -> pa.Array:
    """One linked record each: the primary one, else the one with the lowest id.

    A list shows each label of a link by itself, so an id may come more than once.
    """
    flat = pc.list_flatten(linked)
    if not len(flat):
        return pa.nulls(len(linked), pa.string())
    ids, kinds = flat.flatten()
    behind = pc.if_else(pc.equal(kinds, link.primary), 0, _BEHIND)
    rank = pc.add(ids.cast(pa.int64()), pc.fill_null(behind, _BEHIND))
    best = (
        pa.table({"place": pc.list_parent_indices(linked), "rank": rank})
        .group_by("place", use_threads=False)
        .aggregate([("rank", "min")])
        .combine_chunks()
    )
    first = pc.bit_wise_and(best["rank_min"], _BEHIND - 1).cast(pa.string())
    where = pc.index_in(pa.array(range(len(linked))), best["place"])
    return pc.take(first, where).combine_chunks()
