"""What does Salesforce's no mean, and what should the caller do?

The messages are ours: the vendor's text may hold values, names or the query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs
import requests
from simple_salesforce.exceptions import SalesforceError

from crm_portfolio.connectors._retry import QuotaSpentError, TimedError
from crm_portfolio.errors import (
    ConnectorError,
    CursorLostError,
    LoginError,
    RightMissingError,
    TransientError,
)

__all__ = [
    "QUOTA_CODE",
    "VENDOR_ERRORS",
    "BulkRefusedError",
    "PlaceLostError",
    "QueryTooLargeError",
    "meaning_of",
    "safe_code",
    "translated",
    "unreadable",
]

SOURCE: Final = "salesforce"
VENDOR_ERRORS: Final = (SalesforceError, requests.RequestException)
_JOB_ROUTES: Final = frozenset({"jobs/query", "jobs/ingest"})
QUOTA_CODE: Final = "REQUEST_LIMIT_EXCEEDED"


class BulkRefusedError(ConnectorError):
    """Bulk does not serve this object, column or org: read or write it by REST."""


class QueryTooLargeError(ConnectorError):
    """The org gives up on a query of this size: ask for it in parts."""


class PlaceLostError(CursorLostError):
    """The job behind a place is gone: ask for the whole query again."""


@attrs.frozen
class _Meaning:
    error: type[ConnectorError]
    advice: str


_RIGHT = _Meaning(RightMissingError, "this login lacks the right {needs!r}")
_API = _Meaning(RightMissingError, "this login lacks the right 'API Enabled'")
_NO_BULK = _Meaning(BulkRefusedError, "Bulk API 2.0 does not serve this")
_BULK_SPENT = _Meaning(
    BulkRefusedError, "the org's Bulk allowance of the last 24 hours is used up"
)
_VERSION = _Meaning(ConnectorError, "this API version is retired: set api_version")
_REFUSED = _Meaning(ConnectorError, "Salesforce refused")
_BUSY = _Meaning(TransientError, "the service is not available now")
_MEANINGS: Final[Mapping[str, _Meaning]] = {
    "API_CURRENTLY_DISABLED": _API,
    "API_DISABLED_FOR_ORG": _API,
    "EXCEEDED_ID_LIMIT": _Meaning(
        QueryTooLargeError, "too many records were deleted for one window"
    ),
    "FUNCTIONALITY_NOT_ENABLED": _RIGHT,
    "GONE": _VERSION,
    "INSUFFICIENT_ACCESS": _RIGHT,
    "INSUFFICIENT_ACCESS_OR_READONLY": _RIGHT,
    "INVALID_FIELD": _Meaning(
        ConnectorError, "a field has just disappeared or been hidden; run again"
    ),
    "INVALID_QUERY_LOCATOR": _Meaning(
        ConnectorError, "the query's cursor is gone; run again"
    ),
    "INVALID_SESSION_ID": _Meaning(
        LoginError,
        "the session has expired or is not valid: log in again, or give a new access token",
    ),
    "INVALID_TYPE": _RIGHT,
    "INVALIDVERSION": _VERSION,
    "MALFORMED_QUERY": _Meaning(ConnectorError, "the query was not understood"),
    "OPERATION_TOO_LARGE": _Meaning(
        QueryTooLargeError,
        "too much for one query; the right 'View All Data' would help",
    ),
    "QUERY_TIMEOUT": _Meaning(
        QueryTooLargeError, "the query takes too long in this org, now and again"
    ),
    "SERVER_UNAVAILABLE": _BUSY,
    "TXN_SECURITY_METERING_ERROR": _Meaning(
        RightMissingError, "a transaction security policy of the org stops this login"
    ),
    "UNABLE_TO_LOCK_ROW": _Meaning(
        TransientError, "a record is locked by someone else"
    ),
    "UNKNOWN_EXCEPTION": _Meaning(TransientError, "the service failed"),
    "UNSUPPORTED_API_VERSION": _Meaning(
        ConnectorError, "the org does not know this API version: set api_version"
    ),
}
# What only the routes of jobs say; some of it comes under several codes.
_BULK_MEANINGS: Final[Mapping[str, _Meaning]] = {
    "FEATURENOTENABLED": _NO_BULK,
    "INTERNALSERVERERROR": _Meaning(TransientError, "the service failed"),
    "INVALIDENTITY": _NO_BULK,
    "LIMIT_EXCEEDED": _BULK_SPENT,
}
_BULK_TEXTS: Final[tuple[tuple[re.Pattern[str], _Meaning], ...]] = (
    (re.compile(r"max bulk v2 query", re.IGNORECASE), _BULK_SPENT),
    (re.compile(r"not supported (by|in) (the )?bulk", re.IGNORECASE), _NO_BULK),
    (re.compile(r"implementation restriction", re.IGNORECASE), _NO_BULK),
)
_LONG = _Meaning(ConnectorError, "too many fields are mapped for one request")
_STATUSES: Final[Mapping[int, _Meaning]] = {
    401: _MEANINGS["INVALID_SESSION_ID"],
    403: _RIGHT,
    410: _VERSION,
    414: _LONG,
    431: _LONG,
}
_QUOTA = (
    "the org's API calls of the last 24 hours are used up; run again when some are back"
)
_TRY_LATER: Final = frozenset({406, 408, 420, 425, 429, 500, 502, 503, 504})


def translated(
    error: Exception,
    *,
    where: str,
    needs: str = "",
    request_id: str = "",
    wait: float = 0.0,
) -> ConnectorError:
    """The error of ours for one of the vendor's, without body, header or address.

    Args:
        where: What was being done, in our words.
        needs: The right to name, should a right be missing.
        request_id: The vendor's number of the call, for a question to its support.
        wait: Seconds that the reply asked to wait.
    """
    if isinstance(error, SalesforceError):
        numbered = f"{where} [request {request_id}]" if request_id else where
        failure = _refused(error, numbered, needs)
        if wait and type(failure) is TransientError:
            return TimedError(SOURCE, failure.message, failure.code, wait)
        return failure
    if isinstance(error, requests.exceptions.SSLError):
        return ConnectorError(
            SOURCE,
            f"{where}: the host's certificate is not trusted; behind a proxy that opens "
            "TLS, name its authority in REQUESTS_CA_BUNDLE",
            _reason(error),
        )
    if isinstance(error, requests.exceptions.InvalidJSONError):
        return unreadable(where)
    return TransientError(
        SOURCE,
        f"{where}: no answer from the CRM; if that lasts, look at the network and at "
        "instance_url",
        _reason(error),
    )


def unreadable(where: str) -> TransientError:
    """An empty, cut or foreign 200 proves nothing: the same call again may do."""
    return TransientError(SOURCE, f"{where}: the answer cannot be read", "UNREADABLE")


def meaning_of(code: str, text: str, *, where: str, needs: str = "") -> ConnectorError:
    """The error for a code that came in a body, such as that of a job that failed."""
    meaning = _bulk_meaning(code, text) or _MEANINGS.get(code.upper(), _REFUSED)
    return _said(meaning, where, needs, code)


def safe_code(code: object) -> str:
    """The vendor's code, or nothing where it is not one; no code has a digit."""
    text = str(code)
    return text if re.fullmatch(r"[A-Za-z][A-Za-z_.]{0,79}", text) else ""


