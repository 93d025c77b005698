"""What did an opportunity's fields say before, and since when do they say otherwise?

OpportunityHistory keeps a snapshot at each change of stage, amount, odds or close date;
what differs from the snapshot before is a change. OpportunityFieldHistory keeps changes
of the other fields that the org tracks; the four are left out there, so that none comes
twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors._mapping import CONVERTERS, Field
from crm_portfolio.connectors.salesforce._columns import Layout
from crm_portfolio.connectors.salesforce._fields import OUR_FIELDS
from crm_portfolio.connectors.salesforce._legs import (
    Step,
    versions,
    without_known,
)
from crm_portfolio.connectors.salesforce._places import Place
from crm_portfolio.connectors.salesforce._reading import Reader, Select
from crm_portfolio.connectors.salesforce._rest import Query
from crm_portfolio.connectors.salesforce._soql import listed, literal
from crm_portfolio.errors import RightMissingError
from crm_portfolio.schema import OPPORTUNITY_CHANGE, arrow_type

__all__ = ["FieldChangesLeg", "SnapshotsLeg", "changes_schema", "in_snapshots"]

_BORN: Final = "CreatedDate"
_OF: Final = "OpportunityId"
# Field of a snapshot → the field that, on the snapshot itself, says what was before.
_SNAPSHOT: Final[Mapping[str, str]] = {
    "StageName": "",
    "Amount": "PrevAmount",
    "CloseDate": "PrevCloseDate",
    "Probability": "",
}
_ID: Final = r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$"
_FIELD_KINDS: Final[Mapping[str, str]] = {
    "Id": "id",
    _OF: "reference",
    "Field": "picklist",
    "OldValue": "anyType",
    "NewValue": "anyType",
    _BORN: "datetime",
}


def changes_schema() -> pa.Schema:
    """The columns of the table, but the one that is derived."""
    names = ("opportunity_id", "changed_at", "field", "old", "new")
    return pa.schema([(name, arrow_type(OPPORTUNITY_CHANGE[name])) for name in names])


def in_snapshots(layout: Layout) -> dict[str, Field]:
    """The snapshot's field → our line, for what the mapping takes from that field."""
    lines = {field.sources[0]: field for field in layout.fields if field.sources}
    found = {source: lines[source] for source in _SNAPSHOT if source in lines}
    # CloseDate feeds two columns; only what is still expected can change.
    for field in layout.fields:
        if field.column == "expected_close_on" and field.sources[0] == "CloseDate":
            found["CloseDate"] = field
    return found


@attrs.frozen
class SnapshotsLeg:
    """The changes between the snapshots of each opportunity.

    Attributes:
        has_currencies: Amounts are in the opportunity's own currency then.
    """

    layout: Layout  # of opportunity
    kinds: Mapping[str, str]  # of the snapshot
    reader: Reader
    has_currencies: bool

    def select_since(self, place: Place) -> Select:
        names = [_OF, _BORN, "Id"]
        for source in in_snapshots(self.layout):
            names += [source, _SNAPSHOT[source]]
        seen = tuple(name for name in names if name in self.kinds)
        # What is new is told by what was before, so all of an opportunity comes.
        where = (
            f"Opportunity.SystemModstamp >= {literal(place.since)}"
            if place.since
            else ""
        )
        query = Query("OpportunityHistory", seen, where, key=_OF, then=(_BORN, "Id"))
        return Select(query, self.kinds)

    def steps(self, place: Place) -> Iterator[Step]:
        for chunk in self.reader.chunks(self.select_since(place), place.spot):
            raw = chunk.rows.combine_chunks()
            new = without_known(_since(raw, place), _BORN, place, is_fixed=True)
            newest = pc.max(raw[_BORN]).as_py()
            given = versions(raw, _BORN, place, settled_for=None)
            wanted = pc.is_in(raw["Id"], value_set=new["Id"].combine_chunks())
            yield Step(
                self._changes(raw, wanted), chunk.spot, newest=newest, versions=given
            )

    def _changes(self, raw: pa.Table, wanted: pa.ChunkedArray) -> pa.Table:
        owner = raw[_OF].combine_chunks()
        is_same = pc.fill_null(pc.equal(owner, _shifted(owner)), False)  # noqa: FBT003
        parts = []
        for source, line in in_snapshots(self.layout).items():
            if source not in raw.column_names:
                continue
            new = _as_text(raw[source].combine_chunks(), line)
            old = pc.if_else(
                is_same, _shifted(new), self._said_before(raw, source, line)
            )
            mask = pc.and_(wanted, _differs(old, new)).combine_chunks()
            parts.append(_rows(raw, mask, self._column(line), old, new))
        rows = pa.concat_tables(parts) if parts else changes_schema().empty_table()
        # By opportunity and time, as the snapshots came; fields in a fixed order.
        return rows.sort_by([(name, "ascending") for name in rows.column_names[:3]])

    def _said_before(self, raw: pa.Table, source: str, line: Field) -> pa.Array:
        before = _SNAPSHOT[source]
        if before not in raw.column_names:
            return pa.nulls(len(raw), pa.string())
        return _as_text(raw[before].combine_chunks(), line)

    def _column(self, line: Field) -> str:
        is_amount = line.column == "amount" and self.has_currencies
        return "original_amount" if is_amount else line.column


