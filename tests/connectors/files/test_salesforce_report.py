"""Is a report exported from Salesforce the same book as the org's?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from crm_portfolio.connectors.files import Files, FilesSettings
from crm_portfolio.errors import DataError, FieldNotFoundError, SettingsError

Pulled = Callable[[Any, str], list[dict[str, Any]]]

ENGLISH = {
    "accounts.csv": (
        "Account ID,Account Name,Parent Account,Account Owner,Industry,Billing Country,"
        "Website,Annual Revenue,Employees,Created Date,Last Activity\n"
        '0012300000bVTph,Acme,,Ann Lee,Steel,FR,https://www.acme.example/x,"$1,234,567.00",'
        '"1,200",1/31/2020,12/31/2025\n'
        "001dM00003kREKd,Acme Lyon,Acme,Ann Lee,Steel,FR,,,,2/1/2021,\n"
    ),
    "opportunities.csv": (
        "Opportunity ID,Opportunity Name,Account ID,Account Name,Opportunity Owner,Stage,"
        "Amount,Close Date,Created Date,Probability (%),Closed,Won,Lead Source,Next Step\n"
        '0062300000bVTph,One,0012300000bVTph,Acme,Ann Lee,Closed Won,"$1,234.50",1/31/2026,'
        "12/1/2025,100,1,1,Web,\n"
        "0062300000bVTpm,Two,001dM00003kREKd,Acme Lyon,Ann Lee,Lost it,$10.00,2/13/2026,"
        "12/2/2025,0,1,0,,\n"
        "0062300000bVTpr,Three,001dM00003kREKd,Acme Lyon,Ann Lee,Talking,,3/4/2026,"
        "12/13/2025,75%,0,0,,call\n"
    ),
}
FRENCH = {
    "comptes.csv": (
        "ID de compte;Nom du compte;Compte parent;Propriétaire du compte;Secteur d'activité;"
        "Pays de facturation;Site Web;Chiffre d'affaires annuel;Employés;Date de création;"
        "Dernière activité\r\n"
        "0012300000bVTph;Acme;;Ann Lee;Steel;FR;https://www.acme.example/x;"
        "1\u202f234\u202f567,00 USD;1\u202f200;31/01/2020;31/12/2025\r\n"
        "001dM00003kREKd;Acme Lyon;Acme;Ann Lee;Steel;FR;;;;01/02/2021;\r\n"
    ),
    "opportunités.csv": (
        "ID de l’opportunité;Nom de l’opportunité;ID de compte;Nom du compte;"
        "Propriétaire de l'opportunité;Étape;Montant;Date de clôture;Date de création;"
        "Probabilité (%);Fermée;Gagnée;Origine de la piste;Étape suivante\r\n"
        "0062300000bVTph;One;0012300000bVTph;Acme;Ann Lee;Closed Won;1\u00a0234,50 USD;"
        "31/01/2026;01/12/2025;100;Vrai;Vrai;Web;\r\n"
        "0062300000bVTpm;Two;001dM00003kREKd;Acme Lyon;Ann Lee;Lost it;10,00 USD;13/02/2026;"
        "02/12/2025;0;Vrai;Faux;;\r\n"
        "0062300000bVTpr;Three;001dM00003kREKd;Acme Lyon;Ann Lee;Talking;;04/03/2026;"
        "13/12/2025;75 %;Faux;Faux;;call\r\n"
    ),
}
ACCOUNTS = [
    {
        "account_id": "0012300000bVTphAAG",
        "name": "Acme",
        "owner_id": "Ann Lee",
        "segment": "Steel",
        "country": "FR",
        "domain": "acme.example",
        "account_turnover": "1234567.00",
        "employee_count": "1200",
        "created_on": date(2020, 1, 31),
        "last_activity_on": date(2025, 12, 31),
        "parent_id": None,
    },
    {
        "account_id": "001dM00003kREKdQAO",
        "name": "Acme Lyon",
        "owner_id": "Ann Lee",
        "segment": "Steel",
        "country": "FR",
        "domain": None,
        "account_turnover": None,
        "employee_count": None,
        "created_on": date(2021, 2, 1),
        "last_activity_on": None,
        "parent_id": "0012300000bVTphAAG",
    },
]


@pytest.mark.parametrize("files", [ENGLISH, FRENCH], ids=["English", "French"])
@pytest.mark.parametrize("dialect", ["salesforce-report", None])
def test_a_report_in_either_language_is_the_same_book(
    files: dict[str, str], dialect: Any, exported: Any, pulled: Pulled
) -> None:
    source = Files(exported(files), dialect=dialect)
    assert source.proposal().dialect == "salesforce-report"
    assert pulled(source, "account") == ACCOUNTS
    one, two, three = pulled(source, "opportunity")
    assert one == {
        "opportunity_id": "0062300000bVTphAAG",
        "name": "One",
        "account_id": "0012300000bVTphAAG",
        "owner_id": "Ann Lee",
        "pipeline": "default",
        "stage": "Closed Won",
        "status": "won",
        "amount": "1234.50",
        "currency": "USD",
        "created_at": datetime(2025, 12, 1, tzinfo=UTC),
        "closed_on": date(2026, 1, 31),
        "expected_close_on": None,
        "probability": "1.00",
        "source": "Web",
        "next_step": None,
    }
    assert (two["status"], two["closed_on"], two["amount"]) == (
        "lost",
        date(2026, 2, 13),
        "10.00",
    )
    assert (three["status"], three["expected_close_on"], three["amount"]) == (
        "open",
        date(2026, 3, 4),
        None,
    )
    assert (three["probability"], three["closed_on"]) == ("0.75", None)
    assert all("not read" not in line for line in str(source.proposal()).splitlines())


HEAD = "Opportunity ID,Stage,Amount,Close Date,Account Name"


def report(*rows: str, head: str = HEAD) -> dict[str, str]:
    return {"report.csv": "\n".join((head, *rows)) + "\n"}


def test_the_end_of_a_report_is_dropped_and_counted(
    exported: Any, pulled: Pulled
) -> None:
    end = (
        "",
        '"Grand Totals (2 records)"',
        "",
        '"Confidential Information - Do Not Distribute"',
        '"Copyright (c) 2000-2026 salesforce.com, inc. All rights reserved."',
        '"Generated By:  Ann Lee  1/31/2026, 5:00 PM"',
        '"My pipeline report"',
        '"Our Company Ltd"',
    )
    folder = exported(
        report("1,Closed Won,5,2026-01-31,A", "2,Closed Won,6,2026-01-31,A", *end)
    )
    source = Files(folder)
    assert [row["opportunity_id"] for row in pulled(source, "opportunity")] == [
        "1",
        "2",
    ]
    assert source.proposal().files[0].dropped_count == 6
    assert "6 dropped" in str(source.proposal())


def test_the_end_may_be_as_wide_as_the_table(exported: Any, pulled: Pulled) -> None:
    end = (
        ",,,,",
        "Total général,,11,,",
        "Total,,11,,",
        "Confidential Information - Do Not Distribute,,,,",
        "Copyright © 2000-2026 salesforce.com,,,,",
    )
    source = Files(exported(report("1,Closed Won,5,2026-01-31,A", *end)))
    assert [row["opportunity_id"] for row in pulled(source, "opportunity")] == ["1"]
    assert source.proposal().files[0].dropped_count == 5


def test_a_company_called_total_is_no_total(exported: Any, pulled: Pulled) -> None:
    with_id = exported({"a.csv": "Account Name,Account ID,Annual Revenue\nTotal,7,5\n"})
    assert [row["name"] for row in pulled(Files(with_id), "account")] == ["Total"]


def test_without_ids_a_company_called_total_is_kept(
    exported: Any, pulled: Pulled
) -> None:
    folder = exported({"a.csv": "Account Name,Annual Revenue\nAcme,5\nTotal,5\n"})
    assert [row["name"] for row in pulled(Files(folder), "account")] == [
        "Acme",
        "Total",
    ]


def test_a_cut_row_in_the_middle_is_not_taken_for_the_end(exported: Any) -> None:
    folder = exported(
        report("1,Closed Won,5,2026-01-31,A", "2", "3,Closed Won,6,2026-01-31,A")
    )
    with pytest.raises(DataError, match=r"row\(s\) 3 have another number of cells"):
        Files(folder)


def test_standard_stages_need_no_flags_and_it_is_told(
    exported: Any, pulled: Pulled
) -> None:
    rows = (
        "1,Closed Won,5,2026-01-31,A",
        "2,closed lost,6,2026-01-31,A",
        "3,Proposal/Price Quote,7,2026-01-31,A",
    )
    source = Files(exported(report(*rows)))
    assert [row["status"] for row in pulled(source, "opportunity")] == [
        "won",
        "lost",
        "open",
    ]
    assert "3 row(s) have their status from the names of their stages" in str(
        source.proposal()
    )


def test_own_stages_are_asked_for_all_at_once(exported: Any, pulled: Pulled) -> None:
    folder = exported(
        report(
            "1,Signé,5,2026-01-31,A",
            "2,Perdu,5,2026-01-31,A",
            "3,Closed Won,5,2026-01-31,A",
        )
    )
    with pytest.raises(SettingsError, match="stages=") as caught:
        Files(folder)
    assert '"Signé"' in str(caught.value)
    assert '"Perdu"' in str(caught.value)
    assert '"Closed Won"' not in str(caught.value)
    told = FilesSettings(stages={"Signé": "won", "perdu": "lost"})
    rows = pulled(Files(folder, settings=told), "opportunity")
    assert [row["status"] for row in rows] == ["won", "lost", "won"]


def test_without_flags_and_stage_the_status_is_asked_for(exported: Any) -> None:
    folder = exported(
        report("1,5,2026-01-31,A", head="Opportunity ID,Amount,Close Date,Account Name")
    )
    with pytest.raises(SettingsError, match="Closed and Won"):
        Files(folder)


def test_the_flag_won_alone_leaves_the_rest_to_the_stage(exported: Any) -> None:
    folder = exported(report("1,A,1", "2,B,0", head="Opportunity ID,Stage,Won"))
    with pytest.raises(SettingsError, match=r'stages=\{"B"'):
        Files(folder)


def test_an_opportunity_needs_its_id(exported: Any) -> None:
    with pytest.raises(SettingsError, match="add 'Opportunity ID' to the export"):
        Files(exported(report("A,Closed Won", head="Opportunity Name,Stage")))


def test_several_reports_make_one_table(exported: Any, pulled: Pulled) -> None:
    head = "Opportunity ID,Account Name,Closed,Won,Amount,Close Date"
    source = Files(
        exported(
            {
                "2025.csv": f'{head}\n1,A,1,1,"1,234.5",12/31/2025\n',
                "2026.csv": f"{head.replace(',', ';')};Stage\n2;A;1;0;1 234,5;31/12/2026;Odd\n",
            }
        )
    )
    rows = pulled(source, "opportunity")
    assert [(row["opportunity_id"], row["amount"], row["stage"]) for row in rows] == [
        ("1", "1234.5", None),
        ("2", "1234.5", "Odd"),
    ]
    assert [row["closed_on"] for row in rows] == [
        date(2025, 12, 31),
        date(2026, 12, 31),
    ]


def test_a_currency_column_goes_before_the_sign(exported: Any, pulled: Pulled) -> None:
    head = "Opportunity ID,Account Name,Closed,Won,Amount,Amount Currency"
    folder = exported(report("1,A,1,1,$5,CAD", "2,A,1,1,6,EUR", head=head))
    assert [row["currency"] for row in pulled(Files(folder), "opportunity")] == [
        "CAD",
        "EUR",
    ]


def test_a_persons_own_fields_are_more_lines_of_the_same_table(
    exported: Any, pulled: Pulled
) -> None:
    head = "Opportunity ID,Account Name,Closed,Won,Product name,Remise"
    folder = exported(report("1,A,1,1,Widgetmachine12,12%", head=head))
    fields = {"opportunity": {"product_id": "product Name", "discount_share": "Remise"}}
    source = Files(folder, settings=FilesSettings(fields=fields))
    (row,) = pulled(source, "opportunity")
    assert row["product_id"] == "Widgetmachine12"
    assert row["discount_share"] == "0.12"
    assert "Product name → product_id (given)" in str(source.proposal())


def test_a_mapped_header_that_is_missing_is_told_at_start(exported: Any) -> None:
    folder = exported(
        report("1,A,1,1,x", head="Opportunity ID,Account Name,Closed,Won,Product name")
    )
    fields = {"opportunity": {"product_id": "Produkt name"}}
    with pytest.raises(
        FieldNotFoundError, match="did you mean 'Product name'"
    ) as caught:
        Files(folder, settings=FilesSettings(fields=fields))
    assert caught.value.field == "Produkt name"
    assert "report.csv" in str(caught.value)


def test_a_field_goes_before_the_header_that_is_known(
    exported: Any, pulled: Pulled
) -> None:
    head = "Opportunity ID,Account Name,Closed,Won,Amount,Amount (converted)"
    folder = exported(report("1,A,1,1,5,7.5", head=head))
    fields = {"opportunity": {"amount": "Amount (converted)"}}
    (row,) = pulled(Files(folder, settings=FilesSettings(fields=fields)), "opportunity")
    assert row["amount"] == "7.5"


def test_a_file_of_other_things_is_not_taken_for_accounts(exported: Any) -> None:
    files = {
        **report("1,Closed Won,5,2026-01-31,A"),
        "contacts.csv": "First Name,Last Name,Account Name\nAnn,Lee,A\n",
    }
    folder = exported(files)
    with pytest.raises(SettingsError, match=r"contacts\.csv") as caught:
        Files(folder)
    assert 'files={"contacts.csv": "account"}' in str(caught.value)
    source = Files(folder, settings=FilesSettings(files={"contacts.csv": "ignore"}))
    assert "contacts.csv is not read, as the settings say" in str(source.proposal())


def test_a_private_person_has_no_name(exported: Any, pulled: Pulled) -> None:
    text = "Account ID,Account Name,Is Person Account\n1,Acme,0\n2,Ann Lee,1\n"
    rows = pulled(Files(exported({"a.csv": text})), "account")
    assert [(row["name"], row["is_person"]) for row in rows] == [
        ("Acme", False),
        (None, True),
    ]


def test_a_cut_row_is_refused_even_where_the_report_ends_well(exported: Any) -> None:
    end = '"Confidential Information - Do Not Distribute"'
    rows = ("1,Closed Won,5,2026-01-31,A", "2", "3,Closed Won,6,2026-01-31,A", end)
    with pytest.raises(DataError, match=r"row\(s\) 3 have"):
        Files(exported(report(*rows)))


def test_the_flag_closed_alone_does_not_make_a_loss(
    exported: Any, pulled: Pulled
) -> None:
    head = "Opportunity ID,Stage,Closed,Account Name"
    folder = exported(
        report("1,Closed Won,1,A", "2,Closed Lost,1,A", "3,Mine,0,A", head=head)
    )
    rows = pulled(Files(folder), "opportunity")
    assert [row["status"] for row in rows] == ["won", "lost", "open"]


def test_a_header_that_a_person_maps_fills_that_column_alone(
    exported: Any, pulled: Pulled
) -> None:
    folder = exported(
        report(
            "1,A,1,1,Widget", head="Opportunity ID,Account Name,Closed,Won,Next Step"
        )
    )
    settings = FilesSettings(fields={"opportunity": {"product_id": "Next Step"}})
    (row,) = pulled(Files(folder, settings=settings), "opportunity")
    assert row["product_id"] == "Widget"
    assert "next_step" not in row
