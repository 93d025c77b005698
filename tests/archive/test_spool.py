"""Lines put aside come back as they were, wherever reading begins, and take no memory."""

from __future__ import annotations

import os
import tempfile
import tracemalloc
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio.archive import Lines, Spool, _spool

LINES = st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b" ")))


def put_aside(lines: list[bytes]) -> Lines[bytes]:
    spool = Spool()
    for line in lines:
        spool.add(line)
    return Lines(spool, bytes, 0, len(spool))


@given(lines=LINES, start=st.integers(0, 200), stop=st.integers(0, 200))
def test_they_come_back_in_their_order_from_any_place(
    lines: list[bytes], start: int, stop: int
) -> None:
    many = lines * 20  # more than one is noted of where it begins
    found = put_aside(many)
    assert (len(found), list(found)) == (len(many), many)
    assert found == tuple(many)
    assert found[start:stop] == many[start:stop]
    assert [found[at] for at in range(-len(many), len(many), 7)] == [
        many[at] for at in range(-len(many), len(many), 7)
    ]


def test_several_may_read_side_by_side_while_more_come() -> None:
    spool = Spool()
    for number in range(100):
        spool.add(b"%d" % number)
    first, second = spool.lines(0, 100), spool.lines(50, 60)
    assert [next(first), next(second), next(first)] == [b"0", b"50", b"1"]
    spool.add(b"late")
    assert [*second][-1] == b"59"
    assert [*first][-1] == b"99"
    assert [*spool.lines(100, 101)] == [b"late"]


def test_what_is_not_there_is_said_as_of_any_sequence() -> None:
    found = put_aside([b"one", b"two"])
    with pytest.raises(IndexError):
        found[2]
    assert found != (b"one",)
    assert found != "one"
    assert (found[-1], found[5:], found[1:0]) == (b"two", (), ())


@pytest.mark.skipif(not hasattr(os, "pread"), reason="Windows does not fork")
def test_reading_moves_nothing_that_a_forked_process_shares(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_spool, "_IN_MEMORY", 0)
    made: list[IO[bytes]] = []
    without_name = tempfile.TemporaryFile

    def noted(**how: Any) -> IO[bytes]:
        made.append(without_name(**how))
        return made[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", noted)
    found = put_aside([b"one", b"two", b"three"])
    assert len(found) == len([*found])
    (file,) = made
    place = file.tell()
    assert [*found][::-1] == [b"three", b"two", b"one"]
    assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == place == len(b"one two three ")


def test_four_times_the_lines_take_no_more_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_spool, "_IN_MEMORY", 1 << 14)

    def peak(count: int) -> int:
        tracemalloc.start()
        spool = Spool()
        for _ in range(count):
            spool.add(bytes(200).replace(b"\0", b"x"))
        assert sum(map(len, spool.lines(0, count))) == 200 * count
        (_, most), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()
        return most

    assert peak(40_000) - peak(10_000) < 30_000 * 2
