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
        reconcile_days: After so many days a folder that is kept current is compared with
            all records that are in the CRM; those that vanished without a word are told.
    """

    at_once: int = 4
    reconcile_days: int = 7

    def __attrs_post_init__(self) -> None:
        if self.at_once < 1 or self.reconcile_days < 1:
            raise SettingsError("pull: at_once and reconcile_days are at least 1")
