"""What did an opportunity's properties say before, and since when do they say otherwise?

HubSpot keeps every value of every property with its moment, the newest first. What
differs from the value before is a change, the first value of all included. Values are
those of the model's own columns: a stage by its name in the pipeline of that time, a
moment as a day, a number as people write it.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._mapping import CONVERTERS, Field, empty_as_null, moments
from crm_portfolio.connectors.hubspot._columns import Layout, Record
from crm_portfolio.connectors.hubspot._converting import array_of, kind_of, typed
from crm_portfolio.connectors.hubspot._fields import Link, Once
from crm_portfolio.protocols import gone_schema
from crm_portfolio.schema import OPPORTUNITY_CHANGE, TableName, arrow_type

__all__ = ["CHANGES", "COLUMNS", "Changes", "changes"]

CHANGES: Final[TableName] = "opportunity_change"
COLUMNS: Final = ("opportunity_id", "changed_at", "field", "old", "new")
# Columns of an opportunity whose past is worth its pages.
_TRACKED: Final = (
    "pipeline", "stage", "amount", "expected_close_on", "probability", "owner_id",
    "kind", "loss_reason",
)  # fmt: skip
_ENTRIES: Final = pa.list_(
    pa.struct([("value", pa.string()), ("timestamp", pa.string())])
)
_MOMENT: Final = pa.timestamp("us", "UTC")
_SCHEMA: Final = pa.schema(
    [(name, arrow_type(OPPORTUNITY_CHANGE[name])) for name in COLUMNS]
)


@attrs.frozen
class Changes(Layout):
    """What to ask for of one kind of opportunity, and what becomes of its past.

    Attributes:
        lines: Property → our line of the opportunity.
        has_currencies: Amounts are in the opportunity's own currency then.
        since: Earlier changes are known already.
    """

    lines: MappingOf[str, Field] = attrs.field(factory=dict)
    has_currencies: bool = False
    since: datetime | None = None

    @property
    def history(self) -> tuple[str, ...]:
        return tuple(self.lines)

    @property
    def properties(self) -> tuple[str, ...]:
        return ("hs_object_id",)

    @property
    def links(self) -> tuple[Link, ...]:
        return ()

    @property
    def is_staged(self) -> bool:
        return bool(set(self.source.place) & set(self.lines))

    def only(self, columns: Sequence[str] | None) -> Changes:
        """The layout of these columns."""
        wanted = COLUMNS if columns is None else columns
        return attrs.evolve(self, fields=_fields(wanted))

    def for_increment(self, since: datetime) -> Changes:
        """Without the changes that were there then."""
        return attrs.evolve(self, since=since)

    def merged(self, records: Sequence[Record]) -> pa.Table:  # noqa: ARG002
        """Who went is told by the table of opportunities."""
        return gone_schema().empty_table()

    def plan(  # type: ignore[override]
        self,
        time_zone: str,
        columns: Sequence[str] = (),  # noqa: ARG002
    ) -> _Past:
        return _Past(self, time_zone)


def changes(part: Layout, *, has_currencies: bool) -> Changes:
    """The past of what a layout of opportunities maps."""
    lines = {
        field.sources[0]: field
        for column in _TRACKED
        for field in part.fields
        if field.column == column and field.sources and field.sources[0][0] != "$"
    }
    return Changes(
        CHANGES,
        part.source,
        _fields(COLUMNS),
        part.kinds,
        part.stages,
        lines=lines,
        has_currencies=has_currencies,
    )


def _fields(columns: Sequence[str]) -> tuple[Field, ...]:
    return tuple(Field(column) for column in COLUMNS if column in columns)


class _Past:
    """The work that turns histories into changes, some records at a time."""

    def __init__(self, layout: Changes, time_zone: str) -> None:
        self._layout, self._zone = layout, time_zone
        said = pa.struct([(name, _ENTRIES) for name in layout.history])
        self._shape = pa.struct([("id", pa.string()), ("propertiesWithHistory", said)])

    def of_records(self, records: Sequence[Record], _whole: object = None) -> pa.Table:
        """Changes in the order of the records, of their time and of their columns."""
        layout = self._layout
        ids, said = array_of(records, self._shape, layout.table).flatten()
        told = dict(zip(layout.history, said.flatten(), strict=True))
        entries = {name: _entries(listed) for name, listed in told.items()}
        parts = [_nothing()]
        for name, line in layout.lines.items():
            values = self._values(name, line, entries)
            parts.append(_changed(entries[name], values, self._column(line)))
        rows = pa.concat_tables(parts)
        rows = rows.sort_by([(key, "ascending") for key in ("place", "at", "order")])
        rows = rows.filter(self._is_new(rows["at"]))
        owners = pc.take(ids, rows["place"].combine_chunks())
        columns = [owners, rows["at"], rows["field"], rows["old"], rows["new"]]
        return pa.table(columns, schema=_SCHEMA).select(list(layout.columns))

    def _is_new(self, at: pa.ChunkedArray) -> pa.ChunkedArray:
        if self._layout.since is None:
            return pc.is_valid(at)
        start = self._layout.since - timedelta(seconds=_assumptions.SEARCH_LAG_SECONDS)
        return pc.greater_equal(at, pa.scalar(start, _MOMENT))

    def _column(self, line: Field) -> str:
        is_amount = line.column == "amount" and self._layout.has_currencies
        return "original_amount" if is_amount else line.column

    def _values(
        self, name: str, line: Field, entries: MappingOf[str, pa.Table]
    ) -> pa.Array:
        layout, said = self._layout, empty_as_null(_one(entries[name]["value"]))
        place = layout.source.place
        if name in place[:1]:
            return self._named_pipelines(said)
        if name in place[1:]:
            return self._named_stages(said, entries[name], entries.get(place[0]))
        raw = typed(layout.table, name, said, kind_of(layout, name, (line,)))
        convert = line.convert
        if isinstance(convert, Once):
            made = CONVERTERS[convert.first]((raw,), self._zone)
        else:
            work = CONVERTERS[convert] if isinstance(convert, str) else convert
            made = work((raw,), self._zone)
        return _as_text(made)

    def _named_pipelines(self, said: pa.Array) -> pa.Array:
        stages = self._stages
        ids = pc.list_element(pc.split_pattern(stages["here"], "\n"), 0)
        return _translated(said, ids, stages["pipeline"])

    def _named_stages(
        self, said: pa.Array, entries: pa.Table, pipelines: pa.Table | None
    ) -> pa.Array:
        """By their name in the pipeline of that time; else where only one has such."""
        stages = self._stages
        ids = pc.list_element(pc.split_pattern(stages["here"], "\n"), 1)
        often = pc.value_counts(ids)
        twice = often.field("values").filter(pc.greater(often.field("counts"), 1))
        once = pc.invert(pc.is_in(ids, value_set=twice))
        named = _translated(said, ids.filter(once), stages["stage"].filter(once))
        if not len(twice) or pipelines is None:
            return named
        there = _as_of(entries, pipelines)
        here = pc.binary_join_element_wise(there, said, "\n")
        place = pc.index_in(here, value_set=stages["here"])
        return pc.coalesce(pc.take(stages["stage"], place), named)

    @property
    def _stages(self) -> dict[str, pa.Array]:
        stages = self._layout.stages(self._layout.source.kind)
        return {name: _one(stages[name]) for name in stages.column_names}


def _entries(listed: pa.Array) -> pa.Table:
    """Place of the record, value and moment, each record's oldest first."""
    values, said = listed.flatten().flatten()
    table = pa.table(
        {
            "place": pc.list_parent_indices(listed).cast(pa.int64()),
            "value": values,
            "at": moments(said),
        }
    )
    # They come newest first; what came in one moment stays in that order, reversed.
    backwards = pa.array(range(len(table) - 1, -1, -1), pa.int64())
    table = table.take(backwards)
    return table.sort_by([("place", "ascending"), ("at", "ascending")])


