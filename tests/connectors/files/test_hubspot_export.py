"""Is a view exported from HubSpot the same book as the portal's?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from crm_portfolio.connectors.files import Files, FilesSettings
from crm_portfolio.errors import SettingsError

Pulled = Callable[[Any, str], list[dict[str, Any]]]

ENGLISH = {
    "hubspot-crm-exports-all-companies.csv": (
        '"Record ID","Company name","Company owner","Industry","Country/Region",'
        '"Company Domain Name","Annual Revenue","Number of Employees","Create Date",'
        '"Parent Company"\n'
        '"101","NA","Ann Lee","STEEL","France","acme.example","1200000.5","120",'
        '"2020-01-31 09:15",""\n'
        '"102","Acme ""Lyon""","","","","","","","2021-02-01 09:15","NA"\n'
    ),
    "hubspot-crm-exports-all-deals.csv": (
        '"Record ID","Deal Name","Deal Stage","Pipeline","Amount","Currency","Close Date",'
        '"Create Date","Deal owner","Deal probability","Closed Lost Reason",'
        '"Is Closed Won","Is closed lost","Associated Company IDs (Primary)",'
        '"Associated Company (Primary)"\n'
        '"1","One","Closed won (Sales Pipeline)","Sales Pipeline","1234.5","EUR",'
        '"2026-01-31 16:04","2025-12-01 08:00","Ann Lee","1.0","","true","false","101","NA"\n'
        '"2","Two","Closed lost (Sales Pipeline)","Sales Pipeline","","EUR",'
        '"2026-02-13 16:04","2025-12-02 08:00","","0","price","false","true","102",""\n'
        '"3","Three","Contract sent (Sales Pipeline)","Sales Pipeline","7","EUR",'
        '"2026-05-31 16:04","2025-12-03 08:00","","0.9000000000000000222","","","","",""\n'
    ),
}
FRENCH = {
    "entreprises.csv": (
        "ID de fiche d'informations,Nom de l'entreprise,Propriétaire de l'entreprise,"
        "Secteur d'activité,Pays/région,Nom de domaine de l'entreprise,"
        "Chiffre d'affaires annuel,Nombre d'employés,Date de création,Société mère\n"
        "101,NA,Ann Lee,STEEL,France,acme.example,1200000.5,120,2020-01-31 09:15,\n"
        '102,"Acme ""Lyon""",,,,,,,2021-02-01 09:15,NA\n'
    ),
    "transactions.csv": (
        "ID de fiche d'informations,Nom de la transaction,Phase de la transaction,Pipeline,"
        "Montant,Devise,Date de fermeture,Date de création,Propriétaire de la transaction,"
        "Probabilité de la transaction,Raison de la perte,Transaction gagnée,"
        "Transaction perdue,Associated Company IDs (Primary),Associated Company (Primary)\n"
        "1,One,Closed won (Sales Pipeline),Sales Pipeline,1234.5,EUR,2026-01-31 16:04,"
        "2025-12-01 08:00,Ann Lee,1.0,,true,false,101,NA\n"
        "2,Two,Closed lost (Sales Pipeline),Sales Pipeline,,EUR,2026-02-13 16:04,"
        "2025-12-02 08:00,,0,price,false,true,102,\n"
        "3,Three,Contract sent (Sales Pipeline),Sales Pipeline,7,EUR,2026-05-31 16:04,"
        "2025-12-03 08:00,,0.9000000000000000222,,,,,\n"
    ),
}


@pytest.mark.parametrize("files", [ENGLISH, FRENCH], ids=["English", "French"])
@pytest.mark.parametrize("dialect", ["hubspot-export", None])
def test_an_export_in_either_language_is_the_same_book(
    files: dict[str, str], dialect: Any, exported: Any, pulled: Pulled
) -> None:
    source = Files(exported(files), dialect=dialect)
    assert source.proposal().dialect == "hubspot-export"
    parent, child = pulled(source, "account")
    assert parent == {
        "account_id": "101",
        "name": "NA",
        "parent_id": None,
        "owner_id": "Ann Lee",
        "segment": "STEEL",
        "country": "France",
        "domain": "acme.example",
        "account_turnover": "1200000.5",
        "employee_count": "120",
        "created_on": date(2020, 1, 31),
    }
    assert (child["name"], child["parent_id"]) == ('Acme "Lyon"', "101")
    one, two, three = pulled(source, "opportunity")
    assert one == {
        "opportunity_id": "1",
        "name": "One",
        "account_id": "101",
        "owner_id": "Ann Lee",
        "pipeline": "Sales Pipeline",
        "stage": "Closed won",
        "status": "won",
        "amount": "1234.5",
        "currency": "EUR",
        "created_at": datetime(2025, 12, 1, 8, tzinfo=UTC),
        "closed_on": date(2026, 1, 31),
        "expected_close_on": None,
        "probability": "1.0",
        "loss_reason": None,
    }
    assert (two["status"], two["closed_on"], two["loss_reason"]) == (
        "lost",
        date(2026, 2, 13),
        "price",
    )
    assert (two["account_id"], two["amount"]) == ("102", None)
    assert (three["status"], three["expected_close_on"], three["account_id"]) == (
        "open",
        date(2026, 5, 31),
        None,
    )
    assert (three["probability"], three["stage"]) == (
        "0.9000000000000000222",
        "Contract sent",
    )
    assert all("not read" not in line for line in str(source.proposal()).splitlines())


