"""Does a person see how files were understood, and decide where they could mislead?"""

from __future__ import annotations

from typing import Any

import pytest

from crm_portfolio.connectors.files import Files, FilesSettings
from crm_portfolio.errors import SchemaError, SettingsError

REPORT = (
    "Opportunity ID;Account ID;Account Name;Closed;Won;Amount;Close Date;Colour\r\n"
    "1;7;Acme;1;1;1 234,50 €;31/12/2025;red\r\n"
)


def test_the_proposal_names_files_columns_formats_and_what_is_left(
    exported: Any,
) -> None:
    proposal = Files(exported({"report.csv": REPORT.encode("cp1252")})).proposal()
    (file,) = proposal.files
    assert (file.file, file.table, file.confidence, file.row_count) == (
        "report.csv",
        "opportunity",
        "certain",
        1,
    )
    columns = {column.column: column for column in file.columns}
    assert (columns["amount"].header, columns["amount"].how) == (
        "Amount",
        "decimal comma, EUR",
    )
    assert columns["close_date"].how == "DD/MM/YYYY"
    assert file.unmapped == ("Colour",)
    text = str(proposal)
    assert text.startswith("dialect salesforce-report (certain)")
    for part in (
        "report.csv → opportunity (certain): 1 row(s); cp1252 (not UTF-8",
        "semicolons",
        "Amount → amount (decimal comma, EUR, certain)",
        "Close Date → close_date (DD/MM/YYYY, certain)",
        "not read: Colour",
        "note: there is no file of accounts",
    ):
        assert part in text


def test_what_a_person_said_is_marked_as_given(exported: Any) -> None:
    text = REPORT.replace("31/12/2025", "01/02/2025").replace("1 234,50", "1,234")
    settings = FilesSettings(decimal=",", date_order="mdy")
    folder = exported({"report.csv": text})
    proposal = Files(folder, dialect="salesforce-report", settings=settings).proposal()
    assert proposal.confidence == "given"
    confidences = {
        column.column: column.confidence for column in proposal.files[0].columns
    }
    assert confidences["amount"] == "given"
    assert confidences["close_date"] == "given"
    assert confidences["opportunity_id"] == "certain"


@pytest.mark.parametrize(
    "fields", [{}, {"opportunity": {"source": "\x1b[31mCol\u202eour"}}]
)
def test_hostile_headers_can_do_nothing_but_be_read(fields: Any, exported: Any) -> None:
    folder = exported({"report.csv": REPORT.replace("Colour", "\x1b[31mCol\u202eour")})
    proposal = Files(folder, settings=FilesSettings(fields=fields)).proposal()
    assert "our" in str(proposal)
    assert "\x1b" not in str(proposal)
    assert "\u202e" not in str(proposal)


def test_a_named_table_leaves_the_headers_to_tell_the_dialect(exported: Any) -> None:
    folder = exported({"x.csv": "Record ID,Company name,Email\n1,Acme,a@b.example\n"})
    with pytest.raises(SettingsError, match="not recognised"):
        Files(folder)
    proposal = Files(
        folder, settings=FilesSettings(files={"x.csv": "account"})
    ).proposal()
    assert proposal.dialect == "hubspot-export"
    assert proposal.files[0].confidence == "given"


def test_all_that_is_uncertain_is_asked_at_once(exported: Any) -> None:
    text = (
        "Opportunity ID,Account Name,Stage,Amount,Close Date,Created Date\n"
        '1,A,Mine,"1,234",01/02/2025,03/04/2025\n'
    )
    with pytest.raises(SettingsError) as caught:
        Files(exported({"report.csv": text}))
    message = str(caught.value)
    assert message.startswith("4 thing(s) cannot be told")
    for part in (
        "opportunity.amount",
        "opportunity.close_date",
        "opportunity.created_at",
        "Mine",
    ):
        assert part in message


def test_all_cells_that_cannot_be_read_are_told_at_once(exported: Any) -> None:
    text = (
        "Opportunity ID,Account Name,Closed,Won,Amount,Close Date,Probability (%)\n"
        "1,A,1,1,5.5,2025-01-31,50\n2,A,perhaps,1,lots,2025-02-29,x\n3,A,1,1,5 kr,2025-01-31,7\n"
    )
    source = Files(exported({"report.csv": text}))
    assert source.proposal().files[0].row_count == 3
    with pytest.raises(SchemaError) as caught:
        list(source.pull("account"))
    faults = caught.value.faults.to_pylist()
    assert {(row["column"], row["row"], row["value"]) for row in faults} == {
        ("is_closed", 1, "perhaps"),
        ("amount", 1, "lots"),
        ("close_date", 1, "2025-02-29"),
        ("probability", 1, "x"),
        ("amount", 2, "5 kr"),
    }
    assert {(row["table"], row["fault"], row["effect"]) for row in faults} == {
        ("opportunity", "wrong_type", "stops")
    }
    assert all("report.csv" in row["hint"] for row in faults)


