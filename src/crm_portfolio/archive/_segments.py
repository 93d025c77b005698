"""Is a segment of a journal what was written, and does it follow the one before?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import attrs

from crm_portfolio import _storage
from crm_portfolio.errors import DamagedFileError

__all__ = [
    "PLAN",
    "RESTORE",
    "Json",
    "Segment",
    "SegmentKind",
    "name_of",
    "read_segment",
    "sealed",
    "segments_among",
]

SegmentKind = Literal["begin", "intent", "outcome", "check", "canary", "end"]
Json = Mapping[str, Any]

# Version 1 had no checks, no canary, no field beside a code, and no chain beside it;
# version 2 knew accounts only, version 3 listed all segments of a run in one file.
VERSION: Final = 4
PLAN: Final = "plan.jsonl"
RESTORE: Final = "Restore the run's folder from a backup; what follows is not proven."
_SEGMENT: Final = re.compile(r"\d{6}\.json")


@attrs.frozen
class Segment:
    """One file of a journal; ``digest`` covers all else in it."""

    number: int
    kind: SegmentKind
    content: Json
    digest: str
    at: str = attrs.field(default="", eq=False)
    version: int = attrs.field(default=VERSION, eq=False)

    def outlined(self) -> Segment:
        """The same without what it says of single changes: a run has many of those."""
        is_long = self.kind in ("intent", "outcome", "check")
        return attrs.evolve(self, content={}) if is_long else self


def name_of(number: int) -> str:
    """The file name of the segment with this number."""
    return f"{number:06d}.json"


def segments_among(files: Iterable[str]) -> list[str]:
    """Of the files in a run's folder those of segments, in the order of their numbers."""
    return [name for name in files if _SEGMENT.fullmatch(name)]


def sealed(
    run_id: str, number: int, kind: SegmentKind, content: Json, previous: str
) -> tuple[Segment, bytes]:
    """The next segment of a run, and the bytes of its file."""
    at = _storage.now().isoformat()
    body = {
        "format": "crm-portfolio journal",
        "version": VERSION,
        "run": run_id,
        "number": number,
        "kind": kind,
        "at": at,
        "previous": previous,
        "content": content,
    }
    told = _storage.canonical_json(body)
    digest = _storage.digest(told)
    return Segment(number, kind, content, digest, at), _with(digest, told, VERSION)


def read_segment(
    raw: bytes, name: str, number: int, previous: str | None, known: str | None
) -> Segment:
    """One segment, if it is what was written and follows the one before.

    Args:
        name: Of its file, behind that of its run and a slash.
        previous: Digest of what it must follow, which is the plan for the first.
        known: Digest that the run's chain has of it.

    Raises:
        DamagedFileError: It names the segment that was changed, swapped or dropped.
    """
    run_id, _, file = name.partition("/")
    body, digest = _unsealed(raw, name)
    if body["run"] != run_id or name_of(body["number"]) != file:
        raise DamagedFileError(name, "this segment was swapped with another", RESTORE)
    if body["number"] != number:
        missing = f"{run_id}/{name_of(number)}"
        raise DamagedFileError(missing, "this segment is missing", RESTORE)
    if known is not None and digest != known:
        raise DamagedFileError(name, "this segment was replaced", RESTORE)
    if previous is not None and body["previous"] != previous:
        if number == 1:
            plan = f"{run_id}/{PLAN}"
            raise DamagedFileError(plan, "this plan was replaced", RESTORE)
        raise DamagedFileError(name, "this segment does not follow", RESTORE)
    told = (body["kind"], body["content"], digest, body["at"], body["version"])
    return Segment(number, *told)


def _unsealed(raw: bytes, name: str) -> tuple[dict[str, Any], str]:
    try:
        body = dict(json.loads(raw))
    except (ValueError, TypeError):
        body = {}
    if isinstance(body.get("version"), int) and body["version"] > VERSION:
        raise DamagedFileError(
            name,
            f"this journal has format {body['version']}, this library reads up to {VERSION}",
            "Upgrade crm-portfolio.",
        )
    digest, version = str(body.pop("sha256", "")), body.get("version")
    # What is long is not put into JSON again: all but the seal must be what was sealed.
    seal, last = _seal(digest, version), _last(version)
    told = raw.removesuffix(seal) + last
    if not raw.endswith(seal) or digest != _storage.digest(told):
        raise DamagedFileError(name, "this segment was changed", RESTORE)
    return body, digest


def _with(digest: str, told: bytes, version: object) -> bytes:
    """The bytes of a segment's file; what it tells is long, and put into JSON once."""
    return told.removesuffix(_last(version)) + _seal(digest, version)


def _last(version: object) -> bytes:
    """What comes last of what a segment tells, and right behind its digest."""
    return _storage.canonical_json({"version": version})[1:]


def _seal(digest: str, version: object) -> bytes:
    """How its file ends."""
    sha = _storage.canonical_json({"sha256": digest})[1:-1]
    return sha + b"," + _last(version) + b"\n"
