"""Where requests go, what a strange answer means, and what never leaks."""

from __future__ import annotations

import logging
import pickle
import traceback
from pathlib import Path
from threading import Event

import pytest
import requests

from crm_portfolio.connectors._origin import Origin
from crm_portfolio.connectors.salesforce import (
    ClientCredentials,
    Salesforce,
    SalesforceSettings,
    SessionToken,
)
from crm_portfolio.connectors.salesforce._refusals import translated
from crm_portfolio.connectors.salesforce._rest import Query
from crm_portfolio.connectors.salesforce._transport import GuardedSession
from crm_portfolio.errors import (
    ConnectorError,
    LoginError,
    RightMissingError,
    TransientError,
)

ACME = "https://acme.my.salesforce.com"
PAGE = {"records": [{"Id": "001000000000001AAA"}], "done": False}


def session(url: str = ACME) -> GuardedSession:
    return GuardedSession(Origin.of(url), timeout=(1, 1))


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/services/data",
        "https://acme.my.salesforce.com.evil.example/",
        "https://acme.my.salesforce.com@evil.example/",
        "https://user:word@acme.my.salesforce.com/",
        "https://acme.my.salesforce.com:8443/",
        "https://evil.example\\@acme.my.salesforce.com/",
        "https://acme.my.salesforce.com:port/",
        "https://[::1/",
        "https:///services",
        "file:///etc/passwd",
    ],
)
def test_another_host_gets_nothing(url: str) -> None:
    with pytest.raises(ConnectorError, match="refused to send anything to"):
        session().request("GET", url)


def test_a_prepared_request_for_another_host_or_scheme_is_stopped_too() -> None:
    for url in ("https://evil.example/", "http://acme.my.salesforce.com/"):
        with pytest.raises(ConnectorError, match="refused to send anything to"):
            session().send(requests.Request("GET", url).prepare())


@pytest.mark.parametrize(
    "following",
    [
        "@evil.example/services/data/v66.0/query/01g",
        ".evil.example/services/data/v66.0/query/01g",
        "https://evil.example/services/data/v66.0/query/01g",
        ":1/services/data/v66.0/query/01g",
    ],
)
def test_a_next_page_on_another_host_is_not_asked_for(strange, following) -> None:
    strange.says({**PAGE, "nextRecordsUrl": following})
    pages = strange.connector()._rest.pages(Query("Account", ("Id",)))
    assert len(next(pages)) == 1
    with pytest.raises(ConnectorError, match="refused to send anything to"):
        next(pages)
    assert len(strange.paths) == 1


def test_a_redirect_is_not_followed(strange) -> None:
    elsewhere = {"location": f"{strange.url}/elsewhere"}
    strange.answer = lambda _path: (302, b"", elsewhere)
    with pytest.raises(ConnectorError, match="My Domain") as caught:
        strange.connector().tables()
    assert caught.value.code == "HTTP 302"
    assert len(strange.paths) == 1


def test_a_proxy_of_the_environment_is_not_for_this_machine(
    org, connected, monkeypatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert connected(org).org().org_id == org.org_id


def test_a_proxy_of_the_environment_is_used_for_a_real_host(
    strange, monkeypatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, strange.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    strange.answer = lambda _path: (403, b"")
    settings = strange.connector()._settings
    for login in (
        SessionToken(ACME, "PLANTED"),
        ClientCredentials("https://crm.acme.example", "id", "PLANTED"),
    ):
        with pytest.raises(TransientError, match="no answer from the CRM") as caught:
            Salesforce(login, settings=settings).tables()
        assert "PLANTED" not in str(caught.value)
    asked = ["acme.my.salesforce.com:443"] * 3 + ["crm.acme.example:443"] * 3
    assert strange.paths == asked
    assert "PLANTED" not in repr(strange.headers)


def test_a_netrc_does_not_take_the_place_of_our_token(
    tmp_path: Path, monkeypatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine acme.my.salesforce.com login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    headers = {"Authorization": "Bearer ours"}
    prepared = session().prepare_request(requests.Request("GET", ACME, headers=headers))
    assert prepared.headers["Authorization"] == "Bearer ours"


def test_silence_ends_after_the_timeout(strange) -> None:
    over = Event()
    strange.answer = lambda _path: (over.wait(30), (200, b"{}"))[1]
    try:
        with pytest.raises(TransientError, match="ReadTimeoutError"):
            strange.connector(timeout=(1.0, 0.05)).tables()
    finally:
        over.set()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"{"),
        (200, b"<html>PLANTED</html>"),
        (200, b"[]"),
        (200, b'{"fields": "PLANTED"}'),
        (500, b'[{"errorCode": "UNKNOWN_EXCEPTION", "message": "PLANTED"}]'),
        (502, b"<html>PLANTED</html>"),
        (429, b"PLANTED"),
        (
            403,
            b'[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "ConcurrentPerOrg"}]',
        ),
    ],
)
def test_an_answer_that_proves_nothing_is_asked_for_again(
    strange, status, body
) -> None:
    strange.answer = lambda _path: (status, body)
    with pytest.raises(TransientError) as caught:
        strange.connector().tables()
    assert len(strange.paths) == 3
    assert "PLANTED" not in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).code == caught.value.code


