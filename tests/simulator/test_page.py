"""Is what the page says of routes and gaps true of the pretend org?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crm_portfolio.simulator.salesforce._call import DATA
from crm_portfolio.simulator.salesforce._routing import ROUTES

PAGE = Path(__file__).parents[2] / "docs/reference/simulator-salesforce.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted({route.template for route in ROUTES}))
def test_every_route_is_on_the_page(page: str, path: str) -> None:
    parts = [
        part for part in path.removeprefix(DATA).split("/") if not part.startswith("{")
    ]
    lacking = [part for part in parts if part and part not in page]
    assert not lacking


@pytest.mark.parametrize(
    ("soql", "said"),
    [
        ("SELECT TYPEOF What WHEN Account THEN Id END FROM Task", "TYPEOF"),
        ("SELECT a.Id FROM Account a", "aliases of objects"),
        ("SELECT toLabel(Industry) FROM Account", "other functions"),
        ("SELECT Id FROM Account GROUP BY ROLLUP(Id)", "ROLLUP"),
        ("SELECT Id FROM Account FOR UPDATE", "FOR, WITH and USING"),
        ("SELECT What.Name FROM Task", "of several objects"),
    ],
)
def test_what_is_said_to_be_lacking_in_soql_is_refused_as_such(
    raw, page: str, soql: str, said: str
) -> None:
    assert said in re.sub(r"\s+", " ", page.split("## What it does not imitate")[1])
    reply = raw.query(soql)
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (501, "NOT_IMITATED")


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id, (SELECT Id FROM Opportunities) FROM Account",
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Opportunity)",
        "SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS:30",
        "SELECT AccountId FROM Opportunity GROUP BY AccountId HAVING COUNT(Id) > 1",
        "SELECT FIELDS(STANDARD) FROM Account LIMIT 2",
    ],
)
def test_what_is_said_to_be_known_is_answered(raw, soql: str) -> None:
    assert raw.query(soql).status_code == 200


@pytest.mark.parametrize(
    "path", ["search", "recent", "tooling/query", "sobjects/Account/listviews"]
)
def test_other_routes_are_not_found(raw, path: str) -> None:
    assert raw("GET", path).status_code == 404
