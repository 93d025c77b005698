"""What do model tables look like inside a Salesforce org?

Columns with a standard field go there; others become custom fields that everyone sees.
What Salesforce demands and the tables lack is supplied, below the API, by fixed rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import DataError, SettingsError, did_you_mean
from crm_portfolio.schema import TABLES, TableName
from crm_portfolio.simulator.salesforce._auth import USERNAME
from crm_portfolio.simulator.salesforce._ids import MADE_HERE, new_ids
from crm_portfolio.simulator.salesforce._metadata import (
    Catalogue,
    Feature,
    Field,
)
from crm_portfolio.simulator.salesforce._model import Given, Keys, Tables
from crm_portfolio.simulator.salesforce._org import CLOCK_START
from crm_portfolio.simulator.salesforce._stages import Stages

__all__ = ["ORG_ID", "SOMEONE_ID", "USER_ID", "Loaded", "load"]

ORG_ID: Final[str] = new_ids("00D", MADE_HERE, first=1, count=1)[0].as_py()
USER_ID: Final[str] = new_ids("005", MADE_HERE, first=1, count=1)[0].as_py()
# Who edits by hand in an org without owners: a user whom no query shows.
SOMEONE_ID: Final[str] = new_ids("005", MADE_HERE, first=2, count=1)[0].as_py()
# Before any sale, so that no as-of date cuts a record off whose birth nobody told.
_BORN: Final = datetime(2000, 1, 1, 12)  # noqa: DTZ001 - stored without a zone
_CLOSES: Final = date(2099, 12, 31)
_READ: Final = ("account", "opportunity", "stage", "owner")
_ACCOUNT: Final = frozenset(
    {"account_id", "name", "parent_id", "owner_id", "segment", "country", "domain",
     "account_turnover", "employee_count", "created_on", "is_person",
     "last_activity_on"}
)  # fmt: skip
_OPPORTUNITY: Final = frozenset(
    {"opportunity_id", "account_id", "name", "owner_id", "pipeline", "stage", "status",
     "amount", "original_amount", "currency", "created_at", "closed_on",
     "expected_close_on", "probability", "kind", "source", "next_step",
     "last_activity_on"}
)  # fmt: skip
_TYPES: Final = {
    "new": "New Customer",
    "renewal": "Renewal",  # not among the standard values: a customer's own
    "expansion": "Existing Customer - Upgrade",
}
_LONGEST: Final = 255
_LONG_TEXT: Final = 32_768
_YES: Final = pa.scalar(True)  # noqa: FBT003
_NO: Final = pa.scalar(False)  # noqa: FBT003


@attrs.frozen(eq=False)
class Loaded:
    """An org's first state. ``left_out``: tables that this simulator has no object for."""

    records: Mapping[str, pa.Table]
    features: frozenset[Feature]
    fields: tuple[tuple[str, Field], ...]
    keys: Mapping[str, Mapping[str, str]]
    left_out: tuple[TableName, ...]

    def catalogue(self) -> Catalogue:
        """A fresh one: the org will add to it."""
        catalogue = Catalogue(self.features)
        for name, field in self.fields:
            catalogue.add(name, field)
        return catalogue


def load(
    tables: Tables,
    *,
    currency: str,
    time_zone: str,
    is_sandbox: bool,
    shows_currency: bool,
) -> Loaded:
    for name in tables:
        if name not in TABLES:
            raise SettingsError(
                f"no table is called {name!r}{did_you_mean(name, TABLES)}"
            )
    loading = _Loading(tables, currency=currency, time_zone=time_zone)
    shown: set[Feature] = {"O"} if shows_currency else set()
    features = loading.features | shown
    records = {
        "User": loading.users(),
        "Account": loading.accounts(),
        "OpportunityStage": loading.stages.records(_marks(len(loading.stages.names))),
        "Opportunity": loading.opportunities(),
        "Organization": loading.organization(
            is_sandbox=is_sandbox, shows_currency=shows_currency
        ),
    }
    return Loaded(
        records=records,
        features=frozenset(features),
        fields=(*loading.fields, *_widened(Catalogue(features), records)),
        keys={name: keys.as_dict() for name, keys in loading.keys.items()},
        left_out=tuple(name for name in tables if name not in _READ),
    )


