"""Which fields does this login see, and how do its records become columns?"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from typing import Any, Final

import attrs
import orjson
import pyarrow as pa

from crm_portfolio.connectors._mapping import (
    Field,
    chosen,
    extended,
    mapped,
    moments,
)
from crm_portfolio.connectors.salesforce._fields import (
    COUNTED,
    IS_PERSON,
    OBJECTS,
    OUR_FIELDS,
    SObject,
    person_account_fields,
)
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.errors import ConnectorError, FieldNotFoundError, SettingsError
from crm_portfolio.schema import TABLES, TableName

__all__ = ["Layout", "json_table", "layout", "vendor_objects"]

_NUMBERS: Final = frozenset({"int", "double", "currency", "percent", "long"})
_ANY: Final = "anyType"  # a value of the history is as its field is
_COMPOUND: Final = frozenset({"address", "location", "complexvalue"})


@attrs.frozen
class Layout:
    """The fields to ask for of one object, and what becomes of them.

    Attributes:
        kinds: Field name → vendor type, for every field this login sees.
    """

    table: TableName
    sobject: SObject
    fields: tuple[Field, ...]
    kinds: MappingOf[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.column for field in self.fields)

    @property
    def sources(self) -> tuple[str, ...]:
        """The vendor's fields, the id first, each once; what is counted is none."""
        named = (source for field in self.fields for source in field.sources)
        real = (source for source in named if source not in COUNTED)
        return tuple(dict.fromkeys(("Id", *real)))

    @property
    def where(self) -> str:
        """What a record must be to belong to the table."""
        only = (text for name, text in self.sobject.only.items() if name in self.kinds)
        return " AND ".join(filter(None, (self.sobject.where, *only)))

    def only(self, columns: Sequence[str] | None) -> Layout:
        """The layout of these columns.

        Raises:
            FieldNotFoundError: A column that this login does not see.
        """
        for column in columns or ():
            if column not in self.columns:
                raise _absent_column(self.table, column, self.columns)
        return attrs.evolve(self, fields=chosen(self.fields, columns))

    def table_of(
        self, records: Sequence[MappingOf[str, Any]], *, time_zone: str
    ) -> pa.Table:
        """Records as the JSON gave them, as model columns."""
        raw = json_table(records, self.sources, self.kinds, self.sobject.name)
        return self.mapped(raw, time_zone=time_zone)

    def mapped(self, raw: pa.Table, *, time_zone: str) -> pa.Table:
        """The vendor's columns as the model's."""
        return mapped(raw, self.fields, time_zone=time_zone)


def json_table(
    records: Sequence[MappingOf[str, Any]],
    names: Sequence[str],
    kinds: MappingOf[str, str],
    sobject: str,
) -> pa.Table:
    """Records as the JSON gave them, as typed columns of the vendor's."""
    wanted = pa.struct([(name, _json_type(kinds[name])) for name in names])
    loose = [name for name in names if kinds[name] == _ANY]
    if loose:
        records = [_as_text(record, loose) for record in records]
    try:
        arrays = pa.array(records, type=wanted).flatten()
        typed = [
            _typed(array, kinds[name])
            for name, array in zip(names, arrays, strict=True)
        ]
    except (pa.ArrowException, UnicodeError):
        raise ConnectorError(
            "salesforce", f"reading {sobject}: a value is not of its field's type"
        ) from None
    return pa.table(typed, names=list(names))


