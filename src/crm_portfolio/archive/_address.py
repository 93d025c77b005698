"""Where does an address lead, and is there a secret in it?

A plain path and ``file://`` lead to a folder of this machine; all else that holds ``://``
to a store. What a store's login needs is in the environment: an address is told in
messages, stands in settings files and is seen in the list of processes.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import attrs

from crm_portfolio.errors import SettingsError

__all__ = ["OBJECT_STORES", "UNLOCKED", "Address", "address_of", "is_address"]

OBJECT_STORES: Final = frozenset(
    {"s3", "s3a", "gs", "gcs", "az", "adl", "azure", "abfs", "abfss"}
)
UNLOCKED: Final = "unlocked+"
# The account of an Azure address is behind an @ too: container@account.
_WITH_AN_ACCOUNT: Final = frozenset({"abfs", "abfss"})
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9.-]*(?:\+[A-Za-z][A-Za-z0-9.-]*)?")


@attrs.frozen
class Address:
    """A store, and where in it.

    Attributes:
        scheme: In small letters, without what is said before it.
        is_unlocked: Whoever wrote it accepts that nothing there keeps two runs apart.
    """

    text: str
    scheme: str
    is_unlocked: bool = False

    @property
    def url(self) -> str:
        """The address as the store's own client knows it."""
        return self.text.removeprefix(UNLOCKED)

    def __str__(self) -> str:
        return self.text


def is_address(text: object) -> bool:
    """Whether this is text that leads to a store, or to a folder by a URL."""
    return isinstance(text, str) and "://" in text


def address_of(given: str | PurePath | Address) -> Path | Address:
    """Where this leads.

    Raises:
        SettingsError: It holds a secret, or is none; a secret is not repeated.
    """
    if isinstance(given, Address):
        return given
    if not is_address(given):
        _must_be_no_address(path := Path(given))
        return path
    text = str(given)
    scheme, _, rest = text.partition("://")
    if not _SCHEME.fullmatch(scheme):
        raise SettingsError("an address begins with a name such as s3:// or file://")
    is_unlocked = scheme.lower().startswith(UNLOCKED)
    name = scheme.lower().removeprefix(UNLOCKED)
    _must_hold_no_secret(name, rest)
    if name == "file" and not is_unlocked:
        return _path_of(text)
    if not rest.strip("/"):
        raise SettingsError(f"the address {name}:// names no place in the store")
    # Without the slash at its end, so that one place has one name.
    whole = f"{UNLOCKED if is_unlocked else ''}{name}://{rest.rstrip('/')}"
    return Address(whole, name, is_unlocked)


def _must_be_no_address(path: Path) -> None:
    """A path library makes one slash of two: what was an address leads to a folder."""
    head = path.parts[0] if path.parts else ""
    name = head.removesuffix(":").lower().removeprefix(UNLOCKED)
    if head.endswith(":") and (name in OBJECT_STORES or name in ("memory", "file")):
        raise SettingsError(
            f"this began as an address ({name}://…) and was made a path: give it as text"
        )


def _must_hold_no_secret(scheme: str, rest: str) -> None:
    place = rest.partition("/")[0]
    login, has_login, _ = place.rpartition("@")
    may_have_login = scheme not in OBJECT_STORES or scheme in _WITH_AN_ACCOUNT
    if ":" in login or (has_login and not may_have_login):
        raise SettingsError(
            f"an address ({scheme}://…) must not hold a login: leave out what is before "
            "the @, and put the login into the environment"
        )
    if "?" in rest or "#" in rest:
        raise SettingsError(
            f"an address ({scheme}://…) must not hold a query: keys and signatures belong "
            "into the environment"
        )
    if any(part in (".", "..") for part in rest.split("/")[1:]):
        raise SettingsError(f"an address ({scheme}://…) must not hold '.' or '..'")


def _path_of(text: str) -> Path:
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost"):
        raise SettingsError(
            "a file:// address has three slashes: file:///folder; a folder of another "
            "machine is reached by the path where it is mounted"
        )
    return Path(url2pathname(parts.path))