class _Loading:
    """The tables on their way in, and the custom fields they turn out to need."""

    def __init__(self, tables: Tables, *, currency: str, time_zone: str) -> None:
        self._account = Given("account", tables.get("account"))
        self._opportunity = Given("opportunity", tables.get("opportunity"))
        self._owner = Given("owner", tables.get("owner"))
        self._currency, self._zone = currency, time_zone
        self.fields: list[tuple[str, Field]] = []
        owners = pa.concat_arrays(
            [self._owner.keys(), self._account.get("owner_id"),
             self._opportunity.get("owner_id")]
        )  # fmt: skip
        self._owner_ids = pc.unique(owners.drop_null())
        self.keys = {
            "owner": Keys(self._owner_ids, "005"),
            "account": Keys(self._account.keys(), "001"),
            "opportunity": Keys(self._opportunity.keys(), "006"),
        }
        self.stages = Stages(tables.get("stage"), self._opportunity)
        said = pc.unique(self._opportunity.get("currency").drop_null())
        many: set[Feature] = {"M"} if set(said.to_pylist()) - {currency} else set()
        persons: set[Feature] = {"P"} if "is_person" in self._account else set()
        self.features: set[Feature] = many | persons

    def users(self) -> pa.Table:
        """The owners, whoever else owns something, and the user of the integration."""
        places = pc.index_in(self._owner_ids, value_set=self._owner.keys())
        names = pc.coalesce(self._owner.get("name").take(places), self._owner_ids)
        active = pc.coalesce(self._owner.get("is_active").take(places), True)
        count = len(self._owner_ids) + 1
        numbers = [str(number) for number in range(1, count)]
        columns = {
            "Id": _append(self.keys["owner"].records, USER_ID),
            "Name": _append(names, "Integration User"),
            "LastName": _append(names, "Integration User"),
            "Username": pa.array(
                [*(f"user{number}@simulated.example" for number in numbers), USERNAME]
            ),
            "Email": pa.array(
                [*(f"user{number}@simulated.example" for number in numbers), USERNAME]
            ),
            "Alias": pa.array([*(f"u{number}" for number in numbers), "integr"]),
            "IsActive": _append(active, _YES),
            "UserType": pa.repeat("Standard", count),
            "TimeZoneSidKey": pa.repeat(self._zone, count),
            "LocaleSidKey": pa.repeat("en_US", count),
            "LanguageLocaleKey": pa.repeat("en_US", count),
            "CreatedDate": _moments(_BORN, count),
        }
        return pa.table({**columns, **_marks(count)})

    def accounts(self) -> pa.Table:
        given, keys = self._account, self.keys["account"]
        host = given.get("domain")
        born = pc.assume_timezone(
            given.get("created_on").cast(pa.timestamp("us")),
            self._zone,
            ambiguous="earliest",
            nonexistent="latest",
        )
        columns = {
            "Id": keys.records,
            "Name": pc.coalesce(given.get("name"), given.keys()),
            "ParentId": keys.of(given.get("parent_id")),
            "Industry": given.get("segment"),
            "BillingCountry": given.get("country"),
            "Website": pc.binary_join_element_wise("https://", host, ""),
            "AnnualRevenue": given.get("account_turnover"),
            "NumberOfEmployees": given.get("employee_count"),
            "LastActivityDate": given.get("last_activity_on"),
            **self._owned(given, born),
        }
        if "P" in self.features:
            columns["IsPersonAccount"] = pc.coalesce(given.get("is_person"), False)
        if "M" in self.features:
            columns["CurrencyIsoCode"] = pa.repeat(self._currency, given.count)
        return pa.table({**columns, **self._custom("Account", given, _ACCOUNT)})

    def opportunities(self) -> pa.Table:
        given, keys = self._opportunity, self.keys["opportunity"]
        closes = pc.coalesce(given.get("closed_on"), given.get("expected_close_on"))
        columns = {
            "Id": keys.records,
            "AccountId": self.keys["account"].of(given.get("account_id")),
            "Name": pc.coalesce(given.get("name"), given.keys()),
            "Amount": pc.coalesce(given.get("original_amount"), given.get("amount")),
            "CloseDate": pc.coalesce(closes, pa.scalar(_CLOSES)),
            "Type": _renamed(given.get("kind"), _TYPES),
            "LeadSource": given.get("source"),
            "NextStep": given.get("next_step"),
            "LastActivityDate": given.get("last_activity_on"),
            "IsPrivate": pa.repeat(_NO, given.count),
            "HasOpportunityLineItem": pa.repeat(_NO, given.count),
            **self.stages.of_opportunities(),
            **self._owned(given, given.get("created_at")),
        }
        if "M" in self.features:
            columns["CurrencyIsoCode"] = pc.coalesce(
                given.get("currency"), self._currency
            )
        return pa.table({**columns, **self._custom("Opportunity", given, _OPPORTUNITY)})

    def organization(self, *, is_sandbox: bool, shows_currency: bool) -> pa.Table:
        record: dict[str, Any] = {
            "Id": ORG_ID,
            "Name": "Simulated Company",
            "TimeZoneSidKey": self._zone,
            "DefaultLocaleSidKey": "en_US",
            "LanguageLocaleKey": "en_US",
            "OrganizationType": "Enterprise Edition",
            "InstanceName": "SIM1",
            "IsSandbox": is_sandbox,
            "CreatedDate": _BORN,
        }
        if shows_currency:
            record["DefaultCurrencyIsoCode"] = self._currency
        month = pa.table({"FiscalYearStartMonth": pa.array([1], pa.int64())})
        whole = pa.table({**pa.Table.from_pylist([record]).to_pydict(), **_marks(1)})
        return whole.append_column("FiscalYearStartMonth", month[0])

    def _owned(self, given: Given, born: pa.Array) -> dict[str, pa.Array]:
        owners = self.keys["owner"].of(given.get("owner_id"))
        # vendor docs: moments have no fractions of a second.
        seconds = pc.floor_temporal(born.cast(pa.timestamp("us", "UTC")), unit="second")
        return {
            "OwnerId": pc.coalesce(owners, USER_ID),
            "CreatedDate": pc.coalesce(
                seconds.cast(pa.timestamp("us")), pa.scalar(_BORN, pa.timestamp("us"))
            ),
            "IsDeleted": pa.repeat(_NO, given.count),
            **_marks(given.count),
        }

    def _custom(
        self, entity: str, given: Given, used: frozenset[str]
    ) -> dict[str, pa.Array]:
        columns = {}
        for column, array in given.others(used):
            field, stored = _custom_field(column, array, given.choices(column))
            self.fields.append((entity, field))
            columns[field.name] = stored
        return columns


