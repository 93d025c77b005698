"""Is a table that lies in a file for each year the same table, read where it lies?"""

from __future__ import annotations

import json
import resource
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_portfolio._frames import (
    Backend,
    _row_number,
    backend_of,
    numbered,
    nw,
    to_arrow,
)
from crm_portfolio._normalise import _sorting
from crm_portfolio._storage import canonical_json, digest
from crm_portfolio.errors import DamagedFileError, SettingsError
from crm_portfolio.portfolio import Portfolio

AS_OF = date(2026, 6, 30)
PARTS = {
    "opportunity": "closed_on",
    "opportunity_change": "changed_at",
    "revenue_line": "booked_on",
}
COUNT = 90
FIRST = datetime(2023, 12, 30, 23, 30, tzinfo=UTC)
HERE: tuple[Backend, ...] = (
    *("pandas", "polars", "pyarrow"),
    *("duckdb", "polars_lazy", "ibis"),
)
pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table.. is deprecated")


def days(step: int) -> list[date]:
    return [(FIRST + timedelta(days=each * step % 800)).date() for each in range(COUNT)]


@pytest.fixture(scope="module")
def book() -> Portfolio:
    """Rows that are one after the other by their ids lie in years that are not."""
    ids = [f"O{at * 37 % COUNT:02}" for at in range(COUNT)]
    account = pa.table({"account_id": ["A", "B"]})
    closed = [None if at % 4 == 0 else day for at, day in enumerate(days(17))]
    opportunity = pa.table(
        {
            "opportunity_id": ids,
            "account_id": ["A", "B"] * (COUNT // 2),
            "status": ["open" if day is None else "won" for day in closed],
            "closed_on": pa.array(closed, pa.date32()),
            "amount": [float(at) for at in range(COUNT)],
            "created_at": pa.array([FIRST] * COUNT, pa.timestamp("us", "UTC")),
        }
    )
    moments = [FIRST + timedelta(days=at * 11 % 700) for at in range(COUNT)]
    change = pa.table(
        {
            "opportunity_id": ids,
            "changed_at": pa.array(moments, pa.timestamp("us", "UTC")),
            "field": ["stage"] * COUNT,
            "old": [None] * COUNT,
            "new": ["Offer"] * COUNT,
        }
    )
    line = pa.table(
        {
            "line_id": [f"L{at * 7 % COUNT:02}" for at in range(COUNT)],
            "account_id": ["A"] * COUNT,
            "booked_on": days(13),
            "amount": [1.25 * at for at in range(COUNT)],
        }
    )
    return Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        backend="pyarrow",
        account=account,
        opportunity=opportunity,
        opportunity_change=change,
        revenue_line=line,
        contract=pa.table(
            {"contract_id": [], "account_id": [], "starts_on": []},
            schema=pa.schema(
                [
                    ("contract_id", pa.string()),
                    ("account_id", pa.string()),
                    ("starts_on", pa.date32()),
                ]
            ),
        ),
    )


