"""Which fields does this login see, and how do its records become columns?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingOf
from typing import Any, Final

import attrs
import pyarrow as pa

from crm_portfolio.connectors._mapping import (
    Field,
    Mapping,
    chosen,
    extended,
    mapped,
    moments,
)
from crm_portfolio.connectors.salesforce._fields import (
    ACCOUNT_FIELDS,
    IS_PERSON,
    MAPPING,
    OBJECTS,
    person_account_fields,
)
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.errors import ConnectorError, FieldNotFoundError, SettingsError
from crm_portfolio.schema import TABLES, TableName

__all__ = ["Layout", "layout", "vendor_mapping"]

_NUMBERS: Final = frozenset({"int", "double", "currency", "percent", "long"})
_COMPOUND: Final = frozenset({"address", "location", "complexvalue"})


@attrs.frozen
class Layout:
    """The fields to ask for of one object, and what becomes of them.

    Attributes:
        kinds: Field name → vendor type, for every field this login sees.
    """

    table: TableName
    fields: tuple[Field, ...]
    kinds: MappingOf[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.column for field in self.fields)

    @property
    def sources(self) -> tuple[str, ...]:
        """The vendor's fields, the id first, each once."""
        named = (source for field in self.fields for source in field.sources)
        return tuple(dict.fromkeys(("Id", *named)))

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
        sources = self.sources
        wanted = pa.struct([(name, _json_type(self.kinds[name])) for name in sources])
        try:
            arrays = pa.array(records, type=wanted).flatten()
        except (pa.ArrowException, UnicodeError):
            raise ConnectorError(
                "salesforce",
                f"reading {self.table}: a value is not of its field's type",
            ) from None
        typed = [
            _typed(array, self.kinds[name])
            for name, array in zip(sources, arrays, strict=True)
        ]
        raw = pa.table(typed, names=list(sources))
        return mapped(raw, self.fields, time_zone=time_zone)


def vendor_mapping(settings: SalesforceSettings) -> Mapping:
    """Our lines and a person's own."""
    return extended(MAPPING, settings.fields)


def layout(
    table: TableName, fields: Iterable[Field], kinds: MappingOf[str, str]
) -> Layout:
    """The part of the mapping that this login sees.

    Raises:
        FieldNotFoundError: A field that must be there is not, or is hidden.
    """
    lines = {field.column: field for field in fields}
    if table == "account" and IS_PERSON in kinds:
        lines |= person_account_fields(lines["name"].sources)
    seen = []
    for field in lines.values():
        missing = [source for source in field.sources if source not in kinds]
        if missing and field.is_required:
            raise _missing(table, missing[0], kinds)
        if not missing:
            _must_be_plain(table, field, kinds)
            seen.append(field)
    return Layout(table, tuple(seen), kinds)


def _missing(
    table: TableName, field: str, kinds: MappingOf[str, str]
) -> FieldNotFoundError:
    name = OBJECTS[table].name
    hint = (
        "A field hidden by field-level security looks the same: "
        f"ask an administrator for Read on {name}.{field}."
    )
    return FieldNotFoundError("salesforce", table, field, tuple(kinds), hint)


def _absent_column(
    table: TableName, column: str, known: tuple[str, ...]
) -> FieldNotFoundError | SettingsError:
    if table == "account" and column in ACCOUNT_FIELDS:
        hint = (
            "Run setup first (crm-portfolio setup salesforce --apply): it creates the "
            "field and grants this login the right to it."
        )
        return FieldNotFoundError("salesforce", table, ACCOUNT_FIELDS[column], (), hint)
    if column in TABLES[table].names:
        hint = "The column is not mapped, or this login does not see its field."
        return FieldNotFoundError("salesforce", table, column, (), hint)
    return FieldNotFoundError("salesforce", table, column, known)


def _must_be_plain(table: TableName, field: Field, kinds: MappingOf[str, str]) -> None:
    for source in field.sources:
        if kinds[source] in _COMPOUND:
            raise SettingsError(
                f"fields.{table}.{field.column}: {source} is a compound field; "
                "name one of its parts, such as BillingCity"
            )
        if field.convert == "percent" and kinds[source] not in _NUMBERS:
            raise SettingsError(
                f"fields.{table}.{field.column}: as = 'percent' needs a number, and "
                f"{source} is a {kinds[source]}"
            )


def _json_type(kind: str) -> pa.DataType:
    if kind == "boolean":
        return pa.bool_()
    return pa.float64() if kind in _NUMBERS else pa.string()


def _typed(array: pa.Array, kind: str) -> pa.Array:
    if kind == "date":
        return array.cast(pa.date32())
    return moments(array) if kind == "datetime" else array
