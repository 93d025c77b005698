"""What do model tables look like inside a HubSpot portal?

Columns with a standard property go there; others become custom properties. What HubSpot
calculates is calculated, once all of it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.schema import TABLES, TableName
from crm_portfolio.simulator._given import Given, Tables
from crm_portfolio.simulator.hubspot._calculated import FEEDS, Base, Calculator
from crm_portfolio.simulator.hubspot._changes import Changes
from crm_portfolio.simulator.hubspot._custom import Custom
from crm_portfolio.simulator.hubspot._definitions import Definitions
from crm_portfolio.simulator.hubspot._keys import FIRST_ID, Keys
from crm_portfolio.simulator.hubspot._load_service import Service
from crm_portfolio.simulator.hubspot._owned import known_currencies, owners, rates
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._stages import (
    DealStages,
    lead_pipelines,
    ticket_pipelines,
)
from crm_portfolio.simulator.hubspot._text import midnights, moments_text, numbers_text
from crm_portfolio.simulator.hubspot._to_companies import company_links

__all__ = ["Loaded", "load"]

# Before any sale, so that no as-of date cuts a record off whose birth nobody told.
_BORN: Final = pa.scalar(datetime(2000, 1, 1, 12), pa.timestamp("us", "UTC"))  # noqa: DTZ001
_READ: Final = frozenset(
    {"account", "opportunity", "stage", "owner", "activity", "ticket", "enquiry",
     "invoice", "exchange_rate", "opportunity_change"}
)  # fmt: skip
_ACCOUNT: Final = frozenset(
    {"account_id", "name", "parent_id", "owner_id", "segment", "country", "domain",
     "account_turnover", "employee_count", "created_on", "is_customer", "contact_count",
     "last_activity_on", "activity_count"}
)  # fmt: skip
_OPPORTUNITY: Final = frozenset(
    {"opportunity_id", "account_id", "account_ids", "name", "owner_id", "pipeline",
     "stage", "status", "amount", "original_amount", "currency", "home_amount",
     "created_at", "closed_on", "expected_close_on", "probability", "kind",
     "loss_reason", "next_step", "contact_count", "last_activity_on", "activity_count"}
)  # fmt: skip
# vendor docs: the two standard values; a renewal is a customer's own.
_KINDS: Final = {
    "new": "newbusiness",
    "expansion": "existingbusiness",
    "renewal": "renewal",
}


@attrs.frozen(eq=False)
class Loaded:
    """A portal's first state. ``left_out``: tables that HubSpot has no object for."""

    records: Mapping[str, pa.Table]
    links: pa.Table
    history: pa.Table
    pipelines: Mapping[str, list[dict[str, Any]]]
    owners: tuple[Mapping[str, Any], ...]
    currencies: Mapping[str, Any]
    keys: Mapping[str, Mapping[str, str]]
    left_out: tuple[TableName, ...]
    _custom: Custom
    _base: Base

    def definitions(self) -> Definitions:
        """Fresh ones: the portal will add to them."""
        found = Definitions()
        self._custom.define(found)
        return found

    def fill(self, portal: Portal) -> None:
        """Put everything into an empty portal, or one whose store is back at this."""
        portal.pipelines = {kind: list(lines) for kind, lines in self.pipelines.items()}
        portal.owners = [dict(owner) for owner in self.owners]
        portal.currencies = dict(self.currencies)
        calculator = Calculator(portal)
        portal.recalculate, portal.feeds = calculator.renew, FEEDS
        for rows in self.records.values():
            portal.number_behind(pc.max(rows["id"]).as_py() or 0)
        if portal.store.is_kept:
            return
        for kind, rows in self.records.items():
            portal.load(kind, rows)
        portal.load_links(self.links)
        portal.load_history(self.history)
        calculator.begin(self._base)
        portal.store.keep()


def load(tables: Tables, *, currency: str, time_zone: str) -> Loaded:
    for name in tables:
        if name not in TABLES:
            raise SettingsError(
                f"no table is called {name!r}{did_you_mean(name, TABLES)}"
            )
    loading = _Loading(tables, currency=currency, time_zone=time_zone)
    records = loading.records()
    return Loaded(
        records=records,
        links=pa.concat_tables(loading.links()),
        history=loading.changes.history(),
        pipelines={
            "deals": loading.stages.pipelines(),
            "tickets": ticket_pipelines(),
            "leads": lead_pipelines(loading.service.lead_stages()),
        },
        owners=owners(loading.owner, loading.keys["owner"]),
        currencies=known_currencies(currency, loading.currencies(), loading.rates),
        keys={name: keys.as_dict() for name, keys in loading.keys.items()},
        left_out=tuple(name for name in tables if name not in _READ),
        custom=loading.custom,
        base=loading.base(),
    )


