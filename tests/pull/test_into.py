"""Does a source become the same portfolio in a folder as in memory, and no worse?"""

from __future__ import annotations

import json
import os
import pickle
import random
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_portfolio import Calendar, Portfolio, pull
from crm_portfolio._frames import to_arrow
from crm_portfolio._pull import PullSettings, pull_into
from crm_portfolio._pull._run import locked
from crm_portfolio.connectors.files import Files
from crm_portfolio.errors import (
    CursorLostError,
    DamagedFileError,
    LockHeldError,
    SchemaError,
    SettingsError,
    TransientError,
)
from crm_portfolio.schema import TABLES, TableName

AS_OF = date(2026, 6, 30)
Ledger = Any
Content = Callable[[Path], dict[str, bytes]]


def at_call(number: int, error: BaseException) -> Callable[[int], None]:
    def strike(called: int) -> None:
        if called == number:
            raise error

    return strike


# --- the same, however it came -----------------------------------------------------


@pytest.mark.parametrize("rows_at_once", [1, 2, 5, 100])
@pytest.mark.parametrize("order", ["key", "any"])
def test_batches_leave_no_trace_in_the_bytes(
    ledger: Ledger, tmp_path: Path, bytes_of: Content, rows_at_once: int, order: str
) -> None:
    pull(ledger, as_of=AS_OF).save(tmp_path / "memory")
    ledger.rows_at_once, ledger.order = rows_at_once, order
    small_files = PullSettings(rows_per_file=3)
    pull(ledger, as_of=AS_OF, into=tmp_path / "book", settings=small_files)
    assert bytes_of(tmp_path / "book") == bytes_of(tmp_path / "memory")