@pytest.fixture(scope="module")
def folder(book: Portfolio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("partitioned") / "book"
    book.save(place, partitioned=PARTS)
    return place


def files(folder: Path) -> set[str]:
    found = folder.rglob("*")
    return {each.relative_to(folder).as_posix() for each in found if each.is_file()}


def test_each_year_has_its_file_and_so_have_the_rows_without_a_day(book, folder):
    parts = {each for each in files(folder) if each.startswith("opportunity/")}
    said = ("2024", "2025", "2026", "__HIVE_DEFAULT_PARTITION__")
    years = {f"opportunity/closed_on_year={each}/part-00000.parquet" for each in said}
    assert parts == years
    read = {each: pq.read_table(folder / each, partitioning=None) for each in parts}
    assert sum(map(len, read.values())) == COUNT
    for each, table in read.items():
        found = {str(day.year) if day else said[-1] for day in pylist(table)}
        assert found == {each.split("=")[1].partition("/")[0]}
        assert table.schema == book["opportunity"].schema
    assert "opportunity.parquet" not in files(folder)


def pylist(table: pa.Table) -> list[date | None]:
    return table["closed_on"].to_pylist()


@pytest.mark.parametrize("backend", HERE)
def test_it_is_the_same_portfolio_in_every_kind_of_frame(book, folder, backend):
    loaded = Portfolio.load(folder, backend=backend)
    assert loaded.id == book.id
    assert loaded.row_counts == book.row_counts
    for name in book:
        frame = loaded[name]
        assert backend_of(frame) == backend
        key = "line_id" if name == "revenue_line" else f"{name}_id"
        order = [
            (key if key in book[name].column_names else "opportunity_id", "ascending")
        ]
        assert to_arrow(frame).sort_by(order).equals(book[name].sort_by(order))


def test_its_rows_are_in_order_again_where_somebody_asks_for_them(book, folder):
    loaded = Portfolio.load(folder)
    for name in book:
        assert loaded.arrow(name).equals(book[name])


@pytest.mark.parametrize("backend", ["duckdb", "polars_lazy", "ibis"])
def test_each_row_has_one_number_whatever_file_it_is_in(folder, backend):
    frame = Portfolio.load(folder, backend=backend)["opportunity"]
    for _ in range(2):
        told = nw.from_native(numbered(frame, "number", "opportunity_id")).select(
            "number"
        )
        found = to_arrow(nw.to_native(told))["number"]
        assert sorted(found.to_pylist()) == list(range(COUNT))
        assert found.type == pa.int32()


@pytest.mark.skipif(duckdb.__version__ < "2", reason="it does not tell rows of files")
def test_duckdb_numbers_rows_by_their_files_and_need_not_take_them_in_turn(folder):
    frame = Portfolio.load(folder, backend="duckdb")["opportunity"]
    assert "file_row_number" in _row_number(frame)


def test_saved_anew_in_one_file_each_it_has_the_same_bytes(book, folder, tmp_path):
    book.save(tmp_path / "whole")
    Portfolio.load(folder).save(tmp_path / "anew")
    assert files(tmp_path / "anew") == files(tmp_path / "whole")
    for each in files(tmp_path / "whole"):
        was, now = ((tmp_path / name / each).read_bytes() for name in ("whole", "anew"))
        assert was == now


def test_another_portfolio_in_its_place_leaves_no_part_behind(book, folder, tmp_path):
    book.save(tmp_path, partitioned=PARTS)
    assert files(tmp_path) == files(folder)
    book.save(tmp_path, partitioned={"revenue_line": "booked_on"})
    assert not (tmp_path / "opportunity").exists()
    assert Portfolio.load(tmp_path).id == book.id
    book.save(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == files(tmp_path)
    assert Portfolio.load(tmp_path).id == book.id


def test_of_many_years_few_files_are_read_side_by_side(tmp_path, monkeypatch):
    """Of each there is a group of rows in memory, which may be tens of megabytes."""
    count = 80
    lines = pa.table(
        {
            "line_id": [f"L{at:03}" for at in range(count)],
            "account_id": ["A"] * count,
            "booked_on": [date(1960 + at % 40, 1, 1) for at in range(count)],
            "amount": [1.0] * count,
        }
    )
    account = pa.table({"account_id": ["A"]})
    book = Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", account=account, revenue_line=lines
    )
    book.save(tmp_path / "years", partitioned={"revenue_line": "booked_on"})
    held = [0]

    class Watched(pq.ParquetFile):
        def __enter__(self) -> Self:
            held.append(held[-1] + 1)
            return super().__enter__()

        def __exit__(self, *told: object) -> None:
            held.append(held[-1] - 1)
            super().__exit__(*told)

    monkeypatch.setattr(pq, "ParquetFile", Watched)
    monkeypatch.setattr(_sorting, "_RANGE_ROWS", 1)  # nothing is read ahead
    Portfolio.load(tmp_path / "years").save(tmp_path / "whole")
    assert max(held) == 16
    assert held[-1] == 0
    book.save(tmp_path / "was")
    name = "revenue_line.parquet"
    was, now = (tmp_path / "was" / name, tmp_path / "whole" / name)
    assert was.read_bytes() == now.read_bytes()


def test_what_somebody_else_put_beside_the_parts_stays_and_is_not_read(book, tmp_path):
    book.save(tmp_path, partitioned=PARTS)
    theirs = tmp_path / "opportunity" / "closed_on_year=2024" / "theirs.parquet"
    pq.write_table(pa.table({"opportunity_id": ["X"]}), theirs)
    loaded = Portfolio.load(tmp_path, backend="duckdb")
    assert len(to_arrow(loaded["opportunity"])) == COUNT
    book.save(tmp_path)
    assert theirs.is_file()


@pytest.mark.parametrize(("damage", "said"), [(b"cut", "altered"), (None, "missing")])
def test_a_part_that_is_not_the_one_that_was_saved_is_named(
    book, tmp_path, damage, said
):
    book.save(tmp_path, partitioned=PARTS)
    loaded = Portfolio.load(tmp_path, backend="duckdb")
    part = tmp_path / "revenue_line" / "booked_on_year=2025" / "part-00000.parquet"
    part.unlink() if damage is None else part.write_bytes(damage)
    for again in (
        lambda: Portfolio.load(tmp_path),
        lambda: loaded["revenue_line"],
        lambda: loaded.arrow("revenue_line"),
    ):
        with pytest.raises(DamagedFileError, match=said) as caught:
            again()
        assert caught.value.file == str(part)


@pytest.mark.parametrize(
    "name", ["../account.parquet", "/account.parquet", "account/../a.parquet"]
)
def test_a_folder_that_names_files_outside_of_it_is_refused(book, tmp_path, name):
    book.save(tmp_path)
    path = tmp_path / "portfolio.json"
    plain = json.loads(path.read_bytes())
    plain["files"][name] = plain["files"].pop("account.parquet")
    del plain["checksum"]
    path.write_bytes(
        canonical_json({**plain, "checksum": digest(canonical_json(plain))})
    )
    with pytest.raises(DamagedFileError, match="altered"):
        Portfolio.load(tmp_path)


def test_an_older_version_is_told_that_it_cannot_read_parts(book, folder, tmp_path):
    assert json.loads((folder / "portfolio.json").read_bytes())["version"] == 2
    book.save(tmp_path)
    assert json.loads((tmp_path / "portfolio.json").read_bytes())["version"] == 1


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"opportunities": "closed_on"}, "did you mean 'opportunity'"),
        ({"opportunity": "stage"}, "'stage': its days are created_at, closed_on"),
        ({"owner": "name"}, "its days are none"),
    ],
)
def test_what_has_no_years_is_refused_before_anything_is_written(
    book, tmp_path, wish, said
):
    with pytest.raises(SettingsError, match=said):
        book.save(tmp_path / "book", partitioned=wish)
    assert not (tmp_path / "book").exists()


