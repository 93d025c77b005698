"""How does the old log-in by SOAP answer?

vendor docs: gone from API 65.0 on, off in orgs made since Winter '26, retired in Summer '27.
The names of the elements are as the vendor's usual client reads them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Final
from xml.sax.saxutils import escape

from crm_portfolio.simulator._server import Reply, Request

__all__ = ["soap_login"]

_ENVELOPE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
    'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns="urn:partner.soap.sforce.com">'
    "<soapenv:Body>{}</soapenv:Body></soapenv:Envelope>"
)
_LAST_VERSION: Final = 64


def soap_login(
    request: Request,
    *,
    url: str,
    org_id: str,
    user_id: str,
    is_allowed: bool,
    knows: Callable[[str, str, str], bool],
    open_session: Callable[[], str],
) -> Reply:
    """``POST /services/Soap/u/{version}``.

    Args:
        knows: Is this user name, this password (with its token) and this org's id right?
    """
    version = request.path.rstrip("/").rpartition("/")[2]
    if not version.replace(".", "", 1).isdecimal() or float(version) > _LAST_VERSION:
        # unverified: the code.
        return _fault("UNSUPPORTED_API_VERSION", "login() is not there in this version")
    body = request.body.decode(errors="replace")
    said = {
        name: _text(body, name) for name in ("username", "password", "organizationId")
    }
    if not is_allowed:
        message = "SOAP API login() is disabled by default in this org."
        return _fault("INVALID_OPERATION", message)  # unverified: the code
    if not knows(said["username"], said["password"], said["organizationId"]):
        message = (
            "Invalid username, password, security token; or user locked out. Are you at a "
            "new location?"
        )
        return _fault("INVALID_LOGIN", message)
    server = f"{url}/services/Soap/u/{version}/{org_id[:15]}"
    result = (
        f"<loginResponse><result><serverUrl>{escape(server)}</serverUrl>"
        f"<sessionId>{escape(open_session())}</sessionId><userId>{user_id}</userId>"
        "</result></loginResponse>"
    )
    return _reply(200, result)


def _text(body: str, name: str) -> str:
    found = re.search(rf"<(?:\w+:)?{name}>(.*?)</(?:\w+:)?{name}>", body, re.DOTALL)
    return unescape(found[1]) if found else ""


def _fault(code: str, message: str) -> Reply:
    return _reply(
        500,
        f"<soapenv:Fault><faultcode>sf:{code}</faultcode>"
        f"<faultstring>{code}: {escape(message)}</faultstring><detail><sf:LoginFault>"
        f"<sf:exceptionCode>{code}</sf:exceptionCode>"
        f"<sf:exceptionMessage>{escape(message)}</sf:exceptionMessage>"
        "</sf:LoginFault></detail></soapenv:Fault>",
    )


def _reply(status: int, content: str) -> Reply:
    body = _ENVELOPE.format(content).encode()
    return Reply(status, body, {"content-type": "text/xml;charset=UTF-8"})
