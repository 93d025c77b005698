"""Who are the org's people, its accounts and their contacts?"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.simulator.salesforce._arriving import (
    BORN,
    ORG_ID,
    USER_ID,
    Arriving,
    always,
    moments,
)
from crm_portfolio.simulator.salesforce._auth import USERNAME
from crm_portfolio.simulator.salesforce._ids import LOADED, new_ids
from crm_portfolio.simulator.salesforce._model import Given

__all__ = ["accounts", "contacts", "organization", "roles", "users"]

_USED: Final = frozenset(
    {"account_id", "name", "parent_id", "owner_id", "segment", "country", "domain",
     "account_turnover", "employee_count", "created_on", "is_person",
     "last_activity_on", "contact_count"}
)  # fmt: skip


def users(arriving: Arriving) -> pa.Table:
    """The owners, whoever else owns something, and the user of the integration."""
    owner, owner_ids = arriving.given["owner"], arriving.owner_ids
    places = pc.index_in(owner_ids, value_set=owner.keys())
    names = pc.coalesce(owner.get("name").take(places), owner_ids)
    active = pc.coalesce(owner.get("is_active").take(places), True)
    count = len(owner_ids) + 1
    numbers = [str(number) for number in range(1, count)]
    mails = [f"user{number}@simulated.example" for number in numbers]
    columns = {
        "Id": _append(arriving.keys["owner"].records, USER_ID),
        "Name": _append(names, "Integration User"),
        "LastName": _append(names, "Integration User"),
        "Username": pa.array([*mails, USERNAME]),
        "Email": pa.array([*mails, USERNAME]),
        "Alias": pa.array([*(f"u{number}" for number in numbers), "integr"]),
        "IsActive": _append(active, True),  # noqa: FBT003
        "UserType": always("Standard", count),
        "TimeZoneSidKey": always(arriving.time_zone, count),
        "LocaleSidKey": always("en_US", count),
        "LanguageLocaleKey": always("en_US", count),
        "CreatedDate": moments(BORN, count),
    }
    return pa.table({**columns, **arriving.marks(count)})


def organization(
    arriving: Arriving, *, is_sandbox: bool, shows_currency: bool
) -> pa.Table:
    record: dict[str, Any] = {
        "Id": ORG_ID,
        "Name": "Simulated Company",
        "TimeZoneSidKey": arriving.time_zone,
        "DefaultLocaleSidKey": "en_US",
        "LanguageLocaleKey": "en_US",
        "OrganizationType": "Enterprise Edition",
        "InstanceName": "SIM1",
        "IsSandbox": is_sandbox,
        "CreatedDate": BORN,
        "FiscalYearStartMonth": 1,
    }
    if shows_currency:
        record["DefaultCurrencyIsoCode"] = arriving.currency
    whole = pa.Table.from_pylist([record])
    return pa.table(
        {
            **{name: whole[name].combine_chunks() for name in whole.column_names},
            **arriving.marks(1),
        }
    )


def accounts(arriving: Arriving) -> pa.Table:
    given, keys = arriving.given["account"], arriving.keys["account"]
    host, names = given.get("domain"), pc.coalesce(given.get("name"), keys.model)
    columns = {
        "Id": keys.records,
        "Name": names,
        "ParentId": keys.of(given.get("parent_id")),
        "Industry": given.get("segment"),
        "BillingCountry": given.get("country"),
        "Website": pc.binary_join_element_wise("https://", host, ""),
        "AnnualRevenue": given.get("account_turnover"),
        "NumberOfEmployees": given.get("employee_count"),
        "LastActivityDate": given.get("last_activity_on"),
        **arriving.owned(given, arriving.midnight(given.get("created_on"))),
        **arriving.code(given),
        **_persons(arriving, given, names),
        **arriving.custom(given, _USED, "Account"),
    }
    return pa.table(columns)


def _persons(arriving: Arriving, given: Given, names: pa.Array) -> dict[str, pa.Array]:
    """Vendor docs: a person account has a last name, and its name follows from it."""
    if "P" not in arriving.features:
        return {}
    is_person = pc.coalesce(given.get("is_person"), False)
    nobody = pa.scalar(None, pa.string())
    return {
        "IsPersonAccount": is_person,
        "LastName": pc.if_else(is_person, names, nobody),
    }


def contacts(arriving: Arriving) -> pa.Table:
    """As many contacts as each account says it has; they have no names of their own."""
    account = arriving.given["account"]
    of = _repeated(arriving.keys["account"].records, account.get("contact_count"))
    count = len(of)
    names = _numbered("Contact", count)
    return pa.table(
        {
            "Id": new_ids("003", LOADED, first=1, count=count),
            "AccountId": of,
            "LastName": names,
            "Name": names,
            "OwnerId": always(USER_ID, count),
            **_code(arriving, count),
            **arriving.there(count, moments(BORN, count)),
        }
    )


def roles(arriving: Arriving, contacts: pa.Table) -> pa.Table:
    """As many contacts in each opportunity as it says, if the org has any contact."""
    opportunity = arriving.given["opportunity"]
    of = _repeated(
        arriving.keys["opportunity"].records, opportunity.get("contact_count")
    )
    if not len(contacts):
        of = of[:0]
    count = len(of)
    places = pa.array(np.arange(count, dtype=np.int64) % max(1, len(contacts)))
    return pa.table(
        {
            "Id": new_ids("00K", LOADED, first=1, count=count),
            "OpportunityId": of,
            "ContactId": contacts["Id"].combine_chunks().take(places),
            "IsPrimary": always(False, count),  # noqa: FBT003
            **arriving.there(count, moments(BORN, count)),
        }
    )


def _repeated(ids: pa.Array, counts: pa.Array) -> pa.Array:
    times = np.maximum(pc.fill_null(counts, 0).to_numpy(zero_copy_only=False), 0)
    places = np.repeat(np.arange(len(ids), dtype=np.int64), times.astype(np.int64))
    return ids.take(pa.array(places))


def _numbered(word: str, count: int) -> pa.Array:
    numbers = pa.array(np.arange(1, count + 1)).cast(pa.string())
    return pc.binary_join_element_wise(word, numbers, " ")


def _code(arriving: Arriving, count: int) -> dict[str, pa.Array]:
    has_codes = "M" in arriving.features
    return {"CurrencyIsoCode": always(arriving.currency, count)} if has_codes else {}


def _append(array: pa.Array, value: Any) -> pa.Array:
    return pa.concat_arrays([array, pa.array([value], array.type)])
