"""What becomes of a pull that is run again: hours later, days later, beside another?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from crm_portfolio import pull
from crm_portfolio._pull import PullSettings, pull_into
from crm_portfolio._pull._checkpoint import Identity
from crm_portfolio._pull._run import locked
from crm_portfolio.connectors.files import Files
from crm_portfolio.errors import CursorLostError, LockHeldError, TransientError
from crm_portfolio.schema import TableName

AS_OF = date(2026, 6, 30)
ONE = PullSettings(at_once=1, reconcile_days=100_000)
DAY = 86_400
Ledger = Any
Content = Callable[[Path], dict[str, bytes]]


def cut_off(
    ledger: Ledger, folder: Path, *, at: int, weekly: bool = False, **how: Any
) -> None:
    """A pull that stops at that call."""
    begin = ledger.calls

    def strike(number: int) -> None:
        if number == begin + at:
            raise TransientError("ledger", "gone away")

    ledger.at_call = strike
    settings = PullSettings(at_once=1) if weekly else ONE
    with pytest.raises(TransientError):
        pull(ledger, as_of=AS_OF, into=folder, settings=settings, **how)
    ledger.at_call = lambda number: None


def as_if_begun(folder: Path, *, seconds: float) -> None:
    """Let the run's first process be so long ago."""
    file = folder / "source" / "run.json"
    then = file.stat().st_mtime - seconds
    os.utime(file, (then, then))


def calls_of_a_whole_pull(ledger: Ledger, folder: Path) -> int:
    before = ledger.calls
    pull(ledger, as_of=AS_OF, into=folder, settings=ONE)
    return int(ledger.calls - before)


# --- days later ----------------------------------------------------------------------


@pytest.mark.parametrize("at", [2, 4, 6, 8, 10, 12])
def test_days_later_what_had_come_is_brought_up_to_date_and_said_to_be_old(
    ledger: Ledger, tmp_path: Path, bytes_of: Content, at: int
) -> None:
    cut_off(ledger, tmp_path / "book", at=at)
    ledger.put("account", "a0", name="Renamed meanwhile")
    ledger.put("account", "a77", name="New meanwhile")
    ledger.put("opportunity", "o0", status="won", closed_on="2026-06-02")
    ledger.delete("opportunity", "o1")
    ledger.put("stage", "t", pipeline="p", stage="t", position=2, status="won")
    as_if_begun(tmp_path / "book", seconds=3 * DAY)
    pulled = pull_into(ledger, tmp_path / "book", as_of=AS_OF, settings=ONE)
    pull(ledger, as_of=AS_OF, into=tmp_path / "whole")
    assert bytes_of(tmp_path / "book") == bytes_of(tmp_path / "whole")
    (said,) = [note for note in pulled.notes if "begun 3 days ago" in note]
    assert "account" in said


def test_minutes_later_nothing_is_asked_for_twice(
    ledger: Ledger, tmp_path: Path
) -> None:
    needed = calls_of_a_whole_pull(ledger, tmp_path / "whole")
    before = ledger.calls
    cut_off(ledger, tmp_path / "book", at=8)
    as_if_begun(tmp_path / "book", seconds=600)
    pulled = pull_into(ledger, tmp_path / "book", as_of=AS_OF, settings=ONE)
    assert ledger.calls - before == needed + 1
    assert pulled.notes == ()


def test_killed_again_while_it_is_brought_up_to_date_it_still_ends_right(
    ledger: Ledger, tmp_path: Path, bytes_of: Content
) -> None:
    cut_off(ledger, tmp_path / "book", at=8)
    for number, account in enumerate(("a1", "a2", "a3")):
        ledger.put("account", account, name=f"New {number}")
        as_if_begun(tmp_path / "book", seconds=DAY)
        cut_off(ledger, tmp_path / "book", at=6 + number)
    pull(ledger, as_of=AS_OF, into=tmp_path / "book", settings=ONE)
    pull(ledger, as_of=AS_OF, into=tmp_path / "whole")
    assert bytes_of(tmp_path / "book") == bytes_of(tmp_path / "whole")


