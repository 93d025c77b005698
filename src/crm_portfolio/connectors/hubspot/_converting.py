"""How do records, as the JSON or a file says them, become model columns?

HubSpot gives every value as text. A batch is a page of a hundred records, and there each
call into Arrow costs more than its hundred values: what has to be worked out is worked
out once for a table, and columns that take the same work are laid end to end for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as MappingOf
from functools import cached_property, partial
from itertools import chain
from operator import itemgetter, methodcaller
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors._mapping import (
    CONVERTERS,
    Converter,
    Field,
    empty_as_null,
    moments,
)
from crm_portfolio.connectors.hubspot._fields import ID, PRIMARY_COMPANY, Link, Once
from crm_portfolio.errors import ConnectorError, SettingsError
from crm_portfolio.schema import TABLES, arrow_type

if TYPE_CHECKING:
    from crm_portfolio.connectors.hubspot._columns import Layout, Record

__all__ = [
    "WON",
    "Plan",
    "Raw",
    "array_of",
    "kind_of",
    "settled",
    "shape",
    "strings",
    "typed",
]

Raw: TypeAlias = dict[str, pa.Array]
Whole: TypeAlias = "Callable[[Sequence[Record]], Sequence[Record]]"
_Known: TypeAlias = dict[tuple[str, str], pa.Array]
_T = TypeVar("_T")
WON, LOST = "hs_is_closed_won", "hs_is_closed_lost"
_AS_TEXT: Final = frozenset({"id", "code", "text", "host"})
_LINKED: Final = pa.list_(pa.struct([("id", pa.string()), ("type", pa.string())]))
# Above every id, so that a link which is not the primary one comes after all that are.
_BEHIND: Final = 1 << 61
_TYPES: Final[MappingOf[str, pa.DataType]] = {
    "number": pa.float64(),
    "bool": pa.bool_(),
    "datetime": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
}


_CASTS: Final[MappingOf[str, Callable[[pa.Array], pa.Array]]] = {
    kind: methodcaller("cast", wanted) for kind, wanted in _TYPES.items()
}
# What is of this type already needs no such converter.
_MADE: Final[MappingOf[str, pa.DataType]] = {
    "number": _TYPES["number"],
    "boolean": _TYPES["bool"],
    "moment": _TYPES["datetime"],
    "day": _TYPES["date"],
}
# Converters under several names, by one of them.
_FIRST: Final = {work: name for name, work in reversed(list(CONVERTERS.items()))}
_ALIKE: Final = {name: _FIRST[work] for name, work in CONVERTERS.items()}


class Plan:
    """The work that turns records of one layout into columns, worked out once.

    Args:
        columns: All columns of the table; null where the layout has them not.
    """

    def __init__(
        self, layout: Layout, time_zone: str, columns: Sequence[str] = ()
    ) -> None:
        self._layout, self._zone = layout, time_zone
        self._table = layout.table
        self._names, self._links = layout.properties, layout.links
        self._shape = shape(self._names)
        # One name alone would give a value, not a row of values.
        self._row = itemgetter(*self._names) if len(self._names) > 1 else None
        self._is_staged = layout.is_staged
        kinds = {name: kind_of(layout, name, layout.fields) for name in self._names}
        self._types = {n: _TYPES[kind] for n, kind in kinds.items() if kind in _TYPES}
        self._kinds = _grouped((kind, n) for n, kind in kinds.items() if kind in _TYPES)
        wanted = _named_work(layout.fields)
        types = {(name, source): self._types.get(source) for name, source in wanted}
        # Where the type says it all there is nothing to do.
        self._as_is = [key for key in wanted if types[key] == _MADE.get(key[0], 0)]
        self._shared = _grouped(
            ((key[0], types[key]), key) for key in wanted if key not in self._as_is
        )
        fields = {field.column: field for field in layout.fields}
        names = tuple(dict.fromkeys((*layout.columns, *columns)))
        self._fields = [(name, fields.get(name)) for name in names]
        self._columns = list(names)

    def of_records(
        self, records: Sequence[Record], whole: Whole = lambda asked: asked
    ) -> pa.Table:
        """Records as the JSON gave them, as model columns.

        Args:
            whole: Gives records with all their links, where they show some of them only.
        """
        raw = self._strings(records)
        if self._links and PRIMARY_COMPANY in raw and len(self._links) == 1:
            (link,) = self._links
            primary, linked = self._linked(raw[PRIMARY_COMPANY], records, whole)
            raw |= {PRIMARY_COMPANY: primary, link.source: linked}
        elif self._links:
            asked = whole(records)
            for link in self._links:
                raw[link.source] = nearest(asked, link, self._table)
        return self.of_columns(raw)

    def _strings(self, records: Sequence[Record]) -> Raw:
        """As `strings`, with one array for the whole page while nothing is amiss."""
        if self._row is not None:
            try:
                rows = [self._row(record["properties"]) for record in records]
                cells = [record["id"] for record in records]
                cells.extend(chain.from_iterable(zip(*rows, strict=True)))
                whole, size = pa.array(cells, pa.string()), len(records)
            except (KeyError, TypeError, UnicodeError, pa.ArrowException):
                pass  # said below, or a property that a record has not
            else:
                names = (ID, *self._names)
                return {n: whole.slice(at * size, size) for at, n in enumerate(names)}
        return strings(records, self._shape, self._names, self._table)

    def of_columns(self, raw: Raw) -> pa.Table:
        """The same of columns of text: a property each, ``$id``, and one for each link."""
        self._type(raw)
        if self._is_staged:
            raw |= self._staged(raw)
        known = self._worked_out(raw)
        arrays = [self._made(name, field, raw, known) for name, field in self._fields]
        return pa.Table.from_arrays(arrays, names=self._columns)

    def _made(
        self, column: str, field: Field | None, raw: Raw, known: _Known
    ) -> pa.Array:
        if field is None:
            wanted = arrow_type(TABLES[self._table][column])
            return pa.nulls(len(raw[ID]), wanted)
        if field.constant is not None:
            return pa.repeat(pa.scalar(field.constant), len(raw[ID]))
        convert, sources = field.convert, field.sources
        if isinstance(convert, str):
            return known[_ALIKE[convert], sources[0]]
        if isinstance(convert, Once):
            first = known[_ALIKE[convert.first], sources[0]]
            rest = [raw[source] for source in sources[1:]]
            return convert.then((first, *rest), self._zone)
        arrays = tuple([raw[source] for source in sources])
        return _converted(field, convert, arrays, self._zone)

    def _type(self, raw: Raw) -> None:
        for kind, names in self._kinds.items():
            arrays = [raw[name] for name in names]
            try:
                found = _end_to_end(arrays, _CASTS[kind])
            except pa.ArrowException:
                found = [
                    _with_care(self._table, name, array, kind)
                    for name, array in zip(names, arrays, strict=True)
                ]
            raw.update(zip(names, found, strict=True))

    def _worked_out(self, raw: Raw) -> _Known:
        """By converter and source, what named converters make of one source."""
        known = {key: raw[key[1]] for key in self._as_is}
        for (name, _), keys in self._shared.items():
            known.update(zip(keys, self._done(name, keys, raw), strict=True))
        return known

    def _done(
        self, name: str, keys: Sequence[tuple[str, str]], raw: Raw
    ) -> Sequence[pa.Array]:
        work, arrays = CONVERTERS[name], [raw[source] for _, source in keys]
        try:
            return _end_to_end(arrays, lambda array: work((array,), self._zone))
        except pa.ArrowException:
            # Now one by one, to say which of them it was.
            fields = [Field(source, (source,), name) for _, source in keys]
            return [
                _converted(field, work, (array,), self._zone)
                for field, array in zip(fields, arrays, strict=True)
            ]

    def _linked(
        self, primary: pa.Array, records: Sequence[Record], whole: Whole
    ) -> tuple[pa.Array, pa.Array]:
        """The primary company, and a linked one where the property does not tell."""
        nothing = pa.nulls(len(records), pa.string())
        places = self._layout.unlinked(records)
        if not places:
            return primary, nothing
        unknown = np.zeros(len(records), np.bool_)
        unknown[places] = True
        asked = whole([records[place] for place in places])
        found = nearest(asked, self._links[0], self._table)
        linked = pc.replace_with_mask(nothing, pa.array(unknown), found)
        return empty_as_null(primary), linked

    @cached_property
    def _stages(self) -> Raw:
        stages = self._layout.stages(self._layout.source.kind).combine_chunks()
        return {name: stages[name].combine_chunks() for name in stages.column_names}

    def _staged(self, raw: Raw) -> Raw:
        """Names of pipeline and stage; won and lost where only the stage tells."""
        names, stages = self._layout.source.place, self._stages
        here = pc.binary_join_element_wise(*(raw[name] for name in names), "\n")
        place = pc.index_in(here, stages["here"])
        told: Raw = {}
        for name, part in zip(names, ("pipeline", "stage"), strict=True):
            named = pc.take(stages[part], place)
            told[name] = pc.coalesce(named, raw[name]) if named.null_count else named
        for name, said in ((WON, "won"), (LOST, "lost")):
            if name in raw and raw[name].null_count:
                status = pc.take(stages["status"], place)
                told[name] = pc.coalesce(raw[name], pc.equal(status, said))
        return told


def strings(
    records: Sequence[Record], shape: pa.StructType, names: Sequence[str], table: str
) -> Raw:
    """The id and the properties of records, as the JSON says them."""
    ids, properties = array_of(records, shape, table).flatten()
    return {ID: ids, **dict(zip(names, properties.flatten(), strict=True))}


def shape(names: Sequence[str]) -> pa.StructType:
    inner = pa.struct([(name, pa.string()) for name in names])
    return pa.struct([("id", pa.string()), ("properties", inner)])


def nearest(records: Sequence[Record], link: Link, table: str) -> pa.Array:
    """One linked record each, as `settled` says.

    A list shows each label of a link by itself, so an id may come more than once.
    """
    inner = pa.struct([(link.to, pa.struct([("results", _LINKED)]))])
    shape = pa.struct([("associations", inner)])
    linked = array_of(records, shape, table)
    for _ in range(3):
        (linked,) = linked.flatten()
    return settled(linked, link)


def settled(linked: pa.Array, link: Link) -> pa.Array:
    """Of each list of links, the primary one or the only one.

    Null where there is none, and where nobody has said which of several it is.
    """
    flat = linked.flatten()
    if not len(flat):
        return pa.nulls(len(linked), pa.string())
    ids, kinds = flat.flatten()
    primary = pa.scalar(link.primary or None, pa.string())
    is_first = pc.fill_null(pc.equal(kinds, primary), False)  # noqa: FBT003
    behind = np.where(is_first.to_numpy(zero_copy_only=False), 0, _BEHIND)
    rank = ids.cast(pa.int64()).to_numpy() + behind
    sizes = pc.fill_null(pc.list_value_length(linked), 0).to_numpy()
    is_linked = sizes > 0
    starts = (np.cumsum(sizes) - sizes)[is_linked]
    first, last = np.minimum.reduceat(rank, starts), np.maximum.reduceat(rank, starts)
    found = np.zeros(len(linked), np.int64)
    found[is_linked] = first & (_BEHIND - 1)
    is_linked[is_linked] = (first < _BEHIND) | (first == last)
    return pa.array(found, pa.int64(), mask=~is_linked).cast(pa.string())


def _named_work(fields: Sequence[Field]) -> list[tuple[str, str]]:
    """Each named converter, under its one name, and a source that it is for."""
    found = []
    for field in fields:
        convert = field.convert
        name = convert.first if isinstance(convert, Once) else convert
        if isinstance(name, str) and field.sources:
            found.append((_ALIKE[name], field.sources[0]))
    return list(dict.fromkeys(found))


def _grouped(pairs: Iterable[tuple[Any, _T]]) -> dict[Any, list[_T]]:
    groups: dict[Any, list[_T]] = {}
    for group, one in pairs:
        groups.setdefault(group, []).append(one)
    return groups


def kind_of(layout: Layout, name: str, fields: Sequence[Field]) -> str:
    """HubSpot's type of a property, or text where that is what is wanted of it."""
    is_text = name == PRIMARY_COMPANY or any(
        name in field.sources and field.convert in _AS_TEXT for field in fields
    )
    return "string" if is_text else layout.kinds.get(name, "string")


