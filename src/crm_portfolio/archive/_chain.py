"""Does a run's folder hold all segments that were written, the last one too?

Beside the segments lies a list of them, a line for each, written right after it. A crash
between the two leaves one segment that is not listed yet, which is no damage; a listed
segment that is not there is. A store writes a list anew to add a line, so a long one is in
parts: what a segment's line costs does not grow with the segments before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

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
    segments_among,
)
from crm_portfolio.errors import DamagedFileError, LockHeldError

__all__ = [
    "CHAIN",
    "INDEXED",
    "Chain",
    "chain_file",
    "is_listed",
    "line_of",
    "list_listing",
    "list_segment",
    "overtaken",
    "read_run",
]

CHAIN: Final = "chain.jsonl"
_OTHERS: Final = re.compile(r"chain-\d{4,}\.jsonl")
_IN_PART: Final = 200
"""So many segments are listed in one file; version 3 listed all of them in the first."""
# Beginning and end of a run stand in the archive's index too.
INDEXED: Final = frozenset({"begin", "end"})
_CHAINED: Final = 2  # the version that began to list what it wrote
_Line: TypeAlias = tuple[str, bytes]
"""A line, with its end, behind the name of the file it stands in."""
_Named: TypeAlias = tuple[str, str]
"""What a line is of, and the digest that it names."""
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


def chain_file(number: int) -> str:
    """The file that lists the segment with this number, and its line of the index."""
    part = (number - 1) // _IN_PART
    return f"chain-{part + 1:04d}.jsonl" if part else CHAIN


def list_segment(
    folder: Place,
    segment: Segment,
    after: Segment | None,
    listings: Collection[str],
) -> None:
    """List a segment of a run behind the one before it.

    Args:
        listings: The digests of the lines of the index that tell of the one before.

    Raises:
        LockHeldError: Another process listed it while this one stood still.
    """
    file = chain_file(segment.number)
    behind: list[_Named] | None = []
    if after is not None and chain_file(after.number) == file:
        behind = [("segment", after.digest)]
        if after.kind in INDEXED:  # where the index is damaged, none is known
            behind = [("index", each) for each in listings] or None
    _add(folder, file, line_of(segment), behind)


def list_listing(folder: Place, segment: Segment, number: int, digest: str) -> None:
    """List the line of the index that tells of a segment, behind that segment.

    Raises:
        LockHeldError: Another process did while this one stood still.
    """
    told = {"index": number, "sha256": digest}
    _add(folder, chain_file(segment.number), told, [("segment", segment.digest)])


def _add(
    folder: Place,
    file: str,
    body: dict[str, object],
    behind: Collection[_Named] | None,
) -> None:
    """Add a line behind one of these, or behind any."""
    line = to_line({"run": folder.name, **body})

    def line_after(before: bytes) -> bytes:
        # Damage is told by who reads all of it: here anything may stand before it.
        named = _named(before) if before else None
        if named and behind is not None and named not in behind:
            raise overtaken(folder.name)
        return line

    folder.extend(file, line_after)


def _named(line: bytes) -> _Named | None:
    """What a line lists; None where it is damaged."""
    try:
        body = dict(json.loads(line))
        return "index" if "index" in body else "segment", str(body["sha256"])
    except (LookupError, TypeError, ValueError):
        return None


def overtaken(run_id: str) -> LockHeldError:
    """The error of a process that stood still until another one took its place."""
    who = "one that goes on with it"
    return LockHeldError(f"run {run_id}", who, has_begun=True)


def is_listed(folder: Place) -> bool:
    """Whether the index once told of the run in this folder."""
    return b'"index":' in _read(folder, CHAIN)


def _read(folder: Place, file: str) -> bytes:
    try:
        return folder.read(file)
    except FileNotFoundError:
        return b""


def _lines(folder: Place, files: Sequence[str]) -> tuple[list[_Line], _Line]:
    """The whole lines of all parts, and what a crash cut off the last one."""
    lines: list[_Line] = []
    raw, last = _read(folder, CHAIN), CHAIN
    others = [name for name in files if _OTHERS.fullmatch(name)]
    whole, cut = split(raw)
    lines += [(CHAIN, line) for line in whole]
    for name, raw in zip(others, folder.read_all(others), strict=True):
        more, rest = split(raw)
        # Version 3 may have left half of what was then listed in the next part.
        if not (more or [rest])[0].startswith(cut):
            raise _changed(folder, last)
        lines += [(name, line) for line in more]
        cut, last = rest, name
    return lines, (last, cut)


def _changed(folder: Place, file: str) -> DamagedFileError:
    name = f"{folder.name}/{file}"
    return DamagedFileError(name, "this chain was changed", RESTORE)


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
    files = folder.files()
    names = segments_among(files)
    lines, cut = _lines(folder, files)
    told = list(_told(lines, folder))
    places = [place for place, (kind, *_) in enumerate(told) if kind == "segment"]
    for number, place in enumerate(places, 1):
        if told[place][1] != number:
            raise _changed(folder, lines[place][0])
    digests = [told[place][2] for place in places]
    found = _read_segments(folder, run_id, names, digests)
    segments = tuple(found if each is None else _told_to(each, found))
    if len(digests) > len(segments):
        _must_be_there(folder, range(len(segments) + 1, len(digests) + 1))
        lines, cut = lines[: places[len(segments)]], (CHAIN, b"")
    return _compared(folder, run_id, segments, lines, cut)


def _must_be_there(folder: Place, numbers: Iterable[int]) -> None:
    there = set(segments_among(folder.files()))
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
    lines: Sequence[_Line],
    cut: _Line,
) -> Chain:
    """The run, if its chain is made of nothing but what these segments call for."""
    last, begun = cut
    if segments and not lines and not begun and segments[-1].version < _CHAINED:
        return Chain(segments, 0, (), awaited=False)
    listed, awaited, listings = 0, False, []
    told = zip(lines, _told(lines, folder), strict=True)
    for (file, _), (kind, number, digest) in told:
        if awaited != (kind == "index"):
            raise _changed(folder, file)
        if kind == "index":
            listings.append((number, digest))
            awaited = False
        else:
            listed = number
            awaited = segments[number - 1].kind in INDEXED
    behind = len(segments) - listed
    if behind > 1 or (behind and awaited):
        problem = "was cut" if lines else "is missing"
        name = f"{folder.name}/{chain_file(listed + 1) if lines else CHAIN}"
        raise DamagedFileError(name, f"this chain {problem}", RESTORE)
    if begun and not _is_begun(begun, run_id, segments[listed:], awaited=awaited):
        raise _changed(folder, last)
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


def _told(lines: Sequence[_Line], folder: Place) -> Iterator[tuple[str, int, str]]:
    """What each line names: a segment or a line of the index, its number and digest."""
    for file, line in lines:
        try:
            body = dict(json.loads(line))
            body.pop("line_sha256")
            kind = "index" if "index" in body else "segment"
            told = kind, int(body[kind]), str(body["sha256"])
            is_whole = to_line(body) == line
        except (LookupError, TypeError, ValueError):
            is_whole = False
        if not is_whole:
            raise _changed(folder, file)
        if body["run"] != folder.name:
            name = f"{folder.name}/{file}"
            raise DamagedFileError(name, "this chain was swapped", RESTORE)
        yield told
