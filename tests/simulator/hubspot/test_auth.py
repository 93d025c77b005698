"""Tokens, their end, and what they were granted."""

from __future__ import annotations

import pytest
import requests
from hubspot import HubSpot as Client

from crm_portfolio.errors import SettingsError
from crm_portfolio.simulator.hubspot import Assumptions, HubSpot

PATHS = ["/oauth/v1/token", "/oauth/v3/token", "/oauth/2026-03/token"]


def _refresh(portal, path="/oauth/v1/token", **changes):
    told = portal.environment_for("oauth")
    form = {
        "grant_type": "refresh_token",
        "client_id": told["HUBSPOT_CLIENT_ID"],
        "client_secret": told["HUBSPOT_CLIENT_SECRET"],
        "refresh_token": told["HUBSPOT_REFRESH_TOKEN"],
        **changes,
    }
    return requests.post(portal.url + path, data=form, timeout=10)


def _use(raw, token):
    raw.session.headers["Authorization"] = f"Bearer {token}"


@pytest.mark.parametrize("path", PATHS)
def test_a_refresh_token_opens_a_session_of_thirty_minutes(portal, raw, path):
    body = _refresh(portal, path).json()
    assert body["expires_in"] == 1_800
    assert (
        body["refresh_token"]
        == portal.environment_for("oauth")["HUBSPOT_REFRESH_TOKEN"]
    )
    _use(raw, body["access_token"])
    portal.clock.advance(1_799)
    assert raw("GET", "objects/deals").status_code == 200
    portal.clock.advance(1)
    answer = raw("GET", "objects/deals")
    assert answer.status_code == 401
    assert answer.json()["category"] == "EXPIRED_AUTHENTICATION"
    _use(raw, _refresh(portal, path).json()["access_token"])
    assert raw("GET", "objects/deals").status_code == 200


def test_the_vendors_client_refreshes_too(portal):
    told = portal.environment_for("oauth")
    client = Client(host=portal.url)
    tokens = client.oauth.tokens_api.create(
        grant_type="refresh_token",
        client_id=told["HUBSPOT_CLIENT_ID"],
        client_secret=told["HUBSPOT_CLIENT_SECRET"],
        refresh_token=told["HUBSPOT_REFRESH_TOKEN"],
    )
    assert tokens.expires_in == 1_800


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"refresh_token": "other"}, "BAD_REFRESH_TOKEN"),
        ({"client_id": "other"}, "BAD_CLIENT_ID"),
        ({"client_secret": "other"}, "BAD_CLIENT_SECRET"),
        ({"grant_type": "password"}, "BAD_GRANT_TYPE"),
    ],
)
def test_a_wrong_refresh_is_told_apart(portal, changes, status):
    answer = _refresh(portal, **changes)
    assert answer.status_code == 400
    assert answer.json()["status"] == status
    assert answer.json()["correlationId"]


def test_a_wrong_refresh_may_be_told_as_the_rfc_has_it(tables):
    other = Assumptions(refresh_error="rfc")
    with HubSpot(tables, assumptions=other) as portal:
        answer = _refresh(portal, refresh_token="other")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_log_ins_are_no_api_calls_and_need_no_token(portal, raw):
    _refresh(portal)
    raw("GET", "objects/deals")
    assert portal.api_calls == 1
    assert portal.calls == {"POST oauth/v1/token": 1, "GET objects/{kind}": 1}


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic eDp5"}])
def test_without_a_token_nothing_is_told(portal, header):
    url = f"{portal.url}/crm/v3/objects/deals"
    answer = requests.get(url, headers=header, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["category"] == "INVALID_AUTHENTICATION"


def test_a_token_that_cannot_be_one_may_get_a_status_of_its_own(tables, talk, raw):
    _use(raw, "short")
    assert raw("GET", "objects/deals").status_code == 401
    other = Assumptions(malformed_token_status=530)
    with HubSpot(tables, limits_by="nothing", assumptions=other) as portal:
        odd = talk(portal)
        _use(odd, "short")
        assert odd("GET", "objects/deals").status_code == 530
        _use(odd, "pat-eu1-00000000-0000-4000-8000-000000009999")
        assert odd("GET", "objects/deals").status_code == 401


def test_expired_tokens_are_refused_until_a_new_one_is_taken(portal, raw):
    oauth = _refresh(portal).json()["access_token"]
    portal.expire_tokens()
    answer = raw("GET", "objects/deals")
    assert answer.json()["category"] == "INVALID_AUTHENTICATION"
    raw.login()
    assert raw("GET", "objects/deals").status_code == 200
    _use(raw, oauth)
    answer = raw("GET", "objects/deals")
    assert answer.json()["category"] == "EXPIRED_AUTHENTICATION"


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("crm.objects.deals.read", "GET", "objects/deals"),
        ("crm.objects.deals.read", "POST", "objects/deals/search"),
        ("crm.objects.companies.read", "POST", "objects/companies/batch/read"),
        ("crm.objects.companies.write", "POST", "objects/companies/batch/update"),
        ("crm.objects.companies.write", "PATCH", "objects/companies/1"),
        ("tickets", "GET", "objects/tickets"),
        ("crm.objects.deals.read", "POST", "associations/deals/companies/batch/read"),
        (
            "crm.objects.companies.read",
            "POST",
            "associations/deals/companies/batch/read",
        ),
    ],
)
def test_a_missing_scope_is_named(portal, either, scope, method, path):
    portal.revoke_scope(scope)
    answer = either(method, path, json={"inputs": []})
    assert answer.status_code == 403
    body = answer.json()
    assert body["category"] == "MISSING_SCOPES"
    assert body["errors"][0]["context"]["requiredGranularScopes"] == [scope]


def test_a_list_with_links_needs_the_scope_of_the_linked(portal, either):
    portal.revoke_scope("crm.objects.companies.read")
    query = {"associations": "companies"}
    assert either("GET", "objects/deals", params=query).status_code == 403
    assert either("GET", "objects/deals").status_code == 200


def test_only_known_scopes_can_be_taken(portal):
    with pytest.raises(SettingsError, match=r"crm\.objects\.deals\.read"):
        portal.revoke_scope("crm.object.deals.read")


def test_a_reset_grants_again_and_lets_tokens_live(portal, raw):
    portal.revoke_scope("crm.objects.deals.read")
    portal.clock.advance(5_000)
    portal.reset()
    assert raw("GET", "objects/deals").status_code == 200
