"""What does HubSpot's no mean, and what should the caller do?

The messages are ours: the vendor's text may hold values or names. Of its answer only the
category, the names of scopes and the correlation id are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from crm_portfolio.connectors._retry import QuotaSpentError, TimedError
from crm_portfolio.errors import (
    ConnectorError,
    LoginError,
    RightMissingError,
    TransientError,
)

__all__ = [
    "RefusedRequestError",
    "policy",
    "refused",
    "retry_after",
    "safe_code",
    "unreachable",
    "unreadable",
]

SOURCE: Final = "hubspot"
DAILY: Final = "DAILY"
_LEAST_WAITS: Final[Mapping[int, float]] = {423: 2.0, 524: 5.0}
_TRY_LATER: Final = frozenset({408, 420, 423, 425, 477})


class RefusedRequestError(ConnectorError):
    """A whole request that HubSpot refuses; nothing of it was done.

    Attributes:
        problems: Error code and property name of each value it minds; no value is kept.
        category: HubSpot's own word for the kind of refusal.
    """

    def __init__(
        self,
        source: str,
        message: str,
        code: str = "",
        problems: tuple[tuple[str, str], ...] = (),
        category: str = "",
    ) -> None:
        super().__init__(source, message, code)
        self.args = (source, message, code, problems, category)
        self.problems, self.category = problems, category


def refused(
    status: int,
    headers: Mapping[str, str],
    body: bytes | None,
    *,
    where: str,
    needs: str = "",
) -> ConnectorError:
    """The error of ours for an answer that is none, without its text or headers.

    Args:
        where: What was being done, in our words.
        needs: The scope to name, should one be missing and HubSpot not tell which.
    """
    said = _envelope(body)
    code = _code(said) or f"HTTP {status}"
    where = f"{where}{_correlation(said)}"
    if status == 429:
        return _too_many(said, where, code)
    if status in _TRY_LATER or (status >= 500 and status != 530):
        return _later(status, headers, where, code)
    if status in (401, 530):
        return LoginError(
            SOURCE,
            f"{where}: the token is not valid, or no longer: make a new one in the "
            "portal's settings",
            code,
        )
    if status == 403 or (status == 404 and needs):
        scopes = ", ".join(sorted(_scopes(said))) or needs or "to do this"
        return RightMissingError(SOURCE, f"{where}: this login lacks {scopes!r}", code)
    if status == 400:
        category = safe_code(said.get("category", ""))
        told = f"{where}: {_advice(status)}"
        return RefusedRequestError(SOURCE, told, code, tuple(_problems(said)), category)
    return ConnectorError(SOURCE, f"{where}: {_advice(status)}", code)


def unreachable(error: BaseException, where: str) -> ConnectorError:
    """The error of ours for no answer at all, or one that was cut."""
    reason = _reason(error)
    if reason in ("SSLError", "SSLCertVerificationError", "CertificateError"):
        return ConnectorError(
            SOURCE,
            f"{where}: the host's certificate is not trusted; behind a proxy that opens "
            "TLS, name its authority in SSL_CERT_FILE",
            reason,
        )
    return TransientError(
        SOURCE,
        f"{where}: no answer from the CRM; if that lasts, look at the network",
        reason,
    )


def unreadable(where: str) -> TransientError:
    """An empty, cut or foreign 200 proves nothing: the same call again may do."""
    return TransientError(SOURCE, f"{where}: the answer cannot be read", "UNREADABLE")


def safe_code(code: object) -> str:
    """The vendor's code, or nothing where it is not one."""
    text = str(code)
    return text if re.fullmatch(r"[A-Za-z][A-Za-z_.]{0,79}", text) else ""


def policy(body: bytes | None) -> str:
    """Which limit a 429 is about; empty where HubSpot does not tell."""
    said = _envelope(body)
    named = safe_code(said.get("policyName", ""))
    # Without a name the sentence still tells the day from the moment.
    is_day = "daily" in str(said.get("message", "")).lower()
    return named or (DAILY if is_day else "")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, where HubSpot says how long to wait."""
    said = headers.get("Retry-After", "").strip()
    return float(said) if re.fullmatch(r"\d{1,6}(\.\d+)?", said) else None


def _too_many(said: Mapping[str, Any], where: str, code: str) -> TransientError:
    if policy(orjson.dumps(said)) == DAILY:
        return QuotaSpentError(
            SOURCE,
            f"{where}: the portal's calls of the day are used up; run again after its "
            "midnight",
            code,
        )
    return TimedError(SOURCE, f"{where}: too many calls in a short time", code)


def _later(
    status: int, headers: Mapping[str, str], where: str, code: str
) -> TransientError:
    what = "a record is locked" if status == 423 else "the service is not available now"
    if status == 477:
        what = "HubSpot is moving the portal to other machines"
    seconds = max(retry_after(headers) or 0.0, _LEAST_WAITS.get(status, 0.0))
    if not seconds:
        return TransientError(SOURCE, f"{where}: {what}", code)
    told = f"{what}; wait {seconds:.0f} s"
    return TimedError(SOURCE, f"{where}: {told}", code, seconds)


def _advice(status: int) -> str:
    if 300 <= status < 400:
        return (
            "the host sends us elsewhere, which we never follow: is HUBSPOT_API_URL "
            f"the address of the API, like {SOURCE}'s https://api.hubapi.com?"
        )
    return {
        404: "nothing is there",
        409: "it is there already, or someone else is changing it",
        414: "too many properties are mapped for one request",
    }.get(status, "HubSpot refused")


def _envelope(body: bytes | None) -> Mapping[str, Any]:
    try:
        said = orjson.loads(body or b"")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _code(said: Mapping[str, Any]) -> str:
    for key in ("policyName", "category", "errorType", "status"):
        code = safe_code(said.get(key, ""))
        if code and code != "error":
            return code
    return ""


def _correlation(said: Mapping[str, Any]) -> str:
    told = str(said.get("correlationId", ""))
    if not re.fullmatch(r"[0-9A-Za-z-]{4,64}", told):
        return ""
    return f" (correlation id {told})"


def _scopes(said: Mapping[str, Any]) -> Iterator[str]:
    errors = said.get("errors")
    for error in errors if isinstance(errors, list) else ():
        context = error.get("context") if isinstance(error, dict) else None
        named = (
            context.get("requiredGranularScopes") if isinstance(context, dict) else ()
        )
        for scope in named if isinstance(named, list) else ():
            if re.fullmatch(r"[a-z][a-z0-9_.-]{2,80}", str(scope)):
                yield str(scope)


def _problems(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Code and property of each bad value: a list of JSON inside the message's text."""
    text = str(said.get("message", ""))
    try:
        listed = orjson.loads(text[text.index("[") : text.rindex("]") + 1])
    except ValueError:
        return
    for problem in listed if isinstance(listed, list) else ():
        if isinstance(problem, dict):
            name = str(problem.get("name", ""))
            safe = name if re.fullmatch(r"[a-z0-9_]{1,100}", name) else ""
            yield safe_code(problem.get("error", "")), safe


def _reason(error: BaseException) -> str:
    """The name of the innermost thing that went wrong, such as ``ReadTimeoutError``."""
    seen = {id(error)}
    while True:
        following = getattr(error, "reason", None)
        if not isinstance(following, BaseException):
            following = next(
                (part for part in error.args if isinstance(part, BaseException)), None
            )
        if following is None or id(following) in seen:
            return type(error).__name__
        seen.add(id(following))
        error = following
