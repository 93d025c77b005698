"""Which of our fields may this login write, and what does the org keep in them?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import attrs

from crm_portfolio.connectors.salesforce._catalogue import Catalogue
from crm_portfolio.connectors.salesforce._fields import (
    LEAST_DECIMALS,
    OUR_FIELDS,
    lacking_decimals,
)
from crm_portfolio.connectors.salesforce._rest import Record, Rest
from crm_portfolio.errors import RightMissingError, SettingsError
from crm_portfolio.schema import MANAGED, WritableTable

__all__ = ["Permitted"]

_VENDOR: Final = "salesforce"


@attrs.frozen
class Permitted:
    """Our fields of one table, as this login sees them; asks describe, once."""

    catalogue: Catalogue
    rest: Rest
    table: WritableTable

    @property
    def sobject(self) -> str:
        return self.catalogue.objects[self.table][0].name

    def described(self) -> Mapping[str, Record]:
        """By column; empty for one that this login does not see."""
        seen = {str(field["name"]): field for field in self._whole()}
        names = OUR_FIELDS[self.table]
        return {column: seen.get(name, {}) for column, name in names.items()}

    def must_be_writable(self, columns: Collection[str]) -> None:
        """Check that each is ours, is there, keeps what we write, and may be edited.

        Raises:
            FieldNotFoundError: A managed field the org lacks.
            RightMissingError: It names the right.
            SettingsError: A field that is not ours, or that would round to nothing.
        """
        ours = [field.column for field in MANAGED[self.table]]
        for column in sorted(columns):
            if column not in ours:
                raise SettingsError(f"{column!r} is not a field that we write")
        if not columns:
            return
        layout = self.catalogue.layouts(self.rest, self.table)[0]
        layout.only(sorted(columns))
        described, names = self.described(), OUR_FIELDS[self.table]
        for column in sorted(columns):
            field, name = described[column], f"{self.sobject}.{names[column]}"
            if too_few := lacking_decimals(column, field, least=LEAST_DECIMALS):
                raise SettingsError(f"{_VENDOR}: {name} {too_few}")
            self._must_be_editable(field, name)

    def _must_be_editable(self, field: Record, name: str) -> None:
        if not any(each.get("updateable") for each in self._whole()):
            raise RightMissingError(
                _VENDOR, f"this login lacks the right 'Edit on {self.sobject}'"
            )
        if not field.get("updateable"):
            raise RightMissingError(
                _VENDOR,
                f"this login lacks the right 'Edit on {name}' "
                "(setup grants it with the permission set Portfolio_Nightly)",
            )

    def _whole(self) -> list[Record]:
        return self.catalogue.described(self.rest, self.sobject)
