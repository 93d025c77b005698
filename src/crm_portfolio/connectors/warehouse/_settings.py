"""What does a person say about a replica of a CRM in a warehouse?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

import attrs

from crm_portfolio.errors import SettingsError, did_you_mean

__all__ = ["LayoutName", "WarehouseSettings"]

LayoutName: TypeAlias = Literal[
    "fivetran-salesforce", "fivetran-hubspot", "dlt-salesforce", "dlt-hubspot"
]
# A field's name, or {"field": name, "as": converter}; checked where the mapping grows.
ChosenField: TypeAlias = Any


@attrs.frozen
class WarehouseSettings:
    """How a replica is read.

    Attributes:
        layout: Who laid the replica down, and of which CRM.
        org: Which org it is a copy of, as ``doctor`` names it, or its id alone: of
            Salesforce the organisation id, of HubSpot the portal's number. None: as the
            replica tells. Only that org's records can be written.
        schema: Where its tables are in the database; needed where several have them.
        tables: What a pull asks for; ``all``: whatever the replica has.
        fields: Your own fields by the CRM's own names, as the CRM's connector takes them:
            for each table, column → field name, or column → ``{"field": name, "as":
            "percent"}``.
        loss_reason: The CRM's own name of the field that says why; None: found by its name.
        time_zone: The org's: a moment of the CRM is a day there.
        batch_rows: Rows in one batch; rows of one id stay in one.
    """

    layout: LayoutName | None = None
    org: str | None = None
    schema: str | None = None
    tables: Sequence[str] | Literal["all"] = "all"
    fields: Mapping[str, Mapping[str, ChosenField]] = attrs.field(factory=dict)
    loss_reason: str | None = None
    time_zone: str = "UTC"
    batch_rows: int = 65_536

    def __attrs_post_init__(self) -> None:
        layouts = get_args(LayoutName)
        if self.layout is not None and self.layout not in layouts:
            raise SettingsError(
                f"layout is one of {', '.join(layouts)}, not {self.layout!r}"
            )
        if isinstance(self.tables, str) and self.tables != "all":
            raise SettingsError("tables is a list of tables, or 'all'")
        if self.tables != "all":
            _must_be_tables(self.tables)
        if self.batch_rows < 1:
            raise SettingsError("batch_rows is at least 1")


def _must_be_tables(named: Sequence[str]) -> None:
    from crm_portfolio.schema import TABLES  # loads Arrow, which --help does not need

    for table in named:
        if table not in TABLES:
            hint = did_you_mean(table, TABLES)
            raise SettingsError(f"tables: there is no table {table!r}{hint}")
