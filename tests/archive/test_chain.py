"""What a crash leaves of a run's list of segments is no damage, and all else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from shelves import BEGIN, Shelf

from crm_portfolio import _storage
from crm_portfolio.archive import Archive, Segment, _archive, _chain
from crm_portfolio.archive._chain import (
    CHAIN,
    chain_file,
    is_listed,
    line_of,
    read_run,
)
from crm_portfolio.archive._lines import to_line
from crm_portfolio.errors import DamagedFileError, LockHeldError

RUN = "0a1b2c3d4e5f"


@pytest.fixture
def folder(archive: Archive, short_run: Callable[..., None]) -> Shelf:
    """The folder of one run of six segments, with a line of the index at each end."""
    short_run(archive, RUN)
    return Shelf(archive) / "runs" / RUN


@pytest.fixture
def lines(folder: Shelf) -> list[bytes]:
    return (folder / CHAIN).read_bytes().splitlines(keepends=True)


def test_it_tells_how_far_the_list_goes(folder: Shelf, lines: list[bytes]) -> None:
    chain = read_run(folder.place, RUN)
    assert (len(chain.segments), chain.listed, chain.awaited) == (6, 6, False)
    assert [number for number, _ in chain.listings] == [1, 2]
    kinds = [b'"index":' in line for line in lines]
    assert kinds == [False, True, False, False, False, False, False, True]
    assert is_listed(folder.place)
    (folder / CHAIN).write_bytes(lines[0])
    assert not is_listed(folder.place)
    (folder / CHAIN).unlink()
    assert not is_listed(folder.place)


def test_the_last_segment_may_be_listed_in_part_or_not_at_all(
    folder: Shelf, lines: list[bytes]
) -> None:
    begun = b"".join(lines[:6])
    last = lines[6]
    for length in range(len(last)):
        (folder / CHAIN).write_bytes(begun + last[:length])
        chain = read_run(folder.place, RUN)
        assert (chain.listed, chain.awaited, len(chain.segments)) == (5, False, 6)
    (folder / CHAIN).write_bytes(begun + last)
    assert read_run(folder.place, RUN).awaited


def test_the_last_line_of_the_index_may_be_named_in_part_or_not_at_all(
    folder: Shelf, lines: list[bytes]
) -> None:
    begun = b"".join(lines[:7])
    for length in range(len(lines[7])):
        (folder / CHAIN).write_bytes(begun + lines[7][:length])
        chain = read_run(folder.place, RUN)
        assert (chain.listed, chain.awaited) == (6, True)
        assert [number for number, _ in chain.listings] == [1]


@pytest.mark.parametrize(
    ("kept", "cut", "problem"),
    [
        (8, b"x", "changed"),  # nothing is awaited
        (8, b'{"index":', "changed"),
        (7, b'{"segment":', "changed"),  # a line of the index is awaited
        (7, b"x", "changed"),
        (6, b"x", "changed"),  # a segment is awaited
        (6, b'{"index":', "changed"),
        (5, b"", "cut"),  # more than one lacks
        (1, b"", "cut"),
        (0, b"", "missing"),
    ],
)
def test_what_no_crash_leaves_is_damage(
    folder: Shelf, lines: list[bytes], kept: int, cut: bytes, problem: str
) -> None:
    (folder / CHAIN).write_bytes(b"".join(lines[:kept]) + cut)
    with pytest.raises(DamagedFileError) as caught:
        read_run(folder.place, RUN)
    assert caught.value.file == f"{RUN}/{CHAIN}"
    said = {"cut": "was cut", "missing": "is missing", "changed": "was changed"}
    assert caught.value.problem == f"this chain {said[problem]}"
    assert "Restore the run's folder" in caught.value.hint


def test_a_half_line_behind_a_whole_one_without_its_end_is_none(
    folder: Shelf, lines: list[bytes]
) -> None:
    begun, last = b"".join(lines[:7]), lines[7].rstrip(b"\n")
    (folder / CHAIN).write_bytes(begun + last + b"more")
    with pytest.raises(DamagedFileError, match="changed"):
        read_run(folder.place, RUN)


def test_lines_out_of_their_order_are_damage(folder: Shelf, lines: list[bytes]) -> None:
    for order in ((1, 0, *range(2, 8)), (0, 1, 3, 2, *range(4, 8)), (0, 2, 1, 3)):
        (folder / CHAIN).write_bytes(b"".join(lines[place] for place in order))
        with pytest.raises(DamagedFileError) as caught:
            read_run(folder.place, RUN)
        assert caught.value.file.startswith(RUN)


def test_a_line_of_another_run_is_told_to_be_swapped(
    folder: Shelf, lines: list[bytes]
) -> None:
    segment = read_run(folder.place, RUN).segments[0]
    theirs = to_line({"run": "another", **line_of(segment)})
    (folder / CHAIN).write_bytes(theirs + b"".join(lines[1:]))
    with pytest.raises(DamagedFileError) as caught:
        read_run(folder.place, RUN)
    assert caught.value.file == f"{RUN}/{CHAIN}"
    assert caught.value.problem == "this chain was swapped"
    assert "Restore" in caught.value.hint


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"[1]\n",
        b"{}\n",
        to_line({"run": RUN, "segment": 1}),
        to_line({"run": RUN, "segment": "x", "sha256": "0"}),
        to_line({"run": RUN, "sha256": "0"}),
    ],
)
def test_what_is_no_line_of_ours_is_damage(
    folder: Shelf, lines: list[bytes], line: bytes
) -> None:
    (folder / CHAIN).write_bytes(line + b"".join(lines[1:]))
    with pytest.raises(DamagedFileError) as caught:
        read_run(folder.place, RUN)
    assert caught.value.file == f"{RUN}/{CHAIN}"
    assert caught.value.problem == "this chain was changed"
    assert "Restore" in caught.value.hint


def test_a_number_or_a_line_of_the_index_out_of_its_turn_is_damage(
    folder: Shelf, lines: list[bytes]
) -> None:
    segments = read_run(folder.place, RUN).segments
    wrong = to_line({"run": RUN, "segment": 9, "sha256": segments[1].digest})
    for spoiled in (
        [*lines[:2], wrong, *lines[3:]],
        [lines[0], *lines[2:]],
        [*lines[:2], lines[1], *lines[2:]],
    ):
        (folder / CHAIN).write_bytes(b"".join(spoiled))
        with pytest.raises(DamagedFileError) as caught:
            read_run(folder.place, RUN)
        assert caught.value.file == f"{RUN}/{CHAIN}"
        assert caught.value.problem == "this chain was changed"
        assert "Restore" in caught.value.hint


def resealed(path: Shelf, **told: Any) -> str:
    """The segment with something else in it and a checksum that fits; gives that."""
    body = json.loads(path.read_bytes()) | told
    body.pop("sha256")
    digest = _storage.digest(_storage.canonical_json(body))
    path.write_bytes(_storage.canonical_json({**body, "sha256": digest}) + b"\n")
    return digest


def test_a_last_segment_that_is_sound_and_not_the_listed_one_is_named(
    folder: Shelf,
) -> None:
    resealed(folder / "000006.json", content={"interrupted": "gone"})
    with pytest.raises(DamagedFileError) as caught:
        read_run(folder.place, RUN)
    assert caught.value.file == f"{RUN}/000006.json"
    assert caught.value.problem == "this segment was replaced"


def test_another_plan_is_named_and_none_is_passed_over(folder: Shelf) -> None:
    plan = folder / "plan.jsonl"
    plan.write_bytes(b"another plan")
    with pytest.raises(DamagedFileError) as caught:
        read_run(folder.place, RUN)
    assert caught.value.file == f"{RUN}/plan.jsonl"
    plan.unlink()
    assert len(read_run(folder.place, RUN).segments) == 6


def older(folder: Shelf, versions: list[int]) -> None:
    """The run as versions of this library wrote it that kept no list."""
    previous = _storage.digest((folder / "plan.jsonl").read_bytes())
    for number, version in enumerate(versions, 1):
        path = folder / f"{number:06}.json"
        previous = resealed(path, version=version, previous=previous)
    (folder / CHAIN).unlink()


@pytest.mark.parametrize("count", [1, 6])
def test_an_older_run_needs_no_list(folder: Shelf, count: int) -> None:
    for number in range(count + 1, 7):
        (folder / f"{number:06}.json").unlink()
    older(folder, [1] * count)
    chain = read_run(folder.place, RUN)
    assert len(chain.segments) == count
    assert (chain.listed, chain.listings) == (0, ())
    assert chain.awaited is False


def test_a_segment_of_an_older_run_must_follow_the_one_before(folder: Shelf) -> None:
    older(folder, [1] * 6)
    resealed(folder / "000003.json", previous="0" * 64)
    with pytest.raises(DamagedFileError) as caught:
        read_run(folder.place, RUN)
    assert caught.value.file == f"{RUN}/000003.json"
    assert caught.value.problem == "this segment does not follow"


def test_an_older_run_that_was_gone_on_with_does(folder: Shelf) -> None:
    older(folder, [1, 1, 1, 1, 1, 2])
    with pytest.raises(DamagedFileError, match="this chain is missing"):
        read_run(folder.place, RUN)


def test_a_segment_that_is_listed_and_not_there_is_named(folder: Shelf) -> None:
    (folder / "000006.json").unlink()
    with pytest.raises(DamagedFileError) as caught:
        read_run(folder.place, RUN)
    assert caught.value.file == f"{RUN}/000006.json"
    assert caught.value.problem == "this segment is missing"
    assert "Restore" in caught.value.hint


def test_a_folder_without_anything_is_a_run_that_never_began(
    archive: Archive,
) -> None:
    chain = read_run(archive.root / RUN, RUN)
    assert (chain.segments, chain.listed, chain.listings) == ((), 0, ())
    assert not chain.awaited


PARTS = [CHAIN, *(f"chain-{part:04}.jsonl" for part in range(2, 6))]


@pytest.fixture
def long(
    archive: Archive, written: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Shelf:
    """The folder of a run of twenty segments, four of which are listed in each part."""
    monkeypatch.setattr(_chain, "_IN_PART", 4)
    told: list[tuple[str, Any]] = [("begin", BEGIN | {"change_count": 9})]
    for number in range(2, 20, 2):
        told.append(("intent", {"send": [[f"00{number}", "tier", None, "A"]]}))
        told[-1][1]["left"] = []
        told.append(("outcome", {"intent": number, "results": [["written", ""]]}))
    written(archive, *told, ("end", {"interrupted": ""}), run=RUN)
    return Shelf(archive) / "runs" / RUN


def test_a_long_list_is_in_parts(archive: Archive, long: Shelf) -> None:
    named = [file.name for file in long.files() if file.name.startswith("chain")]
    assert sorted(named) == sorted(PARTS)
    lines = [(long / part).read_bytes().count(b"\n") for part in PARTS]
    assert lines == [5, 4, 4, 4, 5]  # two with a line of the index
    assert [chain_file(number) for number in (1, 4, 5, 20)] == [
        *(PARTS[0], PARTS[0], PARTS[1], PARTS[4])
    ]
    chain = read_run(long.place, RUN)
    assert (len(chain.segments), chain.listed, chain.awaited) == (20, 20, False)
    assert archive.verify().exit_code == 0
    assert archive.journal(RUN).counts == {"written": 9}


@pytest.mark.parametrize("part", range(5))
def test_a_part_that_is_gone_cut_or_spoiled_is_damage(
    archive: Archive, long: Shelf, part: int
) -> None:
    its = long / PARTS[part]
    content = its.read_bytes()
    last = content[:-1].rfind(b"\n") + 1
    for spoiled in (b"", content[: content.index(b"\n") + 1], b"{}\n", content[:-9]):
        its.write_bytes(spoiled)
        is_begun = part == 4 and content.startswith(spoiled) and len(spoiled) > last
        if is_begun:  # half of the last line of the index: that a crash may leave
            assert read_run(long.place, RUN).awaited
            continue
        with pytest.raises(DamagedFileError) as caught:
            read_run(long.place, RUN)
        assert caught.value.file.startswith(f"{RUN}/chain")
        assert "Restore" in caught.value.hint
    its.unlink()
    with pytest.raises(DamagedFileError, match="chain"):
        archive.journal(RUN)


def test_parts_that_were_swapped_are_damage(long: Shelf) -> None:
    one, other = (long / part for part in PARTS[1:3])
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    with pytest.raises(DamagedFileError) as caught:
        read_run(long.place, RUN)
    assert caught.value.file == f"{RUN}/{PARTS[1]}"
    assert caught.value.problem == "this chain was changed"


@pytest.mark.parametrize("half", [b"", b'{"line_sha256":"', b"xyz"])
def test_a_run_whose_list_an_older_version_kept_in_one_file_goes_on(
    archive: Archive, long: Shelf, half: bytes
) -> None:
    """Half of what is listed next may stand behind it, and nothing else."""
    segments = archive.segments(RUN)
    (long / "000020.json").unlink()
    whole = b"".join((long / part).read_bytes() for part in PARTS)
    listed = whole.splitlines(keepends=True)[:19]  # all but the last two segments
    for part in PARTS[1:]:
        (long / part).unlink()
    (long / CHAIN).write_bytes(b"".join(listed) + half)
    if half == b"xyz":
        with pytest.raises(DamagedFileError, match="changed"):
            archive.segments(RUN)
        return
    assert read_run(long.place, RUN).listed == 18
    begun = archive.append(RUN, "begin", BEGIN, after=segments[18])
    archive.append(RUN, "end", {"interrupted": ""}, after=begun)
    assert read_run(long.place, RUN).listed == 21
    assert (long / CHAIN).read_bytes().endswith(listed[-1] + half)
    assert (long / PARTS[4]).exists()
    kinds = [segment.kind for segment in archive.segments(RUN)]
    assert kinds[-3:] == ["outcome", "begin", "end"]


def test_what_it_costs_to_list_a_segment_does_not_grow_with_the_run(
    long: Shelf,
) -> None:
    """A store is sent a whole file to add a line to it."""
    sizes = [len((long / part).read_bytes()) for part in PARTS]
    assert max(sizes) < 2 * min(sizes)


@pytest.mark.parametrize(
    ("kind", "stops"),
    [
        ("intent", "list_segment"),
        ("end", "list_segment"),
        ("end", "add_listing"),
        ("end", "list_listing"),
    ],
)
def test_who_stood_still_before_a_line_adds_none_to_that_of_who_went_on(
    archive: Archive,
    written: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    kind: Any,
    stops: str,
) -> None:
    """The other one found what was not listed, listed it, and finished the run."""
    content = {"intent": {"send": [], "left": []}, "end": {"interrupted": ""}}
    after = written(archive, ("begin", BEGIN))
    other = Archive(archive.address)
    goes_on = getattr(_archive, stops)

    def finished(*told: Any) -> Any:
        monkeypatch.setattr(_archive, stops, goes_on)
        last = next(each for each in told if isinstance(each, Segment))
        begun = other.append(RUN, "begin", BEGIN, after=last)
        other.append(RUN, "end", {"interrupted": ""}, after=begun)
        return goes_on(*told)

    monkeypatch.setattr(_archive, stops, finished)
    with pytest.raises(LockHeldError, match="writes nothing more"):
        archive.append(RUN, kind, content[kind], after=after)
    kinds = [segment.kind for segment in archive.segments(RUN)]
    assert kinds == ["begin", kind, "begin", "end"]
    assert archive.verify().exit_code == 0
