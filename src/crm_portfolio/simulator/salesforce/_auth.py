"""Who may log in, and is this session alive?

vendor docs: OAuth 2.0 client credentials and JWT bearer; the password grant is refused
unless switched on. JWT's ``exp`` must be there but is not judged: the clock is simulated.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qsl

from crm_portfolio.simulator._server import Reply, Request
from crm_portfolio.simulator.salesforce._refusal import json_reply
from crm_portfolio.simulator.salesforce._soap import soap_login

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "PASSWORD",
    "SECURITY_TOKEN",
    "USERNAME",
    "Logins",
]

CLIENT_ID: Final = "3MVG9SimulatedPortfolioClient"
CLIENT_SECRET: Final = "simulated-secret"  # noqa: S105 - opens nothing but the simulator
USERNAME: Final = "integration@simulated.example"
PASSWORD: Final = "simulated-password"  # noqa: S105
SECURITY_TOKEN: Final = "SimulatedSecurityToken"  # noqa: S105
_AUDIENCE: Final = re.compile(
    r"https://(login|test|[\w-]+(\.sandbox)?(\.my))\.salesforce\.com/?"
)
_JWT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Logins:
    """The one user's ways in, and the sessions they opened."""

    def __init__(
        self,
        *,
        org_id: str,
        user_id: str,
        allows_password: bool,
        allows_soap: bool = True,
    ) -> None:
        self._org_id, self._user_id = org_id, user_id
        self._allows_password, self._allows_soap = allows_password, allows_soap
        self._issued = 0
        self._live: set[str] = set()

    def is_live(self, token: str) -> bool:
        return token in self._live

    def expire(self) -> None:
        self._live.clear()

    def open_session(self) -> str:
        self._issued += 1
        token = f"{self._org_id[:15]}!AQ0AQSimulated.Session.{self._issued:06d}"
        self._live.add(token)
        return token

    @cached_property
    def private_key(self) -> str:
        """The key whose certificate the org knows; made when first asked for."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    def answer(self, request: Request, *, url: str, issued_at: int) -> Reply:
        """What is answered without a session: both ways to get one, and the versions."""
        if request.path.startswith("/services/Soap/"):
            return soap_login(
                request,
                url=url,
                org_id=self._org_id,
                user_id=self._user_id,
                is_allowed=self._allows_soap,
                knows=self._knows,
                open_session=self.open_session,
            )
        if request.path.startswith("/services/data"):
            return json_reply(_versions())
        return self._token(request, url, issued_at)

    def _knows(self, username: str, password: str, org_id: str) -> bool:
        """Vendor docs: with the org's id, from a trusted address, without the token."""
        if org_id:
            is_right = password == PASSWORD and org_id[:15] == self._org_id[:15]
        else:
            is_right = password == PASSWORD + SECURITY_TOKEN
        return username == USERNAME and is_right

    def _token(self, request: Request, url: str, issued_at: int) -> Reply:
        """``POST /services/oauth2/token``."""
        form = dict(parse_qsl(request.body.decode(errors="replace")))
        grant = form.get("grant_type")
        if grant == "client_credentials":
            no = self._client_refused(*_client(request, form))
        elif grant == _JWT:
            no = self._assertion_refused(form.get("assertion", ""), url)
        elif grant == "password":
            no = self._password_refused(form)
        else:
            no = _no("unsupported_grant_type", "grant type not supported")
        if no is not None:
            return no
        return json_reply(
            {
                "access_token": self.open_session(),
                "signature": base64.b64encode(b"not a real signature").decode(),
                "instance_url": url,
                "id": f"{url}/id/{self._org_id}/{self._user_id}",
                "token_type": "Bearer",
                "issued_at": str(issued_at),
            }
        )

    def _client_refused(self, client_id: str, secret: str) -> Reply | None:
        if client_id != CLIENT_ID:
            return _no("invalid_client_id", "client identifier invalid")
        if not hmac.compare_digest(secret.encode(), CLIENT_SECRET.encode()):
            return _no("invalid_client", "invalid client credentials", status=401)
        return None

    def _password_refused(self, form: Mapping[str, str]) -> Reply | None:
        no = self._client_refused(
            form.get("client_id", ""), form.get("client_secret", "")
        )
        if no is not None:
            return no
        given = (form.get("username"), form.get("password"))
        if self._allows_password and given == (USERNAME, PASSWORD):
            return None
        return _no("invalid_grant", "authentication failure")

    def _assertion_refused(self, assertion: str, url: str) -> Reply | None:
        import jwt

        try:
            claims: dict[str, Any] = jwt.decode(
                assertion, options={"verify_signature": False}
            )
        except jwt.PyJWTError:
            return _no("invalid_grant", "invalid assertion")
        if claims.get("iss") != CLIENT_ID:
            return _no("invalid_client_id", "client identifier invalid")
        audience = str(claims.get("aud", ""))
        # Observed with simple-salesforce 1.12.10: exp comes as text.
        flaws = {
            "invalid assertion": not self._is_signed(assertion),
            "audience is invalid": audience != url
            and not _AUDIENCE.fullmatch(audience),
            "user hasn't approved this consumer": claims.get("sub") != USERNAME,
            "expired authorization code": not str(claims.get("exp", "")).isdecimal(),
        }
        flaw = next((flaw for flaw, is_found in flaws.items() if is_found), None)
        return None if flaw is None else _no("invalid_grant", flaw)

    def _is_signed(self, assertion: str) -> bool:
        import jwt
        from cryptography.hazmat.primitives import serialization

        key = serialization.load_pem_private_key(self.private_key.encode(), None)
        unjudged = {"verify_exp": False, "verify_aud": False, "verify_sub": False}
        try:
            jwt.decode(
                assertion,
                key.public_key(),  # type: ignore[arg-type]
                algorithms=["RS256"],
                options=unjudged,  # type: ignore[arg-type]
            )
        except jwt.PyJWTError:
            return False
        return True


def _client(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        plain = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    client_id, _, secret = plain.partition(":")
    return client_id, secret


def _versions() -> list[dict[str, str]]:
    """Recorded: each version with the season it came in."""
    seasons = ("Winter", "Spring", "Summer")
    return [
        {
            "label": f"{seasons[(number - 32) % 3]} '{15 + (number - 32) // 3}",
            "url": f"/services/data/v{number}.0",
            "version": f"{number}.0",
        }
        for number in range(31, 69)
    ]


def _no(error: str, description: str, *, status: int = 400) -> Reply:
    return json_reply({"error": error, "error_description": description}, status=status)
