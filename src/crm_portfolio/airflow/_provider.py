"""What is Airflow told about us before it loads anything else?

Every Airflow process asks this when it starts: it is data, and imports nothing.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["HUBSPOT", "SALESFORCE", "STOCK_SALESFORCE", "get_provider_info"]

SALESFORCE: Final = "crm_portfolio_salesforce"
HUBSPOT: Final = "crm_portfolio_hubspot"
STOCK_SALESFORCE: Final = "salesforce"
"""The connection type of Airflow's own Salesforce provider."""

_NAME: Final = "CRM portfolio"
_MODULES: Final = "crm_portfolio.airflow"


def get_provider_info() -> dict[str, Any]:
    """The provider as Airflow's schema of providers wants it told."""
    told = {"integration-name": _NAME}
    return {
        "package-name": "crm-portfolio",
        "name": _NAME,
        "description": "Client portfolios from the CRM, written back safely.",
        "integrations": [{**told, "external-doc-url": "", "tags": ["service"]}],
        "operators": [{**told, "python-modules": [f"{_MODULES}.operators"]}],
        "hooks": [{**told, "python-modules": [f"{_MODULES}.hooks"]}],
        "connection-types": [_salesforce(), _hubspot()],
    }


def _salesforce() -> dict[str, Any]:
    """The form of a connection to Salesforce."""
    return {
        "connection-type": SALESFORCE,
        "hook-class-name": f"{_MODULES}.hooks.SalesforceHook",
        "hook-name": "Salesforce (crm-portfolio)",
        "conn-fields": {
            "client_id": _text("Client id (consumer key)"),
            "client_secret": _secret("Client secret"),
            "private_key": _secret("Private key", "PEM text, for the log-in by JWT"),
            "private_key_file": _text(
                "Private key file", "Instead of its text: where workers find it"
            ),
            "access_token": _secret(
                "Access token", "Of a session opened elsewhere; ends with it"
            ),
            "security_token": _secret(
                "Security token",
                "For the log-in by password, which is retiring",
            ),
            "domain": _text("Log-in domain", "For JWT: login or test"),
        },
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port", "extra"],
            "relabeling": {
                "host": "My Domain address",
                "login": "User name",
                "password": "Password (retiring log-in)",
            },
            "placeholders": {"host": "https://acme.my.salesforce.com"},
        },
    }


def _hubspot() -> dict[str, Any]:
    """The form of a connection to HubSpot."""
    return {
        "connection-type": HUBSPOT,
        "hook-class-name": f"{_MODULES}.hooks.HubSpotHook",
        "hook-name": "HubSpot (crm-portfolio)",
        "conn-fields": {
            "client_id": _text("Client id", "Of an OAuth app, without a token"),
            "client_secret": _secret("Client secret"),
            "refresh_token": _secret("Refresh token"),
        },
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port", "login", "extra"],
            "relabeling": {
                "host": "API address",
                "password": "Access token (private app or service key)",
            },
            "placeholders": {"host": "https://api.hubapi.com"},
        },
    }


def _text(label: str, description: str = "", **more: str) -> dict[str, Any]:
    field: dict[str, Any] = {
        "label": label,
        "schema": {"type": ["string", "null"], **more},
    }
    return {**field, "description": description} if description else field


def _secret(label: str, description: str = "") -> dict[str, Any]:
    return _text(label, description, format="password")
