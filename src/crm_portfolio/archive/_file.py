"""How is one file, such as a plan, read and written wherever an archive can be kept?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

from crm_portfolio import _storage
from crm_portfolio._storage import Content
from crm_portfolio.archive._address import Address, address_of
from crm_portfolio.archive._disk import Disk
from crm_portfolio.archive._place import Place
from crm_portfolio.archive._places import place_of
from crm_portfolio.archive._usable import usable
from crm_portfolio.errors import SettingsError

__all__ = ["read_file", "write_file"]


def write_file(at: str | PurePath, content: Content) -> None:
    """Put a file whole where this leads; what comes in pieces is never whole in memory.

    Raises:
        OSError: The folder of this machine refuses it.
        CrmPortfolioError: The store does, or the address leads nowhere.
    """
    where = address_of(at)
    if isinstance(where, Path):
        _storage.write_atomically(where, content, private=True)
        return
    place, name = _split(where)
    with usable(place):
        place.make()
        place.replace(name, content)


def read_file(at: str | PurePath) -> Iterator[bytes]:
    """The file to which this leads, in pieces.

    Raises:
        FileNotFoundError: There is none.
        OSError: The folder of this machine refuses it.
        CrmPortfolioError: The store does, or the address leads nowhere.
    """
    where = address_of(at)
    if isinstance(where, Path):
        return Disk(where.parent, where.parent).parts(where.name)
    return _streamed(where)


def _streamed(where: Address) -> Iterator[bytes]:
    place, name = _split(where)
    missing = None
    with usable(place):
        try:
            yield from place.parts(name)
        except FileNotFoundError as error:
            missing = error
    if missing is not None:
        raise missing


def _split(address: Address) -> tuple[Place, str]:
    above, _, name = str(address).rpartition("/")
    if above.endswith("/"):
        raise SettingsError(f"the address {str(address)!r} names a bucket and no file")
    return place_of(address_of(above)), name
