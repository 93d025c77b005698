"""Logging in to the pretend org, and staying in."""

from __future__ import annotations

import jwt
import pytest
import requests
import simple_salesforce
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from crm_portfolio.simulator import Salesforce
from crm_portfolio.simulator.salesforce import _auth

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def token(org: Salesforce, **form: str) -> requests.Response:
    return requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=10)


def client_form(org: Salesforce, **changed: str) -> dict[str, str]:
    told = org.environment
    return {
        "grant_type": "client_credentials",
        "client_id": told["SALESFORCE_CLIENT_ID"],
        "client_secret": told["SALESFORCE_CLIENT_SECRET"],
        **changed,
    }


def assertion(org: Salesforce, key: str | None = None, **changed: object) -> str:
    told = org.environment_for("jwt")
    claims = {
        "iss": told["SALESFORCE_CLIENT_ID"],
        "sub": told["SALESFORCE_USERNAME"],
        "aud": "https://login.salesforce.com",
        "exp": "4102444800",
        **changed,
    }
    return jwt.encode(claims, key or told["SALESFORCE_PRIVATE_KEY"], algorithm="RS256")


def test_client_credentials_open_a_session(org, client):
    assert client.query("SELECT COUNT() FROM Account")["totalSize"] == 4
    assert org.calls["POST oauth2/token"] == 1
    assert org.api_calls == 1


def test_a_signed_assertion_opens_a_session(org, plain_http):
    told = org.environment_for("jwt")
    session = requests.Session()
    session.mount("https://", plain_http)
    client = simple_salesforce.Salesforce(
        session=session,
        username=told["SALESFORCE_USERNAME"],
        consumer_key=told["SALESFORCE_CLIENT_ID"],
        privatekey=told["SALESFORCE_PRIVATE_KEY"],
        domain="acme.my",
        version="66.0",
    )
    assert client.query("SELECT COUNT() FROM Account")["totalSize"] == 4


def test_a_ready_session_needs_no_login(org, plain_http):
    told = org.environment_for("session")
    session = requests.Session()
    session.mount("https://", plain_http)
    client = simple_salesforce.Salesforce(
        session=session,
        session_id=told["SALESFORCE_ACCESS_TOKEN"],
        instance_url="https://sim.my.salesforce.com",
        version="66.0",
    )
    assert client.query("SELECT COUNT() FROM Account")["totalSize"] == 4
    assert "POST oauth2/token" not in org.calls


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"client_id": "someone"}, 400, "invalid_client_id"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "implicit"}, 400, "unsupported_grant_type"),
        (
            {"grant_type": "password", "username": "integration@simulated.example",
             "password": "simulated-password"},
            400,
            "invalid_grant",
        ),
    ],
)  # fmt: skip
def test_a_wrong_login_is_refused(org, changed, status, error):
    answer = token(org, **client_form(org, **changed))
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert "access_token" not in answer.json()


def test_a_broken_basic_header_is_refused(org):
    answer = requests.post(
        f"{org.url}/services/oauth2/token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": "Basic !"},
        timeout=10,
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_id")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"iss": "someone"}, "invalid_client_id"),
        ({"sub": "someone@else.example"}, "invalid_grant"),
        ({"aud": "https://evil.example"}, "invalid_grant"),
        ({"exp": "soon"}, "invalid_grant"),
    ],
)
def test_a_wrong_assertion_is_refused(org, changed, error):
    answer = token(org, grant_type=JWT_GRANT, assertion=assertion(org, **changed))
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_an_assertion_signed_by_another_key_is_refused(org):
    other = rsa.generate_private_key(
        public_exponent=65537, key_size=2048
    ).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    signed = assertion(org, other.decode())
    assert token(org, grant_type=JWT_GRANT, assertion=signed).status_code == 400
    assert token(org, grant_type=JWT_GRANT, assertion=assertion(org)).status_code == 200
    assert token(org, grant_type=JWT_GRANT, assertion="no.jwt").status_code == 400


def test_the_password_grant_is_a_switch():
    with Salesforce(allows_password_grant=True) as org:
        form = client_form(
            org, grant_type="password", username="integration@simulated.example"
        )
        assert token(org, **form, password="simulated-password").status_code == 200
        assert token(org, **form, password="wrong").status_code == 400


def test_a_bad_token_is_refused(org, raw):
    raw.session.headers["Authorization"] = "Bearer nonsense"
    answer = raw.query("SELECT Id FROM Account")
    assert answer.status_code == 401
    assert answer.json() == [
        {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}
    ]


def test_a_token_must_be_borne(org, raw):
    _, token = raw.session.headers["Authorization"].split()
    for said in (token, f"Basic {token}"):
        raw.session.headers["Authorization"] = said
        assert raw.query("SELECT Id FROM Account").status_code == 401


