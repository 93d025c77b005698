"""Which keys of a file may be secrets, and where does each belong?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["looks_secret", "place", "secrets_in", "without_secrets"]

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

# What vendors' tokens look like, a key in its armour, and a signed token.
_SECRET_VALUE = re.compile(
    r"pat-[a-z]{2,3}\d-[0-9a-f-]{20,}|00D\w{12,15}![\w.]{20,}|-----BEGIN [A-Z ]*KEY"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}|(?=\S*\d)(?=\S*[a-z])(?=\S*[A-Z])[\w+/=.!-]{40,}"
)


def looks_secret(
    written: Mapping[str, Any], at: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """The way to each text that looks like a token or a key, whatever it is called."""
    for key, value in written.items():
        if isinstance(value, Mapping):
            yield from looks_secret(value, (*at, key))
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(each, str) and _SECRET_VALUE.search(each) for each in texts):
            yield (*at, key)


def secrets_in(
    written: Mapping[str, Any], at: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Keys that look like secrets, with a sentence that says where each belongs."""
    for key, value in written.items():
        if isinstance(value, Mapping):
            yield from secrets_in(value, (*at, key))
        elif _LOOKS_SECRET.search(key):
            variable = _SECRETS.get(key.lower())
            where = f" as {variable}" if variable else ""
            said = (
                f"{place(at, key)} may be a secret, and no secret stands in this file: "
                f"put it into the environment{where}; if it was shared, renew it."
            )
            yield (*at, key), said


def without_secrets(written: Mapping[str, Any]) -> dict[str, Any]:
    """All but the keys that look like secrets, so that the rest can be read."""
    return {
        key: without_secrets(value) if isinstance(value, Mapping) else value
        for key, value in written.items()
        if isinstance(value, Mapping) or not _LOOKS_SECRET.search(key)
    }


def place(at: tuple[str, ...], key: str = "") -> str:
    """Where a key stands, as people write it."""
    table = f"[{'.'.join(at)}]" if at else ""
    return f"{table} {key}".strip()