class _Loading:
    """The tables on their way in, and the custom properties they turn out to need."""

    def __init__(self, tables: Tables, *, currency: str, time_zone: str) -> None:
        self._account = Given("account", tables.get("account"))
        self._opportunity = Given("opportunity", tables.get("opportunity"))
        self.owner = Given("owner", tables.get("owner"))
        changes = Given("opportunity_change", tables.get("opportunity_change"))
        self._currency, self._zone = currency, time_zone
        self.custom = Custom()
        self.rates = rates(tables.get("exchange_rate"), currency, time_zone)
        self.keys = {
            "account": Keys(self._account.keys(), FIRST_ID["companies"]),
            "opportunity": Keys(self._opportunity.keys(), FIRST_ID["deals"]),
        }
        self.service = Service(tables, self.custom, self.keys, time_zone)
        self.keys |= self.service.keys
        owned = (self.owner.keys(), *(g.get("owner_id") for g in self._owned()))
        everyone = pc.unique(pa.concat_arrays(owned).drop_null())
        self.keys["owner"] = Keys(everyone, FIRST_ID["owners"])
        self.stages = DealStages(tables.get("stage"), self._opportunity, changes)
        self.changes = Changes(changes, self._opportunity, self.keys, self.stages)

    def _owned(self) -> Iterator[Given]:
        yield from (self._account, self._opportunity, *self.service.owned())

    def records(self) -> dict[str, pa.Table]:
        found = {"companies": self._companies(), "deals": self._deals()}
        return {**found, **self.service.records(self.keys["owner"])}

    def _companies(self) -> pa.Table:
        given, keys = self._account, self.keys["account"]
        self.custom.widen("companies", "industry", given.get("segment"))
        stage = pc.if_else(
            pc.fill_null(given.get("is_customer"), fill_value=False), "customer", "lead"
        )
        born = pc.coalesce(midnights(given.get("created_on"), self._zone), _BORN)
        columns = {
            "id": keys.numbers,
            "name": pc.coalesce(given.get("name"), given.keys()),
            "domain": given.get("domain"),
            "website": given.get("domain"),
            "country": given.get("country"),
            "industry": given.get("segment"),
            "annualrevenue": numbers_text(given.get("account_turnover")),
            "numberofemployees": numbers_text(given.get("employee_count")),
            "num_associated_contacts": _count(given.get("contact_count")),
            "lifecyclestage": stage,
            "hubspot_owner_id": self.keys["owner"].of(given.get("owner_id")),
            "hs_pipeline": _always("companies-lifecycle-pipeline", given.count),
            "hs_v2_date_entered_current_stage": moments_text(born),
            "hs_v2_time_in_current_stage": moments_text(born),
            **_system(born, given.count),
        }
        return pa.table(
            {**columns, **self.custom.columns("companies", given, _ACCOUNT)}
        )

    def _deals(self) -> pa.Table:
        given, keys = self._opportunity, self.keys["opportunity"]
        closes = pc.coalesce(given.get("closed_on"), given.get("expected_close_on"))
        born = pc.coalesce(given.get("created_at").cast(_BORN.type), _BORN)
        kinds = _renamed(given.get("kind"))
        self.custom.widen("deals", "dealtype", kinds)
        columns = {
            "id": keys.numbers,
            "dealname": pc.coalesce(given.get("name"), given.keys()),
            "amount": numbers_text(
                pc.coalesce(given.get("original_amount"), given.get("amount"))
            ),
            "closedate": moments_text(midnights(closes, self._zone)),
            "hubspot_owner_id": self.keys["owner"].of(given.get("owner_id")),
            "closed_lost_reason": given.get("loss_reason"),
            "dealtype": kinds,
            "hs_next_step": given.get("next_step"),
            "num_associated_contacts": _count(given.get("contact_count")),
            **self.stages.of_deals(),
            **_system(born, given.count),
            "hs_createdate": moments_text(born),
        }
        if "currency" in given:
            columns["deal_currency_code"] = given.get("currency")
        if "probability" in given:
            columns["hs_deal_stage_probability"] = numbers_text(
                given.get("probability")
            )
        entered = self.changes.entered(columns["dealstage"], columns["closedate"], born)
        self.custom.stage_dates(self.stages.all_ids())
        latest = self.changes.current(columns["dealstage"], entered)
        return pa.table(
            {
                **columns,
                **entered,
                "hs_v2_date_entered_current_stage": latest,
                "hs_v2_time_in_current_stage": latest,
                **self.custom.columns("deals", given, _OPPORTUNITY),
            }
        )

    def links(self) -> Iterator[pa.Table]:
        """Every link, in both directions."""
        yield from company_links(
            self._account,
            self._opportunity,
            self.keys["account"],
            self.keys["opportunity"],
        )
        yield from self.service.links()

    def currencies(self) -> list[str]:
        said = pc.unique(self._opportunity.get("currency").drop_null()).to_pylist()
        return sorted(said)

    def base(self) -> Base:
        """What the tables say of activities that they do not list."""
        listed = self.service.lists_activities
        return Base(
            {
                kind: pa.table(
                    {
                        "id": self.keys[given.name].numbers,
                        "count": given.get("activity_count"),
                        "last": moments_text(
                            midnights(given.get("last_activity_on"), self._zone)
                        ),
                    }
                )
                for kind, given in (
                    ("companies", self._account),
                    ("deals", self._opportunity),
                )
                if not listed
                and ("activity_count" in given or "last_activity_on" in given)
            }
        )


def _system(born: pa.Array, count: int) -> dict[str, pa.Array]:
    # recorded: where a record came from; the numbers of an app are invented.
    return {
        "createdate": moments_text(born),
        "hs_object_source": _always("IMPORT", count),
        "hs_object_source_id": _always("1", count),
        "hs_object_source_label": _always("IMPORT", count),
    }


def _always(text: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), count)


def _count(array: pa.Array) -> pa.Array:
    return numbers_text(pc.coalesce(array, pa.scalar(0, array.type)))


def _renamed(kinds: pa.Array) -> pa.Array:
    places = pc.index_in(kinds, value_set=pa.array(list(_KINDS)))
    return pc.coalesce(pa.array(list(_KINDS.values())).take(places), kinds)