def test_an_amount_in_another_currency_than_the_row_names_is_refused(
    exported: Any,
) -> None:
    text = "Opportunity ID,Account Name,Closed,Won,Amount,Currency\n1,A,1,1,5 €,USD\n2,A,1,1,5 €,eur\n"
    with pytest.raises(SchemaError) as caught:
        list(Files(exported({"report.csv": text})).pull("opportunity"))
    assert [row["row"] for row in caught.value.faults.to_pylist()] == [0]


def test_rows_are_counted_through_all_files_of_a_table(exported: Any) -> None:
    head = "Opportunity ID,Account Name,Closed,Won,Amount\n"
    files = {
        "a.csv": head + "1,A,1,1,5\n2,A,1,1,6\n",
        "b.csv": head + "3,A,1,1,7\n4,A,1,1,x\n",
    }
    with pytest.raises(SchemaError) as caught:
        list(Files(exported(files)).pull("opportunity"))
    (fault,) = caught.value.faults.to_pylist()
    assert fault["row"] == 3
    assert "b.csv" in fault["hint"]


def test_two_headers_for_one_column_are_asked_about(exported: Any) -> None:
    text = "Opportunity ID,Account Name,Closed,Won,Amount,Montant\n1,A,1,1,5,6\n"
    with pytest.raises(
        SettingsError, match="'Amount' and 'Montant' could each be"
    ) as caught:
        Files(exported({"report.csv": text}))
    assert 'fields={"opportunity": {"amount": "Amount"}}' in str(caught.value)


def test_files_of_two_dialects_are_not_mixed_silently(exported: Any) -> None:
    files = {
        "report.csv": REPORT,
        "deals.csv": "Record ID,Deal Name,Deal Stage\n1,D,closedwon\n",
    }
    with pytest.raises(SettingsError, match=r"1 of 2 file\(s\) not recognised"):
        Files(exported(files))


def test_a_folder_that_fits_two_dialects_is_asked_about(exported: Any) -> None:
    text = "Opportunity Name,Deal Name,Opportunity ID,Record ID,Stage,Deal Stage\n"
    with pytest.raises(SettingsError, match="'salesforce-report' or 'hubspot-export'"):
        Files(exported({"both.csv": text}))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fields": {"opportunty": {}}}, "did you mean 'opportunity'"),
        ({"fields": {"opportunity": {"prodct_id": "x"}}}, "did you mean 'product_id'"),
        ({"fields": {"ticket": {"priority": "x"}}}, "none of the files is that table"),
        ({"files": {"report.csv": "acount"}}, "did you mean 'account'"),
        ({"files": {"reprot.csv": "ignore"}}, "did you mean 'report.csv'"),
        ({"stages": {"Won": "gewonnen"}}, "'open', 'won' or 'lost'"),
        ({"decimal": ";"}, "decimal is"),
        ({"date_order": "ymd"}, "date_order is"),
        ({"time_zone": "Europe/Pariss"}, "no time zone"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    settings: Any, message: str, exported: Any
) -> None:
    with pytest.raises(SettingsError, match=message):
        Files(exported({"report.csv": REPORT}), settings=FilesSettings(**settings))


def test_an_unknown_dialect_is_asked_back(exported: Any) -> None:
    dialect: Any = "salesforce_report"
    with pytest.raises(SettingsError, match="did you mean 'salesforce-report'"):
        Files(exported({"report.csv": REPORT}), dialect=dialect)


def test_no_name_of_a_customer_stands_in_a_message(exported: Any) -> None:
    text = (
        "Opportunity ID,Opportunity Name,Account Name,Stage,Amount\n"
        '1,Secret deal,Secret company,Mine,"1,234"\n2,Secret deal,Secret company,Mine,x\n'
    )
    folder = exported({"report.csv": text})
    with pytest.raises(SettingsError) as asked:
        Files(folder)
    source = Files(folder, settings=FilesSettings(decimal=",", stages={"Mine": "won"}))
    with pytest.raises(SchemaError) as refused:
        list(source.pull("opportunity"))
    for said in (
        str(asked.value),
        str(refused.value),
        str(source.proposal()),
        repr(source),
    ):
        assert "Secret" not in said
