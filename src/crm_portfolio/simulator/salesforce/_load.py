"""What do model tables look like inside a Salesforce org?

Columns with a standard field go there; others become custom fields that everyone sees.
What Salesforce demands and the tables lack is supplied, below the API, by fixed rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.schema import TABLES, TableName
from crm_portfolio.simulator.salesforce import (
    _customers,
    _history,
    _rates,
    _sales,
    _service,
)
from crm_portfolio.simulator.salesforce._arriving import (
    LOADED_AT,
    ORG_ID,
    READ,
    SOMEONE_ID,
    USER_ID,
    Arriving,
    Switches,
)
from crm_portfolio.simulator.salesforce._assumptions import Assumptions
from crm_portfolio.simulator.salesforce._custom import custom_object
from crm_portfolio.simulator.salesforce._ids import to_18
from crm_portfolio.simulator.salesforce._metadata import (
    Catalogue,
    Feature,
    Field,
    SObject,
)
from crm_portfolio.simulator.salesforce._model import Tables
from crm_portfolio.simulator.salesforce._stages import Stages

__all__ = ["ORG_ID", "SOMEONE_ID", "USER_ID", "Loaded", "Switches", "load"]

_MODEL: Final = {"Account": "account", "Opportunity": "opportunity", "User": "owner"}


@attrs.frozen(eq=False)
class Loaded:
    """An org's first state. ``left_out``: tables that this simulator has no object for."""

    records: Mapping[str, pa.Table]
    features: frozenset[Feature]
    fields: tuple[tuple[str, Field], ...]
    objects: tuple[SObject, ...]
    without: tuple[str, ...]
    keys: Mapping[str, Mapping[str, str]]
    left_out: tuple[TableName, ...]
    tracked: frozenset[str]

    def catalogue(self) -> Catalogue:
        """A fresh one: the org will add to it."""
        catalogue = Catalogue(self.features, without=self.without)
        for entity in self.objects:
            catalogue.add_object(attrs.evolve(entity, fields=dict(entity.fields)))
        for name, field in self.fields:
            if catalogue.find(name):
                catalogue.add(name, field)
        return catalogue


def load(
    tables: Tables,
    *,
    currency: str,
    time_zone: str,
    is_sandbox: bool,
    assumptions: Assumptions,
    switches: Switches,
) -> Loaded:
    for name in tables:
        if name not in TABLES:
            raise SettingsError(
                f"no table is called {name!r}{did_you_mean(name, TABLES)}"
            )
    arriving = Arriving(
        tables, currency=currency, time_zone=time_zone, switches=switches
    )
    shows_currency = assumptions.shows_org_currency
    shown: set[Feature] = {"O"} if shows_currency else set()
    features = arriving.features | shown
    stages = Stages(
        tables.get("stage"),
        arriving.given["opportunity"],
        arriving.given["opportunity_change"],
    )
    records = dict(_standard(arriving, stages, assumptions))
    records["Organization"] = _customers.organization(
        arriving, is_sandbox=is_sandbox, shows_currency=shows_currency
    )
    catalogue = Catalogue(features)
    objects = tuple(_custom(arriving, records))
    changes = _history.told_changes(arriving)
    records["Opportunity"] = _last_stage_change(records["Opportunity"], changes)
    _add_past(records, changes, stages, {**_of(catalogue, arriving, "Opportunity")})
    _derive_last_activity(arriving, records)
    widened = _widened(catalogue, records, stages)
    gone = {name.lower() for name in switches.without}
    return Loaded(
        records={n: rows for n, rows in records.items() if n.lower() not in gone},
        features=frozenset(features),
        fields=(*arriving.fields, *widened),
        objects=objects,
        without=switches.without,
        keys=_Keys(arriving),
        left_out=tuple(name for name in tables if name not in READ),
        tracked=frozenset(switches.tracked)
        | set(pc.unique(changes["name"]).to_pylist()),
    )


class _Keys(Mapping[str, Mapping[str, str]]):
    """Model ids and record ids by table; made when asked for, since they may be many."""

    def __init__(self, arriving: Arriving) -> None:
        self._keys = dict(arriving.keys)
        self._activity = arriving.given["activity"]
        self._made: dict[str, Mapping[str, str]] = {}

    def __getitem__(self, table: str) -> Mapping[str, str]:
        if table not in self._made:
            if table == "activity":
                ids, _ = _service.activity_keys(self._activity)
                model = self._activity.keys().to_pylist()
                self._made[table] = dict(zip(model, ids.to_pylist(), strict=True))
            else:
                self._made[table] = self._keys[table].as_dict()
        return self._made[table]

    def __iter__(self) -> Iterator[str]:
        return iter((*self._keys, "activity"))

    def __len__(self) -> int:
        return len(self._keys) + 1


