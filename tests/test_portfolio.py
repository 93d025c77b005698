"""Is a portfolio the same whatever made it, cut whole, and safe on a disk?"""

from __future__ import annotations

import json
import pickle
from datetime import date, timedelta
from pathlib import Path

import attrs
import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio import Calendar, Period, Portfolio, analysis, samples
from crm_portfolio._frames import BACKENDS, Backend, from_arrow, to_arrow
from crm_portfolio._storage import canonical_json, digest
from crm_portfolio.errors import (
    DamagedFileError,
    MissingTableError,
    SchemaError,
    SettingsError,
)
from crm_portfolio.schema import TABLES, TableName, arrow_type

AS_OF = date(2026, 6, 30)
TABLES_GIVEN: dict[str, pa.Table] = {
    "account": pa.table(
        {
            "account_id": ["top", "sub", "other"],
            "parent_id": [None, "top", None],
            "name": ["Łódź 株式会社", "", None],
        }
    ),
    "opportunity": pa.table(
        {
            "opportunity_id": ["a", "b", "c"],
            "account_id": ["sub", "other", None],
            "status": ["won", "open", "open"],
            "amount": [1.015, 200.0, None],
            "closed_on": [date(2026, 1, 31), None, None],
        }
    ),
    "activity": pa.table(
        {
            "activity_id": ["1", "2", "3", "4"],
            "occurred_at": ["2026-02-28T23:59:59.999999Z"] * 4,
            "account_id": ["sub", None, None, "other"],
            "opportunity_id": [None, "a", "b", "a"],
        }
    ),
    "owner": pa.table({"owner_id": ["u"], "is_active": [True]}),
}


def make(backend: Backend = "pyarrow", **more: pa.Table) -> Portfolio:
    frames = {n: from_arrow(t, backend) for n, t in {**TABLES_GIVEN, **more}.items()}
    return Portfolio.from_frames(as_of=AS_OF, currency="EUR", **frames)


def rows(portfolio: Portfolio, name: TableName, column: str) -> list[object]:
    return to_arrow(portfolio[name])[column].to_pylist()


# --- what it is --------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_kind_of_frame_comes_back(backend: Backend) -> None:
    portfolio = make(backend)
    assert portfolio.backend == backend
    for frame in (portfolio["account"], portfolio.faults, portfolio.balance):
        assert type(frame) is type(from_arrow(pa.table({"a": [1]}), backend))


def test_its_id_knows_neither_backend_nor_order_nor_chunks() -> None:
    ids = {make(backend).id for backend in BACKENDS}
    turned = {
        name: pa.concat_tables([table.slice(1), table.slice(0, 1)])
        for name, table in TABLES_GIVEN.items()
    }
    turned["account"] = turned["account"].select(["name", "account_id", "parent_id"])
    ids.add(Portfolio.from_frames(as_of=AS_OF, currency="EUR", **turned).id)
    plain = {name: table.to_pandas() for name, table in TABLES_GIVEN.items()}
    ids.add(Portfolio.from_frames(as_of=AS_OF, currency="EUR", **plain).id)
    assert len(ids) == 1


def test_its_id_changes_with_all_that_it_says() -> None:
    account = TABLES_GIVEN["account"]
    empty_name = account.set_column(2, "name", pa.array(["Łódź 株式会社", None, None]))
    moved = account.set_column(2, "name", pa.array(["Łódź 株式会社", None, ""]))
    shifted = [
        account.set_column(2, "name", pa.array(names))
        for names in (["c", "ab", ""], ["bc", "a", ""])
    ]
    others = [
        *(make(account=table) for table in shifted),
        make(account=empty_name),
        make(account=moved),
        make(account=account.drop_columns(["name"])),
        Portfolio.from_frames(
            as_of=AS_OF + timedelta(days=1), currency="EUR", **TABLES_GIVEN
        ),
        Portfolio.from_frames(as_of=AS_OF, currency="USD", **TABLES_GIVEN),
        Portfolio.from_frames(
            as_of=AS_OF, currency="EUR", calendar=Calendar("UTC", 4), **TABLES_GIVEN
        ),
    ]
    assert len({make().id, *(other.id for other in others)}) == 9


