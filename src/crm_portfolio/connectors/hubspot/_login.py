"""How do we get into a portal, and where do the keys come from?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

import attrs

from crm_portfolio.connectors._origin import Origin
from crm_portfolio.errors import SettingsError

__all__ = ["API_URL", "AccessToken", "Login", "OAuthRefresh", "login_from"]

API_URL: Final = "https://api.hubapi.com"


def _origin(url: str) -> Origin:
    return Origin.of(url, name="api_url")


@attrs.frozen
class AccessToken:
    """The token of a private app or of a service key. It does not expire by itself.

    Attributes:
        api_url: Where the API is; plain http for this machine only.
    """

    token: str = attrs.field(repr=False)
    api_url: str = API_URL

    def __attrs_post_init__(self) -> None:
        _origin(self.api_url)
        _must_be_sendable(token=self.token)

    @property
    def origin(self) -> Origin:
        """The only place the token is shown to."""
        return _origin(self.api_url)


@attrs.frozen
class OAuthRefresh:
    """An OAuth app's lasting token, from which short-lived ones are made."""

    client_id: str
    client_secret: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(repr=False)
    api_url: str = API_URL

    def __attrs_post_init__(self) -> None:
        _origin(self.api_url)
        _must_be_sendable(
            client_id=self.client_id,
            client_secret=self.client_secret,
            refresh_token=self.refresh_token,
        )

    @property
    def origin(self) -> Origin:
        """The only place the tokens are shown to."""
        return _origin(self.api_url)

    @property
    def form(self) -> list[tuple[str, str]]:
        """What is posted for a new token."""
        return [
            ("grant_type", "refresh_token"),
            ("client_id", self.client_id),
            ("client_secret", self.client_secret),
            ("refresh_token", self.refresh_token),
        ]


Login: TypeAlias = AccessToken | OAuthRefresh


def _must_be_sendable(**parts: object) -> None:
    for name, part in parts.items():
        if not isinstance(part, str) or not part.strip():
            raise SettingsError(f"{name} is missing: give its text")
        if not re.fullmatch("[!-~]+", part):
            raise SettingsError(
                f"{name} holds a blank, a line break or a letter that none has: "
                "copy it whole, and nothing else"
            )


_TOKEN = "HUBSPOT_ACCESS_TOKEN"  # noqa: S105 - a variable's name
_OAUTH: Final = (
    "HUBSPOT_CLIENT_ID",
    "HUBSPOT_CLIENT_SECRET",
    "HUBSPOT_REFRESH_TOKEN",
)
_WAYS: Final[tuple[tuple[str, ...], ...]] = ((_TOKEN,), _OAUTH)


def login_from(environment: Mapping[str, str]) -> Login:
    """The log-in that the environment's variables describe.

    Raises:
        SettingsError: No way in is complete, or more than one is.
    """
    # A line break from a file or a secret store is no part of what was said.
    given = {name: said for name in environment if (said := environment[name].strip())}
    complete = [way for way in _WAYS if set(way) <= set(given)]
    if len(complete) != 1:
        raise SettingsError(_which_are_missing(given, is_any_complete=bool(complete)))
    api_url = given.get("HUBSPOT_API_URL", API_URL)
    if complete[0] == (_TOKEN,):
        return AccessToken(given[_TOKEN], api_url)
    client_id, secret, refresh_token = (given[name] for name in _OAUTH)
    return OAuthRefresh(client_id, secret, refresh_token, api_url)


def _which_are_missing(given: Mapping[str, str], *, is_any_complete: bool) -> str:
    head = (
        "hubspot: the environment describes more than one log-in; unset all but one of:"
        if is_any_complete
        else "hubspot: no log-in in the environment; set all variables of one line:"
    )
    lines = []
    for way in _WAYS:
        missing = [name for name in way if name not in given]
        state = f"missing: {', '.join(missing)}" if missing else "complete"
        lines.append(f"  {' '.join(way)}  ({state})")
    return "\n".join([head, *lines])
