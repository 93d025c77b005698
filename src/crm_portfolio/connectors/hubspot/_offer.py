"""Which tables does a login get, and what is asked of the portal for each?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

import attrs
import orjson

from crm_portfolio.connectors.hubspot._columns import Layout, layout
from crm_portfolio.connectors.hubspot._fields import HOME_AMOUNT, RecordSource
from crm_portfolio.connectors.hubspot._history import CHANGES, changes
from crm_portfolio.connectors.hubspot._metadata import SMALL, Portal
from crm_portfolio.connectors.hubspot._settings import HubSpotSettings
from crm_portfolio.errors import RightMissingError, SettingsError, did_you_mean
from crm_portfolio.protocols import VendorField
from crm_portfolio.schema import TABLES, TableName

__all__ = ["Offer"]


class Offer:
    """What a portal has for this login with these settings."""

    def __init__(
        self,
        portal: Portal,
        sources: Mapping[TableName, tuple[RecordSource, ...]],
        settings: HubSpotSettings,
    ) -> None:
        self._portal, self._sources, self._settings = portal, sources, settings

    def wanted(self) -> Sequence[TableName]:
        """The tables to pull, whether this login may read them or not."""
        if self._settings.tables == "all":
            names = dict.fromkeys((*self._sources, CHANGES, *SMALL))
            rates = self._portal.has_several_currencies
            return [name for name in names if rates or name != "exchange_rate"]
        if self._portal.has_several_currencies:
            return tuple(dict.fromkeys((*self._settings.named, "exchange_rate")))
        return self._settings.named

    def columns(self, table: TableName) -> tuple[str, ...]:
        """What there is of a table; nothing where it need not be and may not be read.

        Raises:
            FieldNotFoundError: A mapped property that the portal lacks.
            RightMissingError: A table asked for by name that this login may not read.
        """
        if table not in SMALL:
            parts = self.layouts(table)
            return tuple(dict.fromkeys(c for part in parts for c in part.columns))
        if self._settings.tables == "all":
            try:
                self._portal.small(table)
            except RightMissingError:
                return ()
        return SMALL[table]

    def traceless(self, table: TableName) -> list[str]:
        """The key, and the columns that change without moving a record's stamp."""
        model = TABLES[table]
        wanted = {c.name for c in model.columns if c.is_volatile or c.name in model.key}
        if table in SMALL:
            return [name for name in SMALL[table] if name in wanted]
        wanted.update(name for part in self.layouts(table) for name in part.linked)
        return [name for name in self.columns(table) if name in wanted]

    def layouts(self, table: TableName) -> list[Layout]:
        """One layout for each kind of record behind the table.

        Raises:
            SettingsError: No such table.
        """
        if table == CHANGES and table not in self._sources:
            return self._histories()
        if table not in self._sources:
            known = sorted(self._sources)
            hint = did_you_mean(table, known) or f"; it has {', '.join(known)}"
            raise SettingsError(f"hubspot gives no table {table!r}{hint}")
        found = []
        for source in self._sources[table]:
            try:
                kinds = self._portal.kinds(source.kind)
                if self._settings.tables == "all":
                    self._portal.must_be_readable(source.kind)
            except RightMissingError:
                if self._settings.tables != "all":
                    raise
                continue
            wanted = self._without_idle(source)
            found.append(layout(table, wanted, kinds, stages=self._portal.stages))
        return found

    def fields(self, table: TableName) -> list[VendorField]:
        """Every property of the records behind a table, and what it is mapped onto."""
        found = []
        for source in self._sources.get(table, ()):
            onto = {name: f.column for f in source.fields for name in f.sources}
            for name, one in sorted(self._portal.definitions(source.kind).items()):
                column = onto.get(name, "")
                found.append(
                    VendorField(name, one.label, one.type, one.is_custom, column)
                )
        return found

    def fingerprint(self) -> str:
        """Changes with the settings that shape tables, and with the names of stages."""
        settings = self._settings
        said = {
            "fields": settings.fields,
            "objects": settings.objects,
            "loss_reason": settings.loss_reason,
            "currency": settings.currency,
        }
        staged = {"opportunity", "opportunity_change"}
        if settings.tables == "all" or staged & set(settings.named):
            said["stages"] = self._portal.stages().to_pydict()
        text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS, default=dict)
        return sha256(text).hexdigest()

    def _without_idle(self, source: RecordSource) -> RecordSource:
        """The source without what tells nothing in a portal of one currency."""
        if HOME_AMOUNT not in source.fields or self._portal.has_several_currencies:
            return source
        kept = tuple(field for field in source.fields if field != HOME_AMOUNT)
        return attrs.evolve(source, fields=kept)

    def _histories(self) -> list[Layout]:
        several = self._portal.has_several_currencies
        parts = self.layouts("opportunity")
        return [changes(part, has_currencies=several) for part in parts]