def test_frames_of_an_engine_come_in() -> None:
    relation = duckdb.sql("select '1' as account_id, 'x' as name")
    portfolio = Portfolio.from_frames(as_of=AS_OF, currency="EUR", account=relation)
    assert rows(portfolio, "account", "name") == ["x"]


def test_changing_a_frame_it_handed_out_changes_nothing() -> None:
    portfolio = make("pandas")
    before = portfolio.id
    frame = portfolio["account"]
    frame.loc[0, "name"] = "changed"
    frame["owner_id"] = "u"
    assert list(portfolio["account"].columns) != list(frame.columns)
    assert "changed" not in rows(portfolio, "account", "name")
    assert portfolio.with_tables().id == before


def test_to_go_through_it_is_to_go_through_the_names_of_its_tables() -> None:
    portfolio = make()
    assert list(portfolio) == ["account", "opportunity", "activity", "owner"]
    assert {name: portfolio.arrow(name).num_rows for name in portfolio} == (
        portfolio.row_counts
    )


def test_a_table_it_lacks_is_an_error_and_a_misspelt_one_is_asked_back() -> None:
    portfolio = make()
    assert "revenue_line" not in portfolio
    assert portfolio.tables == ("account", "opportunity", "activity", "owner")
    with pytest.raises(MissingTableError, match="revenue_line"):
        portfolio["revenue_line"]
    with pytest.raises(SettingsError, match="did you mean 'account'"):
        portfolio["accounts"]  # type: ignore[index]


def test_its_short_form_names_nobody() -> None:
    said = repr(make())
    assert said == (
        "<Portfolio at 2026-06-30 in EUR: account 3, opportunity 3, activity 4, owner 1>"
    )


def test_it_knows_its_minor_unit() -> None:
    account = TABLES_GIVEN["account"]
    yen = Portfolio.from_frames(as_of=AS_OF, currency="JPY", account=account)
    assert (make().minor_digits, yen.minor_digits) == (2, 0)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        make().currency = "USD"  # type: ignore[misc]


def test_it_crosses_processes() -> None:
    portfolio = make("pandas")
    assert pickle.loads(pickle.dumps(portfolio)).id == portfolio.id


# --- only and with_tables ----------------------------------------------------------


def test_every_table_is_cut_together() -> None:
    cut = make().only(["sub", "top"])
    assert rows(cut, "account", "account_id") == ["sub", "top"]
    assert rows(cut, "opportunity", "opportunity_id") == ["a"]
    assert rows(cut, "activity", "activity_id") == ["1", "2"]
    assert rows(cut, "owner", "owner_id") == ["u"]
    assert rows(cut, "account", "ultimate_parent_id") == ["top", "top"]


def test_a_parent_that_is_cut_away_leaves_its_children_roots() -> None:
    cut = make().only(["sub"])
    assert rows(cut, "account", "ultimate_parent_id") == ["sub"]
    assert "dangling_parent_id" in to_arrow(cut.faults)["fault"].to_pylist()


def test_a_parent_that_is_cut_away_leaves_its_opt_out_behind() -> None:
    days = [date(2024, 1, 1), date(2021, 1, 1), date(2022, 1, 1)]
    account = pa.table(
        {
            "account_id": ["leaf", "sub", "top"],
            "parent_id": ["sub", "top", None],
            "do_not_contact_on": pa.array(days, pa.date32()),
        }
    )
    book = Portfolio.from_frames(as_of=AS_OF, currency="EUR", account=account)
    kept = book.only(["leaf"])
    assert rows(kept, "account", "do_not_contact_on") == days[1:2]
    both = book.only(["leaf", "sub"])
    assert rows(both, "account", "do_not_contact_on") == days[:2]


