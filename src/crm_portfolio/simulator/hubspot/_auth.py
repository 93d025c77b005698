"""Who may log in, is this token alive, and what was it granted?

vendor docs: a private app's token or a service key lives until it is rotated; an OAuth
token lives for 1,800 s and is renewed by a refresh token, which stays the same.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

from crm_portfolio.simulator._server import Reply, Request
from crm_portfolio.simulator.hubspot._assumptions import Assumptions
from crm_portfolio.simulator.hubspot._refusal import Refusal, json_reply
from crm_portfolio.simulator.hubspot._time import Clock, iso

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN", "SCOPES", "Logins"]

CLIENT_ID: Final = "0a0a0a0a-51ab-4cde-8f00-simulated001"
CLIENT_SECRET: Final = "simulated-secret"  # noqa: S105 - opens nothing but the simulator
REFRESH_TOKEN: Final = "eu1-5151-simulated-refresh-token"  # noqa: S105
TOKEN_SECONDS: Final = 1_800
SCOPES: Final = (
    "crm.export",
    "crm.objects.commercepayments.read",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.custom.read",
    "crm.objects.custom.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.invoices.read",
    "crm.objects.leads.read",
    "crm.objects.leads.write",
    "crm.objects.line_items.read",
    "crm.objects.owners.read",
    "crm.schemas.companies.read",
    "crm.schemas.companies.write",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "crm.schemas.custom.read",
    "crm.schemas.deals.read",
    "crm.schemas.deals.write",
    "e-commerce",
    "oauth",
    "sales-email-read",
    "settings.currencies.read",
    "tickets",
)
# What a token looks like: a private app's, a service key's or an OAuth token.
_PLAUSIBLE: Final = re.compile(r"[A-Za-z0-9._-]{16,512}")


class Logins:
    """The one app's ways in, the tokens they opened and the scopes they carry."""

    def __init__(self, assumptions: Assumptions) -> None:
        self._clock, self._assumptions = Clock(), assumptions
        self._issued = 0
        self._ends: dict[str, datetime | None] = {}
        self._private = ""
        self.granted = set(SCOPES)

    @property
    def private_token(self) -> str:
        """The private app's token; a new one after a rotation."""
        if self._private not in self._ends:
            self._private = self._new("pat-eu1-00000000-0000-4000-8000")
            self._ends[self._private] = None
        return self._private

    def expire(self) -> None:
        """End every OAuth token, and rotate the private app's."""
        for token, ends in list(self._ends.items()):
            if ends is None:
                del self._ends[token]
            else:
                self._ends[token] = self._clock.now

    def begin(self, clock: Clock) -> None:
        """Time begins, or begins anew: tokens live on, scopes are granted again."""
        later = clock.now + timedelta(seconds=TOKEN_SECONDS)
        self._ends = {t: ends and later for t, ends in self._ends.items()}
        self._clock, self.granted = clock, set(SCOPES)

    def admit(self, request: Request) -> bool:
        """Refuse a request without a living token. True: it came by OAuth."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            message = (
                "Authentication credentials not found. This API supports OAuth 2.0 "
                "authentication and you can find more details at "
                "https://developers.hubspot.com/docs/methods/auth/oauth-overview"
            )
            raise Refusal(message, category="INVALID_AUTHENTICATION", status=401)
        if token not in self._ends:
            raise self._unknown(token)
        ends = self._ends[token]
        if ends is not None and ends <= self._clock.now:
            ago = int((self._clock.now - ends).total_seconds())
            message = (
                f"The OAuth token used to make this call expired {ago} second(s) ago."
            )
            raise Refusal(
                message,
                category="EXPIRED_AUTHENTICATION",
                status=401,
                context={"expire time": [iso(ends)]},
            )
        return ends is not None

    def demand(self, scopes: tuple[str, ...]) -> None:
        """Refuse a call for which one of these scopes was not granted."""
        missing = [scope for scope in scopes if scope not in self.granted]
        if not missing:
            return
        what = "One or more of the following scopes are required."
        context = {"requiredGranularScopes": missing}
        raise Refusal(
            "This app hasn't been granted all required scopes to make this call. Read "
            "more about required scopes here: https://developers.hubspot.com/scopes.",
            category="MISSING_SCOPES",
            status=403,
            errors=[{"message": what, "context": context}],
            more={"links": {"scopes": "https://developers.hubspot.com/scopes"}},
        )

    def answer(self, request: Request) -> Reply:
        """``POST /oauth/v1/token`` and its successors."""
        form = dict(parse_qsl(request.body.decode(errors="replace")))
        if form.get("grant_type") != "refresh_token":
            raise self._bad("BAD_GRANT_TYPE", "missing or unknown grant type")
        secret = form.get("client_secret", "").encode()
        if form.get("client_id") != CLIENT_ID:
            raise self._bad("BAD_CLIENT_ID", "missing or unknown client id")
        if not hmac.compare_digest(secret, CLIENT_SECRET.encode()):
            raise self._bad("BAD_CLIENT_SECRET", "missing or invalid client secret")
        if form.get("refresh_token") != REFRESH_TOKEN:
            raise self._bad("BAD_REFRESH_TOKEN", "missing or invalid refresh token")
        token = self._new("CKsim0000000000")
        self._ends[token] = self._clock.now + timedelta(seconds=TOKEN_SECONDS)
        body: Mapping[str, Any] = {
            "access_token": token,
            "refresh_token": REFRESH_TOKEN,
            "expires_in": TOKEN_SECONDS,
            "token_type": "bearer",
        }
        return json_reply(body)

    def _new(self, form: str) -> str:
        self._issued += 1
        return f"{form}-{self._issued:012d}"

    def _unknown(self, token: str) -> Refusal:
        message = "The access token is invalid: it was not issued, or was rotated."
        is_odd = _PLAUSIBLE.fullmatch(token) is None
        status = self._assumptions.malformed_token_status if is_odd else 401
        return Refusal(message, category="INVALID_AUTHENTICATION", status=status)

    def _bad(self, status: str, message: str) -> Refusal:
        """Unverified: the shape."""
        more = {"status": status}
        if self._assumptions.refresh_error == "rfc":
            more = {"error": "invalid_grant", "error_description": message}
        return Refusal(message, category=None, more=more)
