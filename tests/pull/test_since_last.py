"""Is a folder that is kept current, byte for byte, what a fresh pull would make?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio import Portfolio, pull
from crm_portfolio._pull import PullSettings, forecast, pull_into
from crm_portfolio._storage import canonical_json
from crm_portfolio.errors import DamagedFileError, SchemaError, SettingsError
from crm_portfolio.schema import TableName

AS_OF = date(2026, 6, 30)
Ledger = Any
Content = Callable[[Path], dict[str, bytes]]


def current(ledger: Ledger, folder: Path, **more: Any) -> tuple[str, ...]:
    """Bring the folder up to date, and say what was told."""
    return pull_into(ledger, folder, as_of=AS_OF, since_last=True, **more).notes


def fresh(ledger: Ledger, folder: Path) -> Path:
    pull(ledger, as_of=AS_OF, into=folder)
    return folder


@pytest.fixture
def folder(ledger: Ledger, tmp_path: Path) -> Path:
    return fresh(ledger, tmp_path / "book")


@pytest.fixture
def is_as_fresh(
    ledger: Ledger, folder: Path, tmp_path: Path, bytes_of: Content
) -> Callable[[], None]:
    def check() -> None:
        other = fresh(ledger, tmp_path / "other")
        assert bytes_of(folder) == bytes_of(other)
        shutil.rmtree(other)

    return check


# --- increments --------------------------------------------------------------------

ACCOUNTS, DEALS = [f"a{n}" for n in range(9)], [f"o{n}" for n in range(14)]
STATUS = st.sampled_from(["open", "won", "lost"])
ACT = st.one_of(
    st.tuples(st.just("account"), st.sampled_from(ACCOUNTS), st.sampled_from(ACCOUNTS)),
    st.tuples(
        st.just("opportunity"),
        st.sampled_from(DEALS),
        st.sampled_from(ACCOUNTS),
        STATUS,
        st.integers(0, 10_000),
    ),
    st.tuples(
        st.just("delete"), st.sampled_from(["account", "opportunity"]), st.integers(0)
    ),
    st.tuples(st.just("merge"), st.integers(0), st.integers(0)),
    st.tuples(
        st.just("touch"), st.sampled_from(["account", "opportunity"]), st.integers(0)
    ),
    st.tuples(st.just("pull"), st.integers(1, 4)),
)


def named(ledger: Ledger, account: str) -> str | None:
    """No CRM lets a row name an account that was merged away."""
    losers = {gone[2] for gone in ledger.left if gone[3] == "merged"}
    is_lost = account in losers and account not in ledger.records["account"]
    return None if is_lost else account


def one_of(ledger: Ledger, table: str, number: int) -> str | None:
    there = sorted(ledger.records.get(table, {}))
    return there[number % len(there)] if there else None


def put_account(ledger: Ledger, id_: str, parent: str) -> None:
    above = named(ledger, parent)
    ledger.put("account", id_, name=f"{id_} {ledger.tick}", parent_id=above)


def put_opportunity(
    ledger: Ledger, id_: str, account: str, status: str, cents: int
) -> None:
    deal = {"account_id": named(ledger, account), "amount": cents / 100}
    ledger.put("opportunity", id_, status=status, closed_on="2026-02-01", **deal)


def delete(ledger: Ledger, table: str, number: int) -> None:
    if (id_ := one_of(ledger, table, number)) is not None:
        ledger.delete(table, id_)


def merge(ledger: Ledger, one: int, other: int) -> None:
    loser, winner = (one_of(ledger, "account", number) for number in (one, other))
    if loser and winner and loser != winner:
        ledger.merge(loser, winner)


def touch(ledger: Ledger, table: str, number: int) -> None:
    if (id_ := one_of(ledger, table, number)) is not None:
        ledger.touch(table, id_, activity_count=ledger.tick)


ACTS: dict[str, Callable[..., None]] = {
    "account": put_account,
    "opportunity": put_opportunity,
    "delete": delete,
    "merge": merge,
    "touch": touch,
}


@given(
    acts=st.lists(ACT, max_size=25),
    rows_at_once=st.integers(1, 20),
    rows_per_file=st.integers(1, 20),
    order=st.sampled_from(["key", "any"]),
)
@settings(max_examples=20)
def test_whatever_happens_in_between_it_is_what_a_fresh_pull_gives(
    make_ledger: Callable[[], Ledger],
    bytes_of: Content,
    acts: list[tuple[Any, ...]],
    rows_at_once: int,
    rows_per_file: int,
    order: str,
) -> None:
    ledger, chosen = make_ledger(), PullSettings(rows_per_file=rows_per_file)
    ledger.rows_at_once, ledger.order = rows_at_once, order
    with TemporaryDirectory() as place:
        folder = fresh(ledger, Path(place) / "book")
        for what in acts:
            if what[0] == "pull":
                current(ledger, folder, settings=chosen)
                ledger.rows_at_once = what[1]
            else:
                ACTS[what[0]](ledger, *what[1:])
        current(ledger, folder, settings=chosen)
        other = fresh(ledger, Path(place) / "other")
        assert bytes_of(folder) == bytes_of(other)


def test_only_tables_whose_rows_have_no_id_are_asked_for_whole(
    ledger: Ledger, folder: Path
) -> None:
    current(ledger, folder)
    kept = ["account", "opportunity", "opportunity_change", "owner"]
    assert sorted(ledger.increments) == kept


def test_the_newest_of_a_record_told_twice_wins(
    ledger: Ledger, folder: Path, is_as_fresh: Callable[[], None]
) -> None:
    ledger.overlap = 100
    ledger.put("account", "a1", name="first")
    ledger.put("account", "a1", name="second")
    current(ledger, folder)
    names = Portfolio.load(folder, backend="pyarrow")["account"]["name"].to_pylist()
    assert "second" in names
    assert "first" not in names
    is_as_fresh()


def test_what_changes_without_a_trace_is_read_again_and_the_rest_stays(
    ledger: Ledger, folder: Path, is_as_fresh: Callable[[], None]
) -> None:
    ledger.touch("account", "a2", activity_count=777)
    current(ledger, folder)
    account = Portfolio.load(folder, backend="pyarrow")["account"].to_pylist()
    assert account[2]["activity_count"] == 777
    assert account[2]["name"] == "Account 2"
    is_as_fresh()


def test_who_left_is_gone_and_told(
    ledger: Ledger, folder: Path, is_as_fresh: Callable[[], None]
) -> None:
    ledger.delete("opportunity", "o1")
    ledger.delete("opportunity", "o2", reason="archived")
    ledger.merge("a3", "a4")
    told = current(ledger, folder)
    assert "opportunity: 1 archived since the last pull." in told
    assert "opportunity: 1 deleted since the last pull." in told
    assert "account: 1 merged since the last pull." in told
    is_as_fresh()


def test_what_an_opportunity_was_goes_with_it(ledger: Ledger, folder: Path) -> None:
    ledger.delete("opportunity", "o1")
    current(ledger, folder)
    changes = Portfolio.load(folder, backend="pyarrow")["opportunity_change"]
    assert "o1" not in changes["opportunity_id"].to_pylist()


@pytest.mark.parametrize("nights", [0, 1, 3])
def test_what_an_opportunity_was_comes_back_with_it(
    ledger: Ledger, folder: Path, is_as_fresh: Callable[[], None], nights: int
) -> None:
    ledger.put("opportunity", "o1", status="open")
    ledger.put("opportunity", "o1", status="lost")
    current(ledger, folder)
    ledger.delete("opportunity", "o1")
    for _ in range(nights):
        ledger.tick += 60
        current(ledger, folder)
    ledger.put("opportunity", "o1", status="lost", currency="EUR")
    told = current(ledger, folder)
    assert any("1 opportunities came back" in note for note in told) == (nights > 0)
    is_as_fresh()
    assert current(ledger, folder) == ()


def test_rows_that_still_name_a_merged_account_follow_it_to_the_winner(
    ledger: Ledger, folder: Path
) -> None:
    ledger.merge("a1", "a2", rewrites=False)
    ledger.merge("a2", "a6", rewrites=False)
    current(ledger, folder)
    book = Portfolio.load(folder, backend="pyarrow")
    deals = {row["opportunity_id"]: row for row in book["opportunity"].to_pylist()}
    assert deals["o1"]["account_id"] == "a6"
    assert deals["o2"]["account_id"] == "a6"
    parents = {
        row["account_id"]: row["parent_id"] for row in book["account"].to_pylist()
    }
    assert parents["a3"] == "a6"
    assert not len(book.faults)
    # Also on later nights, when nobody speaks of it any more.
    ledger.put("opportunity", "o3", amount=1.0)
    ledger.tick += 50
    current(ledger, folder)
    current(ledger, folder)
    book = Portfolio.load(folder, backend="pyarrow")
    assert book["opportunity"]["account_id"].to_pylist()[1] == "a6"


def test_an_account_that_comes_back_is_itself_again(
    ledger: Ledger, folder: Path, is_as_fresh: Callable[[], None]
) -> None:
    ledger.merge("a1", "a2", rewrites=False)
    current(ledger, folder)
    ledger.put("account", "a1", name="back")
    current(ledger, folder)
    deals = Portfolio.load(folder, backend="pyarrow")["opportunity"]
    assert deals["account_id"].to_pylist()[1] == "a1"
    is_as_fresh()


def test_a_night_on_which_nothing_happened_changes_no_byte(
    ledger: Ledger, folder: Path, bytes_of: Content
) -> None:
    before = bytes_of(folder)
    assert current(ledger, folder) == ()
    assert bytes_of(folder) == before


def test_the_books_of_a_later_day_are_made_of_the_same_copy(
    ledger: Ledger, folder: Path, tmp_path: Path, bytes_of: Content
) -> None:
    day = AS_OF + timedelta(days=1)
    pull(ledger, as_of=day, into=folder, since_last=True)
    pull(ledger, as_of=day, into=tmp_path / "other")
    assert bytes_of(folder) == bytes_of(tmp_path / "other")


# --- reconciliation ----------------------------------------------------------------


def weekly(ledger: Ledger) -> None:
    ledger.tick += 7 * 24 * 60


def test_once_a_week_all_records_are_counted(ledger: Ledger, folder: Path) -> None:
    # The ledger is of early June, the books of its end: so it is long since.
    current(ledger, folder)
    assert sorted(ledger.listed) == ["account", "opportunity", "owner"]


def test_until_then_they_are_not(ledger: Ledger, folder: Path) -> None:
    current(ledger, folder, settings=PullSettings(reconcile_days=60))
    assert ledger.listed == []


def test_after_counting_it_is_a_week_again(ledger: Ledger, tmp_path: Path) -> None:
    ledger.tick = 29 * 24 * 60
    folder = fresh(ledger, tmp_path / "late")
    current(ledger, folder)
    assert ledger.listed == []
    weekly(ledger)
    current(ledger, folder)  # brings the moment forward
    current(ledger, folder)
    counted = len(ledger.listed)
    assert counted
    current(ledger, folder)
    assert len(ledger.listed) == counted


def test_a_record_that_vanished_is_left_out_and_reported(
    ledger: Ledger, folder: Path, tmp_path: Path, bytes_of: Content
) -> None:
    ledger.forget("account", "a5")
    ledger.forget("opportunity", "o7")
    told = current(ledger, folder)
    assert "account: 1 vanished from the CRM without a word; left out." in told
    found = Portfolio.load(folder, backend="pyarrow").faults.to_pylist()
    vanished = [row for row in found if row["fault"] == "vanished"]
    assert [(row["table"], row["value"]) for row in vanished] == [
        ("account", "a5"),
        ("opportunity", "o7"),
    ]
    other = bytes_of(fresh(ledger, tmp_path / "other"))
    mine = bytes_of(folder)
    for told_of in ("faults.parquet", "portfolio.json"):
        del mine[told_of], other[told_of]
    assert mine == other
    # The next night it is no news.
    assert current(ledger, folder) == ()
    assert bytes_of(folder) == bytes_of(tmp_path / "other")


def test_a_record_that_the_copy_lacks_makes_the_table_come_whole(
    ledger: Ledger, folder: Path, is_as_fresh: Callable[[], None]
) -> None:
    ledger.smuggle("account", "a99", name="Under the door")
    told = current(ledger, folder)
    assert any("account is pulled whole again" in note for note in told)
    is_as_fresh()


def test_a_record_made_while_they_are_counted_is_neither(
    ledger: Ledger, folder: Path, is_as_fresh: Callable[[], None]
) -> None:
    before = ledger.present

    def busy(table: TableName) -> Any:
        yield from before(table)
        if table == "account":
            ledger.put("account", "a50", name="New")

    ledger.present = busy
    assert current(ledger, folder) == ()
    is_as_fresh()


# --- when the copy does not fit ----------------------------------------------------


def test_a_changed_mapping_begins_again_and_says_so(
    ledger: Ledger, folder: Path, is_as_fresh: Callable[[], None]
) -> None:
    ledger.settings = "another"
    told = current(ledger, folder)
    assert "account is pulled whole again: its mapping changed." in told
    is_as_fresh()


def test_who_asks_for_all_of_it_need_not_be_told_that_it_is_all_of_it(
    ledger: Ledger, folder: Path
) -> None:
    ledger.settings = "another"
    assert pull_into(ledger, folder, as_of=AS_OF).notes == ()


def test_another_org_begins_again_and_says_so(ledger: Ledger, folder: Path) -> None:
    for file in (folder / "source").glob("*/checkpoint.json"):
        plain = json.loads(file.read_bytes())
        plain["identity"]["org"] = "ledger org L2"
        file.write_bytes(canonical_json(plain))
    assert any(
        "the copy is of ledger org L2" in note for note in current(ledger, folder)
    )


def test_a_table_more_is_pulled_and_a_table_less_is_left_out(
    ledger: Ledger, tmp_path: Path, bytes_of: Content
) -> None:
    ledger.hidden = {"owner"}
    folder = fresh(ledger, tmp_path / "book")
    ledger.hidden = {"stage"}
    current(ledger, folder)
    assert bytes_of(folder) == bytes_of(fresh(ledger, tmp_path / "other"))
    assert not (folder / "source" / "stage").exists()


def test_a_copy_that_was_altered_is_refused(ledger: Ledger, folder: Path) -> None:
    file = next((folder / "source" / "account").glob("*/*.arrow"))
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    ledger.put("account", "a1", name="changed")
    with pytest.raises(DamagedFileError, match="without --since-last"):
        current(ledger, folder)
    fresh(ledger, folder)
    assert len(Portfolio.load(folder)["account"]) == 7


def test_a_folder_without_a_copy_says_to_pull_it_whole(
    ledger: Ledger, folder: Path
) -> None:
    shutil.rmtree(folder / "source")
    with pytest.raises(SettingsError, match="pull it whole once"):
        current(ledger, folder)
    assert len(Portfolio.load(folder)["account"]) == 7


def test_where_there_is_nothing_yet_all_is_pulled_and_said(
    ledger: Ledger, tmp_path: Path
) -> None:
    told = current(ledger, tmp_path / "new")
    assert told == ("There is nothing to bring up to date yet: all was pulled.",)


def test_it_needs_a_folder(ledger: Ledger) -> None:
    with pytest.raises(SettingsError, match="since_last needs the folder"):
        pull(ledger, as_of=AS_OF, since_last=True)


def test_a_key_that_stands_twice_is_never_merged_away(
    ledger: Ledger, tmp_path: Path
) -> None:
    rows = ledger._all("account")
    ledger._all = lambda table: (
        [*rows, {**rows[0], "name": "twin"}] if table == "account" else []
    )
    with pytest.raises(SchemaError, match="duplicate_id"):
        pull(ledger, as_of=AS_OF, into=tmp_path / "book")
    ledger.put("account", "a1", name="changed")
    with pytest.raises(SchemaError, match="duplicate_id"):
        current(ledger, tmp_path / "book")


# --- what is kept beside it --------------------------------------------------------


def test_it_is_told_since_when_each_table_is_known(
    ledger: Ledger, folder: Path
) -> None:
    file = folder / "source" / "complete_as_of.json"
    before = json.loads(file.read_bytes())
    assert before["account"]["rows"] == before["account"]["volatile"]
    ledger.put("account", "a1", name="changed")
    current(ledger, folder)
    after = json.loads(file.read_bytes())
    assert after["account"]["rows"] == ledger.now().isoformat()
    assert after["account"]["rows"] > before["account"]["rows"]


def test_the_checkpoint_holds_no_name(ledger: Ledger, folder: Path) -> None:
    for file in (folder / "source").glob("*/checkpoint.json"):
        assert b"Account" not in file.read_bytes()


def test_the_calls_of_an_increment_are_forecast_for_the_cursors_it_has(
    ledger: Ledger, folder: Path
) -> None:
    ledger.calls = 0
    found = forecast(ledger, folder, since_last=True)
    assert found is not None
    assert found.calls == len(ledger.tables())