def test_a_parent_that_is_cut_away_leaves_its_refusal_behind() -> None:
    """The last of all above, though the opportunities that told it are gone."""
    said = {
        "opportunity_id": ["1", "2", "3", "4", "5"],
        "account_id": ["top", "top", "sub", "leaf", "other"],
        "status": ["lost"] * 5,
        "closed_on": pa.array([date(2023, 1, 1)] * 5, pa.date32()),
        "refused_on": pa.array(
            [
                date(2024, 3, 1),
                date(2023, 1, 1),
                date(2022, 1, 1),
                date(2025, 1, 1),
                None,
            ],
            pa.date32(),
        ),
    }
    account = pa.table(
        {
            "account_id": ["leaf", "other", "sub", "top"],
            "parent_id": ["sub", "leaf", "top", None],
        }
    )
    book = Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", account=account, opportunity=pa.table(said)
    )
    kept = book.only(["leaf", "other"])
    assert rows(kept, "account", "refused_on") == [date(2024, 3, 1), None]
    assert rows(kept, "opportunity", "refused_on") == [date(2025, 1, 1), None]
    # Cut again, it tells the next one; and who stays below its parent needs no word.
    last = kept.only(["other"])
    assert rows(last, "account", "refused_on") == [date(2025, 1, 1)]
    whole = book.only(["leaf", "other", "sub", "top"])
    assert "refused_on" not in to_arrow(whole["account"]).column_names


def test_no_account_is_a_portfolio_too() -> None:
    none = make().only([])
    assert len(to_arrow(none["opportunity"])) == 0
    assert none.id != make().id


def test_cutting_to_all_accounts_only_drops_what_names_none() -> None:
    whole = make().only(["top", "sub", "other"])
    assert rows(whole, "opportunity", "opportunity_id") == ["a", "b"]
    assert whole.only(["top", "sub", "other"]).id == whole.id


def test_an_unknown_account_is_asked_back() -> None:
    with pytest.raises(SettingsError, match="'oter'; did you mean 'other'"):
        make().only(["oter"])


def test_a_table_is_added_and_the_rest_stays() -> None:
    revenue = pd.DataFrame(
        {
            "line_id": ["1"],
            "account_id": ["sub"],
            "booked_on": [date(2026, 3, 1)],
            "amount": [12.5],
        }
    )
    before = make()
    after = before.with_tables(revenue_line=revenue)
    assert rows(after, "revenue_line", "amount") == [12.5]
    assert "revenue_line" not in before
    assert after.backend == before.backend
    for name in before.tables:
        assert after[name].equals(before[name])


def test_what_was_left_out_at_first_is_still_told_after_a_table_is_added() -> None:
    late = TABLES_GIVEN["opportunity"].append_column(
        "created_at", pa.array(["2026-01-01", "2026-07-01", "2026-01-01"])
    )
    before = make(opportunity=late)
    after = before.with_tables(owner=pa.table({"owner_id": ["v"]}))
    assert to_arrow(after.faults).equals(to_arrow(before.faults))
    assert to_arrow(after.balance).equals(to_arrow(before.balance))
    assert to_arrow(after.balance)["left_out"].to_pylist() == [20_000]


def test_a_replaced_table_brings_its_own_faults_and_balance() -> None:
    fixed = TABLES_GIVEN["opportunity"].filter(pa.array([True, False, False]))
    after = make().with_tables(opportunity=fixed)
    told = to_arrow(after.faults)
    assert "opportunity" not in told["table"].to_pylist()
    # What named an opportunity that is no longer there is told of the other table.
    assert told["fault"].to_pylist() == ["dangling_opportunity_id"]
    assert to_arrow(after.balance)["came_in"].to_pylist() == [102]


