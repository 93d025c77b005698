"""Does a connection of Airflow describe every way in that the environment can?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from crm_portfolio.airflow._logins import described
from crm_portfolio.connectors.hubspot import AccessToken, OAuthRefresh
from crm_portfolio.connectors.hubspot import _login as of_hubspot
from crm_portfolio.connectors.salesforce import (
    ClientCredentials,
    JwtBearer,
    SessionToken,
    UsernamePasswordToken,
)
from crm_portfolio.connectors.salesforce import _login as of_salesforce
from crm_portfolio.errors import SettingsError

PAGE = Path(__file__).parents[2] / "docs/how-to/schedule-with-airflow.md"
URL = "https://acme.my.salesforce.com"
OURS, HUBSPOT, STOCK = "crm_portfolio_salesforce", "crm_portfolio_hubspot", "salesforce"
KEY = "-----BEGIN PRIVATE KEY-----\\nMII\\n-----END PRIVATE KEY-----"
PEM = KEY.replace("\\n", "\n")


@attrs.frozen
class Told:
    """What Airflow tells of a connection; to load its own class costs and warns."""

    conn_type: str
    extra_dejson: dict[str, Any] = attrs.field(factory=dict)
    host: str | None = None
    login: str | None = None
    password: str | None = None
    port: int | None = None
    conn_id: str = "the_crm"


def login_of(told: Told) -> Any:
    found = described(told)  # type: ignore[arg-type]
    vendor = {"salesforce": of_salesforce, "hubspot": of_hubspot}[found.crm]
    return vendor.login_from(found.environment)


@pytest.mark.parametrize(
    ("told", "login"),
    [
        (
            Told(OURS, {"client_id": "id", "client_secret": "s"}, URL),
            ClientCredentials(URL, "id", "s"),
        ),
        (
            Told(OURS, {"client_id": "id", "private_key": KEY}, URL, "me@acme"),
            JwtBearer("me@acme", "id", PEM, URL),
        ),
        (Told(OURS, {"access_token": "00Dtoken"}, URL), SessionToken(URL, "00Dtoken")),
        (
            Told(OURS, {"security_token": "abc"}, URL, "me@acme", "pw"),
            UsernamePasswordToken(URL, "me@acme", "pw", "abc"),
        ),
        (Told(HUBSPOT, password="pat-1"), AccessToken("pat-1")),
        (
            Told(HUBSPOT, host="http://127.0.0.1", port=81, password="pat-1"),
            AccessToken("pat-1", "http://127.0.0.1:81"),
        ),
        (
            Told(
                HUBSPOT,
                {"client_id": "id", "client_secret": "s", "refresh_token": "r"},
            ),
            OAuthRefresh("id", "s", "r"),
        ),
        # As Airflow's own Salesforce provider has them: what it takes, we take.
        (
            Told(
                STOCK,
                {"security_token": "abc", "instance_url": URL, "domain": ""},
                login="me@acme",
                password="pw",
            ),
            UsernamePasswordToken(URL, "me@acme", "pw", "abc"),
        ),
        (
            Told(
                STOCK,
                {"consumer_key": "id", "consumer_secret": "s", "domain": "acme.my"},
            ),
            ClientCredentials(URL, "id", "s"),
        ),
        (
            Told(
                STOCK,
                {
                    "extra__salesforce__consumer_key": "id",
                    "extra__salesforce__private_key": KEY,
                    "extra__salesforce__instance": "acme.my.salesforce.com",
                    "extra__salesforce__domain": "test",
                    "version": 60,
                },
                login="me@acme",
            ),
            JwtBearer("me@acme", "id", PEM, URL, "test"),
        ),
    ],
)
def test_every_way_in_has_its_fields(told: Told, login: Any) -> None:
    assert login_of(told) == login


def test_a_stock_connection_that_names_no_org_is_told_what_is_missing() -> None:
    told = Told(STOCK, {"security_token": "abc", "domain": "login"}, None, "me", "pw")
    with pytest.raises(SettingsError, match="missing: SALESFORCE_INSTANCE_URL"):
        login_of(told)


def test_a_log_in_that_we_do_not_have_is_not_taken_for_the_apps_own() -> None:
    fields = {"consumer_key": "id", "consumer_secret": "s", "instance_url": URL}
    with pytest.raises(SettingsError, match="OAuth with user name and password"):
        described(Told(STOCK, fields, login="me", password="pw"))  # type: ignore[arg-type]


def test_a_connection_of_another_type_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="of the type 'http'; here it is crm_"):
        described(Told("http"))  # type: ignore[arg-type]


def test_what_is_described_shows_no_secret() -> None:
    told = Told(HUBSPOT, password="pat-very-secret")
    assert "very-secret" not in repr(described(told))  # type: ignore[arg-type]


def test_every_field_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    for kind in (OURS, HUBSPOT):
        for field in described(Told(kind)).fields:  # type: ignore[arg-type]
            said = {"host": "host", "login": "login", "password": "password"}
            assert any(said.get(field, f"`{field}`") in row for row in rows), field
