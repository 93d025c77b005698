"""How one gets in, and what is said when one does not."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from crm_portfolio.connectors.salesforce import (
    ClientCredentials,
    JwtBearer,
    RetiringLoginWarning,
    Salesforce,
    SalesforceSettings,
    SessionToken,
    UsernamePasswordToken,
    _login,
    _tickets,
)
from crm_portfolio.connectors.salesforce._login import login_from
from crm_portfolio.connectors.salesforce._rest import Query
from crm_portfolio.connectors.salesforce._tickets import forget_logins
from crm_portfolio.errors import LoginError, SettingsError, TransientError
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator.salesforce._auth import (
    PASSWORD,
    SECURITY_TOKEN,
    USERNAME,
)

ORG = "https://acme.my.salesforce.com"


@pytest.mark.parametrize("way", ["client_credentials", "jwt", "session"])
def test_each_way_in_reaches_the_same_org(org, way) -> None:
    crm = Salesforce(login_from(org.environment_for(way)))
    assert crm.org().org_id == org.org_id
    assert org.calls.get("POST oauth2/token", 0) == (0 if way == "session" else 1)


def test_one_log_in_serves_all_calls(org, connected) -> None:
    crm = connected(org)
    crm.org()
    for table in crm.tables():
        list(crm.pull(table))
    assert org.calls["POST oauth2/token"] == 1


def test_nothing_is_asked_before_it_is_needed(org, connected) -> None:
    crm = connected(org)
    assert repr(crm) == f"Salesforce(ClientCredentials, {org.url})"
    assert crm.quota() is None
    assert org.calls == {}


def test_a_private_key_may_be_in_a_file_or_on_one_line(org, tmp_path: Path) -> None:
    environment = org.environment_for("jwt")
    key = environment.pop("SALESFORCE_PRIVATE_KEY")
    file = tmp_path / "key.pem"
    file.write_text(key)
    in_file = login_from({**environment, "SALESFORCE_PRIVATE_KEY_FILE": str(file)})
    on_one_line = key.replace("\n", "\\n")
    spelt = login_from({**environment, "SALESFORCE_PRIVATE_KEY": on_one_line})
    assert in_file == spelt
    assert Salesforce(spelt).org().org_id == org.org_id


@pytest.mark.parametrize("way", ["client_credentials", "jwt", "session"])
def test_a_line_break_after_a_variable_is_no_part_of_it(org, way) -> None:
    environment = org.environment_for(way)
    wrapped = {name: f" {said}\r\n" for name, said in environment.items()}
    assert login_from(wrapped) == login_from(
        {name: said.strip() for name, said in environment.items()}
    )
    assert Salesforce(login_from(wrapped)).org().org_id == org.org_id


@pytest.mark.parametrize("token", ["00D… PLANTED", "PLANTED\n", "PLANTED two"])
def test_a_token_that_no_header_can_carry_is_refused_before_a_call(token) -> None:
    with pytest.raises(SettingsError, match="copy it whole") as caught:
        SessionToken(ORG, token)
    assert "PLANTED" not in str(caught.value)


@pytest.mark.parametrize("nothing", [None, "", " "])
def test_what_an_unset_variable_leaves_is_named(nothing) -> None:
    for name, made in (
        ("access_token", lambda: SessionToken(ORG, nothing)),
        ("client_secret", lambda: ClientCredentials(ORG, "id", nothing)),
        ("private_key", lambda: JwtBearer("me@acme.example", "id", nothing)),
    ):
        with pytest.raises(SettingsError, match=f"{name} is missing"):
            made()


def test_the_environment_that_lacks_something_is_told_what(org) -> None:
    with pytest.raises(SettingsError) as caught:
        login_from({"SALESFORCE_INSTANCE_URL": ORG, "SALESFORCE_CLIENT_ID": " "})
    told = str(caught.value).splitlines()
    assert "set all variables of one line" in told[0]
    assert len(told) == 6
    assert told[1].endswith("(missing: SALESFORCE_CLIENT_ID, SALESFORCE_CLIENT_SECRET)")
    assert told[4].endswith("(missing: SALESFORCE_ACCESS_TOKEN)")


def test_two_log_ins_in_the_environment_are_one_too_many() -> None:
    both = {
        "SALESFORCE_INSTANCE_URL": ORG,
        "SALESFORCE_CLIENT_ID": "id",
        "SALESFORCE_CLIENT_SECRET": "one-secret",
        "SALESFORCE_ACCESS_TOKEN": "another-secret",
    }
    with pytest.raises(SettingsError, match="more than one log-in") as caught:
        login_from(both)
    assert "secret" not in str(caught.value).replace("CLIENT_SECRET", "")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://acme.my.salesforce.com", "must be reached over https"),
        ("http://127.0.0.1.evil.example", "must be reached over https"),
        ("ftp://127.0.0.1", "must be reached over https"),
        ("https://login.salesforce.com", "My Domain"),
        ("https://acme.lightning.force.com", "serves pages, not the API"),
        ("https://user:hunter2@acme.my.salesforce.com", "scheme and host only"),
        ("https://acme.my.salesforce.com/services", "scheme and host only"),
        ("https://acme.my.salesforce.com#hunter2", "scheme and host only"),
        ("https://acme.my.salesforce.com\n.evil.example", "scheme and host only"),
        ("https://ac me.my.salesforce.com", "scheme and host only"),
        ("https://acme:port", "is not an address"),
        ("", "scheme and host only"),
    ],
)
def test_an_address_that_cannot_be_the_orgs_is_refused(url: str, problem: str) -> None:
    for made in (
        lambda: ClientCredentials(url, "id", "secret"),
        lambda: SessionToken(url, "token"),
    ):
        with pytest.raises(SettingsError, match=problem) as caught:
            made()
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9"],
)
def test_plain_http_is_for_this_machine(url: str) -> None:
    assert SessionToken(url, "token").instance_url == url


def test_no_secret_is_in_the_text_of_a_log_in() -> None:
    logins = (
        ClientCredentials(ORG, "id", "PLANTED"),
        JwtBearer("me@acme.example", "key", "PLANTED"),
        SessionToken(ORG, "PLANTED"),
    )
    for login in logins:
        assert "PLANTED" not in repr(login) + str(login) + repr(Salesforce(login))


@pytest.mark.parametrize(
    ("name", "wrong", "told"),
    [
        ("SALESFORCE_CLIENT_SECRET", "PLANTED", "does not fit the client id"),
        ("SALESFORCE_CLIENT_ID", "PLANTED", "no app has this client id"),
    ],
)
def test_a_wrong_client_is_told_which_part_is_wrong(org, name, wrong, told) -> None:
    crm = Salesforce(login_from({**org.environment, name: wrong}))
    with pytest.raises(LoginError, match=told) as caught:
        crm.tables()
    assert caught.value.exit_code == 2
    assert "PLANTED" not in str(caught.value)
    assert org.calls == {"POST oauth2/token": 1}
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args


def test_a_user_whom_the_org_does_not_let_in_is_told_so(org, recwarn) -> None:
    environment = {
        **org.environment_for("jwt"),
        "SALESFORCE_USERNAME": "who@acme.example",
    }
    with pytest.raises(LoginError, match="does not let this app in as this user"):
        Salesforce(login_from(environment)).org()
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("key", ["not a key", "-----BEGIN PRIVATE KEY-----\nPLANTED\n"])
def test_a_private_key_that_is_none_is_not_shown(org, key: str) -> None:
    environment = {**org.environment_for("jwt"), "SALESFORCE_PRIVATE_KEY": key}
    with pytest.raises(LoginError, match="private key cannot be read") as caught:
        Salesforce(login_from(environment)).org()
    assert "PLANTED" not in str(caught.value)
    assert caught.value.__context__ is None


def _pem(key: rsa.RSAPrivateKey, secrecy: serialization.KeySerializationEncryption):
    pkcs8 = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, pkcs8, secrecy).decode()


def test_a_key_that_cannot_sign_is_told_from_one_that_is_not_let_in(org) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    locked = _pem(key, serialization.BestAvailableEncryption(b"passphrase"))
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(serialization.Encoding.PEM, info).decode()
    foreign = _pem(key, serialization.NoEncryption())
    for given, told in (
        (locked, "without a passphrase"),
        (public, "RSA private key"),
        (foreign, "does the key fit the app's certificate"),
    ):
        environment = {**org.environment_for("jwt"), "SALESFORCE_PRIVATE_KEY": given}
        with pytest.raises(LoginError, match=told):
            Salesforce(login_from(environment)).org()


def test_a_wrong_token_fails_after_one_call(org) -> None:
    crm = Salesforce(SessionToken(org.url, "PLANTED"))
    with pytest.raises(LoginError, match="not valid: log in again") as caught:
        crm.tables()
    assert caught.value.code == "INVALID_SESSION_ID"
    assert org.api_calls == 1


def test_an_expired_session_is_renewed_once_and_the_call_is_made_again(
    org, connected
) -> None:
    crm = connected(org)
    crm.org()
    org.expire_tokens()
    assert sum(batch.rows.num_rows for batch in crm.pull("account")) == 5
    assert org.calls["POST oauth2/token"] == 2


def test_a_session_that_expires_between_pages_costs_no_record(
    big_org, connected
) -> None:
    crm = connected(big_org, page_size=200)
    crm.org(), crm.tables()
    batches = crm.pull("account")
    big_org.reset()
    big_org.expire_tokens()
    big_org.fault(Fault(at_call=5, kind="expired"))
    rows = [row for batch in batches for row in batch.rows["account_id"].to_pylist()]
    assert rows == sorted(big_org.ids("account").values())
    assert big_org.calls["POST oauth2/token"] == 2


def test_a_cursor_that_died_with_its_session_is_taken_up_at_the_last_record(
    big_org, connected
) -> None:
    crm = connected(big_org, page_size=2_000)
    crm.org(), crm.tables()
    seen = []
    for page in crm._rest.pages(Query("Account", ("Id",))):
        seen.extend(record["Id"] for record in page)
        if len(seen) == 2_000:
            big_org.expire_tokens()
    assert seen == sorted(big_org.ids("account").values())
    assert big_org.calls["POST oauth2/token"] == 2


def test_a_session_that_is_refused_for_ever_ends_in_a_log_in_error(strange) -> None:
    def answer(path: str):
        if path.endswith("/token"):
            return (
                200,
                b'{"access_token": "t", "instance_url": "%s"}' % strange.url.encode(),
            )
        return 401, b'[{"errorCode": "INVALID_SESSION_ID", "message": "no"}]'

    strange.answer = answer
    login = ClientCredentials(strange.url, "id", "secret")
    with pytest.raises(LoginError, match="expired or is not valid"):
        Salesforce(login, settings=SalesforceSettings()).tables()
    assert len(strange.paths) == 4  # log in, ask, log in, ask


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (503, b"<html>PLANTED</html>", TransientError),
        (503, b'{"error": "PLANTED"}', TransientError),
        (429, b"", TransientError),
        (200, b"", TransientError),
        (200, b"[]", TransientError),
        (200, b'{"access_token": "PLANTED"}', TransientError),
        (403, b"<html>PLANTED</html>", LoginError),
        (302, b"", LoginError),
        (
            400,
            b'{"error": "inactive_user", "error_description": "PLANTED"}',
            LoginError,
        ),
        (400, b'{"error": "PLANTED <b>"}', LoginError),
    ],
)
def test_a_log_in_that_answers_strangely_is_sorted_by_what_to_do_next(
    strange, status, body, error
) -> None:
    strange.answer = lambda _path: (status, body)
    crm = Salesforce(
        ClientCredentials(strange.url, "id", "secret"),
        settings=strange.connector()._settings,
    )
    with pytest.raises(error) as caught:
        crm.tables()
    assert "PLANTED" not in str(caught.value)
    assert len(strange.paths) == (3 if error is TransientError else 1)


def test_a_log_in_that_gives_no_token_is_refused(strange) -> None:
    host = strange.url.removeprefix("http://")
    strange.says({"access_token": "two words…", "instance_url": f"https://{host}"})
    crm = Salesforce(ClientCredentials(strange.url, "id", "secret"))
    with pytest.raises(LoginError, match="a token that is none") as caught:
        crm.tables()
    assert "words" not in str(caught.value)
    assert len(strange.paths) == 1


def test_a_log_in_that_leads_to_another_host_is_refused(strange) -> None:
    strange.says({"access_token": "t", "instance_url": "https://evil.example"})
    crm = Salesforce(ClientCredentials(strange.url, "id", "secret"))
    with pytest.raises(LoginError, match=r"leads to evil\.example, but http"):
        crm.tables()
    assert len(strange.paths) == 1


@pytest.mark.parametrize(
    ("login", "audience"),
    [
        (JwtBearer("u", "k", "p"), "login"),
        (JwtBearer("u", "k", "p", "https://acme--x.sandbox.my.salesforce.com"), "test"),
        (JwtBearer("u", "k", "p", ORG, "acme.my"), "acme.my"),
    ],
)
def test_the_log_in_service_of_a_key_follows_the_org(login, audience) -> None:
    assert login._audience == audience


def test_a_log_in_service_that_is_a_path_or_a_host_is_refused() -> None:
    for domain in ("evil.example/x?", "evil@x", "a b"):
        with pytest.raises(SettingsError, match="domain is"):
            JwtBearer("u", "k", "p", domain=domain)


# User name, password, token


def by_password(org, **others: str) -> UsernamePasswordToken:
    said = {
        "instance_url": org.url,
        "username": USERNAME,
        "password": PASSWORD,
        "security_token": SECURITY_TOKEN,
    }
    return UsernamePasswordToken(**{**said, **others})


@pytest.fixture
def _unwarned(monkeypatch) -> None:
    monkeypatch.setattr(_login, "_has_warned", False)


@pytest.mark.usefixtures("_unwarned")
def test_a_password_gets_in_and_warns_of_its_end_once(org) -> None:
    with pytest.warns(RetiringLoginWarning, match="Summer '27.*JwtBearer") as warned:
        assert Salesforce(by_password(org)).org().org_id == org.org_id
    assert len(warned) == 1
    assert PASSWORD not in str(warned[0].message)
    forget_logins()
    assert Salesforce(by_password(org)).org().org_id == org.org_id  # without a warning
    assert org.calls["POST Soap/u/{api}"] == 2


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_session_of_a_password_is_renewed(org) -> None:
    crm = Salesforce(by_password(org))
    crm.tables()
    org.expire_tokens()
    assert crm.org().org_id == org.org_id


def test_the_environment_may_hold_a_password(org) -> None:
    environment = {
        "SALESFORCE_INSTANCE_URL": org.url,
        "SALESFORCE_USERNAME": USERNAME,
        "SALESFORCE_PASSWORD": PASSWORD,
        "SALESFORCE_SECURITY_TOKEN": SECURITY_TOKEN,
    }
    login = login_from(environment)
    assert login == by_password(org)
    shown = repr(login) + str(login) + repr(Salesforce(login))
    for secret in (USERNAME, PASSWORD, SECURITY_TOKEN):
        assert secret not in shown
    assert "Summer '27" in login.retires


def test_a_version_without_soap_log_in_is_refused_with_the_way_out() -> None:
    with pytest.raises(SettingsError, match=r"65\.0, the last is 64\.0.*JwtBearer"):
        UsernamePasswordToken(ORG, "u", "p", "t", api_version="65.0")
    for wrong in ("sixty", "v64.0", ""):
        with pytest.raises(SettingsError, match="api_version of the log-in"):
            UsernamePasswordToken(ORG, "u", "p", "t", api_version=wrong)
    with pytest.raises(SettingsError, match="letters and digits only"):
        UsernamePasswordToken(ORG, "u", "p", "</n1:password>")


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_wrong_password_is_said_without_the_password(org) -> None:
    crm = Salesforce(by_password(org, password="PLANTED"))
    with pytest.raises(LoginError, match="is wrong, or the user is locked") as caught:
        crm.tables()
    assert caught.value.code == "INVALID_LOGIN"
    assert "PLANTED" not in str(caught.value)
    assert org.calls == {"POST Soap/u/{api}": 1}


FAULT = (
    b'<e xmlns:sf="x"><sf:exceptionCode>%s</sf:exceptionCode>'
    b"<sf:exceptionMessage>PLANTED</sf:exceptionMessage></e>"
)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("status", "body", "error", "told"),
    [
        (500, FAULT % b"INVALID_OPERATION", LoginError, "off in this org: make an"),
        (500, FAULT % b"LOGIN_MUST_USE_SECURITY_TOKEN", LoginError, "security token"),
        (500, FAULT % b"SOMETHING_NEW", TransientError, "not available"),
        (503, b"<html>PLANTED", TransientError, "not available"),
        (200, b"", TransientError, "cannot be read"),
        (200, b"<html>PLANTED</html>", TransientError, "cannot be read"),
        (200, b"PLANTED", TransientError, "cannot be read"),
        (403, b"<html>PLANTED</html>", LoginError, "refused"),
    ],
)
def test_what_soap_says_is_sorted_by_what_to_do_next(
    strange, status, body, error, told
) -> None:
    strange.answer = lambda _path: (status, body, {"content-type": "text/xml"})
    crm = Salesforce(by_password(strange), settings=strange.connector()._settings)
    with pytest.raises(error, match=told) as caught:
        crm.tables()
    assert "PLANTED" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("server", "is_ours"),
    [
        ("https://acme-api.my.salesforce.com/services/Soap/u/64.0/00D", True),
        ("https://acme-api.my.salesforce.com.evil.example/services", False),
        ("https://evil.example/services", False),
    ],
)
def test_a_host_with_api_in_its_name_is_not_mistaken_for_another(
    monkeypatch, server, is_ours
) -> None:
    def answer(_session, *_, **__):
        reply = requests.Response()
        reply.status_code = 200
        reply._content = (
            f"<r><serverUrl>{server}</serverUrl><sessionId>00D!x</sessionId></r>"
        ).encode()
        return reply

    monkeypatch.setattr(requests.Session, "request", answer)
    monkeypatch.setattr(_login, "_has_warned", True)
    login = by_password(type("Org", (), {"url": "https://acme-api.my.salesforce.com"}))
    if is_ours:
        ticket = login.ticket(timeout=(1, 1))
        assert ticket.origin.netloc == "acme-api.my.salesforce.com"
    else:
        with pytest.raises(LoginError, match="leads to"):
            login.ticket(timeout=(1, 1))


# One log-in for the process


def test_connectors_of_one_process_share_a_log_in(org) -> None:
    for _ in range(3):
        assert Salesforce(login_from(org.environment)).org().org_id == org.org_id
    assert org.calls["POST oauth2/token"] == 1


def test_another_secret_is_another_log_in(org) -> None:
    assert Salesforce(login_from(org.environment)).org().org_id == org.org_id
    other = {**org.environment, "SALESFORCE_CLIENT_SECRET": "PLANTED"}
    with pytest.raises(LoginError):
        Salesforce(login_from(other)).org()


def test_a_renewed_session_serves_the_other_connectors_too(org) -> None:
    first, second = (Salesforce(login_from(org.environment)) for _ in range(2))
    first.tables(), second.tables()
    org.expire_tokens()
    assert first.org() == second.org()
    assert org.calls["POST oauth2/token"] == 2


def test_a_session_that_others_renewed_long_ago_is_renewed_once_more(org) -> None:
    first, second = (Salesforce(login_from(org.environment)) for _ in range(2))
    first.tables(), second.tables()
    org.expire_tokens()
    first.org()
    org.expire_tokens()  # the second has not heard of the session in between
    assert second.org().org_id == org.org_id
    assert org.calls["POST oauth2/token"] == 3


def test_many_threads_log_in_once(org, connected) -> None:
    crm = connected(org)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: crm._rest.describe("Account"), range(16)))
        org.expire_tokens()
        list(pool.map(lambda _: crm._rest.describe("Account"), range(16)))
    assert org.calls["POST oauth2/token"] == 2


def test_no_secret_is_kept_to_find_a_log_in_by(org) -> None:
    Salesforce(login_from(org.environment)).org()
    secret = org.environment["SALESFORCE_CLIENT_SECRET"]
    assert _tickets._tickets
    assert secret not in repr(_tickets._tickets)
    assert all(len(key) == 64 for key in _tickets._tickets)