def test_accounts_taken_away_take_their_revenue_out_of_the_balance() -> None:
    revenue = pa.table(
        {
            "line_id": ["1", "2"],
            "account_id": ["sub", "other"],
            "booked_on": ["2026-03-01", "2026-03-01"],
            "amount": ["1", "2"],
        }
    )
    account = TABLES_GIVEN["account"].slice(0, 2)
    after = make(revenue_line=revenue).with_tables(account=account)
    line = to_arrow(after.balance).to_pylist()[-1]
    assert (line["came_in"], line["kept"], line["left_out"]) == (300, 100, 200)
    faults = to_arrow(after.faults)["fault"].to_pylist()
    assert "dangling_required_account_id" in faults


def test_a_faulty_table_is_refused_and_the_portfolio_stays() -> None:
    with pytest.raises(SchemaError):
        make().with_tables(owner=pa.table({"owner_id": ["u", "u"]}))


# --- on a disk ---------------------------------------------------------------------


def every_type() -> Portfolio:
    """All tables, each with a full row and, where allowed, a row of nulls."""
    sample = {
        "id": "1",
        "text": 'Ünal "x";\n' + "株",
        "code": "é",
        "integer": 2**53 - 1,
        "number": 0.1,
        "share": 0.123456,
        "money": -1234.56,
        "boolean": False,
        "day": date(2024, 2, 29),
        "moment": "2024-02-29T23:59:59.999999Z",
    }
    frames = {}
    for name, table in TABLES.items():
        made = {}
        for column in table.columns:
            if column.is_derived or column.name == "original_amount":
                continue
            value = (column.choices or (sample[column.type],))[0]
            if column.name in {"currency", "base"}:
                value = "EUR"
            second = "2" if column.name in table.key and column.type == "id" else value
            made[column.name] = [value, second if column.required else None]
        frames[name] = pa.table(made)
        if table.key and not set(table.key) & {
            c.name for c in table.columns if c.type == "id"
        }:
            frames[name] = frames[name].slice(0, 1)
    frames["rating"] = frames["rating"].set_column(2, "value", pa.array([0.0, 10.0]))
    return Portfolio.from_frames(as_of=AS_OF, currency="EUR", **frames)


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_tables_and_types_come_back_exactly(
    tmp_path: Path, backend: Backend
) -> None:
    saved = every_type()
    assert saved.tables == tuple(TABLES)
    saved.save(tmp_path / "a book")
    loaded = Portfolio.load(tmp_path / "a book", backend=backend)
    assert loaded.id == saved.id
    assert (loaded.as_of, loaded.currency, loaded.calendar, loaded.backend) == (
        saved.as_of,
        saved.currency,
        saved.calendar,
        backend,
    )
    for name in TABLES:
        assert to_arrow(loaded[name]).equals(saved[name])
        for field in saved[name].schema:
            assert field.type == arrow_type(TABLES[name][field.name])
    assert to_arrow(loaded.faults).equals(saved.faults)
    assert to_arrow(loaded.balance).equals(saved.balance)


def test_a_folder_says_its_id_and_one_that_does_not_is_hashed(tmp_path: Path) -> None:
    saved = every_type()
    saved.save(tmp_path / "said")
    loaded = Portfolio.load(tmp_path / "said")
    for path in (tmp_path / "said").glob("*.parquet"):
        path.unlink()
    assert loaded.id == saved.id
    saved.save(tmp_path / "older")
    reseal(tmp_path / "older", content=None)
    assert Portfolio.load(tmp_path / "older").id == saved.id
    drop(tmp_path / "older", "content")
    assert Portfolio.load(tmp_path / "older").id == saved.id
    reseal(tmp_path / "older", id="0" * 64)  # counted as it was once
    assert Portfolio.load(tmp_path / "older").id == saved.id
    Portfolio.load(tmp_path / "older").save(tmp_path / "newer")
    assert header(tmp_path / "newer")["content"] == saved.id


