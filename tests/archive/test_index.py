"""What the index alone tells of runs and of quiet nights."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import attrs
import pytest
from shelves import Shelf

from crm_portfolio import _storage
from crm_portfolio.archive import Archive, IndexedRun
from crm_portfolio.archive._index import add_quiet, read_index
from crm_portfolio.archive._lines import to_line
from crm_portfolio.errors import DamagedFileError
from crm_portfolio.protocols import Org

INDEX = "index.jsonl"
ORG = Org("salesforce", "00D1", True, "EUR", "UTC")
BEGIN = {
    "org": attrs.asdict(ORG),
    "as_of": "2026-06-30",
    "portfolio_id": "p1",
    "settings_digest": "s1",
    "library_version": "1",
    "population": 10,
    "undoes": "",
    "change_count": 4,
}


@pytest.fixture
def lines(archive: Archive) -> Callable[[], list[bytes]]:
    def read() -> list[bytes]:
        return (Shelf(archive) / INDEX).read_bytes().splitlines(keepends=True)

    return read


def test_a_run_is_stopped_until_it_says_that_it_ended(
    archive: Archive, written: Callable[..., None]
) -> None:
    before = datetime.now(UTC)  # noqa: TID251 - the archive's own clock is looked at
    told = {**BEGIN, "undoes": "ffff", "resends": "eeee"}
    written(archive, ("begin", told), run="aaaa")
    (run,) = archive.index()
    assert before <= run.began_at <= datetime.now(UTC)  # noqa: TID251
    assert run == IndexedRun(
        "aaaa",
        org=ORG,
        began_at=run.began_at,
        as_of=date(2026, 6, 30),
        population=10,
        change_count=4,
        undoes="ffff",
        resends="eeee",
        interrupted="stopped",
    )


def test_a_run_that_goes_on_began_when_it_first_did(
    archive: Archive, written: Callable[..., None]
) -> None:
    told = ("begin", BEGIN), ("end", {"interrupted": "gone"})
    written(archive, *told, run="aaaa")
    (first,) = archive.index()
    assert (first.interrupted, first.undoes, first.resends) == ("gone", "", "")
    after = archive.segments("aaaa")[-1]
    archive.append("aaaa", "begin", {**BEGIN, "population": 11}, after=after)
    (again,) = archive.index()
    assert again.began_at == first.began_at
    assert (again.population, again.interrupted) == (11, "stopped")


def test_a_quiet_night_has_no_segment_and_no_reason_to_stop(archive: Archive) -> None:
    archive.note_quiet("20260701-0a1b", ORG, as_of=date(2026, 7, 1), population=9)
    (listing,), damage = read_index(archive.root)
    assert damage is None
    assert (listing.kind, listing.number, listing.segments) == ("quiet", 1, 0)
    assert (listing.last, listing.run_id) == ("", "20260701-0a1b")
    (night,) = archive.index()
    assert night == IndexedRun(
        "20260701-0a1b",
        org=ORG,
        began_at=datetime.fromisoformat(listing.at),
        as_of=date(2026, 7, 1),
        population=9,
        change_count=0,
        undoes="",
        resends="",
        interrupted="",
        is_quiet=True,
    )
    assert night.began_at.tzinfo is not None


def test_each_line_holds_the_one_before_and_its_own_checksum(
    archive: Archive,
    short_run: Callable[..., None],
    lines: Callable[[], list[bytes]],
) -> None:
    short_run(archive, "aaaa")
    archive.note_quiet("20260701-0a1b", ORG, as_of=date(2026, 7, 1), population=9)
    previous = ""
    for number, line in enumerate(lines(), 1):
        body = json.loads(line)
        assert (body["number"], body["previous"]) == (number, previous)
        assert body["format"] == "crm-portfolio index"
        mark = body.pop("line_sha256")
        assert mark == _storage.digest(_storage.canonical_json(body))
        previous = _storage.digest(line)
    (archive.root / "elsewhere").make()
    listings, _ = read_index(archive.root)
    told = {"org": attrs.asdict(ORG), "as_of": "2026-07-01", "population": 1}
    listing = add_quiet(archive.root, "20260702-0a1b", told)
    assert read_index(archive.root)[0] == [*listings, listing]
    assert listing.digest == _storage.digest(lines()[-1])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"not json\n", "this line was changed"),
        (b"[1]\n", "this line was changed"),
        (to_line({"version": 0, "number": 1, "previous": ""}), "this line was changed"),
        (
            to_line({"version": 9}),
            "this index has format 9, this library reads up to 2",
        ),
    ],
)
def test_what_is_no_line_of_ours_is_named(
    archive: Archive, line: bytes, problem: str
) -> None:
    archive.root.make()
    (Shelf(archive) / INDEX).write_bytes(line)
    with pytest.raises(DamagedFileError) as caught:
        archive.index()
    assert caught.value.file == f"{INDEX} line 1"
    assert caught.value.problem == problem
    is_newer = "format 9" in problem
    assert caught.value.hint.startswith("Upgrade" if is_newer else "Restore")


def test_a_line_out_of_its_place_is_named(
    archive: Archive,
    short_run: Callable[..., None],
    lines: Callable[[], list[bytes]],
) -> None:
    short_run(archive, "aaaa")
    first, second = lines()
    for content, number in ((second, 1), (first + first, 2), (first + first[:9], 0)):
        (Shelf(archive) / INDEX).write_bytes(content)
        listings, damage = read_index(archive.root)
        assert len(listings) == (number - 1 if number else 1)
        told = damage.file if damage else ""
        assert told == (f"{INDEX} line {number}" if number else "")
        if damage:
            assert damage.problem == "this line does not follow the one before"
            assert "Restore the archive from a backup" in damage.hint


def test_a_line_with_the_right_number_and_another_one_before_is_named(
    archive: Archive,
    short_run: Callable[..., None],
    lines: Callable[[], list[bytes]],
) -> None:
    short_run(archive, "aaaa")
    first, second = lines()
    body = json.loads(second) | {"previous": "0" * 64}
    body.pop("line_sha256")
    (Shelf(archive) / INDEX).write_bytes(first + to_line(body))
    listings, damage = read_index(archive.root)
    assert len(listings) == 1
    assert damage is not None
    assert damage.file == f"{INDEX} line 2"


def test_an_end_without_a_beginning_is_no_run(archive: Archive) -> None:
    told = dict.fromkeys(("org", "as_of", "population", "change_count"))
    told |= {"undoes": None, "resends": None, "interrupted": ""}
    body = {"version": 1, "number": 1, "previous": "", "kind": "end", "run": "aaaa"}
    line = to_line({**body, "at": "", "segments": 2, "last": "x", **told})
    archive.root.make()
    (Shelf(archive) / INDEX).write_bytes(line)
    assert archive.index() == ()


def test_behind_a_damaged_line_nothing_is_written(
    archive: Archive,
    written: Callable[..., Any],
    lines: Callable[[], list[bytes]],
) -> None:
    last = written(archive, ("begin", BEGIN), run="aaaa")
    (line,) = lines()
    spoiled = line.replace(b'"population":10', b'"population":11')
    (Shelf(archive) / INDEX).write_bytes(spoiled)
    with pytest.raises(DamagedFileError) as caught:
        archive.append("aaaa", "end", {"interrupted": ""}, after=last)
    assert caught.value.file == INDEX
    assert lines() == [spoiled]


def test_no_run_begins_behind_a_damaged_line(
    archive: Archive,
    short_run: Callable[..., None],
    lines: Callable[[], list[bytes]],
) -> None:
    short_run(archive, "aaaa")
    first, second = lines()
    spoiled = first.replace(b'"population":10', b'"population":11')
    (Shelf(archive) / INDEX).write_bytes(spoiled + second)
    with pytest.raises(DamagedFileError) as caught:
        short_run(archive, "bbbb")
    assert caught.value.file == f"{INDEX} line 1"
    assert archive.holds("bbbb")
    assert lines() == [spoiled, second]


def test_a_missing_index_is_told_with_the_way_out(
    archive: Archive, short_run: Callable[..., None]
) -> None:
    short_run(archive, "aaaa")
    (Shelf(archive) / INDEX).unlink()
    with pytest.raises(DamagedFileError) as caught:
        archive.index()
    assert caught.value.file == INDEX
    assert caught.value.problem == "the index of the runs is missing"
    assert "give the next run another folder" in caught.value.hint


def test_where_there_is_nothing_nothing_is_damaged(archive: Archive) -> None:
    assert read_index(archive.root) == ([], None)
