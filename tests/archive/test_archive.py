"""The archive says what happened, and shows when it was altered."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shelves import BEGIN, Shelf

from crm_portfolio.archive import Archive, Journal, Segment
from crm_portfolio.errors import (
    DamagedFileError,
    LockHeldError,
    RefusedError,
    SettingsError,
)
from crm_portfolio.protocols import Change, Org

RUN = "0a1b2c3d4e5f"
TIER_A = ["001A", "tier", None, "A"]
TIER_B = ["001B", "tier", "A", "B"]
SINCE = ["001B", "tier_since_on", None, "2026-06-30"]


def write(
    archive: Archive, *told: tuple[str, Mapping[str, Any]], run: str = RUN
) -> None:
    archive.keep_plan(run, b"the plan")
    after: Segment | None = None
    for kind, content in told:
        after = archive.append(run, kind, content, after=after)  # type: ignore[arg-type]


def a_run(archive: Archive, run: str = RUN) -> None:
    write(
        archive,
        ("begin", BEGIN),
        ("intent", {"send": [TIER_A], "left": []}),
        ("outcome", {"intent": 2, "results": [["written", ""]]}),
        ("intent", {"send": [TIER_B, SINCE], "left": []}),
        (
            "outcome",
            {"intent": 4, "results": [["rejected", "LOCKED"], ["written", ""]]},
        ),
        ("end", {"interrupted": ""}),
        run=run,
    )


def segment_files(archive: Archive, run: str = RUN) -> list[Shelf]:
    folder = Shelf(archive) / "runs" / run
    return [file for file in folder.files() if file.name.startswith("0")]


def test_every_change_is_in_one_state_and_the_sum_is_that_of_the_plan(
    archive: Archive,
) -> None:
    a_run(archive)
    journal = archive.journal(RUN)
    assert journal.counts == {"not_sent": 1, "rejected": 1, "written": 2}
    assert [(e.change, e.code) for e in journal.failed] == [
        (Change("001B", "tier", "A", "B"), "LOCKED")
    ]
    assert journal.exit_code == 3
    assert journal.interrupted == ""


def test_values_come_back_as_they_were(archive: Archive) -> None:
    a_run(archive)
    assert archive.journal(RUN).touched == (
        Change("001A", "tier", None, "A"),
        Change("001B", "tier_since_on", None, date(2026, 6, 30)),
    )


def test_what_was_sent_without_an_answer_is_unknown(archive: Archive) -> None:
    write(
        archive,
        ("begin", BEGIN),
        ("intent", {"send": [TIER_A], "left": [[*TIER_B, "stale", "", "C"]]}),
    )
    journal = archive.journal(RUN)
    assert journal.counts == {"not_sent": 2, "stale": 1, "unknown": 1}
    assert journal.interrupted == "stopped"
    assert journal.exit_code == 5
    assert {e.state: e.found for e in journal.entries}["stale"] == "C"
    assert [change.record_id for change in journal.touched] == ["001A"]


def test_a_run_that_goes_on_is_told_by_its_last_apply(archive: Archive) -> None:
    write(
        archive,
        ("begin", BEGIN),
        ("intent", {"send": [TIER_A], "left": []}),
        ("end", {"interrupted": "gone"}),
        ("begin", BEGIN),
        (
            "intent",
            {"send": [TIER_B, SINCE], "left": [[*TIER_A, "unchanged", "", None]]},
        ),
        ("outcome", {"intent": 5, "results": [["written", ""], ["written", ""]]}),
        ("end", {"interrupted": ""}),
    )
    journal = archive.journal(RUN)
    assert journal.counts == {"not_sent": 1, "unchanged": 1, "written": 2}
    assert [change.record_id for change in journal.touched] == ["001A", "001B", "001B"]
    assert journal.exit_code == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_its_owner_can_read_a_run(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    a_run(archive)
    folder = tmp_path / "runs" / RUN
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_runs_are_listed_oldest_first(archive: Archive, tmp_path: Path) -> None:
    for run in ("ffff", "aaaa", "cccc"):
        a_run(archive, run)
    assert archive.runs() == ("ffff", "aaaa", "cccc")
    assert Archive(tmp_path / "none").runs() == ()


ORG = Org("salesforce", "00D1", True, "EUR", "UTC")


def quiet(archive: Archive, *days: int) -> None:
    for day in days:
        told = {"as_of": date(2026, 7, day), "population": day}
        archive.note_quiet(f"202607{day:02}-0a1b", ORG, **told)


def test_a_night_that_wrote_nothing_is_a_line_and_no_run(archive: Archive) -> None:
    quiet(archive, 1)
    a_run(archive)
    quiet(archive, 2, 3)
    assert archive.runs() == archive.runs(ORG) == (RUN,)
    found = archive.index(ORG)
    assert [run.is_quiet for run in found] == [True, False, True, True]
    last = found[-1]
    assert (last.as_of, last.population) == (date(2026, 7, 3), 3)
    assert (last.change_count, last.interrupted, last.undoes) == (0, "", "")
    assert archive.index(attrs.evolve(ORG, is_sandbox=False)) == ()
    # Whoever asks for a run that is not there is told of the last one that wrote.
    with pytest.raises(SettingsError, match=f"its latest is '{RUN}'"):
        archive.journal("20260703-0a1b")


def _named(shelf: Shelf) -> list[str]:
    return [file.path for file in shelf.files()]


def test_a_year_of_quiet_nights_is_one_small_file(archive: Archive) -> None:
    a_run(archive)
    shelf = Shelf(archive)
    files, size = _named(shelf), len((shelf / "index.jsonl").read_bytes())
    quiet(archive, *range(1, 32))
    assert _named(shelf) == files
    grown = len((shelf / "index.jsonl").read_bytes()) - size
    assert grown / 31 * 365 < 256 * 1024


def test_where_the_disk_refuses_a_quiet_night_says_so(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file")
    with pytest.raises(SettingsError, match="cannot be used"):
        quiet(Archive(tmp_path / "archive"), 1)


@pytest.fixture(scope="module")
def whole() -> Archive:
    archive = Archive("memory://whole/archive")
    a_run(archive)
    return archive


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_any_changed_byte_is_found_and_its_segment_named(
    whole: Archive, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(segment_files(whole)))
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    changed = content[at] ^ data.draw(st.integers(1, 255))
    path.write_bytes(content[:at] + bytes([changed]) + content[at + 1 :])
    with pytest.raises(DamagedFileError) as caught:
        whole.journal(RUN)
    path.write_bytes(content)
    assert caught.value.file == f"{RUN}/{path.name}"


@pytest.mark.parametrize("dropped", [1, 2, 3, 4, 5, 6])
def test_a_dropped_segment_is_named(archive: Archive, dropped: int) -> None:
    a_run(archive)
    segment_files(archive)[dropped - 1].unlink()
    with pytest.raises(DamagedFileError) as caught:
        archive.journal(RUN)
    assert caught.value.file == f"{RUN}/{dropped:06d}.json"
    assert caught.value.problem == "this segment is missing"


def test_swapped_segments_are_named(archive: Archive) -> None:
    a_run(archive)
    files = segment_files(archive)
    second, fourth = files[1].read_bytes(), files[3].read_bytes()
    files[1].write_bytes(fourth)
    files[3].write_bytes(second)
    with pytest.raises(DamagedFileError, match="swapped") as caught:
        archive.journal(RUN)
    assert caught.value.file == f"{RUN}/{files[1].name}"


def test_a_segment_of_another_journal_does_not_fit_in(
    archive: Archive, tmp_path: Path
) -> None:
    other = Archive(tmp_path / "b")
    a_run(archive)
    write(other, ("begin", BEGIN), ("intent", {"send": [TIER_B], "left": []}))
    segment_files(archive)[1].write_bytes(segment_files(other)[1].read_bytes())
    with pytest.raises(DamagedFileError, match="was replaced") as caught:
        archive.journal(RUN)
    assert caught.value.file == f"{RUN}/000002.json"


def test_a_replaced_plan_is_found(archive: Archive) -> None:
    a_run(archive)
    (Shelf(archive) / "runs" / RUN / "plan.jsonl").write_bytes(b"another plan")
    with pytest.raises(DamagedFileError, match="this plan was replaced"):
        archive.journal(RUN)


def test_the_journal_is_enough_without_the_plan(archive: Archive) -> None:
    a_run(archive)
    (Shelf(archive) / "runs" / RUN / "plan.jsonl").unlink()
    assert len(archive.journal(RUN).touched) == 2


def test_a_journal_of_a_newer_version_asks_for_an_upgrade(archive: Archive) -> None:
    a_run(archive)
    path = segment_files(archive)[0]
    newer = {**json.loads(path.read_bytes()), "version": 99}
    path.write_bytes(json.dumps(newer).encode())
    with pytest.raises(DamagedFileError, match="Upgrade"):
        archive.journal(RUN)


def test_what_a_crash_left_half_written_is_no_segment(archive: Archive) -> None:
    a_run(archive)
    (Shelf(archive) / "runs" / RUN / ".0123456789abcdef.tmp").write_bytes(b"{")
    assert archive.journal(RUN).exit_code == 3


def test_an_unknown_run_is_refused_with_a_suggestion(
    archive: Archive, tmp_path: Path
) -> None:
    a_run(archive)
    with pytest.raises(SettingsError, match=f"did you mean '{RUN}'"):
        archive.journal(RUN[:-1])
    with pytest.raises(SettingsError, match=f"'zzz'; its latest is '{RUN}'"):
        archive.journal("zzz")
    with pytest.raises(SettingsError, match="none' has no run 'zzz'; it holds no run"):
        Archive(tmp_path / "none").journal("zzz")


def test_runs_are_listed_without_a_look_into_them(archive: Archive) -> None:
    a_run(archive)
    for path in segment_files(archive):
        path.write_bytes(b"{")
    assert archive.runs() == (RUN,)


@pytest.mark.parametrize("run", ["", "..", "../x", "a/b", "A", "a\n", "a" * 65])
def test_an_id_cannot_lead_out_of_the_folder(archive: Archive, run: str) -> None:
    with pytest.raises(SettingsError, match="is no id of a run"):
        archive.journal(run)


def test_a_segment_is_written_once(archive: Archive) -> None:
    a_run(archive)
    first, before = archive.segments(RUN)[0], archive.journal(RUN)
    with pytest.raises(LockHeldError, match=f"run {RUN} is in the hands of another"):
        archive.append(RUN, "begin", BEGIN, after=first)
    assert archive.journal(RUN) == before


def test_a_run_that_was_taken_away_is_named_with_its_mend(archive: Archive) -> None:
    a_run(archive)
    folder = Shelf(archive) / "runs" / RUN
    mend = "Restore the run's folder"
    (folder / "plan.jsonl").unlink()
    for _ in range(2):
        with pytest.raises(DamagedFileError, match=rf"{RUN}/plan.*missing.* {mend}"):
            archive.plan(RUN)
        for file in folder.files():
            file.unlink()
        if isinstance(archive.address, Path):
            shutil.rmtree(archive.folder / "runs" / RUN, ignore_errors=True)
    with pytest.raises(DamagedFileError, match=rf"{RUN}: this run is missing.* {mend}"):
        archive.journal(RUN)
    with pytest.raises(SettingsError, match=f"did you mean '{RUN}'"):
        archive.plan(RUN[:-1])


def test_a_folder_that_cannot_be_used_says_what_it_must_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    archive = Archive(tmp_path / "file")
    with pytest.raises(SettingsError, match=r"cannot be used: .* must be a folder"):
        archive.keep_plan(RUN, b"the plan")
    with pytest.raises(SettingsError, match="cannot be used"):
        archive.append(RUN, "begin", BEGIN, after=None)


def test_one_id_means_one_plan(archive: Archive) -> None:
    archive.keep_plan(RUN, b"one")
    archive.keep_plan(RUN, b"one")
    with pytest.raises(RefusedError, match="another plan"):
        archive.keep_plan(RUN, b"two")


def test_a_journal_is_told_in_one_line(archive: Archive) -> None:
    a_run(archive)
    journal: Journal = archive.journal(RUN)
    assert str(journal) == (
        f"Run {RUN} on salesforce org 00D1 (sandbox): 1 not_sent, 1 rejected, 2 written"
    )
