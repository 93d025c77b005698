"""Which CRMs can be pretended for the demonstration, and how is each reached?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Protocol, TypeAlias

import attrs
import pyarrow as pa

from crm_portfolio import simulator
from crm_portfolio.connectors.hubspot import AccessToken, HubSpot, HubSpotSettings
from crm_portfolio.connectors.salesforce import ClientCredentials, Salesforce
from crm_portfolio.protocols import Connector
from crm_portfolio.schema import TableName

__all__ = ["PRETENDED", "CrmName", "Pretend", "Pretended"]

CrmName: TypeAlias = Literal["salesforce", "hubspot"]
Tables: TypeAlias = Mapping[TableName, pa.Table]
_CALLS_A_WINDOW: Final = 10_000  # a pretend portal has no neighbours to be kind to


class Pretend(Protocol):
    """What the demonstration looks at behind the API."""

    @property
    def url(self) -> str: ...
    @property
    def environment(self) -> Mapping[str, str]: ...
    @property
    def api_calls(self) -> int: ...
    def snapshot(self, *names: str) -> Mapping[str, Mapping[str, Any]]: ...


@attrs.frozen
class Pretended:
    """One CRM.

    Attributes:
        label: What people call it.
        accounts: Its own word for the object behind accounts.
        begun: Makes the pretend CRM, to be entered, of tables and a currency.
        reached: Makes the connector that reaches it, of its environment.
    """

    label: str
    accounts: str
    begun: Callable[[Tables, str], Any]
    reached: Callable[[Mapping[str, str]], Connector]


def _salesforce(environment: Mapping[str, str]) -> Connector:
    return Salesforce(
        ClientCredentials(
            instance_url=environment["SALESFORCE_INSTANCE_URL"],
            client_id=environment["SALESFORCE_CLIENT_ID"],
            client_secret=environment["SALESFORCE_CLIENT_SECRET"],
        )
    )


def _hubspot(environment: Mapping[str, str]) -> Connector:
    return HubSpot(
        AccessToken(
            environment["HUBSPOT_ACCESS_TOKEN"], api_url=environment["HUBSPOT_API_URL"]
        ),
        settings=HubSpotSettings(
            burst_calls=_CALLS_A_WINDOW, search_calls=_CALLS_A_WINDOW
        ),
    )


PRETENDED: Final[Mapping[CrmName, Pretended]] = {
    "salesforce": Pretended(
        "Salesforce",
        "Account",
        lambda tables, code: simulator.Salesforce(tables, currency=code),
        _salesforce,
    ),
    "hubspot": Pretended(
        "HubSpot",
        "companies",
        lambda tables, code: simulator.HubSpot(
            tables, currency=code, limits_by="nothing"
        ),
        _hubspot,
    ),
}