DEALS = "Record ID,Deal Name,Deal Stage"
COMPANIES = {"companies.csv": "Record ID,Company name\n12,Acme\n34,Beta\n"}


def deals(head: str, *rows: str) -> dict[str, str]:
    lines = [f"{at},D,closedwon,{row}" for at, row in enumerate(rows, start=1)]
    return {"deals.csv": "\n".join((f"{DEALS},{head}", *lines)) + "\n"}


def links(folder: Any, pulled: Pulled) -> list[str | None]:
    return [row["account_id"] for row in pulled(Files(folder), "opportunity")]


def test_of_several_companies_the_primary_one_is_taken(
    exported: Any, pulled: Pulled
) -> None:
    head = "Associated Company IDs,Associated Company IDs (Primary)"
    folder = exported({**COMPANIES, **deals(head, "12;34,34", "12,", "12;34,", ",")})
    assert links(folder, pulled) == ["34", "12", None, None]
    assert "1 row(s) name several companies and no primary one" in str(
        Files(folder).proposal()
    )


def test_without_a_primary_one_only_a_single_company_is_taken(
    exported: Any, pulled: Pulled
) -> None:
    rows = ("12", "12;34", "12;12", " 34 ;", "")
    folder = exported({**COMPANIES, **deals("Associated Company IDs", *rows)})
    assert links(folder, pulled) == ["12", None, "12", "34", None]


def test_names_stand_in_where_no_ids_were_exported(
    exported: Any, pulled: Pulled
) -> None:
    rows = ("Acme", "Acme;Beta", "Gone", "")
    folder = exported({**COMPANIES, **deals("Associated Company", *rows)})
    assert links(folder, pulled) == ["12", None, None, None]
    assert "2 row(s) name an account that is not among them" in str(
        Files(folder).proposal()
    )


def test_without_a_file_of_companies_those_of_the_deals_are_all(
    exported: Any, pulled: Pulled
) -> None:
    head = "Associated Company IDs,Associated Company"
    source = Files(
        exported(deals(head, "12,Acme", "12;34,Acme;Beta", "34,Beta", "12,Acme"))
    )
    assert pulled(source, "account") == [
        {"account_id": "12", "name": "Acme"},
        {"account_id": "34", "name": "Beta"},
    ]


def test_a_stage_keeps_its_brackets_unless_they_hold_the_pipeline(
    exported: Any, pulled: Pulled
) -> None:
    text = f"{DEALS},Pipeline\n1,D,Offer (2) (Sales),Sales\n2,D,Offer (2),Sales\n3,D,Won,Sales\n"
    settings = FilesSettings(stages={"Offer (2)": "open", "Won": "won"})
    source = Files(exported({"deals.csv": text}), settings=settings)
    assert [row["stage"] for row in pulled(source, "opportunity")] == [
        "Offer (2)",
        "Offer (2)",
        "Won",
    ]


def test_the_flags_go_before_the_stage(exported: Any, pulled: Pulled) -> None:
    text = (
        f"{DEALS},Is Closed Won,Is Closed Lost\n"
        "1,D,Whatever,true,false\n2,D,Whatever,false,true\n3,D,Whatever,false,false\n"
    )
    rows = pulled(Files(exported({"deals.csv": text})), "opportunity")
    assert [row["status"] for row in rows] == ["won", "lost", "open"]


def test_stages_of_ones_own_have_to_be_named(exported: Any) -> None:
    with pytest.raises(SettingsError, match=r'stages=\{"1234567"'):
        Files(exported({"deals.csv": f"{DEALS}\n1,D,1234567\n"}))