def test_faults_are_those_of_the_same_pull_in_memory(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.put("opportunity", "o98", account_id="nobody", status="won", currency="EUR")
    early = {"closed_on": "2025-12-31", "currency": "USD"}
    ledger.put("opportunity", "o97", status="won", amount=1.0, **early)
    ledger.put("account", "a9", name="Loop", parent_id="a9")
    held = pull(ledger, as_of=AS_OF, backend="pyarrow")
    pulled = pull_into(ledger, tmp_path / "book", as_of=AS_OF, backend="pyarrow")
    assert pulled.portfolio.faults.equals(held.faults)
    assert pulled.portfolio.balance.equals(held.balance)
    assert pulled.portfolio.id == held.id
    counted = {key: count for key, count in pulled.faults.items() if count}
    found = held.faults.to_pylist()
    assert sum(counted.values()) == len(found) >= 4
    assert {fault for fault, _ in counted} == {row["fault"] for row in found}


def test_a_number_of_faults_that_no_memory_holds_is_sorted_on_disk(
    tmp_path: Path, ledger: Ledger
) -> None:
    names = [f"x{n:06}" for n in range(40_000)]
    random.Random(1).shuffle(names)
    ledger.rows_at_once = 1_000
    for name in names:
        ledger.smuggle("opportunity", name, status="open", currency="EUR")
    held = pull(ledger, as_of=AS_OF, backend="pyarrow")
    book = pull(ledger, as_of=AS_OF, backend="pyarrow", into=tmp_path / "book")
    assert len(book.faults) >= 80_000
    assert book.faults.equals(held.faults)


def test_what_the_folder_says_of_org_day_and_currency(
    ledger: Ledger, tmp_path: Path
) -> None:
    book = pull(ledger, as_of=AS_OF, into=str(tmp_path / "book"), currency="EUR")
    assert (book.as_of, book.currency, book.org) == (AS_OF, "EUR", "ledger org L1")
    assert book.calendar == Calendar("Europe/Paris")


def test_several_currencies_need_rates_and_then_are_converted_day_by_day(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.hidden = {"exchange_rate"}
    with pytest.raises(SchemaError, match="mixed_currencies"):
        pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    ledger.hidden = set()
    book = pull(ledger, as_of=AS_OF, into=tmp_path / "book", backend="pyarrow")
    deals = {row["opportunity_id"]: row for row in book["opportunity"].to_pylist()}
    assert deals["o1"]["currency"] == "USD"
    assert deals["o1"]["original_amount"] == 10.015
    assert deals["o1"]["amount"] == 9.51  # 10.015 at 0.95, the rate of its day
    assert {row["currency"] for row in book.balance.to_pylist()} == {"EUR", "USD"}


# --- lazy --------------------------------------------------------------------------


def test_no_table_is_read_before_it_is_asked_for(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    reader = pq.read_table
    monkeypatch.setattr(
        pq, "read_table", lambda file, **how: read.append(file) or reader(file, **how)
    )
    book = pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    assert "opportunity 11" in repr(book)
    assert book.row_counts["account"] == 7
    assert "opportunity" in book
    assert not read
    book["opportunity"]
    book["opportunity"]
    assert len(read) == 1
    assert Portfolio.load(tmp_path / "book").tables == book.tables
    assert len(read) == 1


def test_a_table_that_is_not_there_is_not_looked_for_on_the_disk(
    ledger: Ledger, tmp_path: Path
) -> None:
    book = pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    assert "invoice" not in book
    assert set(book.row_counts) == set(book.tables)


def test_a_folder_that_changes_under_an_open_portfolio_is_noticed(
    ledger: Ledger, tmp_path: Path
) -> None:
    book = pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    kept = len(book["account"])
    ledger.put("account", "a50", name="New")
    ledger.put("opportunity", "o50", status="open", currency="EUR")
    pull(ledger, as_of=AS_OF, into=tmp_path / "book", since_last=True)
    assert len(book["account"]) == kept
    with pytest.raises(DamagedFileError, match="altered"):
        book["opportunity"]


def test_it_crosses_processes_with_its_tables(ledger: Ledger, tmp_path: Path) -> None:
    book = pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    packed = pickle.dumps(book)
    for file in (tmp_path / "book").glob("*.parquet"):
        file.unlink()
    assert len(pickle.loads(packed)["opportunity"]) == 11


def test_cutting_and_adding_work_on_it_as_on_any_other(
    ledger: Ledger, tmp_path: Path
) -> None:
    book = pull(ledger, as_of=AS_OF, into=tmp_path / "book", backend="pyarrow")
    held = pull(ledger, as_of=AS_OF, backend="pyarrow")
    assert book.only(["a1", "a2"]).id == held.only(["a1", "a2"]).id
    owner = pa.table({"owner_id": ["x"]})
    assert book.with_tables(owner=owner).id == held.with_tables(owner=owner).id
    book.save(tmp_path / "copy")
    assert Portfolio.load(tmp_path / "copy").id == held.id


# --- side by side ------------------------------------------------------------------


def test_four_tables_come_at_once(ledger: Ledger, tmp_path: Path) -> None:
    together = threading.Barrier(4, timeout=30)
    met = threading.local()

    def wait(number: int) -> None:
        if not getattr(met, "once", False):
            met.once = True
            together.wait()

    ledger.at_call = wait
    pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    assert not together.broken


def test_the_first_error_stops_the_others_and_nothing_is_lost(
    ledger: Ledger, tmp_path: Path, bytes_of: Content
) -> None:
    ledger.rows_at_once = 1
    ledger.at_call = at_call(9, TransientError("ledger", "gone away"))
    with pytest.raises(TransientError, match="gone away"):
        pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    assert ledger.calls < 20
    first, ledger.at_call, ledger.calls = ledger.calls, lambda number: None, 0
    pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    second, ledger.calls = ledger.calls, 0
    pull(ledger, as_of=AS_OF, into=tmp_path / "whole")
    assert first - 1 + second == ledger.calls
    assert bytes_of(tmp_path / "book") == bytes_of(tmp_path / "whole")


def test_a_place_that_the_crm_forgot_is_begun_anew_and_only_once(
    ledger: Ledger, tmp_path: Path, bytes_of: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.rows_at_once = 1
    ledger.at_call = at_call(5, TransientError("ledger", "gone away"))
    one = PullSettings(at_once=1)
    with pytest.raises(TransientError):
        pull(ledger, as_of=AS_OF, into=tmp_path / "book", settings=one)
    ledger.at_call = lambda number: None
    told: list[TableName] = []
    plain = type(ledger).pull

    def forgetful(self: Ledger, table: TableName, **how: Any) -> Iterator[Any]:
        if how["resume"] is not None:
            told.append(table)
            raise CursorLostError("ledger", "no such place")
        return plain(self, table, **how)

    monkeypatch.setattr(type(ledger), "pull", forgetful)
    pulled = pull_into(ledger, tmp_path / "book", as_of=AS_OF, settings=one)
    assert len(told) == 1
    assert any(f"{told[0]} is begun anew" in note for note in pulled.notes)
    pull(ledger, as_of=AS_OF, into=tmp_path / "whole")
    assert bytes_of(tmp_path / "book") == bytes_of(tmp_path / "whole")


def test_a_crm_that_forgets_every_place_at_once_is_an_error(
    ledger: Ledger, tmp_path: Path
) -> None:
    def forget(_: int) -> None:
        raise CursorLostError("ledger", "no such place")

    ledger.at_call = forget
    for _ in range(2):
        with pytest.raises(CursorLostError):
            pull(ledger, as_of=AS_OF, into=tmp_path / "book")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()])
def test_an_interruption_within_a_table_is_raised_and_leaves_it_resumable(
    ledger: Ledger, tmp_path: Path, bytes_of: Content, error: BaseException
) -> None:
    ledger.at_call = at_call(5, error)
    with pytest.raises(type(error)):
        pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    ledger.at_call = lambda number: None
    pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    pull(ledger, as_of=AS_OF, into=tmp_path / "whole")
    assert bytes_of(tmp_path / "book") == bytes_of(tmp_path / "whole")


def test_progress_is_told_for_each_table_and_goes_on_after_a_cut(
    ledger: Ledger, tmp_path: Path
) -> None:
    said: dict[str, list[tuple[int, int | None]]] = {}

    def tell(step: str, done: int, total: int | None) -> None:
        said.setdefault(step, []).append((done, total))

    one = PullSettings(at_once=1)
    ledger.at_call = at_call(6, TransientError("ledger", "gone away"))
    with pytest.raises(TransientError):
        pull(ledger, as_of=AS_OF, into=tmp_path / "b", progress=tell, settings=one)
    assert said["pull account"] == [(0, None), (3, None), (6, None), (7, 7)]
    assert said.pop("pull opportunity") == [(0, None), (3, None), (6, None)]
    ledger.at_call = lambda number: None
    pull(ledger, as_of=AS_OF, into=tmp_path / "b", progress=tell, settings=one)
    assert said["pull opportunity"] == [(6, None), (9, None), (11, 11)]
    assert len(said["pull account"]) == 4


# --- runs --------------------------------------------------------------------------


def test_data_that_was_mended_in_the_crm_is_asked_for_again(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.put("opportunity", "o1", status="sleeping")
    with pytest.raises(SchemaError, match="unknown_status"):
        pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    ledger.put("opportunity", "o1", status="won")
    assert pull(ledger, as_of=AS_OF, into=tmp_path / "book").row_counts["opportunity"]


def test_a_currency_that_was_forgotten_costs_no_second_pull(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.currency, ledger.hidden = None, {"exchange_rate"}
    with pytest.raises(SettingsError, match="which currency"):
        pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    for id_ in ledger.records["opportunity"]:
        ledger.touch("opportunity", id_, currency="EUR")
    ledger.hidden, before = set(), ledger.calls
    pull(ledger, as_of=AS_OF, into=tmp_path / "book", currency="EUR")
    assert ledger.calls == before + 1  # for the rates


def test_a_second_whole_pull_asks_for_everything_again(
    ledger: Ledger, tmp_path: Path
) -> None:
    pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    before = ledger.calls
    ledger.put("account", "a50", name="New")
    book = pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    assert ledger.calls >= 2 * before
    assert book.row_counts["account"] == 8


def test_a_whole_pull_that_was_cut_off_may_be_ended_by_an_increment(
    ledger: Ledger, tmp_path: Path, bytes_of: Content
) -> None:
    ledger.at_call = at_call(6, TransientError("ledger", "gone away"))
    with pytest.raises(TransientError):
        pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    ledger.at_call = lambda number: None
    pull(ledger, as_of=AS_OF, into=tmp_path / "book", since_last=True)
    pull(ledger, as_of=AS_OF, into=tmp_path / "whole")
    assert bytes_of(tmp_path / "book") == bytes_of(tmp_path / "whole")


@pytest.mark.skipif(not hasattr(pa, "OSFile"), reason="no such file system")
def test_two_pulls_into_one_folder_do_not_mix(ledger: Ledger, tmp_path: Path) -> None:
    with (
        locked(tmp_path / "book" / "source"),
        pytest.raises(LockHeldError, match=f"process {os.getpid()}"),
    ):
        pull(ledger, as_of=AS_OF, into=tmp_path / "book")


def test_a_folder_of_other_files_is_left_alone(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match="name an empty folder"):
        pull(ledger, as_of=AS_OF, into=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert not ledger.calls


def test_a_journal_whose_last_entry_was_cut_gives_the_others(
    ledger: Ledger, tmp_path: Path, bytes_of: Content
) -> None:
    one = PullSettings(at_once=1)
    ledger.at_call = at_call(6, TransientError("ledger", "gone away"))
    with pytest.raises(TransientError):
        pull(ledger, as_of=AS_OF, into=tmp_path / "book", settings=one)
    journal = next((tmp_path / "book" / "source" / "opportunity").glob("*/journal-0"))
    journal.write_bytes(journal.read_bytes()[:-1])
    ledger.at_call, before = (lambda number: None), ledger.calls
    pull(ledger, as_of=AS_OF, into=tmp_path / "book", settings=one)
    again = ledger.calls - before
    before = ledger.calls
    pull(ledger, as_of=AS_OF, into=tmp_path / "whole", settings=one)
    assert again == ledger.calls - before - 4
    assert bytes_of(tmp_path / "book") == bytes_of(tmp_path / "whole")


# --- plain sources -----------------------------------------------------------------


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "account.csv").write_text("account_id,name\nb,B\na,A\n")
    return folder


def test_of_files_no_copy_is_kept(exports: Path, tmp_path: Path) -> None:
    book = pull(Files(exports), as_of=AS_OF, currency="EUR", into=tmp_path / "book")
    assert book.row_counts == {"account": 2}
    assert not (tmp_path / "book" / "source").exists()


def test_files_that_are_refused_leave_no_folder_and_name_their_own_rows(
    exports: Path, tmp_path: Path
) -> None:
    (exports / "account.csv").write_text("account_id,name\nb,B\na,A\nb,C\n")
    with pytest.raises(SchemaError) as caught:
        pull(Files(exports), as_of=AS_OF, currency="EUR", into=tmp_path / "book")
    assert caught.value.faults["row"].to_pylist() == [2]
    assert not (tmp_path / "book").exists()


def test_files_are_read_whole_though_asked_for_what_changed(
    exports: Path, tmp_path: Path
) -> None:
    pull(Files(exports), as_of=AS_OF, currency="EUR", into=tmp_path / "book")
    (exports / "account.csv").write_text("account_id,name\na,A\n")
    pulled = pull_into(
        Files(exports), tmp_path / "book", as_of=AS_OF, currency="EUR", since_last=True
    )
    assert pulled.portfolio.row_counts == {"account": 1}
    assert pulled.notes == ("These tables do not tell what changed: all were read.",)


def test_what_a_source_types_otherwise_from_batch_to_batch_becomes_one_column(
    ledger: Ledger, tmp_path: Path
) -> None:
    amounts = pull(ledger, as_of=AS_OF, into=tmp_path / "typed", backend="pyarrow")
    pieces = ledger._pieces

    def as_text(table: TableName, start: int | None) -> Iterator[Any]:
        for number, (rows, gone) in enumerate(pieces(table, start)):
            if number % 2 and "amount" in rows.column_names:
                at, text = rows.column_names.index("amount"), pa.string()
                yield rows.set_column(at, "amount", rows["amount"].cast(text)), gone
            else:
                yield rows, gone

    ledger._pieces = as_text
    book = pull(ledger, as_of=AS_OF, into=tmp_path / "mixed", backend="pyarrow")
    assert book.id == amounts.id


def test_no_secret_and_no_value_is_in_what_is_kept_beside_the_rows(
    ledger: Ledger, tmp_path: Path
) -> None:
    pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    for file in (tmp_path / "book" / "source").rglob("*.json"):
        said = json.loads(file.read_bytes())
        assert "Account 1" not in json.dumps(said)


def test_every_table_of_the_model_can_be_pulled(tmp_path: Path) -> None:
    assert set(TABLES)  # each is sorted by its key, or by all its columns
    empty = {name: pa.table({c: pa.array([], pa.string()) for c in t.required})
             for name, t in TABLES.items()}  # fmt: skip
    book = Portfolio.from_frames(as_of=AS_OF, currency="EUR", **empty)
    book.save(tmp_path / "book")
    assert len(to_arrow(Portfolio.load(tmp_path / "book")["owner"])) == 0