def _as_text(record: MappingOf[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The record, in which values of any type are what JSON spells them like."""
    said = {name: record.get(name) for name in names}
    return {
        **record,
        **{
            name: value
            if value is None or isinstance(value, str)
            else orjson.dumps(value).decode()
            for name, value in said.items()
        },
    }


def vendor_objects(
    settings: SalesforceSettings,
) -> dict[TableName, tuple[SObject, ...]]:
    """The objects behind each table, with our lines and a person's own."""
    objects = dict(OBJECTS)
    for name, sobject in settings.objects.items():
        table: TableName = name  # type: ignore[assignment]
        objects[table] = (SObject(sobject, _key_of(table)),)
    for name in settings.fields:
        if name not in objects:
            extended(dict.fromkeys(objects, ()), settings.fields)  # says so
    for known, parts in objects.items():
        said: dict[str, MappingOf[str, object]] = {}
        if known in settings.fields:
            said[known] = settings.fields[known]
        objects[known] = tuple(
            attrs.evolve(part, fields=extended({known: part.fields}, said)[known])
            for part in parts
        )
    return objects


def _key_of(table: TableName) -> tuple[Field, ...]:
    key = TABLES[table].key
    if len(key) == 1 and TABLES[table][key[0]].type == "id":
        return (Field(key[0], ("Id",), "id", is_required=True),)
    return ()


def layout(table: TableName, sobject: SObject, kinds: MappingOf[str, str]) -> Layout:
    """The part of the mapping that this login sees.

    Raises:
        FieldNotFoundError: A field that must be there is not, or is hidden.
    """
    lines = list(sobject.fields)
    if table == "account" and IS_PERSON in kinds:
        name = next(line for line in lines if line.column == "name")
        people = person_account_fields(name.sources)
        lines = [line for line in lines if line.column not in people]
        lines += people.values()
    chosen_lines: dict[str, Field] = {}
    for line in lines:
        if line.column not in chosen_lines and all(
            source in kinds or source in COUNTED for source in line.sources
        ):
            _must_be_plain(table, line, kinds)
            chosen_lines[line.column] = line
    for line in lines:
        if line.is_required and line.column not in chosen_lines:
            lacking = next(source for source in line.sources if source not in kinds)
            raise _missing(table, sobject.name, lacking, kinds)
    columns = dict.fromkeys(line.column for line in lines)
    seen = tuple(chosen_lines[column] for column in columns if column in chosen_lines)
    return Layout(table, sobject, seen, kinds)


def _missing(
    table: TableName, sobject: str, field: str, kinds: MappingOf[str, str]
) -> FieldNotFoundError:
    hint = (
        "A field hidden by field-level security looks the same: "
        f"ask an administrator for Read on {sobject}.{field}."
    )
    return FieldNotFoundError("salesforce", table, field, tuple(kinds), hint)


def _absent_column(
    table: TableName, column: str, known: tuple[str, ...]
) -> FieldNotFoundError | SettingsError:
    ours = OUR_FIELDS.get(table, {})  # type: ignore[arg-type]
    if column in ours:
        hint = (
            "Run setup first (crm-portfolio setup salesforce --apply): it creates the "
            "field and grants this login the right to it."
        )
        return FieldNotFoundError("salesforce", table, ours[column], (), hint)
    if column in TABLES[table].names:
        hint = "The column is not mapped, or this login does not see its field."
        return FieldNotFoundError("salesforce", table, column, (), hint)
    return FieldNotFoundError("salesforce", table, column, known)


def _must_be_plain(table: TableName, field: Field, kinds: MappingOf[str, str]) -> None:
    for source in field.sources:
        if kinds.get(source) in _COMPOUND:
            raise SettingsError(
                f"fields.{table}.{field.column}: {source} is a compound field; "
                "name one of its parts, such as BillingCity"
            )
        if field.convert == "percent" and kinds.get(source) not in _NUMBERS:
            raise SettingsError(
                f"fields.{table}.{field.column}: as = 'percent' needs a number, and "
                f"{source} is a {kinds.get(source)}"
            )


def _json_type(kind: str) -> pa.DataType:
    if kind == "boolean":
        return pa.bool_()
    return pa.float64() if kind in _NUMBERS else pa.string()


def _typed(array: pa.Array, kind: str) -> pa.Array:
    if kind == "date":
        return array.cast(pa.date32())
    return moments(array) if kind == "datetime" else array
