"""Which runs were there, in which order, and has one been taken out?

One file for the whole archive, a line when a run begins, a line when it ends, and a line
for a night that found nothing to write. Each line holds the digest of the one before, so
that the last one stands for all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final, Literal

import attrs

from crm_portfolio import _storage
from crm_portfolio.archive._chain import is_listed
from crm_portfolio.archive._lines import split, to_line
from crm_portfolio.archive._place import Place
from crm_portfolio.archive._segments import Segment
from crm_portfolio.errors import DamagedFileError
from crm_portfolio.protocols import Org

__all__ = [
    "INDEX",
    "IndexedRun",
    "Listing",
    "add_listing",
    "add_quiet",
    "altered",
    "indexed",
    "read_index",
    "sound_index",
]

INDEX: Final = "index.jsonl"
# Version 2 has quiet nights; a line of them only is of it.
VERSION: Final = 2
_FIRST_VERSION: Final = 1
_VERSIONS: Final = frozenset({_FIRST_VERSION, VERSION})
_MEND: Final = (
    "Restore the archive from a backup; or keep it aside for `undo` and `history`, and "
    "give the next run another folder."
)
_TOLD: Final = (
    "org",
    "as_of",
    "population",
    "compared",
    "change_count",
    "undoes",
    "resends",
    "interrupted",
)


@attrs.frozen
class Listing:
    """One line of the index: so many segments the run had when it began, or ended.

    A quiet night has none.
    """

    number: int
    kind: Literal["begin", "end", "quiet"]
    run_id: str
    at: str
    segments: int
    last: str
    told: Mapping[str, Any]
    digest: str


@attrs.frozen
class IndexedRun:
    """What the index tells of a run, without a look into its folder.

    Attributes:
        is_quiet: It is a night that found nothing to write, and has no folder.
        undoes: The run it takes back, or nothing.
        resends: The run whose failures it sends again, or nothing.
        compared: Of tables besides accounts: records compared for each column.
        interrupted: Why it stopped too early, as a code; ``stopped`` when it never said
            that it ended.
    """

    run_id: str
    org: Org
    began_at: datetime
    as_of: date
    population: int
    change_count: int
    undoes: str
    resends: str
    interrupted: str
    is_quiet: bool = False
    compared: Mapping[str, int] = attrs.field(factory=dict, hash=False)


def add_listing(folder: Place, run_id: str, segment: Segment) -> Listing:
    """List a run's ``begin`` or ``end``; a line that a crash left half is replaced.

    Raises:
        DamagedFileError: The index was altered, or taken away.
    """
    if segment.kind == "begin":
        sound_index(folder)
    body = {
        "version": _FIRST_VERSION,
        "kind": segment.kind,
        "run": run_id,
        "at": segment.at,
        "segments": segment.number,
        "last": segment.digest,
    }
    return _added(folder, body, segment.content)


def add_quiet(folder: Place, night_id: str, told: Mapping[str, Any]) -> Listing:
    """List a night that found nothing to write.

    Raises:
        DamagedFileError: The index was altered, or taken away.
    """
    sound_index(folder)
    body = {
        "version": VERSION,
        "kind": "quiet",
        "run": night_id,
        "at": _storage.now().isoformat(),
        "segments": 0,
        "last": "",
    }
    return _added(folder, body, told)


def _added(folder: Place, body: Mapping[str, Any], told: Mapping[str, Any]) -> Listing:
    def line_after(before: bytes) -> bytes:
        previous = _read(before, INDEX) if before else None
        whole = {
            **body,
            "format": "crm-portfolio index",
            "number": previous["number"] + 1 if previous else 1,
            "previous": _storage.digest(before) if before else "",
            **{name: told.get(name) for name in _TOLD},
        }
        return to_line(whole)

    # Runs at several orgs share the index.
    line = folder.extend(INDEX, line_after)
    return _listing(_read(line, INDEX), line)


def read_index(folder: Place) -> tuple[list[Listing], DamagedFileError | None]:
    """The lines of the index, up to the first that was altered, and which that is."""
    try:
        lines, _ = split(folder.read(INDEX))
    except FileNotFoundError:
        return [], None
    found: list[Listing] = []
    previous = ""
    for number, line in enumerate(lines, 1):
        try:
            body = _read(line, f"{INDEX} line {number}")
            if body["number"] != number or body["previous"] != previous:
                return found, altered(number, "does not follow the one before")
        except DamagedFileError as error:
            return found, error
        found.append(_listing(body, line))
        previous = _storage.digest(line)
    return found, None


def sound_index(folder: Place) -> list[Listing]:
    """The lines of the index.

    Raises:
        DamagedFileError: One was altered, or there are runs and no index.
    """
    listings, damage = read_index(folder)
    if damage:
        raise damage
    runs = folder / "runs"
    if not listings and any(is_listed(runs / name) for name in runs.folders()):
        listings, _ = read_index(folder)  # the first run may just have begun it
        if not listings:
            raise DamagedFileError(INDEX, "the index of the runs is missing", _MEND)
    return listings


def altered(number: int, problem: str) -> DamagedFileError:
    """The error that names a line of the index."""
    return DamagedFileError(f"{INDEX} line {number}", f"this line {problem}", _MEND)


def indexed(listings: Iterable[Listing]) -> tuple[IndexedRun, ...]:
    """The runs that the index tells of, oldest first."""
    found: dict[str, IndexedRun] = {}
    for listing in listings:
        told, known = listing.told, found.get(listing.run_id)
        if listing.kind == "end" and known:
            ended = attrs.evolve(known, interrupted=told["interrupted"])
            found[listing.run_id] = ended
        elif listing.kind != "end":
            is_quiet = listing.kind == "quiet"
            began = datetime.fromisoformat(listing.at)
            found[listing.run_id] = IndexedRun(
                listing.run_id,
                org=Org(**told["org"]),
                began_at=known.began_at if known else began,
                as_of=date.fromisoformat(told["as_of"]),
                population=told["population"],
                change_count=told["change_count"],
                undoes=told["undoes"],
                resends=told["resends"] or "",
                interrupted="" if is_quiet else "stopped",
                is_quiet=is_quiet,
                compared=told["compared"] or {},  # older lines are of accounts only
            )
    return tuple(found.values())


def _listing(body: Mapping[str, Any], line: bytes) -> Listing:
    return Listing(
        body["number"],
        kind=body["kind"],
        run_id=body["run"],
        at=body["at"],
        segments=body["segments"],
        last=body["last"],
        told={name: body.get(name) for name in _TOLD},
        digest=_storage.digest(line),
    )


def _read(line: bytes, name: str) -> Mapping[str, Any]:
    try:
        body = dict(json.loads(line))
    except (TypeError, ValueError):
        body = {}
    version = body.get("version")
    if isinstance(version, int) and version > VERSION:
        raise DamagedFileError(
            name,
            f"this index has format {version}, this library reads up to {VERSION}",
            "Upgrade crm-portfolio.",
        )
    body.pop("line_sha256", None)
    if line != to_line(body) or version not in _VERSIONS:
        raise DamagedFileError(name, "this line was changed", _MEND)
    return body