def test_what_is_made_of_a_folder_has_an_id_of_its_own(tmp_path: Path) -> None:
    saved = make()
    saved.save(tmp_path)
    loaded = Portfolio.load(tmp_path, backend="pyarrow")
    owner = pa.table({"owner_id": ["v"], "is_active": [False]})
    for changed in (
        lambda book: book.only(["other"]),
        lambda book: book.at(AS_OF - timedelta(days=100)),
        lambda book: book.with_tables(owner=owner),
    ):
        assert changed(loaded).id == changed(saved).id != saved.id
    assert loaded.at(AS_OF).id == saved.id == pickle.loads(pickle.dumps(loaded)).id


def test_saving_twice_gives_the_same_bytes_and_leaves_nothing_old(
    tmp_path: Path,
) -> None:
    make().save(tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    make("pandas").save(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    account = TABLES_GIVEN["account"]
    Portfolio.from_frames(as_of=AS_OF, currency="EUR", account=account).save(tmp_path)
    assert Portfolio.load(tmp_path).tables == ("account",)
    assert not (tmp_path / "opportunity.parquet").exists()


def test_a_folder_of_other_files_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "account.parquet").write_bytes(b"mine")
    with pytest.raises(SettingsError, match="name an empty folder"):
        make().save(tmp_path)
    assert (tmp_path / "account.parquet").read_bytes() == b"mine"


def test_a_folder_that_is_not_ours_names_the_command_that_makes_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "account.csv").write_text("account_id\n1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="pull files"):
        Portfolio.load(tmp_path)
    with pytest.raises(SettingsError, match=r"there is no folder .*gone: .*pull files"):
        Portfolio.load(tmp_path / "gone")


def header(folder: Path) -> dict[str, object]:
    return json.loads((folder / "portfolio.json").read_bytes())


def reseal(folder: Path, **changes: object) -> None:
    """Change the header as someone would who can compute a checksum."""
    _seal(folder, {**header(folder), **changes})


def drop(folder: Path, key: str) -> None:
    """As a version wrote it that did not know of this."""
    plain = header(folder)
    del plain[key]
    _seal(folder, plain)


def _seal(folder: Path, plain: dict[str, object]) -> None:
    del plain["checksum"]
    plain["checksum"] = digest(canonical_json(plain))
    (folder / "portfolio.json").write_bytes(canonical_json(plain))


def cut_table(folder: Path) -> None:
    path = folder / "account.parquet"
    path.write_bytes(path.read_bytes()[:-7])


def drop_table(folder: Path) -> None:
    (folder / "opportunity.parquet").unlink()


def edit_header(folder: Path) -> None:
    path = folder / "portfolio.json"
    path.write_bytes(path.read_bytes().replace(b"2026-06-30", b"2026-05-31"))


def cut_header(folder: Path) -> None:
    path = folder / "portfolio.json"
    path.write_bytes(path.read_bytes()[:50])


def newer(folder: Path) -> None:
    reseal(folder, version=3)


def other_format(folder: Path) -> None:
    reseal(folder, format="something")


def other_columns(folder: Path) -> None:
    path = folder / "owner.parquet"
    pq.write_table(pa.table({"owner_id": [1]}), path)
    files = json.loads((folder / "portfolio.json").read_bytes())["files"]
    reseal(folder, files={**files, "owner.parquet": digest(path.read_bytes())})


@pytest.mark.parametrize(
    ("damage", "file", "said"),
    [
        (cut_table, "account.parquet", "cut or altered"),
        (drop_table, "opportunity.parquet", "missing"),
        (edit_header, "portfolio.json", "altered"),
        (cut_header, "portfolio.json", "cannot be read"),
        (newer, "portfolio.json", "newer version.*pip install --upgrade"),
        (other_format, "portfolio.json", "another format"),
        (other_columns, "owner.parquet", "schema"),
    ],
)
def test_a_damaged_folder_is_refused_with_the_file_and_what_to_do(
    tmp_path: Path, damage: object, file: str, said: str
) -> None:
    make().save(tmp_path)
    damage(tmp_path)  # type: ignore[operator]
    with pytest.raises(DamagedFileError, match=said) as caught:
        Portfolio.load(tmp_path)
    assert caught.value.file.endswith(file)
    assert caught.value.hint


# --- periods -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("months", "as_of", "start", "end"),
    [
        (12, date(2017, 12, 15), date(2016, 12, 1), date(2017, 12, 1)),
        (12, date(2017, 12, 31), date(2017, 1, 1), date(2018, 1, 1)),
        (12, date(2024, 2, 29), date(2023, 3, 1), date(2024, 3, 1)),
        (12, date(2024, 2, 28), date(2023, 2, 1), date(2024, 2, 1)),
        (12, date(2023, 2, 28), date(2022, 3, 1), date(2023, 3, 1)),
        (1, date(2026, 6, 30), date(2026, 6, 1), date(2026, 7, 1)),
        (1, date(2026, 1, 1), date(2025, 12, 1), date(2026, 1, 1)),
        (30, date(2026, 6, 29), date(2023, 12, 1), date(2026, 6, 1)),
    ],
)
def test_a_period_ends_with_the_last_full_month(
    months: int, as_of: date, start: date, end: date
) -> None:
    period = Period.last_months(months).at(as_of)
    assert (period.start, period.end) == (start, end)
    assert period.last_day == end - timedelta(days=1)
    assert period.name == f"last_{months}_months"
    assert period.at(date(2000, 1, 1)) == period


