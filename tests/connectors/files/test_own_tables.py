"""Do our own tables come in, however a spreadsheet has dressed them?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import Portfolio, connect, pull, samples
from crm_portfolio._folder import write_folder
from crm_portfolio._frames import to_arrow
from crm_portfolio.connectors.files import Files, FilesSettings
from crm_portfolio.errors import SchemaError, SettingsError

Pulled = Callable[[Any, str], list[dict[str, Any]]]
AS_OF = date(2026, 6, 30)
ACCOUNTS = "account_id,name\n1,Acme\n2,NA\n"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_folder_of_tables_is_read_as_it_was_written(
    form: Any, tmp_path: Path
) -> None:
    book = samples.book(accounts=40, opportunities=300, seed=7)
    write_folder(tmp_path, book.tables, format=form)
    source = connect("files", tmp_path)
    assert source.tables() == {
        name: tuple(table.column_names) for name, table in book.tables.items()
    }
    for name, table in book.tables.items():
        rows = pa.concat_tables([batch.rows for batch in source.pull(name)])
        assert rows.num_rows == table.num_rows


def test_a_saved_portfolio_is_a_folder_of_tables(tmp_path: Path) -> None:
    firm = samples.firm()
    firm.save(tmp_path / "book")
    again = pull(
        connect("files", tmp_path / "book"), as_of=firm.as_of, currency=firm.currency
    )
    assert to_arrow(again["account"]).equals(to_arrow(firm["account"]))


def test_what_a_spreadsheet_has_localised_is_read_back(
    exported: Any, pulled: Pulled
) -> None:
    rows = (
        "opportunity_id;account_id;status;amount;closed_on;is_auto_closed;probability\r\n"
        "1;1;won;1\u202f234,50 €;31/12/2025;VRAI;75%\r\n"
        "2;2;won;1\u202f234 €;01/02/2026;FAUX;1\r\n"
    )
    folder = exported({"account.csv": "\ufeff" + ACCOUNTS, "opportunity.csv": rows})
    one, two = pulled(Files(folder), "opportunity")
    assert (one["amount"], two["amount"], one["currency"]) == ("1234.50", "1234", "EUR")
    assert (one["closed_on"], two["closed_on"]) == (
        date(2025, 12, 31),
        date(2026, 2, 1),
    )
    assert (one["is_auto_closed"], one["probability"]) == (True, "0.75")


def test_an_amount_in_our_own_form_is_never_a_question(
    exported: Any, pulled: Pulled
) -> None:
    head = "opportunity_id,account_id,status,amount\n"
    folder = exported(
        {"account.csv": ACCOUNTS, "opportunity.csv": head + "1,1,won,1.234\n"}
    )
    assert pulled(Files(folder), "opportunity")[0]["amount"] == "1.234"


def test_an_amount_that_could_be_two_is_asked_about(exported: Any) -> None:
    head = "opportunity_id,account_id,status,amount\n"
    folder = exported(
        {"account.csv": ACCOUNTS, "opportunity.csv": head + '1,1,won,"1,234"\n'}
    )
    with pytest.raises(
        SettingsError, match=r"'amount' \(opportunity\.amount\) .* decimal="
    ):
        Files(folder)


def test_what_cannot_be_read_is_told_with_all_other_faults(exported: Any) -> None:
    folder = exported(
        {
            "account.csv": "account_id,name,employee_count,colour\n1,A,many,red\n1,B,5,\n",
            "opportunity.csv": "opportunity_id,account_id,status,amount,closed_on\n"
            "1,1,won,lots,2025-02-30\n",
        }
    )
    with pytest.raises(SchemaError) as caught:
        pull(Files(folder), as_of=AS_OF, currency="EUR")
    faults = {(row["column"], row["fault"]) for row in caught.value.faults.to_pylist()}
    assert faults >= {
        ("employee_count", "wrong_type"),
        ("amount", "wrong_type"),
        ("closed_on", "wrong_type"),
        ("colour", "unknown_column"),
        ("account_id", "duplicate_id"),
    }


def test_a_folder_without_accounts_is_refused(exported: Any) -> None:
    source = Files(exported({"opportunity.csv": "opportunity_id,status\n1,won\n"}))
    assert set(source.tables()) == {"opportunity"}
    with pytest.raises(SchemaError, match="account") as caught:
        pull(source, as_of=AS_OF, currency="EUR")
    assert "missing_table" in {row["fault"] for row in caught.value.faults.to_pylist()}


@pytest.mark.parametrize("rows", ["", "1,Acme\n"])
def test_no_account_and_one_account_are_portfolios(rows: str, exported: Any) -> None:
    folder = exported({"account.csv": "account_id,name\n" + rows})
    portfolio = pull(Files(folder), as_of=AS_OF, currency="EUR")
    assert isinstance(portfolio, Portfolio)
    assert len(portfolio["account"]) == rows.count("\n")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no CSV or Parquet file"):
        Files(tmp_path)
    with pytest.raises(SettingsError, match="there is no folder"):
        Files(tmp_path / "nowhere")


def test_files_that_have_to_be_unpacked_are_named(exported: Any) -> None:
    with pytest.raises(SettingsError, match=r"export\.zip is not read: unpack it"):
        Files(exported({"export.zip": b"PK", "book.xlsx": b"PK"}))


def test_an_unknown_table_is_asked_back(exported: Any) -> None:
    with pytest.raises(SettingsError, match="did you mean 'account'"):
        Files(exported({"acount.csv": ACCOUNTS}))


def test_a_table_in_two_forms_is_asked_about(exported: Any, tmp_path: Path) -> None:
    write_folder(
        tmp_path, {"account": pa.table({"account_id": ["1"]})}, format="parquet"
    )
    with pytest.raises(SettingsError, match="both the table 'account'"):
        Files(exported({"account.csv": ACCOUNTS}))


def test_a_file_may_be_called_otherwise_if_one_says_so(
    exported: Any, pulled: Pulled
) -> None:
    folder = exported(
        {
            "account.csv": ACCOUNTS,
            "Rechnungen 2025.csv": "line_id;account_id;booked_on;Betrag\n1;1;2025-01-31;1.234,50\n",
        }
    )
    settings = FilesSettings(
        files={"Rechnungen 2025.csv": "revenue_line"},
        fields={"revenue_line": {"amount": "Betrag"}},
    )
    assert pulled(Files(folder, settings=settings), "revenue_line") == [
        {
            "line_id": "1",
            "account_id": "1",
            "booked_on": "2025-01-31",
            "amount": "1234.50",
        }
    ]


def test_only_the_columns_asked_for_are_given_and_the_key(exported: Any) -> None:
    source = Files(exported({"account.csv": ACCOUNTS}))
    (batch,) = source.pull("account", columns=("name", "segment"))
    assert batch.rows.column_names == ["account_id", "name"]


def test_a_pull_goes_on_where_it_stood(exported: Any) -> None:
    many = "account_id\n" + "".join(f"{at}\n" for at in range(150_000))
    source = Files(exported({"account.csv": many}))
    batches = list(source.pull("account"))
    assert len(batches) > 2
    assert [batch.is_last for batch in batches] == [False] * (len(batches) - 1) + [True]
    assert sum(batch.rows.num_rows for batch in batches) == 150_000
    rest = list(source.pull("account", resume=batches[0].cursor))
    assert [batch.rows for batch in rest] == [batch.rows for batch in batches[1:]]


def test_a_table_that_is_not_there_is_asked_back(exported: Any) -> None:
    with pytest.raises(SettingsError, match="no table 'opportunity'"):
        list(Files(exported({"account.csv": ACCOUNTS})).pull("opportunity"))


def test_a_field_goes_before_the_column_of_that_name(
    exported: Any, pulled: Pulled
) -> None:
    folder = exported({"account.csv": "account_id,name,Trading name\n1,A,B\n"})
    settings = FilesSettings(fields={"account": {"name": "Trading name"}})
    source = Files(folder, settings=settings)
    assert pulled(source, "account") == [{"account_id": "1", "name": "B"}]
    assert "not read: name" in str(source.proposal())


def test_a_currency_sign_makes_no_column_that_the_table_lacks(
    exported: Any, pulled: Pulled
) -> None:
    events = "event_id;from_on;label;amount\n1;2025-01-31;Fire;1 234,50 €\n"
    source = Files(exported({"account.csv": ACCOUNTS, "event.csv": events}))
    (row,) = pulled(source, "event")
    assert row == {
        "event_id": "1",
        "from_on": "2025-01-31",
        "label": "Fire",
        "amount": "1234.50",
    }
