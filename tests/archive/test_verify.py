"""Whatever file of an archive is changed, dropped or swapped, it is found and named."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shelves import BEGIN

from crm_portfolio.archive import Archive
from crm_portfolio.archive._disk import Disk
from crm_portfolio.errors import DamagedFileError, SettingsError
from crm_portfolio.protocols import Org

INDEX = "index.jsonl"
RUNS = ("ffff", "aaaa", "cccc")
EXAMPLES = settings(
    max_examples=150,
    deadline=None,
)


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, short_run: Callable[..., None]
) -> Path:
    """Three runs that came to their end."""
    archive = Archive(tmp_path_factory.mktemp("whole"))
    for run in RUNS:
        short_run(archive, run)
    return archive.folder


@attrs.frozen
class AtWork(Disk):
    """A folder in which a run goes on before each look at it."""

    go_on: Callable[[], object]

    def read(self, file: str) -> bytes:
        self.go_on()
        return super().read(file)

    def parts(self, file: str) -> Iterator[bytes]:
        self.go_on()
        return super().parts(file)

    def files(self) -> list[str]:
        self.go_on()
        return super().files()


def run_on(archive: Archive, rounds: int) -> Iterator[int]:
    """The segments of a run, a few at a time, and its end."""
    archive.keep_plan("ffff", b"the plan")
    last = archive.append("ffff", "begin", BEGIN, after=None)
    yield 0
    for done in range(1, rounds):
        sent = {"send": [[f"{done}", "tier", None, "A"]], "left": []}
        intent = archive.append("ffff", "intent", sent, after=last)
        told = {"intent": intent.number, "results": [["written", ""]]}
        last = archive.append("ffff", "outcome", told, after=intent)
        yield done
    archive.append("ffff", "end", {"interrupted": ""}, after=last)
    yield rounds


def test_a_run_that_is_at_work_is_not_taken_for_damaged(tmp_path: Path) -> None:
    for rounds in range(1, 9):
        writing = Archive(tmp_path / f"{rounds}")
        steps = run_on(writing, rounds)
        next(steps)
        folder, reading = writing.folder, Archive(writing.folder)
        place = AtWork(folder, folder, partial(next, steps, None))
        object.__setattr__(reading, "root", place)
        for _ in range(rounds):
            assert (reading.verify("ffff").damaged, reading.verify().damaged) == (
                (),
                (),
            )
            assert reading.journal("ffff").change_count == BEGIN["change_count"]
        assert next(steps, None) is None


@contextmanager
def spoiled(whole: Path, contents: Mapping[str, bytes]) -> Iterator[Archive]:
    """The archive with other contents in some files, until this is left."""
    before = {name: (whole / name).read_bytes() for name in contents}
    try:
        for name, content in contents.items():
            (whole / name).write_bytes(content)
        yield Archive(whole)
    finally:
        for name, content in before.items():
            (whole / name).write_bytes(content)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Archive:
    """The same, to be spoiled."""
    return Archive(shutil.copytree(whole, tmp_path / "copied"))


def files(archive: Archive) -> list[str]:
    """Every file that lasts, in the order in which damage is told."""
    runs = archive.folder / "runs"
    names = ["plan.jsonl", *(f"{n:06}.json" for n in range(1, 7)), "chain.jsonl"]
    inside = [runs / run / name for run in RUNS for name in names]
    assert set(inside) == {p for run in RUNS for p in (runs / run).iterdir()}
    return [str(p.relative_to(archive.folder)) for p in inside] + ["index.jsonl"]


def first_named(archive: Archive) -> str:
    """The first file that is told to be damaged, as a path in the archive."""
    file = archive.verify().damaged[0].file
    return file.split(" ")[0] if file.startswith("index") else f"runs/{file}"


def test_an_archive_as_it_was_written_is_whole(whole: Path) -> None:
    report = Archive(whole).verify()
    assert [run.run_id for run in report.runs] == list(RUNS)
    assert {run.state for run in report.runs} == {"whole"}
    assert {run.segments for run in report.runs} == {6}
    assert report.exit_code == 0
    assert str(report) == "3 run(s), 18 segment(s) read\nall as they were written"


def test_where_there_is_no_run_nothing_is_said_to_be_whole(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(SettingsError, match="nothing was verified"):
            Archive(folder).verify()


def test_verifying_writes_nothing(whole: Path) -> None:
    before = {p: p.read_bytes() for p in whole.rglob("*") if p.is_file()}
    Archive(whole).verify()
    assert {p: p.read_bytes() for p in whole.rglob("*") if p.is_file()} == before


@given(data=st.data())
@EXAMPLES
def test_a_changed_byte_is_found_in_any_file(whole: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(files(Archive(whole))))
    content = bytearray((whole / name).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    with spoiled(whole, {name: content}) as archive:
        assert archive.verify().exit_code == 7
        assert first_named(archive) == name


@given(data=st.data())
@EXAMPLES
def test_a_cut_file_is_found(whole: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(files(Archive(whole))))
    content = (whole / name).read_bytes()
    # What a crash leaves of a chain is its last line cut: that is no alarm.
    whole_lines = content[: content[:-1].rfind(b"\n") + 1]
    longest = len(whole_lines) if name.endswith("chain.jsonl") else len(content)
    cut = content[: data.draw(st.integers(0, longest - 1))]
    with spoiled(whole, {name: cut}) as archive:
        assert archive.verify().exit_code == 7
        assert first_named(archive) == name


def test_any_dropped_file_is_found(whole: Path, tmp_path: Path) -> None:
    for at, name in enumerate(files(Archive(whole))):
        spoiled = Archive(shutil.copytree(whole, tmp_path / str(at)))
        (spoiled.folder / name).unlink()
        assert spoiled.verify().exit_code == 7, name
        assert first_named(spoiled) == name


@given(data=st.data())
@EXAMPLES
def test_two_swapped_files_are_found_and_the_first_is_named(
    whole: Path, data: st.DataObject
) -> None:
    names = files(Archive(whole))
    at = st.integers(0, len(names) - 1)
    one, other = data.draw(st.lists(at, min_size=2, max_size=2, unique=True))
    first, second = names[min(one, other)], names[max(one, other)]
    contents = {
        first: (whole / second).read_bytes(),
        second: (whole / first).read_bytes(),
    }
    with spoiled(whole, contents) as archive:
        assert archive.verify().exit_code == 7
        # A plan is proven by its first segment, segments by their run's chain.
        proofs = ("plan.jsonl", "chain.jsonl", INDEX)
        by_others = [n for n in (first, second) if n.endswith(proofs)]
        named = first_named(archive)
        assert named in (first, second) if by_others else named == first


@pytest.mark.parametrize("run", RUNS)
def test_a_dropped_run_is_found(copied: Archive, run: str) -> None:
    shutil.rmtree(copied.folder / "runs" / run)
    (damaged,) = copied.verify().damaged
    assert (damaged.file, damaged.problem) == (run, "this run is missing")


def test_the_last_segments_dropped_with_their_lines_of_the_chain_are_found(
    copied: Archive,
) -> None:
    folder = copied.folder / "runs" / RUNS[1]
    chain = folder / "chain.jsonl"
    lines = chain.read_bytes().splitlines(keepends=True)
    chain.write_bytes(b"".join(lines[:4]))
    for name in ("000004.json", "000005.json", "000006.json"):
        (folder / name).unlink()
    (damaged,) = copied.verify().damaged
    assert damaged.file == f"{RUNS[1]}/000004.json"
    assert damaged.problem == "this segment is missing"


def test_the_last_byte_of_a_chain_changed_is_no_crash(copied: Archive) -> None:
    chain = copied.folder / "runs" / RUNS[1] / "chain.jsonl"
    chain.write_bytes(chain.read_bytes()[:-1] + b"x")
    (damaged,) = copied.verify().damaged
    assert damaged.file == f"{RUNS[1]}/chain.jsonl"


def test_more_lines_of_a_killed_run_dropped_than_a_crash_can_drop_are_found(
    archive: Archive, written: Callable[..., None], whole: Path
) -> None:
    begin = Archive(whole).segments(RUNS[0])[0].content
    intent = {"send": [["001A", "tier", None, "A"]], "left": []}
    written(archive, ("begin", begin), ("intent", intent), run="killed")
    chain = archive.folder / "runs" / "killed" / "chain.jsonl"
    lines = chain.read_bytes().splitlines(keepends=True)
    chain.write_bytes(b"".join(lines[:2]))
    assert [run.state for run in archive.verify().runs] == ["open"]
    chain.write_bytes(b"".join(lines[:1]))
    (damaged,) = archive.verify().damaged
    assert (damaged.file, damaged.problem) == (
        "killed/chain.jsonl",
        "this chain was cut",
    )


def test_the_last_lines_of_the_index_dropped_are_found(copied: Archive) -> None:
    index = copied.folder / "index.jsonl"
    lines = index.read_bytes().splitlines(keepends=True)
    index.write_bytes(b"".join(lines[:-3]))
    (damaged,) = copied.verify().damaged
    assert (damaged.file, damaged.problem) == (
        "index.jsonl line 4",
        "this line is missing",
    )


class TestQuietNights:
    """They have a line of the index each, and nothing else."""

    @pytest.fixture
    def calm(self, copied: Archive, short_run: Callable[..., None]) -> Archive:
        """The three runs, two quiet nights, a run, and a quiet night."""
        self.rest(copied, 1, 2)
        short_run(copied, "next")
        self.rest(copied, 3)
        return copied

    @staticmethod
    def rest(archive: Archive, *days: int) -> None:
        org = archive.index()[0].org
        for day in days:
            told = {"as_of": date(2026, 7, day), "population": 10}
            archive.note_quiet(f"2026070{day}-0a1b", org, **told)

    def test_are_counted(self, calm: Archive) -> None:
        report = calm.verify()
        assert report.exit_code == 0
        assert [run.run_id for run in report.runs] == [*RUNS, "next"]
        assert str(report).startswith(
            "4 run(s), 24 segment(s), 3 quiet night(s) read\nall"
        )
        assert calm.verify("next").quiet_nights == 0

    def test_alone_are_an_archive_too(self, calm: Archive, tmp_path: Path) -> None:
        fresh = Archive(tmp_path / "fresh")
        org = calm.index()[0].org
        fresh.note_quiet("20260701-0a1b", org, as_of=date(2026, 7, 1), population=1)
        assert fresh.verify().exit_code == 0
        assert (fresh.runs(), len(fresh.index())) == ((), 1)

    def test_changed_dropped_or_swapped_are_found(self, calm: Archive) -> None:
        index = calm.folder / INDEX
        lines = index.read_bytes().splitlines(keepends=True)
        first = next(n for n, line in enumerate(lines) if b'"quiet"' in line)
        other = lines[first].replace(b'"population":10', b'"population":90')
        for spoiled in (
            [*lines[:first], other, *lines[first + 1 :]],
            [*lines[:first], *lines[first + 1 :]],
            [*lines[:first], lines[first + 1], lines[first], *lines[first + 2 :]],
        ):
            index.write_bytes(b"".join(spoiled))
            (damaged,) = calm.verify().damaged
            assert damaged.file == f"{INDEX} line {first + 1}"
            with pytest.raises(DamagedFileError, match="another folder"):
                self.rest_after(calm)

    @staticmethod
    def rest_after(archive: Archive) -> None:
        org = Archive(archive.folder).segments(RUNS[0])[0].content["org"]
        told = {"as_of": date(2026, 7, 9), "population": 10}
        archive.note_quiet("20260709-0a1b", Org(**org), **told)

    def test_do_not_begin_an_index_anew(self, calm: Archive) -> None:
        (calm.folder / INDEX).unlink()
        with pytest.raises(DamagedFileError, match="index of the runs is missing"):
            self.rest_after(calm)

    def test_a_crash_in_their_line_is_no_alarm(self, calm: Archive) -> None:
        index = calm.folder / INDEX
        content = index.read_bytes()
        last = content[:-1].rfind(b"\n") + 1
        for length in (1, 40, len(content) - last - 1):
            index.write_bytes(content[: last + length])
            assert calm.verify().exit_code == 0
            self.rest(calm, 4)
            assert calm.verify().quiet_nights == 3

    def test_are_of_a_version_that_older_libraries_refuse(self, calm: Archive) -> None:
        """They would take the line for a run without a folder, and so for damage."""
        lines = (calm.folder / INDEX).read_bytes().splitlines()
        versions = {(b'"quiet"' in line, b'"version":2' in line) for line in lines}
        assert versions == {(True, True), (False, False)}


def test_two_swapped_runs_are_found(copied: Archive) -> None:
    runs = copied.folder / "runs"
    (runs / RUNS[0]).rename(runs / "aside")
    (runs / RUNS[1]).rename(runs / RUNS[0])
    (runs / "aside").rename(runs / RUNS[1])
    named = [run.file for run in copied.verify().damaged]
    assert {file.split("/")[0] for file in named} == set(RUNS[:2])


def test_one_run_can_be_verified_alone(copied: Archive) -> None:
    (copied.folder / "runs" / RUNS[0] / "000002.json").write_bytes(b"{}")
    assert copied.verify(RUNS[1]).exit_code == 0
    assert copied.verify(RUNS[0]).exit_code == 7
    with pytest.raises(SettingsError, match="has no run 'ffaf'"):
        copied.verify("ffaf")


class TestACrash:
    """Between any two writes to the disk: no alarm, and the run goes on."""

    @pytest.fixture
    def states(
        self,
        tmp_path: Path,
        short_run: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> list[Path]:
        """The archive as it is on disk after each write of one more run."""
        archive = Archive(tmp_path / "archive")
        short_run(archive, "before")
        taken: list[Path] = []

        synced = os.fsync

        def fsync(handle: int) -> None:
            synced(handle)
            to = tmp_path / "states" / str(len(taken))
            taken.append(shutil.copytree(archive.folder, to))

        monkeypatch.setattr("os.fsync", fsync)
        short_run(archive, "killed")
        monkeypatch.undo()
        return taken

    def test_is_no_alarm_whenever_it_comes(self, states: list[Path]) -> None:
        assert len(states) > 20
        for state in states:
            report = Archive(state).verify()
            assert report.exit_code == 0, report
            assert report.runs[0].state == "whole"

    def test_leaves_a_run_that_can_go_on_and_then_is_whole(
        self, states: list[Path], written: Callable[..., None]
    ) -> None:
        begin = Archive(states[0]).segments("before")[0].content
        for state in states:
            archive = Archive(state)
            archive.keep_plan("killed", b"the plan killed")
            segments = archive.segments("killed")
            after = archive.append(
                "killed", "begin", begin, after=segments[-1] if segments else None
            )
            archive.append("killed", "end", {"interrupted": ""}, after=after)
            report = archive.verify()
            assert {run.state for run in report.runs} == {"whole"}, report
            assert archive.runs() == ("before", "killed")

    @pytest.mark.parametrize("length", [1, 10, 60, 120])
    def test_in_the_middle_of_a_line_is_no_alarm_and_is_mended(
        self, copied: Archive, length: int, short_run: Callable[..., None]
    ) -> None:
        for name in ("index.jsonl", f"runs/{RUNS[2]}/chain.jsonl"):
            path = copied.folder / name
            if name == "index.jsonl":
                with path.open("ab") as file:
                    file.write(b'{"as_of":null,"change_count":null' * 9)
            else:
                content = path.read_bytes()
                path.write_bytes(content[: content[:-1].rfind(b"\n") + 1 + length])
        assert copied.verify().exit_code == 0
        short_run(copied, "next")
        assert copied.verify().exit_code == 0
        assert copied.runs() == (*RUNS, "next")


def test_an_index_that_was_taken_away_is_not_begun_anew(
    copied: Archive, short_run: Callable[..., None]
) -> None:
    (copied.folder / "index.jsonl").unlink()
    with pytest.raises(DamagedFileError, match="index of the runs is missing"):
        short_run(copied, "next")
    with pytest.raises(DamagedFileError, match="index of the runs is missing"):
        copied.runs()  # or a plan would take this org for a new one


def test_an_index_that_another_run_has_just_begun_is_not_missing(
    copied: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = copied.folder / "index.jsonl"
    content = index.read_bytes()
    index.unlink()
    place = type(copied.root)
    listed = place.folders

    def folders(self: Any) -> list[str]:
        index.write_bytes(content)  # between our looking for it and at the runs
        return listed(self)

    monkeypatch.setattr(place, "folders", folders)
    assert copied.runs() == tuple(RUNS)


def test_an_index_that_was_altered_is_refused_with_a_way_to_mend_it(
    copied: Archive, short_run: Callable[..., None]
) -> None:
    index = copied.folder / "index.jsonl"
    content = index.read_bytes()
    index.write_bytes(content.replace(b'"population":10', b'"population":11'))
    with pytest.raises(DamagedFileError, match=r"line 1: .* another folder"):
        copied.runs()
    with pytest.raises(DamagedFileError, match="changed"):
        short_run(copied, "next")


def test_an_index_of_a_newer_version_asks_for_an_upgrade(copied: Archive) -> None:
    index = copied.folder / "index.jsonl"
    index.write_bytes(index.read_bytes().replace(b'"version":1', b'"version":9'))
    with pytest.raises(DamagedFileError, match="Upgrade"):
        copied.index()


def test_a_thousand_runs_are_not_read_for_what_the_index_tells(
    whole: Path, tmp_path: Path
) -> None:
    bare = Archive(tmp_path / "bare")
    bare.folder.mkdir()
    shutil.copy(whole / "index.jsonl", bare.folder)
    last = bare.index()[-1]
    assert (last.run_id, last.population, last.interrupted) == (RUNS[2], 10, "")
    assert bare.runs(last.org) == RUNS
    assert bare.runs(attrs.evolve(last.org, is_sandbox=False)) == ()


def test_runs_at_several_orgs_share_the_index(
    archive: Archive, short_run: Callable[..., None]
) -> None:
    def work(name: str) -> None:
        for night in range(4):
            short_run(archive, f"{name}{night}")

    with ThreadPoolExecutor(3) as several:
        list(several.map(work, "abc"))
    assert len(archive.runs()) == 12
    assert {run.state for run in archive.verify().runs} == {"whole"}
