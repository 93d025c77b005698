"""Which ways in are there, and what is refused before anything is sent?"""

from __future__ import annotations

import pytest

from crm_portfolio.connectors.hubspot import AccessToken, HubSpot, OAuthRefresh
from crm_portfolio.connectors.hubspot._login import login_from
from crm_portfolio.errors import SettingsError

OAUTH = {
    "HUBSPOT_CLIENT_ID": "an-id",
    "HUBSPOT_CLIENT_SECRET": "a-secret",
    "HUBSPOT_REFRESH_TOKEN": "a-refresh-token",
}


def test_a_token_alone_is_enough() -> None:
    login = login_from({"HUBSPOT_ACCESS_TOKEN": " pat-eu1-0000\n"})
    assert login == AccessToken("pat-eu1-0000")
    assert str(login.origin) == "https://api.hubapi.com"


def test_an_oauth_app_has_three_parts() -> None:
    assert login_from(OAUTH) == OAuthRefresh("an-id", "a-secret", "a-refresh-token")


@pytest.mark.parametrize("missing", sorted(OAUTH))
def test_what_is_missing_is_named(missing: str) -> None:
    given = {name: said for name, said in OAUTH.items() if name != missing}
    with pytest.raises(SettingsError, match=rf"missing: {missing}\)"):
        login_from(given)


def test_two_ways_in_are_one_too_many() -> None:
    with pytest.raises(SettingsError, match="more than one"):
        login_from({**OAUTH, "HUBSPOT_ACCESS_TOKEN": "pat"})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost:8080", "https://proxy.example"]
)
def test_another_address_is_https_or_this_machine(url: str) -> None:
    login = login_from({"HUBSPOT_ACCESS_TOKEN": "pat", "HUBSPOT_API_URL": url})
    assert str(login.origin) == url


@pytest.mark.parametrize(
    "url", ["http://api.hubapi.com", "https://a@b.example", "https://a.example/path"]
)
def test_an_address_that_would_show_the_token_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="api_url"):
        AccessToken("pat", url)


@pytest.mark.parametrize("token", ["", " ", "pat-eu1\npat", "pat é", None])
def test_a_token_that_cannot_be_sent_is_refused(token: str) -> None:
    with pytest.raises(SettingsError, match="token"):
        AccessToken(token)


def test_secrets_are_in_no_repr() -> None:
    for login in (AccessToken("pat-1"), OAuthRefresh("an-id", "sec", "ref")):
        told = repr(login) + repr(HubSpot(login))
        assert not any(secret in told for secret in ("pat-1", "sec'", "ref'"))
