"""Who owns records, and who did until they left?"""

from __future__ import annotations

import pyarrow as pa
import pytest

from crm_portfolio.simulator.hubspot import HubSpot


@pytest.fixture(scope="module")
def running():
    owners = pa.table(
        {
            "owner_id": [str(number) for number in range(1, 251)],
            "name": [f"First{number} Last" for number in range(1, 251)],
            "is_active": [number != 7 for number in range(1, 251)],
        }
    )
    accounts = pa.table({"account_id": ["a"], "owner_id": ["999"]})
    with HubSpot({"owner": owners, "account": accounts}, limits_by="nothing") as portal:
        yield portal


@pytest.fixture(params=["/crm/v3/owners", "/crm/owners/2026-09"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_owners_come_in_pages(raw, path):
    found, query = [], {}
    while True:
        page = raw("GET", path, params=query).json()
        found += [owner["id"] for owner in page["results"]]
        if "paging" not in page:
            break
        query = {"after": page["paging"]["next"]["after"]}
    assert len(found) == len(set(found)) == 250  # one left, and one nobody listed
    assert "7" not in found
    assert "999" in found


def test_who_left_is_among_the_archived(raw, path):
    (gone,) = raw("GET", path, params={"archived": "true"}).json()["results"]
    assert (gone["id"], gone["archived"]) == ("7", True)
    assert raw("GET", f"{path}/7").status_code == 404
    assert raw("GET", f"{path}/7", params={"archived": "true"}).json() == gone


def test_an_owner_is_found_by_id_or_by_user(raw, path):
    one = raw("GET", f"{path}/12").json()
    assert one["firstName"] == "First12"
    query = {"idProperty": "userId"}
    assert raw("GET", f"{path}/{one['userId']}", params=query).json() == one


@pytest.mark.parametrize("query", [{"limit": "501"}, {"limit": "x"}, {"after": "-1"}])
def test_a_bad_page_is_refused(raw, path, query):
    assert raw("GET", path, params=query).status_code == 400


def test_owners_need_their_scope(raw, portal, path):
    portal.revoke_scope("crm.objects.owners.read")
    assert raw("GET", path).status_code == 403
