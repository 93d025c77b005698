"""Which log-in does a connection of Airflow describe?

Each field of a connection stands for one of the variables that `connect` reads, so every
way in that the environment can describe, a connection can too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from crm_portfolio.airflow._provider import HUBSPOT, SALESFORCE, STOCK_SALESFORCE
from crm_portfolio.errors import SettingsError

if TYPE_CHECKING:
    from airflow.sdk import Connection

__all__ = ["Described", "described"]

_HUBSPOT: Final = {
    "host": "HUBSPOT_API_URL",
    "password": "HUBSPOT_ACCESS_TOKEN",
    "client_id": "HUBSPOT_CLIENT_ID",
    "client_secret": "HUBSPOT_CLIENT_SECRET",
    "refresh_token": "HUBSPOT_REFRESH_TOKEN",
}
_SALESFORCE: Final = {
    "host": "SALESFORCE_INSTANCE_URL",
    "login": "SALESFORCE_USERNAME",
    "password": "SALESFORCE_PASSWORD",
    "client_id": "SALESFORCE_CLIENT_ID",
    "client_secret": "SALESFORCE_CLIENT_SECRET",
    "private_key": "SALESFORCE_PRIVATE_KEY",
    "private_key_file": "SALESFORCE_PRIVATE_KEY_FILE",
    "access_token": "SALESFORCE_ACCESS_TOKEN",
    "security_token": "SALESFORCE_SECURITY_TOKEN",
    "domain": "SALESFORCE_DOMAIN",
}
# The names that Airflow's own Salesforce provider gives to the same things.
_STOCK: Final = {
    "instance_url": "SALESFORCE_INSTANCE_URL",
    "login": "SALESFORCE_USERNAME",
    "password": "SALESFORCE_PASSWORD",
    "consumer_key": "SALESFORCE_CLIENT_ID",
    "consumer_secret": "SALESFORCE_CLIENT_SECRET",
    "private_key": "SALESFORCE_PRIVATE_KEY",
    "private_key_file_path": "SALESFORCE_PRIVATE_KEY_FILE",
    "security_token": "SALESFORCE_SECURITY_TOKEN",
    "domain": "SALESFORCE_DOMAIN",
}
_TYPES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    SALESFORCE: ("salesforce", _SALESFORCE),
    HUBSPOT: ("hubspot", _HUBSPOT),
    STOCK_SALESFORCE: ("salesforce", _STOCK),
}
_STANDARD: Final = ("host", "login", "password")
# Domains of every org: they say nothing about which one.
_ANY_ORG: Final = ("login", "test")


@attrs.frozen
class Described:
    """A CRM, and the variables of its log-in.

    Attributes:
        fields: What each field of the connection stands for, to say what is missing.
    """

    crm: str
    environment: Mapping[str, str] = attrs.field(repr=False)
    fields: Mapping[str, str]


def described(connection: Connection) -> Described:
    """The log-in that a connection describes, whole or not.

    Raises:
        SettingsError: Its type is none that we know, or its way in is none of ours.
    """
    kind = connection.conn_type or ""
    if kind not in _TYPES:
        raise SettingsError(
            f"the connection {connection.conn_id!r} is of the type {kind!r}; here it is "
            f"{', '.join(_TYPES)}"
        )
    crm, fields = _TYPES[kind]
    said = _said(connection, kind)
    if kind == STOCK_SALESFORCE:
        said = _with_instance(said)
        _must_be_one_of_ours(connection.conn_id, said)
    environment = {
        variable: said[field] for field, variable in fields.items() if field in said
    }
    return Described(crm, environment, fields)


def _said(connection: Connection, kind: str) -> dict[str, str]:
    """Every field that holds something; the form of old prefixed the extra ones."""
    extra: Mapping[str, Any] = connection.extra_dejson
    prefix = f"extra__{kind}__"
    given = {key.removeprefix(prefix): extra[key] for key in sorted(extra)}
    given |= {name: getattr(connection, name) for name in _STANDARD}
    if connection.port and given["host"]:
        given["host"] = f"{given['host']}:{connection.port}"
    return {
        key: value
        for key, value in given.items()
        if isinstance(value, str) and value.strip()
    }


def _with_instance(said: dict[str, str]) -> dict[str, str]:
    """With the org's address, which the stock connection may tell in three ways."""
    if "instance_url" in said:
        return said
    if "instance" in said:
        return {**said, "instance_url": f"https://{said['instance']}"}
    if said.get("domain", "login") not in _ANY_ORG:
        return {**said, "instance_url": f"https://{said['domain']}.salesforce.com"}
    return said


def _must_be_one_of_ours(name: str, said: Mapping[str, str]) -> None:
    """Never the app's own user where a connection means another.

    Raises:
        SettingsError: It names the way in, and those that are ours.
    """
    if {"consumer_secret", "login", "password"} <= said.keys():
        raise SettingsError(
            f"the connection {name!r} logs in by OAuth with user name and password, "
            "which this library does not. Take consumer_key and consumer_secret alone "
            "(client credentials), or consumer_key, user name and private_key (JWT)."
        )