def test_all_days_are_those_up_to_the_as_of_date() -> None:
    period = Period.all().at(date(2017, 12, 31))
    assert (period.start, period.end) == (date.min, date(2018, 1, 1))
    assert period.last_day == date(2017, 12, 31)


def test_a_period_between_two_days_stays_where_it_is() -> None:
    period = Period.between(date(2026, 1, 1), date(2026, 7, 1))
    assert period.at(date(2030, 1, 1)) == period
    assert period.last_day == date(2026, 6, 30)


def test_a_period_without_days_is_refused() -> None:
    with pytest.raises(SettingsError, match="no day"):
        Period.between(date(2026, 1, 1), date(2026, 1, 1))
    with pytest.raises(SettingsError, match="at least one month"):
        Period.last_months(0)
    with pytest.raises(SettingsError, match="no days yet"):
        _ = Period.last_months(3).last_day


def test_months_before_the_end_stop_at_a_shorter_months_last_day() -> None:
    period = Period.between(date(2024, 1, 1), date(2024, 5, 31))
    assert period.months_before_end(3) == date(2024, 2, 29)
    assert Period.last_months(12).at(date(2024, 2, 29)).months_before_end(3) == date(
        2023, 12, 1
    )


@given(st.dates(date(1950, 1, 1), date(2150, 1, 1)), st.integers(1, 60))
def test_a_period_is_whole_months_and_ends_by_the_as_of_date(
    as_of: date, months: int
) -> None:
    period = Period.last_months(months).at(as_of)
    assert period.start is not None
    assert period.end is not None
    assert period.start.day == period.end.day == 1
    span = (period.end.year - period.start.year) * 12
    assert span + period.end.month - period.start.month == months
    assert timedelta(0) <= as_of - period.last_day < timedelta(days=31)


@pytest.mark.parametrize(
    ("time_zone", "year_starts", "said"),
    [("Mars/Base", 1, "no time zone"), ("UTC", 0, "1 to 12"), ("UTC", 13, "1 to 12")],
)
def test_a_calendar_that_cannot_be_is_refused(
    time_zone: str, year_starts: int, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        Calendar(time_zone, year_starts)


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_a_table_and_a_frame_come_as_arrow_too(backend) -> None:
    book = attrs.evolve(samples.firm(), backend=backend)
    result = analysis.tiers(book)
    for native, arrow in (
        (book["account"], book.arrow("account")),
        (result.frame, result.arrow),
    ):
        assert isinstance(arrow, pa.Table)
        assert to_arrow(native).equals(arrow)
    with pytest.raises(MissingTableError):
        book.arrow("ticket")
