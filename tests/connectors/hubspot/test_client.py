"""Where calls go, what a strange answer means, how long is waited, and what never leaks."""

from __future__ import annotations

import gzip
import json
import pickle
import threading
import traceback

import pytest

from crm_portfolio.connectors._pace import Ceilings
from crm_portfolio.connectors._retry import QuotaSpentError, RetrySettings, TimedError
from crm_portfolio.connectors.hubspot import HubSpotSettings, OAuthRefresh
from crm_portfolio.connectors.hubspot import _paths as paths
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._refusals import RefusedRequestError
from crm_portfolio.errors import (
    ConnectorError,
    LoginError,
    RightMissingError,
    TransientError,
)

OK = {"results": []}
LIMIT = {"status": "error", "errorType": "RATE_LIMIT", "message": "You have reached"}
BURST = {**LIMIT, "policyName": "TEN_SECONDLY_ROLLING"}
SECONDLY = {**LIMIT, "policyName": "SECONDLY"}
DAILY = {**LIMIT, "policyName": "DAILY"}


def listed(client: Client) -> object:
    return client.get(paths.listing("deals"), where="reading deals").body


def searched(client: Client) -> object:
    path = paths.search("deals")
    return client.post(path, {}, where="searching deals", window="search").body


def test_an_answer_has_status_body_and_headers_in_any_case(strange) -> None:
    strange.says((207, {"errors": []}, {"X-Some-Thing": "7"}))
    answer = strange.client().post(paths.batch_read("deals"), {}, where="reading")
    assert (answer.status, answer.body) == (207, {"errors": []})
    assert answer.headers["x-some-thing"] == "7"


@pytest.mark.parametrize(
    ("family", "path"),
    [("v3", "/crm/v3/objects/deals"), ("2026-09", "/crm/objects/2026-09/deals")],
)
def test_either_family_of_paths_is_one_setting(strange, family, path) -> None:
    strange.says(OK)
    listed(strange.client(paths=family))
    assert strange.paths == [path]


def test_answers_are_asked_for_compressed(strange) -> None:
    packed = gzip.compress(json.dumps({"results": [1]}).encode())
    strange.says((200, packed, {"content-encoding": "gzip"}))
    assert listed(strange.client()) == {"results": [1]}
    assert strange.headers[0]["Accept-Encoding"] == "gzip"


def test_many_calls_share_a_connection(strange) -> None:
    strange.says(OK)
    client = strange.client()
    for _ in range(5):
        listed(client)
    pool = client._wire.pool_manager.pools
    assert [pool[key].num_connections for key in list(pool.keys())] == [1]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(strange, status) -> None:
    elsewhere = {"location": f"{strange.url}/elsewhere"}
    strange.says((status, b"", elsewhere))
    with pytest.raises(ConnectorError, match="elsewhere, which we never follow"):
        listed(strange.client())
    assert strange.paths == ["/crm/v3/objects/deals"]


@pytest.mark.parametrize("body", [b"", b'{"results": [{"id"', b"<html>", b"\xff"])
def test_an_empty_or_undecodable_200_is_asked_again(strange, body) -> None:
    strange.says((200, body), OK)
    assert listed(strange.client()) == OK
    assert len(strange.paths) == 2
    strange.says((200, body))
    with pytest.raises(TransientError, match="cannot be read"):
        listed(strange.client())


def test_a_reply_cut_in_its_body_or_not_there_is_asked_again(strange) -> None:
    strange.says((200, b'{"res', {"content-length": "400"}), OK)
    assert listed(strange.client()) == OK
    replies = [None, (200, b"{}")]
    strange.answer = lambda _path: replies.pop(0)
    assert listed(strange.client()) == {}


def test_silence_ends(strange) -> None:
    gate = threading.Event()
    strange.answer = lambda _path: (gate.wait(5), (200, b"{}"))[1]
    client = strange.client(timeout=(1, 0.05), retry=RetrySettings(attempts=1))
    with pytest.raises(TransientError, match="ReadTimeoutError"):
        listed(client)
    gate.set()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failing_service_is_asked_again_post_or_get(strange, status) -> None:
    for ask in (listed, searched):
        strange.says((status, b"<html>gateway</html>"), OK)
        assert ask(strange.client()) == OK


