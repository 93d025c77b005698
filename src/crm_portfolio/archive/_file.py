"""How is one file, such as a plan, read and written wherever an archive can be kept?"""

from __future__ import annotations

from pathlib import Path, PurePath

from crm_portfolio import _storage
from crm_portfolio.archive._address import Address, address_of
from crm_portfolio.archive._place import Place
from crm_portfolio.archive._places import place_of
from crm_portfolio.archive._usable import usable
from crm_portfolio.errors import SettingsError

__all__ = ["read_file", "write_file"]


def write_file(at: str | PurePath, content: bytes) -> None:
    """Put a file whole where this leads.

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


def read_file(at: str | PurePath) -> bytes:
    """The file to which this leads.

    Raises:
        FileNotFoundError: There is none.
        OSError: The folder of this machine refuses it.
        CrmPortfolioError: The store does, or the address leads nowhere.
    """
    where = address_of(at)
    if isinstance(where, Path):
        return where.read_bytes()
    place, name = _split(where)
    missing = None
    with usable(place):
        try:
            return place.read(name)
        except FileNotFoundError as error:
            missing = error
    raise missing


def _split(address: Address) -> tuple[Place, str]:
    above, _, name = str(address).rpartition("/")
    if above.endswith("/"):
        raise SettingsError(f"the address {str(address)!r} names a bucket and no file")
    return place_of(address_of(above)), name
