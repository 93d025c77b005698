"""Does a run's folder hold all segments that were written, the last one too?

Beside the segments lies a list of them, a line for each, written right after it. A crash
between the two leaves one segment that is not listed yet, which is no damage; a listed
segment that is not there is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import attrs

from crm_portfolio import _storage
from crm_portfolio.archive._lines import split, to_line
from crm_portfolio.archive._place import Place
from crm_portfolio.archive._segments import (
    PLAN,
    RESTORE,
    Segment,
    name_of,
    read_segment,
    segment_files,
)
from crm_portfolio.errors import DamagedFileError

__all__ = [
    "CHAIN",
    "INDEXED",
    "Chain",
    "add_to_chain",
    "is_listed",
    "line_of",
    "read_run",
]

CHAIN: Final = "chain.jsonl"
# Beginning and end of a run stand in the archive's index too.
INDEXED: Final = frozenset({"begin", "end"})
_CHAINED: Final = 2  # the version that began to list what it wrote
_INDEX_LINE: Final = re.compile(
    rb'\{"index":\d+,"line_sha256":"\w{64}","run":"[\w-]+","sha256":"\w{64}"\}'
)


@attrs.frozen
class Chain:
    """A run as its folder tells it.

    Attributes:
        segments: All of them, verified; what stood in the larger ones may be left out.
        listed: How many of them the chain lists.
        listings: The lines of the index that the chain names: number and digest.
        awaited: Whether the last listed segment still lacks its line of the index.
    """

    segments: tuple[Segment, ...]
    listed: int
    listings: tuple[tuple[int, str], ...]
    awaited: bool


def add_to_chain(folder: Place, run_id: str, body: dict[str, object]) -> None:
    """List a segment of a run, or the line of the index that tells of it."""
    line = to_line({"run": run_id, **body})
    folder.extend(CHAIN, lambda _: line)


def is_listed(folder: Place) -> bool:
    """Whether the index once told of the run in this folder."""
    return b'"index":' in _read(folder, CHAIN)


def _read(folder: Place, file: str) -> bytes:
    try:
        return folder.read(file)
    except FileNotFoundError:
        return b""


def read_run(
    folder: Place, run_id: str, each: Callable[[Segment], object] | None = None
) -> Chain:
    """The segments of a run, if each is what was written and none is missing.

    Args:
        each: Told of every segment as it is read, before the whole is known to be sound;
            then the chain keeps nothing of what a segment says of single changes.

    Raises:
        DamagedFileError: It names the first that was changed, dropped or swapped.
    """
    # A run may be at work: what is listed after the names were asked for is there, too.
    names = segment_files(folder)
    lines, cut = split(_read(folder, CHAIN))
    told = list(_told(lines, folder))
    places = [place for place, (kind, *_) in enumerate(told) if kind == "segment"]
    digests = [told[place][2] for place in places]
    found = _read_segments(folder, run_id, names, digests)
    segments = tuple(found if each is None else _told_to(each, found))
    if len(digests) > len(segments):
        _must_be_there(folder, range(len(segments) + 1, len(digests) + 1))
        lines, cut = lines[: places[len(segments)]], b""
    return _compared(folder, run_id, segments, lines, cut)


def _must_be_there(folder: Place, numbers: Iterable[int]) -> None:
    there = set(segment_files(folder))
    lacking = (name_of(n) for n in numbers if name_of(n) not in there)
    missing = next(lacking, None)
    if missing is not None:
        name = f"{folder.name}/{missing}"
        raise DamagedFileError(name, "this segment is missing", RESTORE)


def _told_to(
    each: Callable[[Segment], object], segments: Iterator[Segment]
) -> Iterator[Segment]:
    for segment in segments:
        each(segment)
        yield segment.outlined()


def _read_segments(
    folder: Place, run_id: str, names: Sequence[str], digests: Sequence[str]
) -> Iterator[Segment]:
    try:
        previous = _storage.digest_of_all(folder.parts(PLAN))
    except FileNotFoundError:
        previous = None
    contents = folder.read_all(names)
    for number, (name, raw) in enumerate(zip(names, contents, strict=True), 1):
        known = digests[number - 1] if number <= len(digests) else None
        segment = read_segment(raw, f"{run_id}/{name}", number, previous, known)
        yield segment
        previous = segment.digest


def _compared(
    folder: Place,
    run_id: str,
    segments: tuple[Segment, ...],
    lines: Sequence[bytes],
    cut: bytes,
) -> Chain:
    """The run, if its chain is made of nothing but what these segments call for."""
    if segments and not lines and not cut and segments[-1].version < _CHAINED:
        return Chain(segments, 0, (), awaited=False)
    listed, awaited, listings = 0, False, []
    name = f"{folder.name}/{CHAIN}"
    for kind, number, digest in _told(lines, folder):
        if awaited != (kind == "index") or (kind == "segment" and number != listed + 1):
            raise DamagedFileError(name, "this chain was changed", RESTORE)
        if kind == "index":
            listings.append((number, digest))
            awaited = False
        else:
            listed = number
            awaited = segments[number - 1].kind in INDEXED
    behind = len(segments) - listed
    if behind > 1 or (behind and awaited):
        problem = "was cut" if lines else "is missing"
        raise DamagedFileError(name, f"this chain {problem}", RESTORE)
    if cut and not _is_begun(cut, run_id, segments[listed:], awaited=awaited):
        raise DamagedFileError(name, "this chain was changed", RESTORE)
    return Chain(segments, listed, tuple(listings), awaited)


def _is_begun(
    cut: bytes, run_id: str, unlisted: Sequence[Segment], *, awaited: bool
) -> bool:
    """Whether a crash can have left this half of a line."""
    if unlisted:
        line = to_line({"run": run_id, **line_of(unlisted[0])})
        return line[:-1].startswith(cut)
    whole = _INDEX_LINE.match(cut)
    is_no_more = whole is None or whole.end() == len(cut)
    return awaited and b'{"index":'.startswith(cut[:9]) and is_no_more


def line_of(segment: Segment) -> dict[str, object]:
    """What the chain says of a segment."""
    return {"segment": segment.number, "sha256": segment.digest}


def _told(lines: Sequence[bytes], folder: Place) -> Iterator[tuple[str, int, str]]:
    """What each line names: a segment or a line of the index, its number and digest."""
    name = f"{folder.name}/{CHAIN}"
    for line in lines:
        try:
            body = dict(json.loads(line))
            body.pop("line_sha256")
            kind = "index" if "index" in body else "segment"
            told = kind, int(body[kind]), str(body["sha256"])
            is_whole = to_line(body) == line
        except (LookupError, TypeError, ValueError):
            is_whole = False
        if not is_whole:
            raise DamagedFileError(name, "this chain was changed", RESTORE)
        if body["run"] != folder.name:
            raise DamagedFileError(name, "this chain was swapped", RESTORE)
        yield told