def test_once_means_once(strange) -> None:
    strange.says((503, b""), OK)
    client = strange.client()
    with pytest.raises(TransientError):
        client.post(paths.batch_update("companies"), {}, where="writing", once=True)
    assert (len(strange.paths), client.pace.calls) == (1, 1)


def test_a_burst_waits_for_its_window(strange) -> None:
    strange.says((429, BURST), OK)
    assert listed(strange.client()) == OK
    assert strange.slept == [0.0, 10.0]


def test_a_search_waits_for_its_own(strange) -> None:
    strange.says((429, SECONDLY), OK)
    assert searched(strange.client()) == OK
    assert strange.slept == [0.0, 1.0]


def test_retry_after_is_obeyed(strange) -> None:
    strange.says((429, BURST, {"retry-after": "3"}), OK)
    listed(strange.client())
    assert strange.slept == [0.0, 3.0]


def test_a_limit_without_a_name_is_that_of_the_call(strange) -> None:
    nameless = {"status": "error", "category": "RATE_LIMITS", "message": "secondly"}
    strange.says((429, nameless), OK)
    searched(strange.client())
    assert strange.slept == [0.0, 1.0]


def test_the_others_wait_too(strange) -> None:
    strange.says((429, BURST), OK)
    client = strange.client(retry=RetrySettings(attempts=1))
    with pytest.raises(TransientError, match="too many calls in a short time"):
        listed(client)
    searched(client)  # counts in the burst as well
    assert strange.slept == [10.0]


@pytest.mark.parametrize(
    "said", [DAILY, {**LIMIT, "message": "You have reached your daily limit."}]
)
def test_a_spent_day_stops_at_once(strange, said) -> None:
    strange.says((429, said))
    with pytest.raises(QuotaSpentError, match="calls of the day are used up"):
        listed(strange.client())
    assert len(strange.paths) == 1


def test_the_headers_of_limits_are_heeded(strange) -> None:
    limits = {
        "X-HubSpot-RateLimit-Max": "190",
        "X-HubSpot-RateLimit-Remaining": "0",
        "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        "X-HubSpot-RateLimit-Daily": "1000",
        "X-HubSpot-RateLimit-Daily-Remaining": "60",
    }
    strange.says((200, OK, limits))
    client = strange.client()
    listed(client)
    assert (client.quota.remaining, client.quota.limit) == (60, 1000)
    listed(client)
    assert strange.slept == [10.0]
    strange.says((200, OK, {**limits, "X-HubSpot-RateLimit-Daily-Remaining": "50"}))
    listed(client)
    with pytest.raises(QuotaSpentError, match="min_quota_share keeps 5%"):
        listed(client)


def test_max_calls_counts_repeats(strange) -> None:
    strange.says((503, b""), (503, b""), OK)
    client = strange.client(ceilings=Ceilings(max_calls=2))
    with pytest.raises(QuotaSpentError, match="max_calls"):
        listed(client)
    assert len(strange.paths) == 2


@pytest.mark.parametrize(("status", "least"), [(423, 2.0), (524, 5.0)])
def test_some_refusals_have_a_least_wait(strange, status, least) -> None:
    strange.says((status, b""), OK)
    assert listed(strange.client()) == OK
    assert strange.slept == [least]


def test_a_portal_on_the_move_is_waited_for_as_told(strange) -> None:
    strange.says((477, b"", {"retry-after": "30"}), OK)
    assert listed(strange.client()) == OK
    assert strange.slept == [30.0]
    strange.says((477, b"", {"retry-after": "86400"}), OK)
    with pytest.raises(TimedError, match="wait 86400 s"):
        listed(strange.client())


def test_a_missing_scope_is_named(strange) -> None:
    said = {
        "status": "error",
        "category": "MISSING_SCOPES",
        "correlationId": "a1b2c3d4-0000",
        "errors": [{"context": {"requiredGranularScopes": ["crm.objects.deals.read"]}}],
    }
    strange.says((403, said))
    with pytest.raises(RightMissingError, match=r"crm\.objects\.deals\.read") as caught:
        listed(strange.client())
    assert "a1b2c3d4-0000" in str(caught.value)
    assert caught.value.code == "MISSING_SCOPES"


def test_a_bad_token_is_not_tried_again(strange) -> None:
    for status in (401, 530):
        strange.says((status, b""))
        with pytest.raises(LoginError, match="make a new one"):
            listed(strange.client())
    assert len(strange.paths) == 2