def test_sessions_end_and_a_new_one_goes_on(org, raw):
    assert raw.query("SELECT Id FROM Account").status_code == 200
    org.expire_tokens()
    assert raw.query("SELECT Id FROM Account").status_code == 401
    raw.login()
    assert raw.query("SELECT Id FROM Account").status_code == 200


def test_the_user_is_the_integration_user(org, raw):
    told = raw("GET", "/services/oauth2/userinfo").json()
    assert told["user_id"] == org.user_id
    assert told["organization_id"] == org.org_id
    assert told["zoneinfo"] == "Europe/Paris"


def test_a_user_without_the_api_right_is_kept_out(org, raw):
    org.revoke_right("API Enabled")
    answer = raw.query("SELECT Id FROM Account")
    assert answer.status_code == 403
    assert answer.json()[0]["errorCode"] == "API_DISABLED_FOR_ORG"


def test_the_simulator_says_when_it_is_not_running():
    from crm_portfolio.errors import SettingsError

    with pytest.raises(SettingsError, match="with statement"):
        _ = Salesforce().environment
    with Salesforce() as gone:
        pass
    with pytest.raises(SettingsError, match="has stopped"):
        gone.snapshot()
    with Salesforce() as org, pytest.raises(SettingsError, match="taken"):
        Salesforce(port=int(org.url.rpartition(":")[2])).__enter__()


SOAP = (
    '<?xml version="1.0" encoding="utf-8" ?><env:Envelope xmlns:xsd="x" '
    'xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>'
    '<n1:login xmlns:n1="urn:partner.soap.sforce.com"><n1:username>{}</n1:username>'
    "<n1:password>{}</n1:password></n1:login></env:Body></env:Envelope>"
)


def soap(org, version, password=_auth.PASSWORD + _auth.SECURITY_TOKEN):
    return requests.post(
        f"{org.url}/services/Soap/u/{version}",
        data=SOAP.format(_auth.USERNAME, password),
        headers={"content-type": "text/xml", "SOAPAction": "login"},
        timeout=10,
    )


def test_soap_lets_in_with_the_password_and_its_token(org, plain_http):
    session = requests.Session()
    session.mount("https://", plain_http)
    client = simple_salesforce.Salesforce(
        session=session,
        username=_auth.USERNAME,
        password=_auth.PASSWORD,
        security_token=_auth.SECURITY_TOKEN,
        version="59.0",
    )
    assert client.query("SELECT COUNT() FROM Account")["totalSize"] == 4
    # With the org's id, from an address it trusts, the token is not needed.
    trusted = simple_salesforce.Salesforce(
        session=session,
        username=_auth.USERNAME,
        password=_auth.PASSWORD,
        organizationId=org.org_id,
        version="59.0",
    )
    assert trusted.query("SELECT COUNT() FROM Account")["totalSize"] == 4
    assert org.api_calls == 2


def test_soap_refuses_as_the_usual_client_reads_it(org, plain_http):
    session = requests.Session()
    session.mount("https://", plain_http)
    with pytest.raises(simple_salesforce.SalesforceAuthenticationFailed) as refused:
        simple_salesforce.Salesforce(
            session=session, username=_auth.USERNAME, password="x", security_token="y"
        )
    assert refused.value.code == "INVALID_LOGIN"
    assert soap(org, "59.0", _auth.PASSWORD).status_code == 500


@pytest.mark.parametrize(
    ("version", "status"), [("64.0", 200), ("65.0", 500), ("66.0", 500)]
)
def test_soap_is_gone_from_version_65_on(org, version, status):
    assert soap(org, version).status_code == status


@pytest.mark.parametrize(
    "audience", ["https://evil.example", "https://x.salesforce.com.evil.example",
                 "https://a.b.salesforce.com", "http://login.salesforce.com"]
)  # fmt: skip
def test_an_assertion_for_someone_else_is_refused(org, audience):
    claims = {"iss": _auth.CLIENT_ID, "sub": _auth.USERNAME, "aud": audience, "exp": 1}
    key = org.environment_for("jwt")["SALESFORCE_PRIVATE_KEY"]
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": jwt.encode(claims, key, algorithm="RS256"),
    }
    answer = requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_soap_can_be_off_and_its_environment_is_told():
    with Salesforce(allows_soap_login=False) as org:
        answer = soap(org, "59.0")
        assert answer.status_code == 500
        assert "INVALID_OPERATION" in answer.text
        told = org.environment_for("password")
        assert set(told) == {
            "SALESFORCE_INSTANCE_URL", "SALESFORCE_USERNAME", "SALESFORCE_PASSWORD",
            "SALESFORCE_SECURITY_TOKEN",
        }  # fmt: skip
