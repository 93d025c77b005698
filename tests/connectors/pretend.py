"""One pretend org of either CRM with our fields, in the words of neither."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal, TypeAlias

import attrs
import pyarrow as pa

from crm_portfolio import schema
from crm_portfolio.connectors import hubspot, salesforce
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.hubspot._fields import OUR_PROPERTIES
from crm_portfolio.connectors.hubspot._login import login_from as hubspot_login
from crm_portfolio.connectors.salesforce._fields import OUR_FIELDS
from crm_portfolio.connectors.salesforce._login import login_from as salesforce_login
from crm_portfolio.connectors.salesforce._tickets import forget_logins
from crm_portfolio.simulator import Fault, HubSpot, Salesforce

__all__ = ["FIELDS", "Crm", "Org", "started"]

Crm: TypeAlias = Literal["salesforce", "hubspot"]
FIELDS: Final = (*schema.MANAGED["account"], *schema.HUMAN["account"])
_HASTY: Final = RetrySettings(attempts=3, first_wait_seconds=0.0)
_SWIFT: Final = {"burst_calls": 10_000, "search_calls": 1_000, "exports": "never"}
_OBJECT: Final = {"salesforce": "Account", "hubspot": "companies"}
_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "salesforce": OUR_FIELDS["account"],
    "hubspot": OUR_PROPERTIES["account"],
}
_WRITES: Final = {
    "salesforce": ("PATCH composite/sobjects", "POST jobs/ingest"),
    "hubspot": ("batch/update",),
}


@attrs.frozen
class Org:
    """It, and how to reach it."""

    crm: Crm
    there: Any  # Salesforce | HubSpot

    @property
    def ids(self) -> list[str]:
        return list(self.there.ids("account").values())

    @property
    def object(self) -> str:
        return _OBJECT[self.crm]

    def name(self, column: str) -> str:
        return _NAMES[self.crm][column]

    @property
    def writes(self) -> int:
        """Calls that wrote, whatever way."""
        return sum(self.calls_of(route) for route in _WRITES[self.crm])

    def calls_of(self, route: str) -> int:
        return sum(n for name, n in self.there.calls.items() if route in name)

    def connected(self, **settings: object) -> Any:
        """A new connector; nobody waits for it."""
        there = self.there.environment
        if self.crm == "hubspot":
            chosen = hubspot.HubSpotSettings(
                **{"retry": _HASTY, **_SWIFT, **settings}  # type: ignore[arg-type]
            )
            return hubspot.HubSpot(hubspot_login(there), settings=chosen)
        forget_logins()
        return salesforce.Salesforce(
            salesforce_login(there),
            settings=salesforce.SalesforceSettings(
                **{"retry": _HASTY, **settings}  # type: ignore[arg-type]
            ),
        )

    def given_our_fields(self) -> Org:
        list(self.connected().provision(FIELDS, dry_run=False))
        return self

    def edit(self, record_id: str, **values: object) -> None:
        """As a person does, by our columns."""
        self.there.edit(self.object, record_id, self._told(values))

    def edit_at(self, at: int, route: str, record_id: str, **values: object) -> None:
        """The same just before that call of the route, counted from now."""
        act = ("edit", self.object, record_id, self._told(values))
        at_call = self.calls_of(route) + at
        self.there.fault(Fault(at_call, "meanwhile", route=route, act=act))

    def _told(self, values: Mapping[str, object]) -> dict[str, object]:
        return {
            self.name(column): value.isoformat() if isinstance(value, date) else value
            for column, value in values.items()
        }

    def held(self, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What the org itself stores of these columns, nulls left out, by id."""
        names = {self.name(column): column for column in columns}
        return {
            record_id: {names[k]: v for k, v in record.items() if k in names}
            for record_id, record in self.there.snapshot(self.object)[
                self.object
            ].items()
        }


def started(crm: Crm, count: int, **how: Any) -> Iterator[Org]:
    """An org of so many accounts, running until the next one is asked for."""
    ids = [f"A{place:04}" for place in range(count)]
    tables: Any = {
        "account": pa.table({"account_id": ids, "name": [f"Name {n}" for n in ids]})
    }
    if crm == "hubspot":
        how = {"limits_by": "nothing", **how}
    kind: Any = HubSpot if crm == "hubspot" else Salesforce
    with kind(tables, currency="EUR", **how) as there:
        yield Org(crm, there)
