"""Is every cell of a CSV file what its writer put there?"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio.connectors.files import Files, FilesSettings
from crm_portfolio.errors import DataError, SettingsError

Pulled = Callable[[Any, str], list[dict[str, Any]]]
HEAD = "Account ID,Account Name,Industry\n"


def accounts(folder: Path, pulled: Pulled, **settings: Any) -> list[dict[str, Any]]:
    source = Files(
        folder, dialect="salesforce-report", settings=FilesSettings(**settings)
    )
    return pulled(source, "account")


def test_a_byte_order_mark_is_no_part_of_the_header(
    exported: Any, pulled: Pulled
) -> None:
    folder = exported({"a.csv": "\ufeff" + HEAD + "1,Acme,Steel\n"})
    assert accounts(folder, pulled) == [
        {"account_id": "1", "name": "Acme", "segment": "Steel"}
    ]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(
    mark: str, exported: Any, pulled: Pulled
) -> None:
    text = mark.join(["Account ID", "Account Name", '"Industry, if known; or not"'])
    folder = exported({"a.csv": f'{text}\n1{mark}"A;c,m|e"{mark}Steel\n'})
    assert accounts(folder, pulled) == [{"account_id": "1", "name": "A;c,m|e"}]


def test_known_headers_tell_the_delimiter_from_a_mark_in_a_header(
    exported: Any, pulled: Pulled
) -> None:
    head = "Account ID;Account Name;Remarks, in short, as heard, or not\n"
    folder = exported({"a.csv": head + "1;Acme;x\n"})
    assert accounts(folder, pulled) == [{"account_id": "1", "name": "Acme"}]


def test_excel_may_say_the_delimiter_itself(exported: Any, pulled: Pulled) -> None:
    folder = exported({"a.csv": "sep=;\r\n\r\nAccount ID;Account Name\r\n1;Acme\r\n"})
    assert accounts(folder, pulled) == [{"account_id": "1", "name": "Acme"}]


def test_quotes_and_line_breaks_stay_within_a_cell(
    exported: Any, pulled: Pulled
) -> None:
    folder = exported(
        {"a.csv": HEAD.replace("\n", "\r\n") + '1,"A ""b""\r\nc\nd",x\r\n2,E,y'}
    )
    rows = accounts(folder, pulled)
    assert [row["name"] for row in rows] == ['A "b"\r\nc\nd', "E"]


def test_a_name_that_looks_like_nothing_is_a_name(
    exported: Any, pulled: Pulled
) -> None:
    names = ["NA", "null", "None", "NaN", "#N/A", "nil", "-", "0", "TRUE"]
    folder = exported(
        {"a.csv": HEAD + "".join(f"{at},{name},\n" for at, name in enumerate(names))}
    )
    assert [row["name"] for row in accounts(folder, pulled)] == names


def test_an_empty_cell_is_null_quoted_or_not(exported: Any, pulled: Pulled) -> None:
    folder = exported({"a.csv": HEAD + '1,,""\n'})
    assert accounts(folder, pulled) == [
        {"account_id": "1", "name": None, "segment": None}
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_found_and_told(
    encoding: str, exported: Any, pulled: Pulled
) -> None:
    folder = exported(
        {"a.csv": (HEAD + "1,Société Générale – Œuvre,€\n").encode(encoding)}
    )
    assert accounts(folder, pulled)[0]["name"] == "Société Générale – Œuvre"
    how = Files(folder).proposal().files[0].how
    assert how.startswith({"utf-8-sig": "utf-8"}.get(encoding, encoding))
    assert ("not UTF-8" in how) == (encoding == "cp1252")


def test_another_encoding_has_to_be_said(exported: Any, pulled: Pulled) -> None:
    folder = exported({"a.csv": (HEAD + "1,Łódź,x\n").encode("utf-16-le")})
    with pytest.raises(SettingsError, match="encoding="):
        accounts(folder, pulled)
    assert accounts(folder, pulled, encoding="utf-16-le")[0]["name"] == "Łódź"
    with pytest.raises(SettingsError, match="no-such"):
        accounts(folder, pulled, encoding="no-such")


@pytest.mark.parametrize("rows", [0, 400_000], ids=["at once", "later"])
def test_a_text_that_no_encoding_fits_is_refused(
    rows: int, exported: Any, pulled: Pulled
) -> None:
    before = HEAD.encode() + b"1,A,x\n" * rows
    folder = exported({"a.csv": before + b"1,\x81\x8d secret name,x\n"})
    with pytest.raises(SettingsError, match="encoding=") as caught:
        accounts(folder, pulled)
    assert "secret" not in str(caught.value)


def test_a_header_that_stands_twice_is_asked_about(
    exported: Any, pulled: Pulled
) -> None:
    folder = exported({"a.csv": "Account ID,Account Name,Account Name\n1,A,B\n"})
    with pytest.raises(SettingsError, match=r"'Account Name' and 'Account Name \(2\)'"):
        accounts(folder, pulled)
    rows = accounts(folder, pulled, fields={"account": {"name": "Account Name (2)"}})
    assert rows == [{"account_id": "1", "name": "B"}]


def test_rows_that_do_not_fit_the_header_are_all_named(
    exported: Any, pulled: Pulled
) -> None:
    folder = exported({"a.csv": HEAD + "1,A,x\n2,B\n3,C,x\n4,D,x,y\n5,E,x\n"})
    with pytest.raises(DataError, match=r"row\(s\) 3, 5 have another number of cells"):
        accounts(folder, pulled)


def test_a_quote_that_is_never_closed_is_noticed(exported: Any, pulled: Pulled) -> None:
    folder = exported({"a.csv": HEAD + '1,A,x\n2,B,"x\n3,C,x\n4,D,x\n'})
    with pytest.raises(DataError, match="never closes"):
        accounts(folder, pulled)


@pytest.mark.parametrize("content", ["", "\ufeff", "\n\r\n\n"])
def test_a_file_without_a_header_is_refused(
    content: str, exported: Any, pulled: Pulled
) -> None:
    with pytest.raises(SettingsError, match=r"a\.csv is empty"):
        accounts(exported({"a.csv": content}), pulled)


def test_a_header_alone_is_an_empty_table(exported: Any) -> None:
    source = Files(exported({"a.csv": HEAD}))
    assert source.tables() == {"account": ("account_id", "name", "segment")}
    (batch,) = source.pull("account")
    assert batch.is_last
    assert batch.rows.num_rows == 0
    assert batch.rows.column_names == ["account_id", "name", "segment"]


def test_blank_rows_are_no_records(exported: Any, pulled: Pulled) -> None:
    folder = exported({"a.csv": HEAD + "\n1,A,x\n,,\n\n2,B,y\n"})
    assert [row["account_id"] for row in accounts(folder, pulled)] == ["1", "2"]
    assert Files(folder).proposal().files[0].dropped_count == 1


def test_a_description_longer_than_a_block_is_read(
    exported: Any, pulled: Pulled
) -> None:
    long = "x\n" * 1_500_000
    folder = exported({"a.csv": f'{HEAD}1,"{long}",x\n2,B,y\n'})
    assert [row["name"] for row in accounts(folder, pulled)] == [long, "B"]


NAMES = st.lists(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1
    ),
    min_size=1,
    max_size=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    NAMES,
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_whatever_a_company_is_called_comes_back(
    tmp_path: Path, pulled: Pulled, names: list[str], mark: str, end: str, encoding: str
) -> None:
    sink = io.StringIO(newline="")
    out = csv.writer(sink, delimiter=mark, lineterminator=end, quoting=csv.QUOTE_ALL)
    out.writerow(["Account ID", "Account Name"])
    out.writerows([str(at), name] for at, name in enumerate(names))
    (tmp_path / "a.csv").write_bytes(sink.getvalue().encode(encoding))
    assert [row["name"] for row in accounts(tmp_path, pulled)] == names