@attrs.frozen
class FieldChangesLeg:
    """The changes of tracked fields that no snapshot shows; by REST, as Bulk loses values."""

    layout: Layout
    reader: Reader
    without: frozenset[str]

    @property
    def lines(self) -> dict[str, Field]:
        """What the history calls a field → our line."""
        found = {}
        for field in self.layout.fields:
            if len(field.sources) == 1 and field.sources[0] not in self.without:
                source = field.sources[0]
                is_key = source in ("Id", _BORN, "LastActivityDate", "CurrencyIsoCode")
                # What we write is no news of the opportunity.
                if not is_key and field.column not in OUR_FIELDS["opportunity"]:
                    found[_in_history(source, self.layout.kinds)] = field
        return found

    def select_since(self, place: Place) -> Select:
        where = f"Field IN {listed(self.lines)}"
        if place.since:
            where += f" AND {_BORN} >= {literal(place.since)}"
        query = Query("OpportunityFieldHistory", tuple(_FIELD_KINDS), where)
        return Select(query, _FIELD_KINDS, by_rest=True)

    def steps(self, place: Place) -> Iterator[Step]:
        nothing = changes_schema().empty_table()
        if not self.lines:
            yield Step(nothing, None)
            return
        try:
            for chunk in self.reader.chunks(self.select_since(place), place.spot):
                newest = pc.max(chunk.rows[_BORN]).as_py()
                given = versions(chunk.rows, _BORN, place, settled_for=None)
                raw = without_known(chunk.rows, _BORN, place, is_fixed=True)
                raw = raw.combine_chunks()
                yield Step(
                    self._changes(raw), chunk.spot, newest=newest, versions=given
                )
        except RightMissingError:  # the org keeps none, or shows none
            yield Step(nothing, None)

    def _changes(self, raw: pa.Table) -> pa.Table:
        parts = [changes_schema().empty_table()]
        for name, line in self.lines.items():
            its = raw.filter(pc.equal(raw["Field"], name)).combine_chunks()
            if line.convert == "id":
                # A change of a link is kept twice: once by ids, once by names.
                its = its.filter(
                    pc.and_(_is_id(its["OldValue"]), _is_id(its["NewValue"]))
                )
            if len(its):
                old, new = (
                    _as_text(its[side].combine_chunks(), line)
                    for side in ("OldValue", "NewValue")
                )
                parts.append(_rows(its, _differs(old, new), line.column, old, new))
        rows = pa.concat_tables(parts)
        return rows.sort_by(
            [("changed_at", "ascending"), ("opportunity_id", "ascending")]
        )


def _in_history(source: str, kinds: Mapping[str, str]) -> str:
    """A standard link is called after the record it leads to: Owner, not OwnerId."""
    is_link = kinds.get(source) == "reference" and source.endswith("Id")
    return source.removesuffix("Id") if is_link else source


def _since(raw: pa.Table, place: Place) -> pa.Table:
    """The rows of the time that is asked for."""
    if place.since is None:
        return raw
    type_ = raw.schema.field(_BORN).type
    return raw.filter(pc.greater_equal(raw[_BORN], pa.scalar(place.since, type_)))


def _rows(
    raw: pa.Table, mask: pa.Array, column: str, old: pa.Array, new: pa.Array
) -> pa.Table:
    count = int(pc.sum(mask).as_py() or 0)
    parts = [
        raw[_OF].filter(mask),
        raw[_BORN].filter(mask).cast(pa.timestamp("us", "UTC")),
        pa.repeat(pa.scalar(column), count),
        old.filter(mask),
        new.filter(mask),
    ]
    return pa.table(parts, schema=changes_schema())


def _shifted(array: pa.Array) -> pa.Array:
    """Each place says what the place before did."""
    return pa.concat_arrays([pa.nulls(min(1, len(array)), array.type), array[:-1]])


def _differs(old: pa.Array, new: pa.Array) -> pa.Array:
    same = pc.fill_null(pc.equal(old, new), False)  # noqa: FBT003
    both_null = pc.and_(pc.is_null(old), pc.is_null(new))
    return pc.invert(pc.or_(same, both_null))


def _as_text(values: pa.Array, line: Field) -> pa.Array:
    """A value as the model's column would say it, as text."""
    convert = line.convert if isinstance(line.convert, str) else "text"
    if callable(line.convert) and len(line.sources) == 1:
        return line.convert((values,), "UTC").cast(pa.string())
    typed = CONVERTERS[convert]((values,), "UTC")
    if convert in ("money", "number", "share", "integer") and pa.types.is_string(
        typed.type
    ):
        typed = typed.cast(pa.float64())
    if pa.types.is_floating(typed.type):
        return _plain(typed)
    return typed.cast(pa.string())


def _plain(numbers: pa.Array) -> pa.Array:
    """Numbers as people write them: 1500, not 1500.0."""
    is_whole = pc.and_(
        pc.equal(numbers, pc.floor(numbers)), pc.less(pc.abs(numbers), 2.0**53)
    )
    nothing = pa.scalar(None, pa.float64())
    whole = pc.if_else(is_whole, numbers, nothing).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(whole, numbers.cast(pa.string()))


def _is_id(values: pa.ChunkedArray) -> pa.ChunkedArray:
    said = pc.match_substring_regex(values, _ID)
    return pc.or_(pc.is_null(values), pc.fill_null(said, False))  # noqa: FBT003