def test_an_increment_cut_off_days_ago_is_brought_up_to_date_too(
    ledger: Ledger, tmp_path: Path, bytes_of: Content
) -> None:
    pull(ledger, as_of=AS_OF, into=tmp_path / "book", settings=ONE)
    ledger.put("account", "a1", name="First")
    cut_off(ledger, tmp_path / "book", at=6, since_last=True)
    ledger.put("account", "a1", name="Second")
    ledger.delete("opportunity", "o2")
    as_if_begun(tmp_path / "book", seconds=2 * DAY)
    pull(ledger, as_of=AS_OF, into=tmp_path / "book", settings=ONE, since_last=True)
    pull(ledger, as_of=AS_OF, into=tmp_path / "whole")
    assert bytes_of(tmp_path / "book") == bytes_of(tmp_path / "whole")


# --- cursors that are of no use any more ---------------------------------------------


def test_since_when_to_ask_is_lost_and_the_table_comes_whole(
    ledger: Ledger, tmp_path: Path, bytes_of: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(ledger, as_of=AS_OF, into=tmp_path / "book", settings=ONE)
    plain = type(ledger).pull

    def forgetful(self: Ledger, table: TableName, **how: Any) -> Iterator[Any]:
        if how["since"] is not None and table == "account":
            raise CursorLostError("ledger", "a cursor of another version")
        return plain(self, table, **how)

    monkeypatch.setattr(type(ledger), "pull", forgetful)
    ledger.put("account", "a1", name="Changed")
    folder = tmp_path / "book"
    pulled = pull_into(ledger, folder, as_of=AS_OF, settings=ONE, since_last=True)
    assert any("account is pulled whole again" in note for note in pulled.notes)
    pull(ledger, as_of=AS_OF, into=tmp_path / "whole")
    assert bytes_of(folder) == bytes_of(tmp_path / "whole")
    monkeypatch.undo()
    assert pull_into(ledger, folder, as_of=AS_OF, since_last=True).notes == ()


# --- the weekly count ----------------------------------------------------------------


@pytest.mark.parametrize("at", range(1, 12))
def test_killed_while_all_records_are_counted_no_more_is_lost_than_the_count(
    ledger: Ledger, tmp_path: Path, bytes_of: Content, at: int
) -> None:
    weekly, book = PullSettings(at_once=1), tmp_path / "book"
    for folder in (book, tmp_path / "unbroken"):
        pull(ledger, as_of=AS_OF, into=folder, settings=weekly)
    ledger.put("account", "a1", name="Changed")
    ledger.delete("opportunity", "o3")
    how = {"as_of": AS_OF, "settings": weekly, "since_last": True}
    before = ledger.calls
    pull(ledger, into=tmp_path / "unbroken", **how)
    needed, longest = ledger.calls - before, -(-11 // ledger.rows_at_once)
    before = ledger.calls
    ledger.listed.clear()
    cut_off(ledger, book, at=at, since_last=True, weekly=True)
    pull(ledger, into=book, **how)
    assert ledger.calls - before <= needed + longest
    assert len(ledger.listed) <= 4  # three tables, one of them twice
    assert bytes_of(book) == bytes_of(tmp_path / "unbroken")


# --- beside another ------------------------------------------------------------------


def test_of_two_pulls_into_one_folder_the_second_is_told_who_has_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    with (
        locked(tmp_path / "book" / "source"),
        pytest.raises(LockHeldError, match=f"process {os.getpid()}") as caught,
    ):
        pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    assert caught.value.exit_code == 6
    assert not ledger.calls


def test_a_pull_of_files_that_is_refused_leaves_the_other_s_copy_alone(
    tmp_path: Path,
) -> None:
    files, book = tmp_path / "files", tmp_path / "book"
    files.mkdir()
    (files / "account.csv").write_text("account_id,name\nA,Acme\n")
    with locked(book / "source"):
        (book / "source" / "account").mkdir()
        with pytest.raises(LockHeldError):
            pull(Files(files), as_of=AS_OF, currency="EUR", into=book)
        assert (book / "source" / "account").is_dir()
    pull(Files(files), as_of=AS_OF, currency="EUR", into=book)
    assert not (book / "source").exists()


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (("o", "a"), ("o", "b"), "its mapping changed"),
        (("", "a"), ("", "b"), "the files are others now"),
        (("", "a"), ("o", "a"), "the copy is of files"),
        (("o", "a"), ("p", "a"), "the copy is of o"),
        (("o", "a"), ("o", "a"), ""),
    ],
)
def test_why_a_copy_is_of_no_use_is_said_by_what_it_is_a_copy_of(
    before: tuple[str, str], now: tuple[str, str], said: str
) -> None:
    (org, shape), (new_org, new_shape) = before, now
    known = Identity(org, ("account_id",), shape)
    assert Identity(new_org, ("account_id",), new_shape).differs_in(known) == said