def test_a_body_that_is_cut_is_asked_for_again(strange) -> None:
    cut = (200, b'{"fields": [', {"content-length": "99", "connection": "close"})
    strange.answer = lambda _path: cut
    with pytest.raises(TransientError):
        strange.connector().tables()
    assert len(strange.paths) == 3


@pytest.mark.parametrize(
    ("status", "code", "error", "told"),
    [
        (400, "MALFORMED_QUERY", ConnectorError, "not understood"),
        (400, "QUERY_TIMEOUT", ConnectorError, "takes too long"),
        (400, "INVALID_FIELD", ConnectorError, "run again"),
        (400, "INVALID_TYPE", RightMissingError, "'Read on Account'"),
        (403, "INSUFFICIENT_ACCESS", RightMissingError, "'Read on Account'"),
        (403, "SOMETHING_NEW", RightMissingError, "'Read on Account'"),
        (403, "TXN_SECURITY_METERING_ERROR", RightMissingError, "security policy"),
        (404, "NOT_FOUND", RightMissingError, "'Read on Account'"),
        (401, "INVALID_SESSION_ID", LoginError, "expired"),
        (401, "", LoginError, "expired"),
        (410, "GONE", ConnectorError, "set api_version"),
        (431, "", ConnectorError, "too many fields"),
        (418, "TEAPOT", ConnectorError, "refused"),
    ],
)
def test_a_refusal_says_what_to_do_and_is_not_asked_again(
    strange, status, code, error, told
) -> None:
    strange.says([{"errorCode": code, "message": "PLANTED"}], status=status)
    with pytest.raises(error, match=told) as caught:
        strange.connector().tables()
    assert type(caught.value) is error
    assert caught.value.code == (code or f"HTTP {status}")
    assert "PLANTED" not in str(caught.value)
    assert len(strange.paths) == 1


def test_a_certificate_that_is_not_trusted_is_no_reason_to_wait() -> None:
    error = requests.exceptions.SSLError("certificate verify failed")
    said = translated(error, where="reading Account")
    assert not isinstance(said, TransientError)
    assert "REQUESTS_CA_BUNDLE" in str(said)


def test_nobody_listening_is_said_with_the_reason() -> None:
    with GuardedSession(Origin.of("http://127.0.0.1:9"), timeout=(1, 1)) as closed:
        try:
            closed.get("https://127.0.0.1:9/")
        except requests.ConnectionError as error:
            said = translated(error, where="reading Account")
    assert isinstance(said, TransientError)
    assert "look at the network and at instance_url" in str(said)
    assert said.code in {"ConnectionRefusedError", "NewConnectionError"}


def everything_said(error: BaseException, caplog) -> str:
    told = [
        *traceback.format_exception(error),
        repr(error),
        str(vars(error)),
        caplog.text,
    ]
    while (inner := error.__cause__ or error.__context__) is not None:
        told += [*traceback.format_exception(inner), repr(inner), str(vars(inner))]
        error = inner
    return "".join(told)


@pytest.mark.parametrize(
    "answer",
    [
        (400, b'[{"errorCode": "MALFORMED_QUERY", "message": "%s"}]'),
        (500, b"%s"),
        (200, b"%s"),
        (401, b'[{"errorCode": "INVALID_SESSION_ID", "message": "%s"}]'),
        (302, b"%s"),
        None,
    ],
)
def test_a_secret_is_in_no_error_and_no_log(strange, caplog, answer) -> None:
    caplog.set_level(logging.DEBUG)
    status, body = answer or (None, b"")
    echoed = (status, body.replace(b"%s", strange.secret.encode()))
    strange.answer = lambda _path: echoed if answer else None
    crm = strange.connector()
    with pytest.raises(ConnectorError) as caught:
        crm.tables()
    assert any(
        strange.secret in str(headers) for headers in strange.headers
    )  # it was sent
    said = everything_said(caught.value, caplog) + repr(crm) + str(vars(crm))
    assert "PLANTED" not in said
    assert strange.secret not in said
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_client_secret_is_in_no_error_and_no_log(strange, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    strange.answer = lambda _path: (
        400,
        b'{"error": "invalid_client", "error_description": "PLANTED"}',
    )
    crm = Salesforce(ClientCredentials(strange.url, "id", "PLANTED"))
    with pytest.raises(LoginError) as caught:
        crm.tables()
    assert "PLANTED" not in everything_said(caught.value, caplog) + repr(crm)


def test_pages_are_asked_for_without_blanks_and_at_the_chosen_size(strange) -> None:
    strange.says({"records": [], "done": True})
    list(strange.connector(page_size=500)._rest.pages(Query("User", ("Id",))))
    assert strange.headers[0]["X-PrettyPrint"] == "0"
    assert strange.headers[0]["Sforce-Query-Options"] == "batchSize=500"
    assert strange.paths[0].endswith("q=SELECT+Id+FROM+User+ORDER+BY+Id")


def test_the_environment_is_read_when_no_log_in_is_given(org, monkeypatch) -> None:
    for name, value in org.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SALESFORCE_ACCESS_TOKEN", raising=False)
    assert Salesforce(settings=SalesforceSettings()).org().org_id == org.org_id