def _custom_field(
    column: str, array: pa.Array, choices: tuple[str, ...]
) -> tuple[Field, pa.Array]:
    if pa.types.is_boolean(array.type) and array.null_count:
        # A checkbox has no null.
        array, choices = array.cast(pa.string()), ("true", "false")
    title = [part.capitalize() for part in column.split("_")]
    field = Field(
        name="_".join(title) + "__c",
        label=" ".join(title),
        type="string",
        is_custom=True,
    )
    shape, stored = _shape(array, choices)
    return attrs.evolve(field, **shape), stored


def _shape(
    array: pa.Array, choices: tuple[str, ...]
) -> tuple[dict[str, Any], pa.Array]:
    """The type of a custom field that holds the array, and the array as it holds it."""
    kind = array.type
    shape: dict[str, Any]
    if choices:
        shape = {"type": "picklist", "values": choices, "is_restricted": True}
        shape["length"] = _LONGEST
    elif pa.types.is_boolean(kind):
        shape = {"type": "boolean", "is_nillable": False, "is_defaulted": True}
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        scale = 0 if pa.types.is_integer(kind) else 6
        shape = {"type": "double", "precision": 18, "scale": scale}
        array = array.cast(pa.float64())
    elif pa.types.is_date(kind):
        shape = {"type": "date"}
    elif pa.types.is_timestamp(kind):
        shape = {"type": "datetime"}
        utc = array.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
        array = pc.floor_temporal(utc, unit="second")
    else:
        array = array.cast(pa.string())
        longest = pc.max(pc.utf8_length(array)).as_py() or 0
        is_long = longest > _LONGEST
        shape = {"type": "textarea" if is_long else "string"}
        shape["length"] = _LONG_TEXT if is_long else _LONGEST
    return shape, array


def _widened(
    catalogue: Catalogue, records: Mapping[str, pa.Table]
) -> Iterable[tuple[str, Field]]:
    """Picklists that also list what the loaded records say: a customer's own values."""
    for name, rows in records.items():
        for field in catalogue.object(name).fields.values():
            if field.type != "picklist" or field.name not in rows.column_names:
                continue
            said = pc.unique(rows[field.name]).drop_null().to_pylist()
            values = (
                said if field.name == "StageName" else [*field.values, *sorted(said)]
            )
            yield name, attrs.evolve(field, values=tuple(dict.fromkeys(values)))


def _marks(count: int) -> dict[str, pa.Array]:
    moment = CLOCK_START.replace(tzinfo=None)
    return {
        "CreatedById": pa.repeat(USER_ID, count),
        "LastModifiedDate": _moments(moment, count),
        "LastModifiedById": pa.repeat(USER_ID, count),
        "SystemModstamp": _moments(moment, count),
    }


def _moments(moment: datetime, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(moment, pa.timestamp("us")), count)


def _append(array: pa.Array, value: pa.Scalar | str) -> pa.Array:
    return pa.concat_arrays([array, pa.array([value], array.type)])


def _renamed(array: pa.Array, names: Mapping[str, str]) -> pa.Array:
    places = pc.index_in(array, value_set=pa.array(list(names)))
    unknown = pc.and_(pc.is_valid(array), pc.is_null(places))
    if pc.any(unknown).as_py():
        raise DataError(f"opportunity.kind must be one of {', '.join(names)}")
    return pa.array(list(names.values())).take(places)
