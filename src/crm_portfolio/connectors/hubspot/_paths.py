"""Under which address is each purpose, in either family of versions, by which scope?

HubSpot numbered its versions until 2025 and dates them since. One table holds both, so
that a move from one to the other is one word in the settings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import attrs

from crm_portfolio.errors import SettingsError

__all__ = [
    "ACCOUNT",
    "COMPANY_CURRENCY",
    "EXCHANGE_RATES",
    "EXPORT",
    "OWNERS",
    "TOKEN",
    "USAGE",
    "Family",
    "Path",
    "associations",
    "batch_read",
    "batch_update",
    "export_status",
    "listing",
    "pipelines",
    "properties",
    "property_groups",
    "read_scope",
    "schema",
    "search",
    "write_scope",
]

Family: TypeAlias = Literal["v3", "2026-09"]
_OBJECTS: Final = ("/crm/v3/objects", "/crm/objects/2026-09")
_PROPERTIES: Final = ("/crm/v3/properties", "/crm/properties/2026-09")
_CURRENCIES: Final = ("/settings/v3/currencies", "/settings/currencies/2026-09")
_EXPORTS: Final = ("/crm/v3/exports/export", "/crm/exports/2026-09/export")
_ACCOUNT: Final = ("/account-info/v3", "/account-info/2026-09")


@attrs.frozen
class Path:
    """One purpose's address in both families."""

    v3: str
    dated: str

    def text(self, family: Family) -> str:
        return self.v3 if family == "v3" else self.dated


def _under(roots: tuple[str, str], *names: str) -> Path:
    for name in names:
        # Anything else might lead elsewhere.
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise SettingsError(f"{name!r} is no HubSpot name")
    rest = "".join(f"/{name}" for name in names)
    return Path(roots[0] + rest, roots[1] + rest)


def listing(kind: str) -> Path:
    return _under(_OBJECTS, kind)


def search(kind: str) -> Path:
    return _under(_OBJECTS, kind, "search")


def batch_read(kind: str) -> Path:
    return _under(_OBJECTS, kind, "batch", "read")


def batch_update(kind: str) -> Path:
    return _under(_OBJECTS, kind, "batch", "update")


def associations(kind: str, other: str) -> Path:
    """Whom records of one kind are linked to, for a thousand of them at once."""
    roots = ("/crm/v4/associations", "/crm/associations/2026-09")
    return _under(roots, kind, other, "batch", "read")


def properties(kind: str) -> Path:
    return _under(_PROPERTIES, kind)


def property_groups(kind: str) -> Path:
    return _under(_PROPERTIES, kind, "groups")


def pipelines(kind: str) -> Path:
    return _under(("/crm/v3/pipelines", "/crm/pipelines/2026-09"), kind)


def export_status(task: str) -> Path:
    return _under(_EXPORTS, "async", "tasks", task, "status")


OWNERS: Final = _under(("/crm/v3/owners", "/crm/owners/2026-09"))
EXPORT: Final = _under(_EXPORTS, "async")
COMPANY_CURRENCY: Final = _under(_CURRENCIES, "company-currency")
EXCHANGE_RATES: Final = _under(_CURRENCIES, "exchange-rates")
ACCOUNT: Final = _under(_ACCOUNT, "details")
USAGE: Final = _under(_ACCOUNT, "api-usage", "daily", "private-apps")
TOKEN: Final = Path("/oauth/v1/token", "/oauth/v3/token")

# Engagements have no scopes of their own; some older scopes are for reading and writing.
_SCOPES: Final[Mapping[str, str]] = {
    "calls": "crm.objects.contacts.{}",
    "emails": "sales-email-read",
    "meetings": "crm.objects.contacts.{}",
    "tickets": "tickets",
}
_STANDARD: Final = frozenset({"companies", "deals", "invoices", "leads", "owners"})


def read_scope(kind: str) -> str:
    """The scope that reading objects of this kind takes."""
    own = f"crm.objects.{kind if kind in _STANDARD else 'custom'}.{{}}"
    return _SCOPES.get(kind, own).format("read")


def write_scope(kind: str) -> str:
    """The scope that writing objects of this kind takes."""
    return f"crm.objects.{kind}.write"


def schema(kind: str) -> str:
    """The scope that reading the properties and pipelines of this kind takes."""
    named = kind in ("companies", "deals")
    return f"crm.schemas.{kind}.read" if named else read_scope(kind)