def _standard(
    arriving: Arriving, stages: Stages, assumptions: Assumptions
) -> Iterator[tuple[str, pa.Table]]:
    yield "User", _customers.users(arriving)
    yield "Account", _customers.accounts(arriving)
    contacts = _customers.contacts(arriving)
    yield "Contact", contacts
    yield "OpportunityContactRole", _customers.roles(arriving, contacts)
    yield "OpportunityStage", stages.records(arriving.marks(stages.count))
    yield "Opportunity", _sales.opportunities(arriving, stages)
    yield from _service.activities(arriving)
    yield "Case", _service.tickets(arriving)
    yield "Lead", _service.enquiries(arriving)
    yield "Contract", _service.contracts(arriving)
    if "M" in arriving.features:
        yield "CurrencyType", _rates.currencies(arriving, assumptions)
    if "D" in arriving.features:
        yield "DatedConversionRate", _rates.dated_rates(arriving, assumptions)


def _custom(arriving: Arriving, records: dict[str, pa.Table]) -> Iterator[SObject]:
    for number, (name, given) in enumerate(arriving.switches.objects.items()):
        entity, columns, lookups = custom_object(name, given, number)
        count = given.records.num_rows
        for field in lookups:
            columns[field] = _pointed(arriving, entity.fields[field], columns[field])
        born = pa.nulls(count, pa.timestamp("us", "UTC"))
        columns |= {"OwnerId": pa.repeat(USER_ID, count), **arriving.there(count, born)}
        for audit in ("Id", *list(columns)[-7:]):
            if audit not in entity.fields:
                own = Catalogue().object("Contact").fields[audit]
                entity.fields[audit] = own
        records[name] = pa.table(columns)
        yield entity


def _pointed(arriving: Arriving, field: Field, values: pa.Array) -> pa.Array:
    """Record ids, where the values are the model's ids or record ids already."""
    table = _MODEL.get(field.refers_to[0])
    known = pc.unique(values.drop_null()).to_pylist()
    if table is None or all(to_18(text) == text for text in known):
        return values
    return arriving.keys[table].of(values)


def _of(catalogue: Catalogue, arriving: Arriving, name: str) -> dict[str, Field]:
    own = {field.name: field for of, field in arriving.fields if of == name}
    return {**catalogue.object(name).fields, **own}


def _add_past(
    records: dict[str, pa.Table],
    changes: pa.Table,
    stages: Stages,
    fields: Mapping[str, Field],
) -> None:
    names = {"OwnerId": records["User"], "AccountId": records["Account"]}
    called = {name: rows.select(["Id", "Name"]) for name, rows in names.items()}
    records["OpportunityHistory"] = _history.snapshots(
        changes, records["Opportunity"], stages
    )
    records["OpportunityFieldHistory"] = _history.field_changes(changes, fields, called)


def _last_stage_change(deals: pa.Table, changes: pa.Table) -> pa.Table:
    moved = changes.filter(pc.equal(changes["name"], "StageName"))
    last = moved.group_by("id").aggregate([("moment", "max")])
    places = pc.index_in(deals["Id"], value_set=last["id"].combine_chunks())
    at = last["moment_max"].combine_chunks().cast(pa.timestamp("us")).take(places)
    place = deals.column_names.index("LastStageChangeDate")
    return deals.set_column(place, "LastStageChangeDate", at)


def _derive_last_activity(arriving: Arriving, records: dict[str, pa.Table]) -> None:
    """Vendor docs: the latest of past events and closed tasks, where nobody told it."""
    done = pa.concat_tables(
        [
            records["Task"]
            .filter(records["Task"]["IsClosed"])
            .select(["AccountId", "WhatId", "ActivityDate"]),
            records["Event"]
            .filter(pc.less_equal(records["Event"]["ActivityDate"], LOADED_AT.date()))
            .select(["AccountId", "WhatId", "ActivityDate"]),
        ]
    )
    given = arriving.given
    for name, table, key in (
        ("Account", given["account"], "AccountId"),
        ("Opportunity", given["opportunity"], "WhatId"),
    ):
        if "last_activity_on" in table or not len(done):
            continue
        last = done.group_by(key).aggregate([("ActivityDate", "max")])
        rows = records[name]
        places = pc.index_in(rows["Id"], value_set=last[key].combine_chunks())
        days = last["ActivityDate_max"].combine_chunks().take(places)
        place = rows.column_names.index("LastActivityDate")
        records[name] = rows.set_column(place, "LastActivityDate", days)


def _widened(
    catalogue: Catalogue, records: Mapping[str, pa.Table], stages: Stages
) -> Iterable[tuple[str, Field]]:
    """Picklists that also list what the loaded records say: a customer's own values."""
    for name, rows in records.items():
        entity = catalogue.find(name)
        for field in entity.fields.values() if entity else ():
            if field.type != "picklist" or field.name not in rows.column_names:
                continue
            said = pc.unique(rows[field.name]).drop_null().to_pylist()
            if field.name == "StageName":
                names = (*stages.names, *sorted(stages.former))
                yield name, attrs.evolve(field, values=names, inactive=stages.former)
                continue
            values = tuple(dict.fromkeys([*field.values, *sorted(said)]))
            yield name, attrs.evolve(field, values=values)
