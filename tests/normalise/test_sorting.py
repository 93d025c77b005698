"""Are more rows put in order than memory holds, and keys told apart by eight bytes?"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio._normalise import (
    Disk,
    Memory,
    Ordered,
    Sorter,
    _sorting,
    hashed,
    in_order,
    merged,
)
from crm_portfolio._normalise._keys import SortedHashes

WORD = st.none() | st.text(max_size=3) | st.sampled_from(["a", "b", "c"])


def rows(keys: list[str | None]) -> pa.Table:
    return pa.table({"key": pa.array(keys, pa.string()), "row": range(len(keys))})


@given(
    keys=st.lists(WORD, max_size=60),
    piece=st.integers(1, 7),
    held=st.integers(1, 9),
)
@settings(max_examples=100)
def test_sorting_on_disk_is_sorting(
    keys: list[str | None], piece: int, held: int
) -> None:
    table = rows(keys)
    with TemporaryDirectory() as place:
        sorter = Sorter(Disk(Path(place) / "runs", rows_held=held), ["key", "row"])
        for start in range(0, len(table), piece):
            sorter.add(table.slice(start, piece))
        found = list(sorter.sorted())
    whole = table.sort_by([("key", "ascending"), ("row", "ascending")])
    assert pa.concat_tables([table.slice(0, 0), *found]).equals(whole.combine_chunks())
    # Rows that agree in the first key come in one table.
    edges = [set(part["key"].to_pylist()) for part in found]
    assert sum(map(len, edges)) == len(set().union(*edges))


def test_many_runs_are_merged_in_steps(tmp_path: Path) -> None:
    keys = [f"{n:05}" for n in range(3_000)]
    random.Random(1).shuffle(keys)
    table = rows(keys)
    sorter = Sorter(Disk(tmp_path / "runs", rows_held=20), ["key"])
    for start in range(0, len(table), 20):
        sorter.add(table.slice(start, 20))
    found = pa.concat_tables(sorter.sorted())
    assert found["key"].to_pylist() == sorted(keys)
    assert not list((tmp_path / "runs").iterdir())


class Watched:
    """A room that knows how many of its runs are being read, and what was put aside."""

    rows_held = 1

    def __init__(self) -> None:
        self.open = self.most = self.written = self.kept = 0

    def run(self) -> Watched.Run:
        self.kept += 1
        return self.Run(self)

    def read(self, tables: list[pa.Table]) -> Iterator[pa.Table]:
        self.open += 1
        self.most = max(self.most, self.open)
        yield from tables
        self.open -= 1

    class Run:
        def __init__(self, room: Watched) -> None:
            self._room = room
            self._tables: list[pa.Table] = []

        def add(self, table: pa.Table) -> None:
            self._room.written += len(table)
            self._tables.append(table)

        def tables(self) -> Iterator[pa.Table]:
            return self._room.read(self._tables)

        def drop(self) -> None:
            self._room.kept -= 1


def merged_runs(room: Watched, runs: list[list[str]], most: int = 64) -> list[str]:
    def ordered(keys: list[str]) -> Ordered:
        table = rows(list(keys))
        pieces = [table.slice(at, 1) for at in range(len(table))]
        ends = table["key"][0], table["key"][-1]
        return Ordered.of(*ends, lambda: room.read(pieces))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_sorting, "_AT_ONCE", most)
        patched.setattr(_sorting, "_RANGE_ROWS", 1)  # nothing is read ahead
        found = list(merged(room, [ordered(keys) for keys in runs], ["key"]))
    return [key for part in found for key in part["key"].to_pylist()]


KEY = st.integers(0, 99).map(lambda n: f"{n:02}")


@given(
    runs=st.lists(st.lists(KEY, min_size=1, max_size=6).map(sorted), max_size=20),
    most=st.integers(2, 5),
)
@settings(max_examples=100)
def test_no_more_runs_are_read_side_by_side_than_there_is_room_for(
    runs: list[list[str]], most: int
) -> None:
    room = Watched()
    found = merged_runs(room, runs, most)
    assert found == sorted(itertools.chain.from_iterable(runs))
    assert room.most <= most
    assert not room.kept


@pytest.mark.parametrize(
    ("count", "again"),
    # Of 66 runs three become one; of 127, 64; of 130, 64 and then four more.
    [(64, 0), (65, 2), (66, 3), (127, 64), (130, 68), (300, 3 * 64 + 48)],
)
def test_no_more_rows_are_written_again_than_must_be(count: int, again: int) -> None:
    room = Watched()
    runs = [[f"{n:05}", f"{n + count:05}"] for n in range(count)]
    assert merged_runs(room, runs) == [f"{n:05}" for n in range(2 * count)]
    assert room.written == 2 * again
    assert room.most == min(count, 64)


def test_of_wide_rows_few_are_read_ahead() -> None:
    """As many as of narrow ones would be gigabytes."""
    room, text = Watched(), "x" * (1 << 16)
    told: list[int] = []

    def wide(first: int) -> Ordered:
        def tables() -> Iterator[pa.Table]:
            for at in range(first, first + 300):
                told.append(at)
                yield pa.table({"key": [f"{at:05}"], "text": [text]})

        ends = (pa.scalar(f"{at:05}") for at in (first, first + 299))
        return Ordered.of(*ends, tables)

    rows = merged(room, [wide(0), wide(150)], ["key"])
    next(rows)
    assert len(told) < 300  # of 600: 256 are 16 MB
    assert 1 + sum(1 for _ in rows) > 2


def test_in_memory_nothing_is_written() -> None:
    sorter = Sorter(Memory(), ["key"])
    sorter.add(rows(["b", "a"]))
    assert next(sorter.sorted())["key"].to_pylist() == ["a", "b"]


ALIKE = st.text("aé", min_size=4, max_size=4) | st.text("ab", min_size=12, max_size=12)


@given(
    keys=st.lists(st.text("abz", min_size=11, max_size=11), max_size=40)
    | st.lists(WORD | ALIKE, max_size=40),
    cuts=st.lists(st.integers(0, 40), max_size=4),
    skipped=st.integers(0, 3),
)
@settings(max_examples=100)
def test_a_column_at_a_time_gives_the_same_order(
    keys: list[str | None], cuts: list[int], skipped: int
) -> None:
    """Of a CRM's ids the first bytes that differ tell the order, of others not."""
    whole = rows(keys)
    edges = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in itertools.pairwise(edges)]
    nothing = pa.nulls(len(whole), pa.string())
    table = pa.concat_tables([whole.slice(0, 0), *pieces])[: len(whole)]
    table = table.append_column("nothing", nothing)[skipped:]
    found = in_order(table, ["key"])
    wanted = table.sort_by([("key", "ascending")])
    assert found.schema == table.schema
    assert {column.num_chunks for column in found.columns} <= {0, 1}
    assert found.combine_chunks().equals(wanted.combine_chunks())
    both = in_order(table, ["key", "row"])
    wanted = table.sort_by([("key", "ascending"), ("row", "ascending")])
    assert both.combine_chunks().equals(wanted.combine_chunks())


