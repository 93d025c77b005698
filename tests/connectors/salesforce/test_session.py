"""Each call is let through, counted, renewed once, and never made too often."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from crm_portfolio.connectors._pace import Ceilings
from crm_portfolio.connectors._retry import QuotaSpentError, RetrySettings
from crm_portfolio.connectors.salesforce import (
    ClientCredentials,
    JwtBearer,
    SalesforceSettings,
    SessionToken,
)
from crm_portfolio.connectors.salesforce._login import login_from
from crm_portfolio.connectors.salesforce._refusals import (
    BulkRefusedError,
    QueryTooLargeError,
)
from crm_portfolio.connectors.salesforce._session import Session, asked
from crm_portfolio.connectors.salesforce._tickets import forget_logins
from crm_portfolio.connectors.salesforce._transport import _moment
from crm_portfolio.errors import (
    ConnectorError,
    LoginError,
    RightMissingError,
    TransientError,
)
from crm_portfolio.protocols import Quota
from crm_portfolio.simulator import Fault

IMPATIENT = RetrySettings(attempts=5, first_wait_seconds=0.0)


def session(org, **settings: object) -> Session:
    chosen = SalesforceSettings(**{"retry": IMPATIENT, **settings})
    if hasattr(org, "environment"):
        return Session(login_from(org.environment), chosen)
    return Session(SessionToken(org.url, org.secret), chosen)


def limits(client) -> object:
    return client.restful("limits/")


def raw(client) -> int:
    with asked(client, "GET", "limits/") as reply:
        return reply.status_code


# Counting


def test_every_call_is_counted_log_ins_and_repeats_too(org) -> None:
    here = session(org)
    here.call(limits, where="x")
    assert here.calls == 2
    org.fault(Fault(at_call=2, kind="unavailable", calls=2))
    here.call(limits, where="x")
    org.expire_tokens()
    here.call(limits, where="x")
    assert here.calls == sum(org.calls.values())


def test_the_quota_of_the_last_reply_is_known_raw_ones_included(org) -> None:
    here = session(org)
    assert here.quota is None
    here.call(raw, where="x")
    first = here.quota
    here.call(limits, where="x")
    assert here.quota == Quota(first.remaining - 1, first.limit)


def test_the_clock_is_the_servers(org) -> None:
    here = session(org)
    assert here.server_time is None
    here.call(raw, where="x")
    assert here.server_time == org.clock.now
    org.clock.advance(3_600)
    here.call(raw, where="x")
    assert here.server_time == org.clock.now


@pytest.mark.parametrize("said", ["", "no date", "Wed, 99 Oct 2026 07:28:00 GMT"])
def test_a_clock_that_cannot_be_read_tells_nothing(said) -> None:
    assert _moment(said) is None


# Ceilings


def test_a_ceiling_of_calls_is_never_crossed(org) -> None:
    here = session(org, ceilings=Ceilings(max_calls=3))
    here.call(limits, where="x"), here.call(limits, where="x")
    with pytest.raises(QuotaSpentError, match="max_calls = 3"):
        here.call(limits, where="x")
    assert sum(org.calls.values()) == 3


def test_the_share_of_others_stops_us_before_the_next_call(strange) -> None:
    used = {"Sforce-Limit-Info": "api-usage=950/1000; per-app-api-usage=1/9(appName=x)"}
    strange.answer = lambda _path: (200, b"{}", used)
    here = session(strange, ceilings=Ceilings(min_quota_share=0.05))
    here.call(limits, where="x")
    assert here.quota == Quota(50, 1_000)
    with pytest.raises(QuotaSpentError, match="min_quota_share"):
        here.call(limits, where="x")
    assert len(strange.paths) == 1


def test_the_quota_of_one_app_is_not_the_orgs(strange) -> None:
    only_app = {"Sforce-Limit-Info": "per-app-api-usage=17/250(appName=x)"}
    strange.answer = lambda _path: (200, b"{}", only_app)
    here = session(strange)
    here.call(limits, where="x")
    assert here.quota is None


# Renewal


EXPIRED = (401, b'[{"errorCode": "INVALID_SESSION_ID", "message": "no"}]')


@pytest.mark.parametrize("ask", [limits, raw])
def test_a_refused_session_is_renewed_once_and_then_said(strange, ask) -> None:
    token = {"access_token": "t", "instance_url": strange.url}
    strange.answer = lambda path: (
        (200, json.dumps(token).encode()) if path.endswith("/token") else EXPIRED
    )
    login = ClientCredentials(strange.url, "id", "secret")
    here = Session(login, SalesforceSettings(retry=IMPATIENT))
    with pytest.raises(LoginError, match="log in again"):
        here.call(ask, where="x")
    assert len(strange.paths) == 4


def test_a_session_without_a_log_in_is_not_renewed(strange) -> None:
    strange.answer = lambda _path: EXPIRED
    with pytest.raises(LoginError):
        session(strange).call(raw, where="x")
    assert len(strange.paths) == 1


def test_threads_that_are_refused_together_log_in_once(org) -> None:
    here = session(org)
    here.call(raw, where="x")
    with ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            org.expire_tokens()
            list(pool.map(lambda _: here.call(raw, where="x"), range(16)))
    assert org.calls["POST oauth2/token"] == 5


def test_a_session_that_another_renewed_may_have_ended_as_well(org) -> None:
    one, other = session(org), session(org)
    one.call(limits, where="x"), other.call(limits, where="x")
    org.expire_tokens()
    one.call(limits, where="x")
    org.expire_tokens()
    assert other.call(limits, where="x")


def test_an_org_that_has_moved_is_not_followed(strange, monkeypatch) -> None:
    from crm_portfolio.connectors._origin import Origin
    from crm_portfolio.connectors.salesforce._tickets import Ticket

    tickets = iter(
        [
            Ticket(Origin.of(strange.url), "one"),
            Ticket(Origin.of("https://evil.my.salesforce.com"), "two"),
        ]
    )
    monkeypatch.setattr(JwtBearer, "ticket", lambda *_, **__: next(tickets))
    strange.answer = lambda _path: EXPIRED
    here = Session(JwtBearer("u", "k", "p"), SalesforceSettings(retry=IMPATIENT))
    with pytest.raises(LoginError, match=r"now leads to evil\.my\.salesforce\.com"):
        here.call(raw, where="x")
    assert len(strange.paths) == 1
    forget_logins()


# Patience


def test_an_unknown_exception_is_not_asked_for_a_fourth_time(strange) -> None:
    said = b'[{"errorCode": "UNKNOWN_EXCEPTION", "message": "PLANTED"}]'
    strange.answer = lambda _path: (500, said)
    with pytest.raises(TransientError):
        session(strange).call(raw, where="x")
    assert len(strange.paths) == 3


def test_too_many_calls_at_once_slow_down_every_thread(strange) -> None:
    crowded = (
        b'[{"errorCode": "REQUEST_LIMIT_EXCEEDED", '
        b'"message": "ConcurrentPerOrgLongTxn Limit exceeded."}]'
    )
    replies = [(403, crowded)]
    strange.answer = lambda _path: replies.pop() if replies else (200, b"{}")
    patience = RetrySettings(attempts=3, first_wait_seconds=0.04)
    here = session(strange, retry=patience)
    with pytest.raises(TransientError, match="at once"):
        here.call_once(raw, where="x")
    begun = time.monotonic()
    here.call(raw, where="x")  # another caller, who was told nothing
    assert time.monotonic() - begun >= 0.15


def test_no_more_calls_are_under_way_than_the_org_allows(strange) -> None:
    under_way, most = [0], [0]

    def answer(_path: str):
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        time.sleep(0.02)
        under_way[0] -= 1
        return 200, b"{}"

    strange.answer = answer
    here = session(strange)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: here.call(raw, where="x"), range(40)))
    assert 2 <= most[0] <= 10


# Every code of the vendor's


@pytest.mark.parametrize(
    ("status", "code", "text", "error"),
    [
        (401, "INVALID_SESSION_ID", "", LoginError),
        (
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
            QuotaSpentError,
        ),
        (403, "", "TotalRequests Limit exceeded.", QuotaSpentError),
        (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn", TransientError),
        (400, "QUERY_TIMEOUT", "", QueryTooLargeError),
        (400, "OPERATION_TOO_LARGE", "", QueryTooLargeError),
        (400, "EXCEEDED_ID_LIMIT", "", QueryTooLargeError),
        (400, "INVALID_QUERY_LOCATOR", "", ConnectorError),
        (503, "SERVER_UNAVAILABLE", "", TransientError),
        (502, "", "", TransientError),
        (504, "", "", TransientError),
        (500, "UNKNOWN_EXCEPTION", "", TransientError),
        (406, "", "", TransientError),
        (420, "", "", TransientError),
        (429, "", "", TransientError),
        (429, "LIMIT_EXCEEDED", "", TransientError),
        (429, "QUERY_TIMEOUT", "", TransientError),
        (
            429,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
            TransientError,
        ),
        (400, "UNABLE_TO_LOCK_ROW", "", TransientError),
        (403, "TXN_SECURITY_METERING_ERROR", "", RightMissingError),
        (403, "API_DISABLED_FOR_ORG", "", RightMissingError),
        (403, "INSUFFICIENT_ACCESS", "", RightMissingError),
        (400, "INSUFFICIENT_ACCESS_OR_READONLY", "", RightMissingError),
        (400, "INVALID_FIELD", "", ConnectorError),
        (400, "INVALID_TYPE", "", RightMissingError),
        (400, "MALFORMED_QUERY", "", ConnectorError),
        (410, "GONE", "", ConnectorError),
        (400, "InvalidVersion", "", ConnectorError),
    ],
)
def test_every_code_has_its_class(strange, status, code, text, error) -> None:
    body = [{"errorCode": code, "message": f"PLANTED {text}"}]
    strange.says(*[body], status=status)
    with pytest.raises(error) as caught:
        session(strange).call(raw, where="doing it", needs="to do it")
    assert type(caught.value) is error
    assert "PLANTED" not in str(caught.value)


@pytest.mark.parametrize("path", ["jobs/query", "jobs/ingest", "query"])
@pytest.mark.parametrize(
    "code", ["", "LIMIT_EXCEEDED", "INVALID_SESSION_ID", "INVALID_TYPE", "GONE"]
)
def test_a_429_is_about_the_moment_whatever_its_code_and_route(
    strange, path, code
) -> None:
    strange.says([{"errorCode": code, "message": "Max bulk v2 query jobs"}], status=429)

    def ask(client) -> None:
        asked(client, "POST", path, json={})

    with pytest.raises(TransientError) as caught:
        session(strange).call(ask, where="x")
    assert type(caught.value) is TransientError


@pytest.mark.parametrize(
    "body",
    [
        {"errorCode": "INVALIDENTITY", "message": "Entity 'X' is not supported by the Bulk API"},
        {"errorCode": "API_ERROR", "message": "Selecting compound data not supported in Bulk Query"},
        {"errorCode": "API_ERROR", "message": "Implementation restriction: needs View All Data"},
        {"errorCode": "LIMIT_EXCEEDED", "message": "x"},
        {"errorCode": "EXCEEDED", "message": "Max bulk v2 query jobs (10000) per 24 hrs has been reached"},
        {"exceptionCode": "FeatureNotEnabled", "exceptionMessage": "x"},
    ],
)  # fmt: skip
def test_what_bulk_refuses_is_a_matter_of_its_own_routes(strange, body) -> None:
    strange.says([body], status=400)

    def order(client) -> None:
        asked(client, "POST", "jobs/query", json={})

    with pytest.raises(BulkRefusedError):
        session(strange).call(order, where="x")
    with pytest.raises(ConnectorError) as caught:
        session(strange).call(raw, where="x")
    assert not isinstance(caught.value, BulkRefusedError)


@pytest.mark.parametrize("header", ["x-sfdc-request-id", "X-Request-Id"])
def test_the_vendors_number_of_a_failed_call_is_in_the_message(strange, header) -> None:
    body = b'[{"errorCode": "MALFORMED_QUERY", "message": "PLANTED"}]'
    strange.answer = lambda _path: (400, body, {header: "9f2a-77"})
    with pytest.raises(ConnectorError, match=r"\[request 9f2a-77\]"):
        session(strange).call(raw, where="x")
    strange.answer = lambda _path: (400, body, {header: "<b>PLANTED"})
    with pytest.raises(ConnectorError) as caught:
        session(strange).call(raw, where="x")
    assert "PLANTED" not in str(caught.value)
    assert "[request" not in str(caught.value)