def _refused(error: SalesforceError, where: str, needs: str) -> ConnectorError:
    status = error.status
    code, text = _code_and_text(error.content)
    if status == 429:  # about the moment, whatever its code says
        return _said(_BUSY, where, needs, code or f"HTTP {status}")
    if code == QUOTA_CODE or "TotalRequests Limit exceeded" in text:
        if "concurrent" in text.lower():
            return TransientError(SOURCE, f"{where}: too many calls at once", code)
        return QuotaSpentError(SOURCE, _QUOTA, QUOTA_CODE)
    route = str(error.resource_name)
    if status == 404 and route in _JOB_ROUTES:  # an edition without Bulk API 2.0
        return _said(_NO_BULK, where, needs, code)
    # An object without read right does not exist for us.
    if status == 404 and needs and code != "INVALID_QUERY_LOCATOR":
        return _said(_RIGHT, where, needs, code)
    meaning = _bulk_meaning(code, text) if route.startswith("jobs/") else None
    meaning = meaning or _MEANINGS.get(code.upper())
    if meaning is not None and route.endswith("/describe"):
        meaning = _unsplit(meaning)
    if meaning is None or status >= 500:
        meaning = _by_status(status)
    return _said(meaning, where, needs, code or f"HTTP {status}")


def _bulk_meaning(code: str, text: str) -> _Meaning | None:
    said = (meaning for pattern, meaning in _BULK_TEXTS if pattern.search(text))
    return next(said, None) or _BULK_MEANINGS.get(code.upper())


def _unsplit(meaning: _Meaning) -> _Meaning:
    """The same, where there is nothing to ask for in parts."""
    if meaning.error is QueryTooLargeError:
        return _Meaning(ConnectorError, meaning.advice)
    return meaning


def _said(meaning: _Meaning, where: str, needs: str, code: str) -> ConnectorError:
    advice = meaning.advice.format(needs=needs or "to do this")
    return meaning.error(SOURCE, f"{where}: {advice}", code)


def _by_status(status: int) -> _Meaning:
    if status in _TRY_LATER or status > 504:
        return _BUSY
    if status in _STATUSES:
        return _STATUSES[status]
    if 300 <= status < 400:
        return _Meaning(
            ConnectorError,
            "the host sends us elsewhere, which we never follow: is instance_url "
            "the org's My Domain address?",
        )
    return _REFUSED


def _code_and_text(content: Any) -> tuple[str, str]:
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, Mapping):
        return "", ""
    code = (
        first.get("errorCode") or first.get("exceptionCode") or first.get("error") or ""
    )
    text = first.get("message") or first.get("exceptionMessage") or ""
    return safe_code(code), str(text)


def _reason(error: BaseException) -> str:
    """The name of the innermost thing that went wrong, such as ``ReadTimeoutError``."""
    inner = error.args[0] if error.args else None
    while isinstance(inner, BaseException):
        error = inner
        following = getattr(inner, "reason", None) or (
            inner.args[-1] if inner.args else None
        )
        inner = following if following is not inner else None
    return type(error).__name__
