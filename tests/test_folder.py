"""Does a folder of tables come in as it stands, and is what cannot be read refused?"""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_portfolio._folder import (
    FolderFormat,
    ParquetRows,
    parquet_bytes,
    read_folder,
    write_folder,
)
from crm_portfolio.errors import DamagedFileError, SettingsError
from crm_portfolio.schema import TableName

TABLES: dict[TableName, pa.Table] = {
    "account": pa.table(
        {"account_id": ["1", "2"], "name": ['Ünal "&" Søn;\nLyon, FR', "NA"]}
    ),
    "opportunity": pa.table(
        {"opportunity_id": ["a"], "status": ["won"], "amount": pa.array([1234567.25])}
    ),
}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_is_written_is_read(tmp_path: Path, kind: FolderFormat) -> None:
    write_folder(tmp_path / "deep" / "in side", TABLES, format=kind)
    tables = read_folder(tmp_path / "deep" / "in side")
    assert list(tables) == ["account", "opportunity"]
    assert tables["account"].equals(TABLES["account"])
    amount = tables["opportunity"]["amount"]
    assert amount.to_pylist() == (["1234567.25"] if kind == "csv" else [1234567.25])


def test_csv_comes_as_text_and_an_empty_cell_as_null(tmp_path: Path) -> None:
    content = '\ufeffaccount_id;name;country\n001;NA;\n"2";"a\nb";""\n'
    (tmp_path / "account.csv").write_text(content, encoding="utf-8")
    assert read_folder(tmp_path)["account"].to_pydict() == {
        "account_id": ["001", "2"],
        "name": ["NA", "a\nb"],
        "country": [None, None],
    }


def test_line_breaks_in_cells_are_read_wherever_the_file_is_cut(tmp_path: Path) -> None:
    names = [f"{place}\n" * 9 for place in range(60_000)]
    table = pa.table({"account_id": list(map(str, range(60_000))), "name": names})
    write_folder(tmp_path, {"account": table})
    assert read_folder(tmp_path)["account"].equals(table)


def test_a_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "account.csv").write_text("account_id,name\n", encoding="utf-8")
    table = read_folder(tmp_path)["account"]
    assert (len(table), table.column_names) == (0, ["account_id", "name"])


def test_an_unknown_table_is_asked_back(tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text("account_id\n1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="did you mean 'account'"):
        read_folder(tmp_path)


def test_other_files_may_lie_there(tmp_path: Path) -> None:
    write_folder(tmp_path, TABLES)
    (tmp_path / "README.md").write_text("notes", encoding="utf-8")
    assert set(read_folder(tmp_path)) == set(TABLES)


def test_an_empty_folder_and_none_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no table"):
        read_folder(tmp_path)
    with pytest.raises(SettingsError, match="there is no folder"):
        read_folder(tmp_path / "gone")


def test_a_table_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, TABLES, format="csv")
    write_folder(tmp_path, TABLES, format="parquet")
    with pytest.raises(SettingsError, match=r"account\.csv and account\.parquet"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("account.csv", b"account_id,name\n1,a,secret\n", "cannot be read as csv"),
        ("account.csv", b"account_id,name\n1,\xe9t\xe9 secret\n", "not in UTF-8"),
        ("account.csv", b"\xff\xfe\x00", "not in UTF-8"),
        ("account.csv", b"", "as csv"),
        ("account.csv", b"account_id,account_id\n1,2\n", "stands twice"),
        ("account.parquet", b"PAR1 secret", "as parquet"),
    ],
)
def test_a_damaged_file_is_named_without_quoting_it(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DamagedFileError, match=said) as caught:
        read_folder(tmp_path)
    assert name in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_parquet_file_tells_of_its_rows_and_not_of_the_pieces_they_came_in() -> None:
    rows = 150_000
    table = pa.table(
        {
            "opportunity_id": [f"o{n}" for n in range(rows)],
            "name": [None if n % 7 == 0 else "ü" * (n % 50) for n in range(rows)],
            "stage": [f"s{n % 3_000}" * 20 for n in range(rows)],
            "owner_id": [f"u{n % 9}" for n in range(rows)],
            "amount": [n / 7 for n in range(rows)],
        }
    )
    whole = parquet_bytes(table)
    for size in (997, 10_000, 65_536, 70_000):
        sink = io.BytesIO()
        file = ParquetRows(sink, table.schema)
        for start in range(0, rows, size):
            file.write(pa.concat_tables([table.slice(start, size)]))
        file.close()
        assert sink.getvalue() == whole
    assert pq.read_table(io.BytesIO(whole)).equals(table)
