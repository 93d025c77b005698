"""Which one host is the org's, and may it be spoken to in clear?"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import attrs

from crm_portfolio.errors import SettingsError

__all__ = ["Origin", "is_this_machine"]


@attrs.frozen
class Origin:
    """Scheme and host; the only place to which requests go."""

    scheme: str
    netloc: str

    @classmethod
    def of(cls, url: str, *, name: str = "instance_url") -> Origin:
        """The origin of an address such as ``https://acme.my.salesforce.com``.

        Raises:
            SettingsError: Not an https address, nor http on this machine.
        """
        said = url.strip() if "://" in url else f"https://{url.strip()}"
        try:
            parts = urlsplit(said)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            raise SettingsError(f"{name} is not an address") from None
        # Neither part is shown back: a password may have been pasted before an @.
        if (
            not host
            or not said.isprintable()  # a line break would be dropped in silence
            or " " in said
            or "@" in parts.netloc
            or parts.path not in ("", "/")
            or parts.query
            or parts.fragment
        ):
            raise SettingsError(
                f"{name} is scheme and host only, like https://acme.my.salesforce.com"
            )
        if parts.scheme != "https" and not (
            parts.scheme == "http" and is_this_machine(host)
        ):
            raise SettingsError(
                f"{name}: {host} must be reached over https; "
                "http is for this machine only (127.0.0.1, localhost)"
            )
        return cls(parts.scheme, parts.netloc.lower().removesuffix(":443"))

    @property
    def host(self) -> str:
        return urlsplit(f"//{self.netloc}").hostname or ""

    @property
    def is_this_machine(self) -> bool:
        return is_this_machine(self.host)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def is_this_machine(host: str) -> bool:
    """Does this host name the machine that we run on?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
