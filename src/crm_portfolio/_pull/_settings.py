"""What may a person choose about pulling?"""

from __future__ import annotations

import attrs

from crm_portfolio.errors import SettingsError

__all__ = ["PullSettings"]


@attrs.frozen
class PullSettings:
    """How a CRM is pulled into a folder.

    Attributes:
        at_once: Tables that are pulled side by side.
        rows_per_file: Rows of a table in memory before they become a file.
        reconcile_days: After so many days a folder that is kept current is compared with
            all records that are in the CRM; those that vanished without a word are told.
    """

    at_once: int = 4
    rows_per_file: int = 1 << 15
    reconcile_days: int = 7

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(type(self)):
            if getattr(self, field.name) < 1:
                raise SettingsError(f"pull: {field.name} is at least 1")