def _changed(entries: pa.Table, values: pa.Array, column: str) -> pa.Table:
    place = _one(entries["place"])
    is_same = pc.fill_null(pc.equal(place, _shifted(place)), False)  # noqa: FBT003
    nothing = pa.scalar(None, pa.string())
    old = pc.if_else(is_same, _shifted(values), nothing)
    rows = pa.table(
        {
            "place": place,
            "at": entries["at"],
            "order": pa.repeat(pa.scalar(_ORDER[column]), len(place)),
            "field": pa.repeat(pa.scalar(column), len(place)),
            "old": old,
            "new": values,
        }
    )
    same = pc.fill_null(pc.equal(old, values), False)  # noqa: FBT003
    nobody_said = pc.and_(pc.is_null(old), pc.is_null(values))
    return rows.filter(pc.invert(pc.or_(same, nobody_said)))


_ORDER: Final = {
    name: number for number, name in enumerate((*_TRACKED, "original_amount"))
}


def _nothing() -> pa.Table:
    numbers = {"place": pa.int64(), "at": _MOMENT, "order": pa.int64()}
    texts = dict.fromkeys(("field", "old", "new"), pa.string())
    return pa.schema([*numbers.items(), *texts.items()]).empty_table()


def _as_of(entries: pa.Table, others: pa.Table) -> pa.Array:
    """For each entry, what the others said of that record at that moment."""
    size = len(entries)
    both = pa.table(
        {
            "place": pa.concat_arrays([_one(others["place"]), _one(entries["place"])]),
            "at": pa.concat_arrays([_one(others["at"]), _one(entries["at"])]),
            "asks": pa.array([0] * len(others) + [1] * size, pa.int8()),
            "number": pa.array([*range(len(others)), *range(size)], pa.int64()),
        }
    ).sort_by([(name, "ascending") for name in ("place", "at", "asks", "number")])
    asks, number = _one(pc.equal(both["asks"], 1)), _one(both["number"])
    nothing = pa.scalar(None, pa.int64())
    latest = pc.fill_null_forward(pc.if_else(asks, nothing, number))
    there = pc.take(_one(others["place"]), latest)
    is_theirs = pc.equal(there, _one(both["place"]))
    value = pc.if_else(is_theirs, pc.take(_one(others["value"]), latest), None)
    answers = value.filter(asks)
    return pc.take(answers, pc.sort_indices(number.filter(asks)))


def _translated(said: pa.Array, ids: pa.Array, names: pa.Array) -> pa.Array:
    return pc.coalesce(pc.take(names, pc.index_in(said, value_set=ids)), said)


def _shifted(array: pa.Array) -> pa.Array:
    """Each place says what the place before did."""
    return pa.concat_arrays([pa.nulls(min(1, len(array)), array.type), array[:-1]])


def _as_text(values: pa.Array) -> pa.Array:
    """Numbers as people write them: 1500, not 1500.0."""
    if not pa.types.is_floating(values.type):
        return values.cast(pa.string())
    is_whole = pc.and_(
        pc.equal(values, pc.floor(values)), pc.less(pc.abs(values), 2.0**53)
    )
    nothing = pa.scalar(None, pa.float64())
    whole = pc.if_else(is_whole, values, nothing).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(whole, values.cast(pa.string()))


def _one(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