def test_a_column_that_the_table_lacks_leaves_it_in_one_file(book, tmp_path):
    book.save(tmp_path, partitioned={"opportunity": "refused_on"})
    assert "opportunity.parquet" in files(tmp_path)


def test_a_table_without_rows_keeps_its_columns(book, tmp_path):
    book.save(tmp_path, partitioned={"contract": "starts_on"})
    loaded = Portfolio.load(tmp_path, backend="duckdb")
    assert to_arrow(loaded["contract"]).schema == book["contract"].schema
    assert loaded.id == book.id


@pytest.mark.skipif(sys.platform != "linux", reason="it counts what is open there")
def test_no_more_files_are_open_than_one_table_has_years(tmp_path):
    count, spare = 60, 20
    days = [date(1950 + at, 1, 1) for at in range(count)]
    ids = [f"{at:02}" for at in range(count)]
    own = pa.array(["A"] * count)
    contract = pa.table({"contract_id": ids, "account_id": own, "starts_on": days})
    line = {"line_id": ids, "account_id": own, "booked_on": days, "amount": [1.0] * 60}
    event = {"event_id": ids, "from_on": days, "to_on": days, "label": ids}
    made = Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        account=pa.table({"account_id": ["A"]}),
        contract=contract,
        revenue_line=pa.table(line),
        event=pa.table(event),
    )
    parts = {"contract": "starts_on", "revenue_line": "booked_on", "event": "from_on"}
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = {int(each.name) for each in Path("/proc/self/fd").iterdir()}
    free = [number for number in range(4096) if number not in taken]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[count + spare], hard))
    try:
        made.save(tmp_path, partitioned=parts)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    assert Portfolio.load(tmp_path).id == made.id


@pytest.mark.parametrize("backend", ["duckdb", "polars_lazy", "ibis"])
@pytest.mark.parametrize(("name", "beside"), [("book [1]", "book 1"), ("b*k", "book")])
def test_a_folder_called_like_a_pattern_is_not_its_neighbour(
    book, tmp_path, backend, name, beside
):
    book.save(tmp_path / name, partitioned=PARTS)
    book.only(["B"]).save(tmp_path / beside, partitioned=PARTS)
    loaded = Portfolio.load(tmp_path / name, backend=backend)
    found = to_arrow(loaded["opportunity"]).sort_by("opportunity_id")
    assert found.equals(book["opportunity"])
