"""What does a folder say of its portfolio, and is it what was said when it was saved?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from crm_portfolio._storage import canonical_json, digest
from crm_portfolio.errors import DamagedFileError, SettingsError
from crm_portfolio.portfolio._place import Folder, Part, Place, is_part

__all__ = ["AGAIN", "FILE", "SOURCE", "Header", "read_header"]

Json: TypeAlias = Any

FILE: Final = "portfolio.json"
AGAIN: Final = "Pull it again, or take it from a backup."
SOURCE: Final = "source"
"""What a pull keeps beside it."""
_FORMAT: Final = "crm-portfolio"
_VERSION: Final = 1
_WITH_PARTS: Final = 2
"""That of a folder in which a table is more than one file."""
_ID: Final = "content"
"""What stands as ``id`` was counted another way, and is counted anew."""


@attrs.frozen
class Header:
    """What a folder says of a portfolio, beside its tables.

    Attributes:
        files: Each file of a table, by its path below the folder.
        id: That of the portfolio; None in folders of before it was written there.
    """

    as_of: date
    currency: str
    time_zone: str
    year_starts: int
    org: str | None
    files: Mapping[str, Part] = attrs.field(factory=dict)
    id: str | None = None

    @property
    def identity(self) -> Mapping[str, object]:
        """What makes a portfolio another one, beside its tables."""
        return {
            "as_of": self.as_of,
            "currency": self.currency,
            "time_zone": self.time_zone,
            "year_starts": self.year_starts,
        }

    def sealed(self) -> bytes:
        plain = {
            "format": _FORMAT,
            "version": _WITH_PARTS if any("/" in n for n in self.files) else _VERSION,
            "as_of": self.as_of,
            "currency": self.currency,
            "calendar": {"time_zone": self.time_zone, "year_starts": self.year_starts},
            "org": self.org,
            "files": {name: part.checksum for name, part in self.files.items()},
            "sizes": {
                name: [part.size, part.rows] for name, part in self.files.items()
            },
            _ID: self.id,
        }
        checksum = digest(canonical_json(plain))
        return canonical_json({**plain, "checksum": checksum}) + b"\n"


def read_header(folder: Path | Place) -> Header:
    """What the folder says of its portfolio.

    Raises:
        SettingsError: It is not a folder that ``Portfolio.save`` wrote.
        DamagedFileError: The file was cut, altered, or written by a newer version.
    """
    written = _header(Folder(folder) if isinstance(folder, Path) else folder)
    sizes = written.get("sizes", {})
    return Header(
        as_of=date.fromisoformat(written["as_of"]),
        currency=written["currency"],
        time_zone=written["calendar"]["time_zone"],
        year_starts=written["calendar"]["year_starts"],
        org=written["org"],
        files={
            name: Part(name, checksum, *sizes.get(name, ()))
            for name, checksum in written["files"].items()
        },
        id=written.get(_ID),
    )


def _header(place: Place) -> Json:
    path = str(place.reached(FILE))
    if not place.exists():
        raise SettingsError(
            f"there is no folder {place}: make it with `crm-portfolio pull`, or of "
            f"exported files with `crm-portfolio pull files EXPORTS --to {place}`"
        )
    if not place.holds(FILE):
        raise SettingsError(_not_ours(place))
    try:
        header = json.loads(place.read(FILE))
        version, checksum = header["version"], header.pop("checksum")
        is_ours = header["format"] == _FORMAT and isinstance(version, int)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedFileError(path, "it cannot be read", AGAIN) from error
    if not is_ours:
        raise DamagedFileError(path, "it is of another format", AGAIN)
    if version > _WITH_PARTS:
        raise DamagedFileError(
            path,
            f"a newer version of crm-portfolio wrote it (format {version}, this one "
            f"reads up to {_WITH_PARTS})",
            "Upgrade with: pip install --upgrade crm-portfolio",
        )
    if checksum != digest(canonical_json(header)) or not all(
        map(is_part, header["files"])
    ):
        raise DamagedFileError(path, "it was altered after it was saved", AGAIN)
    return header


def _not_ours(place: Place) -> str:
    if isinstance(place, Folder) and (place.path / SOURCE).is_dir():
        return (
            f"{place} holds a pull that has not come to its end: run the same "
            "`crm-portfolio pull` again, it goes on where it stopped"
        )
    return (
        f"{place} is not a folder of ours, for it has no {FILE}: make one with "
        f"`crm-portfolio pull files {place} --to FOLDER`"
    )