def test_a_refused_batch_names_properties_and_no_values(strange) -> None:
    problems = (
        '[{"isValid":false,"message":"Purple was not one of the allowed options",'
        '"error":"INVALID_OPTION","name":"portfolio_tier"}]'
    )
    strange.says(
        (
            400,
            {
                "category": "VALIDATION_ERROR",
                "message": f"Property values were not valid: {problems}",
            },
        )
    )
    with pytest.raises(RefusedRequestError) as caught:
        listed(strange.client())
    error = pickle.loads(pickle.dumps(caught.value))
    assert error.problems == (("INVALID_OPTION", "portfolio_tier"),)
    assert error.category == error.code == "VALIDATION_ERROR"
    assert "Purple" not in str(error)


def test_nothing_of_the_vendor_s_error_is_attached(strange) -> None:
    strange.says((500, {"message": "Jane Doe, jane@example.com", "status": "error"}))
    with pytest.raises(TransientError) as caught:
        listed(strange.client())
    told = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert "Jane" not in told
    assert strange.secret not in told
    assert caught.value.__context__ is None


def test_the_token_is_in_no_repr(strange) -> None:
    client = strange.client()
    assert strange.secret not in repr(client._login)


# OAuth


def oauth(url: str, **settings: object) -> Client:
    retry = RetrySettings(attempts=3, first_wait_seconds=0.0)
    chosen = HubSpotSettings(**{"retry": retry, "timeout": (1, 1), **settings})
    return Client(OAuthRefresh("id", "sec-ret", "ref-resh", url), chosen)


class Tokens:
    """Gives tokens, and takes only the newest."""

    def __init__(self, strange) -> None:
        self.given, self._strange = 0, strange
        self.is_stubborn = False
        strange.answer = self.answer

    def answer(self, path: str):
        if "/oauth/" in path:
            self.given += 1
            body = {"access_token": f"token-{self.given}", "expires_in": 1800}
            return 200, json.dumps(body).encode()
        said = self._strange.headers[-1].get("Authorization")
        if said == f"Bearer token-{self.given}" and not self.is_stubborn:
            return 200, b'{"results": []}'
        return 401, b'{"category": "EXPIRED_AUTHENTICATION"}'

    def expire(self) -> None:
        self.given += 1


@pytest.mark.parametrize(
    ("family", "path"), [("v3", "/oauth/v1/token"), ("2026-09", "/oauth/v3/token")]
)
def test_a_short_lived_token_is_made_from_the_lasting_one(
    strange, family, path
) -> None:
    Tokens(strange)
    client = oauth(strange.url, paths=family)
    assert listed(client) == OK
    assert strange.paths[0] == path
    assert strange.bodies[0].decode() == (
        "grant_type=refresh_token&client_id=id&client_secret=sec-ret"
        "&refresh_token=ref-resh"
    )
    assert "Authorization" not in strange.headers[0]
    assert client.pace.calls == 2  # the log-in is one


def test_an_expired_token_is_renewed_and_the_call_made_again(strange) -> None:
    tokens = Tokens(strange)
    client = oauth(strange.url)
    listed(client)
    tokens.expire()
    assert listed(client) == OK
    assert len(strange.paths) == 5  # log-in, list; list, log-in, list


def test_a_token_refused_for_ever_is_a_clear_error(strange) -> None:
    Tokens(strange).is_stubborn = True
    with pytest.raises(LoginError):
        listed(oauth(strange.url))
    assert len(strange.paths) == 4  # log-in, list, log-in, list


def test_many_threads_renew_once(strange) -> None:
    tokens = Tokens(strange)
    client = oauth(strange.url)
    listed(client)
    tokens.expire()
    before, together = tokens.given, threading.Barrier(8)

    def work() -> None:
        together.wait()
        assert listed(client) == OK

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokens.given == before + 1


def test_a_refused_log_in_says_so_without_secrets(strange) -> None:
    strange.says((400, {"status": "BAD_REFRESH_TOKEN", "message": "ref-resh"}))
    with pytest.raises(LoginError, match="BAD_REFRESH_TOKEN") as caught:
        listed(oauth(strange.url))
    assert "ref-resh" not in "".join(traceback.format_exception(caught.value))
    assert len(strange.paths) == 1


def test_a_log_in_that_gives_no_token_is_unreadable(strange) -> None:
    strange.says({"token_type": "bearer"})
    with pytest.raises(TransientError, match="cannot be read"):
        listed(oauth(strange.url))