@given(
    count=st.integers(2, 300),
    places=st.lists(st.integers(0, 17), min_size=1, max_size=10, unique=True),
    odd=st.integers(0, 299),
    seed=st.integers(0, 9),
)
@settings(max_examples=100)
def test_ids_of_which_one_alone_differs_early_are_in_order(
    count: int, places: list[int], odd: int, seed: int
) -> None:
    chance = random.Random(seed)
    ids = [
        "".join("bm"[n >> p & 1] for p in range(10)).ljust(18, "b")
        for n in range(count)
    ]
    chance.shuffle(ids)
    letters = list(ids[odd % count])
    for place in places:
        letters[place] = "a"
    ids[odd % count] = "".join(letters)
    found = in_order(rows(ids), ["key"])
    assert found["key"].to_pylist() == sorted(ids)
    assert [ids[row] for row in found["row"].to_pylist()] == sorted(ids)


def test_a_hash_knows_neither_where_a_text_stands_nor_what_is_beside_it() -> None:
    texts = ["", "a", "a\0", "aa", "abcdefgh", "abcdefghi", "é", "x" * 1_000, "a"]
    whole = hashed(pa.array(texts))
    assert hashed(pa.array(texts).slice(3)).tolist() == whole[3:].tolist()
    pieces = pa.chunked_array([texts[:2], texts[2:]])
    assert hashed(pieces).tolist() == whole.tolist()
    assert len(set(whole.tolist())) == len(texts) - 1
    assert whole[1] == whole[8]


@given(st.integers(1, 30).flatmap(lambda n: st.lists(st.text("aé0", min_size=n))))
def test_texts_of_one_length_have_the_hashes_they_have_among_others(
    texts: list[str],
) -> None:
    alike = [text for text in texts if len(text.encode()) == len(texts[0].encode())]
    among = hashed(pa.array(["", *alike, None, "another"]))
    assert hashed(pa.array(alike, pa.string())).tolist() == among[1:-2].tolist()


@given(
    known=st.lists(st.integers(0, 40) | st.integers(0, 2**64 - 1), max_size=50),
    asked=st.lists(st.integers(0, 40) | st.just(2**64 - 1), max_size=50),
)
def test_a_hash_is_found_where_it_stands(known: list[int], asked: list[int]) -> None:
    hashes = np.array(known, np.uint64)
    wanted = np.array([*asked, *known], np.uint64)
    found = SortedHashes(hashes).places_of(wanted).tolist()
    for hash_, place in zip(wanted.tolist(), found, strict=True):
        assert known[place] == hash_ if place >= 0 else hash_ not in known


def test_ids_that_differ_a_little_have_hashes_that_differ_a_lot() -> None:
    ids = pa.array([f"006{n:015d}" for n in range(200_000)])
    found = hashed(ids)
    assert len(np.unique(found)) == len(ids)
    assert len(np.unique(found >> np.uint64(40))) > 190_000


def test_a_hash_of_nothing_is_nothing() -> None:
    assert hashed(pa.array([], pa.string())).tolist() == []
    assert len(hashed(pa.array([None, None], pa.string()))) == 2
    assert hashed(pa.chunked_array([], pa.string())).tolist() == []


def test_the_columns_of_many_rows_are_taken_side_by_side(monkeypatch) -> None:
    monkeypatch.setattr(_sorting, "_LONG", 3)
    table = rows(["c", "a", None, "b"]).append_column("nothing", pa.nulls(4))
    found = in_order(table, ["key"])
    assert found["key"].to_pylist() == ["a", "b", "c", None]
    assert found["row"].to_pylist() == [1, 3, 0, 2]
    assert found["nothing"].null_count == 4
