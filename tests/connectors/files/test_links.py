"""Do accounts and opportunities find each other, by id or by name?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crm_portfolio.connectors.files import Files
from crm_portfolio.errors import SettingsError

Pulled = Callable[[Any, str], list[dict[str, Any]]]
HEAD = "Opportunity ID,Stage,Amount,Close Date,Account Name"


def report(*rows: str, head: str = HEAD) -> dict[str, str]:
    return {"report.csv": "\n".join((head, *rows)) + "\n"}


def test_without_a_file_of_accounts_those_of_the_opportunities_are_all(
    exported: Any, pulled: Pulled
) -> None:
    head = "Opportunity ID,Stage,Account ID,Account Name"
    folder = exported(
        report(
            "1,Closed Won,0012300000bVTph,Acme",
            "2,Closed Won,0012300000bVTphAAG,ACME",
            "3,Closed Won,001dM00003kREKd,Beta",
            "4,Closed Won,,",
            head=head,
        )
    )
    source = Files(folder)
    assert pulled(source, "account") == [
        {"account_id": "0012300000bVTphAAG", "name": "Acme"},
        {"account_id": "001dM00003kREKdQAO", "name": "Beta"},
    ]
    told = str(source.proposal())
    assert "those that opportunities name (2) are all there are" in told
    assert "1 account(s) have more than one name" in told


def test_accounts_known_by_name_only_go_by_their_names(
    exported: Any, pulled: Pulled
) -> None:
    source = Files(
        exported(report("1,Closed Won,5,2026-01-31,Acme", "2,Closed Won,5,2026-01-31,"))
    )
    assert pulled(source, "account") == [{"account_id": "Acme", "name": "Acme"}]
    assert [row["account_id"] for row in pulled(source, "opportunity")] == [
        "Acme",
        None,
    ]
    assert "known by name only" in str(source.proposal())


def test_a_link_by_name_needs_a_name_of_one_account_alone(
    exported: Any, pulled: Pulled
) -> None:
    files = report(
        *(
            f"{at},Closed Won,5,2026-01-31,{name}"
            for at, name in enumerate(["Acme", "Beta", "Twin", "Nobody", ""])
        )
    )
    files["accounts.csv"] = (
        "Account ID,Account Name\n001,Acme\n002,Beta\n003,Twin\n004,Twin\n"
    )
    source = Files(exported(files))
    links = [row["account_id"] for row in pulled(source, "opportunity")]
    assert links == ["001", "002", None, None, None]
    told = str(source.proposal())
    assert "account_id is found by name" in told
    assert "1 row(s) name an account whose name several have" in told
    assert "1 row(s) name an account that is not among them" in told
    assert "Twin" not in told


def test_accounts_without_ids_may_not_share_a_name(
    exported: Any, pulled: Pulled
) -> None:
    files = report("1,Closed Won,5,2026-01-31,Acme")
    good = exported(
        {**files, "accounts.csv": "Account Name,Industry\nAcme,x\nBeta,y\n"}
    )
    assert [row["account_id"] for row in pulled(Files(good), "opportunity")] == ["Acme"]
    bad = exported({"accounts.csv": "Account Name,Industry\nAcme,x\nAcme,y\n"})
    with pytest.raises(SettingsError, match="1 of them share a name"):
        Files(bad)


def test_accounts_by_name_are_found_although_opportunities_have_ids(
    exported: Any, pulled: Pulled
) -> None:
    files = report(
        "1,Closed Won,001dM00003kREKd,Acme",
        head="Opportunity ID,Stage,Account ID,Account Name",
    )
    source = Files(
        exported({**files, "accounts.csv": "Account Name,Industry\nAcme,x\n"})
    )
    assert [row["account_id"] for row in pulled(source, "account")] == ["Acme"]
    assert [row["account_id"] for row in pulled(source, "opportunity")] == ["Acme"]
