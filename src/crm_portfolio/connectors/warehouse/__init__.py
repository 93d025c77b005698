"""What does the replica of a CRM say, that a loader keeps in a warehouse?

replica = connect("warehouse", "replica.duckdb", layout="fivetran-salesforce")
portfolio = pull(replica, as_of=date(2026, 6, 30), currency="EUR")
proposal = plan([analysis.tiers(portfolio)], connect("salesforce"))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from crm_portfolio.connectors.warehouse._settings import LayoutName, WarehouseSettings
from crm_portfolio.errors import FieldNotFoundError, SettingsError, did_you_mean

if TYPE_CHECKING:
    from crm_portfolio.protocols import Batch, CopiedOrg, Cursor
    from crm_portfolio.schema import TableName

__all__ = ["LayoutName", "Warehouse", "WarehouseSettings", "vendor_of"]


def vendor_of(layout: LayoutName) -> str:
    """The CRM of a layout: the name of the connector that writes to its records."""
    return layout.partition("-")[2]


class Warehouse:
    """A replica of a CRM: read here, written to in the CRM, for the ids are the same.

    Args:
        folder: A DuckDB file, a folder of Parquet files (``account.parquet``, or a folder
            ``account`` with parts), a DuckDB connection or an Ibis connection.
        layout: Who laid it down, and of which CRM; None: as the settings say.

    Raises:
        SettingsError: It is no such replica; all that is missing is listed.
    """

    name = "warehouse"

    def __init__(
        self,
        folder: object,
        *,
        layout: LayoutName | None = None,
        settings: WarehouseSettings | None = None,
    ) -> None:
        from crm_portfolio.connectors.warehouse._reading import Reader

        chosen = settings or WarehouseSettings()
        if layout is not None:
            chosen = attrs.evolve(chosen, layout=layout)
        self._reader = Reader(folder, chosen)

    def __repr__(self) -> str:
        return f"<Warehouse {self._reader.layout.name}: {len(self.tables())} table(s)>"

    @property
    def vendor(self) -> str:
        """The CRM whose records these are: the connector that writes to them."""
        return self._reader.layout.vendor

    def tables(self) -> Mapping[TableName, tuple[str, ...]]:
        return self._reader.tables

    def fingerprint(self) -> str:
        """Changes with the layout, the settings, and the columns behind the tables."""
        return self._reader.fingerprint

    def complete_until(self) -> datetime | None:
        """When a row was last loaded into the replica; None: it does not say."""
        return self._reader.newest()

    def copied_from(self) -> CopiedOrg:
        """The org whose records these are, by the settings and by what the replica tells.

        Raises:
            SettingsError: It holds several orgs, or another than the settings say.
        """
        return self._reader.copied_from()

    def pull(
        self,
        table: TableName,
        *,
        columns: Sequence[str] | None = None,
        since: Cursor | None = None,
        resume: Cursor | None = None,
    ) -> Iterator[Batch]:
        """The rows of one table in the order of their ids, and those that are gone.

        ``since`` gives what was loaded into the replica since then. Where rows do not say
        when they were loaded, batches have no cursors.

        Raises:
            SettingsError: No such table, or a column holds another kind of value.
            FieldNotFoundError: The replica has no such column.
            CursorLostError: The cursor is of another replica.
        """
        known = self.tables()
        if table not in known:
            raise SettingsError(
                f"this replica has no table {table!r}"
                + (did_you_mean(table, known) or f"; it has {', '.join(known)}")
            )
        for column in columns or ():
            if column not in known[table]:
                raise FieldNotFoundError(self.name, table, column, known[table])
        return self._reader.batches(table, columns, since, resume)
