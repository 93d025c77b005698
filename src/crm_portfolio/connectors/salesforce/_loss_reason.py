"""Which field says why an opportunity was lost? No standard one does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from crm_portfolio.errors import FieldNotFoundError, SettingsError

__all__ = ["candidates", "found_field"]

_WORDS: Final = re.compile(
    r"(closed)?(lost|loss|lose)reasons?|reasons?(for)?(lost|loss|losing|closedlost)"
    r"|(why|reason)(we)?lost|(verlust|absage)gr[uü]nde?|(motif|raison)(de)?(la)?perte"
)
_TEXTS: Final = frozenset({"picklist", "string", "combobox", "textarea"})


def candidates(described: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The fields whose name or label is one that people give to a loss reason."""
    return tuple(
        str(field["name"])
        for field in described
        if field.get("type") in _TEXTS
        and (_says(field["name"]) or _says(field.get("label") or ""))
    )


def _says(text: str) -> bool:
    words = re.sub(r"__c$|[\W_]", "", text.lower())
    return _WORDS.fullmatch(re.sub(r"^(opportunity|deal)", "", words)) is not None


def found_field(
    described: Sequence[Mapping[str, Any]], chosen: str | None
) -> str | None:
    """The field to read; None: none is there, or none is wanted.

    Raises:
        SettingsError: Several may be meant; all are named.
        FieldNotFoundError: The chosen one is not there, or hidden.
    """
    if chosen is not None:
        known = tuple(str(field["name"]) for field in described)
        if chosen and chosen not in known:
            hint = (
                "It stands in loss_reason. A field hidden by field-level security looks "
                f"the same: ask an administrator for Read on Opportunity.{chosen}."
            )
            raise FieldNotFoundError("salesforce", "opportunity", chosen, known, hint)
        return chosen or None
    found = candidates(described)
    if len(found) > 1:
        raise SettingsError(
            f"several fields may say why an opportunity was lost: {', '.join(found)}; "
            f'choose with loss_reason = "{found[0]}", or "" for none'
        )
    return found[0] if found else None
