"""Which kind of place does an address lead to?"""

from __future__ import annotations

from pathlib import Path

from crm_portfolio.archive._address import OBJECT_STORES, Address
from crm_portfolio.archive._disk import Disk
from crm_portfolio.archive._place import Place

__all__ = ["place_of"]


def place_of(address: Path | Address) -> Place:
    """The place; nothing is read or written yet.

    Raises:
        MissingExtraError: It needs the extra for stores.
        SettingsError: It cannot keep an archive.
    """
    if isinstance(address, Path):
        return Disk(address, address)
    if address.scheme in OBJECT_STORES and not address.is_unlocked:
        from crm_portfolio.archive._objects import Objects

        return Objects.at(address)
    from crm_portfolio.archive._filesystem import Filesystem

    return Filesystem.at(address)
