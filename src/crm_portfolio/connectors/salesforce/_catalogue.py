"""Which tables does this login see, and which columns of each?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from threading import RLock
from typing import TYPE_CHECKING, Final

import attrs
import orjson

from crm_portfolio.connectors._mapping import Field
from crm_portfolio.connectors.salesforce._columns import (
    Layout,
    layout,
    vendor_objects,
)
from crm_portfolio.connectors.salesforce._fields import COUNTED, CURRENCY, SObject
from crm_portfolio.connectors.salesforce._loss_reason import found_field
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.errors import RightMissingError, SettingsError, did_you_mean
from crm_portfolio.protocols import VendorField
from crm_portfolio.schema import TABLES, TableName

if TYPE_CHECKING:
    from crm_portfolio.connectors.salesforce._rest import Record, Rest

__all__ = ["CHANGE", "RATE", "SNAPSHOTS", "Catalogue"]

CHANGE: Final = "opportunity_change"
RATE: Final = "exchange_rate"
SNAPSHOTS: Final = "OpportunityHistory"
# What is made of several objects, by code of its own.
_DERIVED: Final[dict[TableName, tuple[str, ...]]] = {
    CHANGE: ("opportunity_id", "changed_at", "field", "old", "new"),
    RATE: ("currency", "base", "from_on", "rate"),
}


class Catalogue:
    """What was described, once for each object; for any number of threads."""

    def __init__(self, settings: SalesforceSettings) -> None:
        self._settings = settings
        self.objects = vendor_objects(settings)
        self._layouts: dict[TableName, tuple[Layout, ...]] = {}
        self._described: dict[str, list[Record]] = {}
        self._lock = RLock()
        for table in () if settings.tables == "all" else settings.tables:
            self.must_have(table, "tables")

    @property
    def mapped(self) -> tuple[TableName, ...]:
        """Every table that could be pulled, if the login may read it."""
        return (*self.objects, *_DERIVED)

    def must_have(self, table: str, where: str = "") -> None:
        if table in self.mapped:
            return
        said = f"{where}: " if where else ""
        hint = did_you_mean(table, self.mapped) or f"; it has {', '.join(self.mapped)}"
        if table in TABLES:
            hint = f'; name its object in objects, like {table} = "Invoice__c"'
        raise SettingsError(f"{said}salesforce gives no table {table!r}{hint}")

    def tables(self, rest: Rest) -> dict[TableName, tuple[str, ...]]:
        """The tables to pull, and the columns of each.

        Raises:
            RightMissingError: One that is asked for by name cannot be read.
        """
        wanted = self._settings.tables
        names = self.mapped if wanted == "all" else wanted
        found = {}
        for table in dict.fromkeys((*names, *self._own)):
            if table == RATE and wanted == "all":
                continue
            try:
                found[table] = self.columns(rest, table)
            except RightMissingError as error:
                is_asked_for = wanted != "all" or table == "account"
                if is_asked_for or error.code in ("API_DISABLED_FOR_ORG",):
                    raise
        if RATE not in found and self._has_currencies(rest, found):
            found[RATE] = self.columns(rest, RATE)
        return found

    @property
    def _own(self) -> tuple[TableName, ...]:
        return tuple(table for table in self.objects if table in self._settings.objects)

    def _has_currencies(self, rest: Rest, tables: Sequence[TableName] | dict) -> bool:  # type: ignore[type-arg]
        return any(
            CURRENCY in part.kinds
            for table in tables
            if table not in _DERIVED
            for part in self.layouts(rest, table)
        )

    def has_several_currencies(self, rest: Rest) -> bool:
        """Whether opportunities say a currency of their own."""
        return self._has_currencies(rest, ["opportunity"])

    def columns(self, rest: Rest, table: TableName) -> tuple[str, ...]:
        if table == CHANGE:
            self.kinds(rest, SNAPSHOTS)  # it is read, or its right is missing
        if table in _DERIVED:
            return _DERIVED[table]
        named = (
            column for part in self.layouts(rest, table) for column in part.columns
        )
        return tuple(dict.fromkeys(named))

    def sources(self, rest: Rest, table: TableName) -> dict[str, dict[str, list[str]]]:
        """The fields behind each column of a table, by object."""
        if table in _DERIVED:
            return {}
        return {
            part.sobject.name: {line.column: list(line.sources) for line in part.fields}
            for part in self.layouts(rest, table)
        }

    def layouts(self, rest: Rest, table: TableName) -> tuple[Layout, ...]:
        """The layout of each object behind a table."""
        with self._lock:
            if table not in self._layouts:
                self._layouts[table] = tuple(
                    layout(table, self._with_ours(rest, table, part), kinds)
                    for part in self.objects[table]
                    for kinds in [self._kinds_of(rest, table, part)]
                )
            return self._layouts[table]

    def _kinds_of(self, rest: Rest, table: TableName, part: SObject) -> dict[str, str]:
        if part.kinds is not None and table not in self._settings.fields:
            return dict(part.kinds)
        return self.kinds(rest, part.name)

    def _with_ours(self, rest: Rest, table: TableName, part: SObject) -> SObject:
        """The object with the lines that only the org or the settings can tell."""
        fields = part.fields
        if table == "account":
            counted = dict.fromkeys(self._settings.counts)
            fields += tuple(Field(COUNTED[of], (of,), "integer") for of in counted)
        columns = {field.column for field in fields}
        if part.name == "Opportunity" and "loss_reason" not in columns:
            reason = found_field(
                self.described(rest, part.name), self._settings.loss_reason
            )
            if reason is not None:
                fields += (Field("loss_reason", (reason,), is_required=True),)
        return attrs.evolve(part, fields=fields)

    def kinds(self, rest: Rest, sobject: str) -> dict[str, str]:
        """Field name → vendor type, for every field this login sees."""
        described = self.described(rest, sobject)
        return {str(field["name"]): str(field["type"]) for field in described}

    def described(self, rest: Rest, sobject: str) -> list[Record]:
        with self._lock:
            if sobject not in self._described:
                self._described[sobject] = rest.describe(sobject)
            return self._described[sobject]

    def fields(self, rest: Rest, table: TableName) -> list[VendorField]:
        """Every field of the objects behind a table, and what it is mapped onto."""
        found = []
        for part in () if table in _DERIVED else self.objects.get(table, ()):
            lines = self.sources(rest, table)[part.name].items()
            onto = {source: column for column, names in lines for source in names}
            for field in self.described(rest, part.name):
                name, label = str(field["name"]), str(field.get("label") or "")
                kind, is_custom = str(field["type"]), bool(field.get("custom"))
                column = onto.get(name, "")
                found.append(VendorField(name, label, kind, is_custom, column))
        return sorted(found, key=lambda field: field.name)

    def fingerprint(self, rest: Rest) -> str:
        """Changes with the settings that shape tables, and with the fields behind them."""
        said = {
            "fields": self._settings.fields,
            "currency": self._settings.currency,
            # Holds what is found by describe as well, such as the loss reason.
            "sources": {
                table: self.sources(rest, table) for table in self.tables(rest)
            },
        }
        text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS, default=dict)
        return sha256(text).hexdigest()

    @property
    def described_count(self) -> int:
        """How many objects were described so far, a call each."""
        return len(self._described)

    def is_described(self, sobject: str) -> bool:
        return sobject in self._described

    def forget(self, tables: Iterable[TableName]) -> None:
        """Fields of these have been made: look again."""
        with self._lock:
            self._layouts.clear()
            for table in tables:
                self._described.pop(self.objects[table][0].name, None)
