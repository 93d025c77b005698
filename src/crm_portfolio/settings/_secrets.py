"""Which keys of a file may be secrets, and where does each belong?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["place", "secrets_in"]

_SECRETS: Final[Mapping[str, str]] = {
    "access_token": "SALESFORCE_ACCESS_TOKEN or HUBSPOT_ACCESS_TOKEN",
    "client_secret": "SALESFORCE_CLIENT_SECRET or HUBSPOT_CLIENT_SECRET",
    "refresh_token": "HUBSPOT_REFRESH_TOKEN",
    "password": "SALESFORCE_PASSWORD",
    "security_token": "SALESFORCE_SECURITY_TOKEN",
    "private_key": "SALESFORCE_PRIVATE_KEY or SALESFORCE_PRIVATE_KEY_FILE",
}
_LOOKS_SECRET = re.compile(
    r"(^|_)(api_?key|passw(or)?d|private_?key|secret|token)$", re.I
)


def secrets_in(written: Mapping[str, Any], at: tuple[str, ...] = ()) -> Iterator[str]:
    """Keys that look like secrets, with the place where each belongs."""
    for key, value in written.items():
        if isinstance(value, Mapping):
            yield from secrets_in(value, (*at, key))
        elif _LOOKS_SECRET.search(key):
            variable = _SECRETS.get(key.lower())
            where = f" as {variable}" if variable else ""
            yield (
                f"{place(at, key)} may be a secret, and no secret stands in this file: "
                f"put it into the environment{where}; if it was shared, renew it."
            )


def place(at: tuple[str, ...], key: str = "") -> str:
    """Where a key stands, as people write it."""
    table = f"[{'.'.join(at)}]" if at else ""
    return f"{table} {key}".strip()
