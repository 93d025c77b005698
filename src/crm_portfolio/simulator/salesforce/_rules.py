"""Which of a customer's own rules does the org follow, and where are its limits set?

Each is nobody's default: a test or a demonstration turns it on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import attrs

from crm_portfolio.simulator._store import StoredValue

__all__ = ["DuplicateRule", "Rules", "ValidationRule"]

Record = Mapping[str, StoredValue]
_IDS_MAX: Final = 600_000  # vendor docs: getDeleted


@attrs.frozen
class ValidationRule:
    """``refuses`` gets the record as it would be and says whether it may not."""

    refuses: Callable[[Record], bool]
    message: str
    field: str = ""


@attrs.frozen
class DuplicateRule:
    """Records that agree in all of ``fields`` are duplicates.

    Attributes:
        only_alerts: The header ``Sforce-Duplicate-Rule-Header: allowSave=true`` passes.
    """

    fields: tuple[str, ...]
    only_alerts: bool = True


@attrs.define
class Rules:
    """The rules of one org, by the name of the object.

    Attributes:
        slow: Rows beyond which a query of the object times out.
        large: Rows beyond which one needs the right View All Data.
        delete_log_since: What the delete log has lost ends here.
        ids_max: Ids that one getDeleted may list.
        troubled: Records whose next writes a trigger makes fail, and how many of them.
    """

    validation: dict[str, list[ValidationRule]] = attrs.field(factory=dict)
    duplicates: dict[str, list[DuplicateRule]] = attrs.field(factory=dict)
    slow: dict[str, int] = attrs.field(factory=dict)
    large: dict[str, int] = attrs.field(factory=dict)
    delete_log_since: datetime | None = None
    ids_max: int = _IDS_MAX
    troubled: dict[str, int] = attrs.field(factory=dict)