def _end_to_end(
    arrays: Sequence[pa.Array], work: Callable[[pa.Array], pa.Array]
) -> Sequence[pa.Array]:
    """The same work on columns of one type, done once for all of them."""
    if len(arrays) == 1:
        return [work(arrays[0])]
    whole, size = work(pa.concat_arrays(arrays)), len(arrays[0])
    return [whole.slice(place * size, size) for place in range(len(arrays))]


def _converted(
    field: Field, work: Converter, arrays: tuple[pa.Array, ...], time_zone: str
) -> pa.Array:
    try:
        return work(arrays, time_zone)
    except pa.ArrowException:
        # Arrow's own text shows the value.
        raise SettingsError(
            f"{field.column}: what {' and '.join(field.sources)} holds is no "
            f"{field.convert}; map the column onto another field"
        ) from None


def array_of(records: Sequence[Record], shape: pa.StructType, table: str) -> pa.Array:
    try:
        return pa.array(records, type=shape)
    except (pa.ArrowException, UnicodeError, TypeError):
        raise ConnectorError(
            "hubspot", f"reading {table}: a value is not of its property's type"
        ) from None


def typed(table: str, name: str, array: pa.Array, kind: str) -> pa.Array:
    """One property's texts as its type."""
    if kind not in _TYPES:
        return array
    try:
        return array.cast(_TYPES[kind])
    except pa.ArrowException:
        return _with_care(table, name, array, kind)


