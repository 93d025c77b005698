"""How does a connection of Airflow become a connector?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from crm_portfolio.airflow._logins import described
from crm_portfolio.airflow._provider import HUBSPOT, SALESFORCE
from crm_portfolio.errors import CrmPortfolioError, SettingsError

if TYPE_CHECKING:
    from crm_portfolio.protocols import Connector
    from crm_portfolio.settings import Settings

__all__ = ["CrmHook", "HubSpotHook", "SalesforceHook"]


class CrmHook(BaseHook):
    """Either CRM: the type of the connection says which.

    Accepts our own types and that of Airflow's Salesforce provider, ``salesforce``.

    Args:
        crm_conn_id: The connection.
        settings: Their part for the CRM steers the connector.
    """

    conn_name_attr = "crm_conn_id"
    default_conn_name = "crm_portfolio_default"

    def __init__(
        self, crm_conn_id: str | None = None, *, settings: Settings | None = None
    ) -> None:
        super().__init__()
        self.crm_conn_id = crm_conn_id or self.default_conn_name
        self.settings = settings

    def get_conn(self) -> Connector:
        """A connector with the log-in of the connection; nothing is asked of the CRM yet.

        Raises:
            SettingsError: The connection describes no log-in, or another CRM than the
                settings.
        """
        from crm_portfolio.connectors import connect

        found = described(self.get_connection(self.crm_conn_id))
        meant = self.settings.sync.crm if self.settings else ""
        if meant and meant != found.crm:
            raise SettingsError(
                f"the connection {self.crm_conn_id!r} reaches {found.crm}, the settings "
                f"say {meant}: take another connection, or another org of the settings"
            )
        own = self.settings.of_connector(found.crm) if self.settings else None
        try:
            crm: Connector = connect(
                found.crm, settings=own, environment=found.environment
            )
        except SettingsError as error:
            fields = ", ".join(f"{f} = {v}" for f, v in found.fields.items())
            raise SettingsError(
                f"the connection {self.crm_conn_id!r}: {error}\n"
                f"What its fields stand for: {fields}"
            ) from error
        return crm

    def test_connection(self) -> tuple[bool, str]:
        """Whether the log-in works, and which org it reaches."""
        try:
            org = self.get_conn().org()
        except CrmPortfolioError as error:
            return False, str(error)
        return True, f"reached {org}"


class SalesforceHook(CrmHook):
    """Salesforce, by a connection of ours or of Airflow's own provider."""

    conn_type = SALESFORCE
    default_conn_name = "crm_portfolio_salesforce"
    hook_name = "Salesforce (crm-portfolio)"


class HubSpotHook(CrmHook):
    """HubSpot."""

    conn_type = HUBSPOT
    default_conn_name = "crm_portfolio_hubspot"
    hook_name = "HubSpot (crm-portfolio)"
