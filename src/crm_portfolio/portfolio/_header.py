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

__all__ = ["AGAIN", "FILE", "READY", "SOURCE", "Header", "located", "read_header"]

Json: TypeAlias = Any

FILE: Final = "portfolio.json"
AGAIN: Final = "Pull it again, or take it from a backup."
READY: Final = ".ready"
"""Where a portfolio is that is whole, until its files stand in the folder itself."""
SOURCE: Final = "source"
"""What a pull keeps beside it."""
_FORMAT: Final = "crm-portfolio"
_VERSION: Final = 1


@attrs.frozen
class Header:
    """What a folder says of a portfolio, beside its tables.

    Attributes:
        files: The checksum of each file, by its name.
        id: That of the portfolio; None in folders of before it was written there.
    """

    as_of: date
    currency: str
    time_zone: str
    year_starts: int
    org: str | None
    files: Mapping[str, str] = attrs.field(factory=dict)
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
            "version": _VERSION,
            "as_of": self.as_of,
            "currency": self.currency,
            "calendar": {"time_zone": self.time_zone, "year_starts": self.year_starts},
            "org": self.org,
            "files": self.files,
            "id": self.id,
        }
        checksum = digest(canonical_json(plain))
        return canonical_json({**plain, "checksum": checksum}) + b"\n"


def read_header(folder: Path) -> Header:
    """What the folder says of its portfolio.

    Raises:
        SettingsError: It is not a folder that ``Portfolio.save`` wrote.
        DamagedFileError: The file was cut, altered, or written by a newer version.
    """
    written = _header(folder)
    return Header(
        as_of=date.fromisoformat(written["as_of"]),
        currency=written["currency"],
        time_zone=written["calendar"]["time_zone"],
        year_starts=written["calendar"]["year_starts"],
        org=written["org"],
        files=written["files"],
        id=written.get("id"),
    )


def _header(folder: Path) -> Json:
    path = located(folder, FILE)
    if not folder.is_dir():
        raise SettingsError(
            f"there is no folder {folder}: make it with `crm-portfolio pull`, or of "
            f"exported files with `crm-portfolio pull files EXPORTS --to {folder}`"
        )
    if not path.is_file():
        raise SettingsError(_not_ours(folder))
    try:
        header = json.loads(path.read_bytes())
        version, checksum = header["version"], header.pop("checksum")
        is_ours = header["format"] == _FORMAT and isinstance(version, int)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedFileError(str(path), "it cannot be read", AGAIN) from error
    if not is_ours:
        raise DamagedFileError(str(path), "it is of another format", AGAIN)
    if version > _VERSION:
        raise DamagedFileError(
            str(path),
            f"a newer version of crm-portfolio wrote it (format {version}, this one "
            f"reads up to {_VERSION})",
            "Upgrade with: pip install --upgrade crm-portfolio",
        )
    if checksum != digest(canonical_json(header)):
        raise DamagedFileError(str(path), "it was altered after it was saved", AGAIN)
    return header


def _not_ours(folder: Path) -> str:
    if (folder / SOURCE).is_dir():
        return (
            f"{folder} holds a pull that has not come to its end: run the same "
            "`crm-portfolio pull` again, it goes on where it stopped"
        )
    return (
        f"{folder} is not a folder of ours, for it has no {FILE}: make one with "
        f"`crm-portfolio pull files {folder} --to FOLDER`"
    )


def located(folder: Path, name: str) -> Path:
    """Where the file is: in the folder, or on its way there."""
    ready = folder / READY / name
    return ready if ready.exists() else folder / name