def _with_care(table: str, name: str, array: pa.Array, kind: str) -> pa.Array:
    """One column by itself: text with gaps, blanks or milliseconds.

    Raises:
        SettingsError: It is neither, so that a column has one type in every batch.
    """
    try:
        return _CAREFUL[kind](array)
    except pa.ArrowException:
        raise SettingsError(
            f"{table}: a value of the property {name} is no {kind}, which HubSpot says "
            "it is; mend it there, or map the column onto another property"
        ) from None


def _days(array: pa.Array) -> pa.Array:
    """A date is midnight UTC, as a day, an instant or milliseconds."""
    said = empty_as_null(pc.utf8_trim_whitespace(array))
    is_day = pc.match_substring_regex(said, r"^\d{4}-\d\d-\d\d$")
    nothing = pa.scalar(None, pa.string())
    day = pc.if_else(is_day, said, nothing).cast(pa.date32())
    moment = moments(pc.if_else(is_day, nothing, said))
    return pc.coalesce(day, pc.floor_temporal(moment, unit="day").cast(pa.date32()))


def _cast(wanted: pa.DataType, array: pa.Array) -> pa.Array:
    return empty_as_null(pc.utf8_trim_whitespace(array)).cast(wanted)


_CAREFUL: Final[MappingOf[str, Callable[[pa.Array], Any]]] = {
    "number": partial(_cast, pa.float64()),
    "bool": partial(_cast, pa.bool_()),
    "datetime": moments,
    "date": _days,
}
