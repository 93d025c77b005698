"""Four small replicas of one invented firm, each in Parquet as its loader lays it down.

The names of tables and columns are written out here once more, as the loaders' own
projects have them: were the layouts wrong, these would not be found.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

COUNT = 11
NAMES = ["Zoë “the Fox”, 東京", 'Two\nlines "quoted"', "null", "007", *"EFGHIJK"]
AMOUNTS = [0.0, 1234.5, 0.01, *[float(place) for place in range(8)]]
STATES = ["open", "won", "lost"]
CLOSE = date(2026, 3, 31)
CREATED = datetime(2025, 12, 31, 23, 30)
SYNCED = datetime(2026, 6, 30, 6)
LONG_AGO = SYNCED - timedelta(days=40)
TONIGHT = datetime(2026, 6, 30, 23)

# Of which tables of a pretend CRM a loader makes which of its own.
REPLICATED = {
    "fivetran-salesforce": ("account", "opportunity"),
    "dlt-salesforce": ("account", "opportunity"),
    "fivetran-hubspot": ("company", "deal"),
    "dlt-hubspot": ("companies", "deals"),
}
KINDS = {"salesforce": ("Account", "Opportunity"), "hubspot": ("companies", "deals")}
KEYS = {"company": "id", "deal": "deal_id", "companies": "id", "deals": "id"}
MOMENTS = {"createdate", "closedate"}
NUMBERS = {"amount", "annualrevenue", "numberofemployees", "hs_deal_stage_probability"}
FLAGS = {"hs_is_closed_won", "hs_is_closed_lost"}

Columns = dict[str, Any]


def ids(vendor: str, of: str) -> list[str]:
    """The ids of records as the CRM itself tells them; the last one is deleted."""
    places = range(COUNT + 1)
    if vendor == "salesforce":
        prefix = {"account": "001", "opportunity": "006", "owner": "005"}.get(of, "00T")
        return [f"{prefix}62000000000{place:x}AAA" for place in places]
    start = {"account": 9_007_199_254_740_000, "opportunity": 500, "owner": 70}[of]
    return [str(start + place) for place in places]


def states() -> list[str]:
    return [STATES[place % 3] for place in range(COUNT + 1)]


def stamps(loader: str) -> Columns:
    """When each row was loaded; the record that is gone was told of long ago."""
    told = [SYNCED - timedelta(minutes=place) for place in range(COUNT)] + [LONG_AGO]
    if loader == "fivetran":
        return {"_fivetran_synced": pa.array(told, pa.timestamp("us"))}
    seconds = [f"{each.replace(tzinfo=UTC).timestamp():.6f}" for each in told]
    return {"_dlt_load_id": seconds, "_dlt_id": [f"row{i}" for i in range(len(told))]}


def gone() -> list[bool]:
    return [False] * COUNT + [True]


def salesforce(loader: str) -> dict[str, Columns]:
    """Tables as both loaders have them of Salesforce, column for column."""
    accounts, deals, owners = (
        ids("salesforce", of) for of in ("account", "opportunity", "owner")
    )
    many = COUNT + 1
    tables: dict[str, Columns] = {
        "account": {
            "id": accounts,
            "is_deleted": gone(),
            "master_record_id": [None] * COUNT + [accounts[0]],
            "name": [*NAMES, "Merged away"],
            "owner_id": owners,
            "industry": ["Energy"] * many,
            "billing_country": ["France"] * many,
            "website": ["https://www.example.org/x"] * many,
            "annual_revenue": [1e6] * many,
            "number_of_employees": [12] * many,
            "created_date": [CREATED] * many,
            "last_activity_date": [CLOSE] * many,
            "portfolio_tier_c": ["B"] * many,
            "own_class_c": ["gold"] * many,
        },
        "opportunity": {
            "id": deals,
            "is_deleted": gone(),
            "account_id": accounts,
            "owner_id": owners,
            "name": [f"Deal {place}" for place in range(many)],
            "stage_name": ["Talk"] * many,
            "is_closed": [state != "open" for state in states()],
            "is_won": [state == "won" for state in states()],
            "amount": [*AMOUNTS, 99.0],
            "close_date": pa.array([datetime(2026, 3, 31)] * many, pa.timestamp("us")),
            "created_date": [CREATED] * many,
            "probability": [50.0] * many,
            "type": ["Renewal"] * many,
            "loss_reason_c": ["price"] * many,
        },
        "user" if loader == "fivetran" else "sf_user": {
            "id": owners,
            "name": ["Ann"] * many,
            "is_active": [True] * many,
            "user_type": ["Standard"] * COUNT + ["PowerPartner"],
        },
        "task": {
            "id": [f"00T62000000000{place:x}AAA" for place in range(many)],
            "is_deleted": gone(),
            "account_id": accounts,
            "what_id": deals,
            "owner_id": owners,
            "activity_date": [CLOSE] * many,
            "completed_date_time": [CREATED] * many,
            "created_date": [CREATED] * many,
            "task_subtype": ["Call"] * many,
            "type": ["Other"] * many,
            "is_closed": [True] * many,
            "status": ["Completed"] * many,
            "call_type": ["Inbound"] * many,
            "call_duration_in_seconds": [90] * many,
        },
        "event": {
            "id": [f"00U62000000000{place:x}AAA" for place in range(many)],
            "is_deleted": gone(),
            "is_child": [False] * 10 + [True, False],
            "account_id": accounts,
            "what_id": accounts,
            "owner_id": owners,
            "activity_date": [CLOSE] * many,
            "created_date": [CREATED] * many,
            "start_date_time": [CREATED] * many,
            "type": ["Meeting"] * many,
        },
    }
    told = {name: columns | stamps(loader) for name, columns in tables.items()}
    if loader == "fivetran":
        told["opportunity_stage"] = {
            "id": [f"01J62000000000{place}AAA" for place in range(3)],
            "api_name": ["Talk", "Won", "Lost"],
            "sort_order": [1, 2, 3],
            "is_closed": [False, True, True],
            "is_won": [False, True, False],
            "default_probability": [20.0, 100.0, 0.0],
            "_fivetran_synced": [SYNCED] * 3,
        }
    return told


def fivetran_hubspot() -> dict[str, Columns]:
    accounts, deals, owners = (
        [int(one) for one in ids("hubspot", of)]
        for of in ("account", "opportunity", "owner")
    )
    many = COUNT + 1
    tables: dict[str, Columns] = {
        "company": {
            "id": accounts,
            "portal_id": [1] * many,
            "is_deleted": gone(),
            "property_name": [*NAMES, "Deleted"],
            "property_createdate": [CREATED] * many,
            "property_industry": ["ENERGY"] * many,
            "property_country": ["France"] * many,
            "property_domain": ["example.org"] * many,
            "property_annualrevenue": [1e6] * many,
            "property_hubspot_owner_id": owners,
            "property_portfolio_tier": ["B"] * many,
            "property_own_class": ["gold"] * many,
        },
        "deal": {
            "deal_id": deals,
            "portal_id": [1] * many,
            "is_deleted": gone(),
            "deal_pipeline_id": ["default"] * many,
            "deal_pipeline_stage_id": [f"s-{state}" for state in states()],
            "owner_id": owners,
            "property_dealname": [f"Deal {place}" for place in range(many)],
            "property_amount": [*AMOUNTS, 99.0],
            "property_closedate": [datetime(2026, 3, 31, 22)] * many,
            "property_createdate": [CREATED] * many,
        },
        "owner": {
            "owner_id": owners,
            "first_name": ["Ann"] * many,
            "last_name": ["Other"] * many,
        },
        "engagement_call": {
            "engagement_id": [10_000 + place for place in range(many)],
            "property_hs_timestamp": [CREATED] * many,
            "property_hubspot_owner_id": owners,
            "property_hs_call_direction": ["INBOUND"] * many,
            "property_hs_call_status": ["COMPLETED"] * many,
            "property_hs_call_duration": [90_000] * many,
        },
    }
    told = {name: columns | stamps("fivetran") for name, columns in tables.items()}
    now = pa.array([SYNCED], pa.timestamp("us"))
    # The first deal has two companies of which one is the primary, the third two alike.
    told["deal_company"] = {
        "deal_id": [*deals, deals[0], deals[2]],
        "company_id": [*accounts, accounts[5], accounts[6]],
        "type_id": [5, *[341] * (many - 1), 341, 341],
        "_fivetran_synced": [SYNCED] * (many + 2),
    }
    told["engagement_company"] = {
        "engagement_id": [10_000 + place for place in range(many)],
        "company_id": accounts,
        "_fivetran_synced": [SYNCED] * many,
    }
    told["deal_pipeline"] = {
        "pipeline_id": ["default"],
        "label": ["Sales"],
        "_fivetran_deleted": [False],
        "_fivetran_synced": now,
    }
    told["deal_pipeline_stage"] = {
        "stage_id": ["s-open", "s-won", "s-lost", "s-old"],
        "pipeline_id": ["default"] * 4,
        "label": ["Talk", "Won", "Lost", "Old"],
        "display_order": [1, 2, 3, 4],
        "probability": [0.2, 1.0, 0.0, 0.1],
        "closed_won": [False, True, False, False],
        "is_closed": [False, True, True, False],
        "_fivetran_deleted": [False, False, False, True],
        "_fivetran_synced": [SYNCED] * 4,
    }
    return told


def dlt_hubspot() -> dict[str, Columns]:
    accounts, deals, owners = (
        ids("hubspot", of) for of in ("account", "opportunity", "owner")
    )
    many = COUNT + 1
    moment = pa.array([CREATED.replace(tzinfo=UTC)] * many, pa.timestamp("us", "UTC"))
    close = datetime(2026, 3, 31, 22, tzinfo=UTC)
    tables: dict[str, Columns] = {
        "companies": {
            "id": accounts,
            "hs_object_id": accounts,
            "is_deleted": gone(),
            "name": [*NAMES, "Deleted"],
            "createdate": moment,
            "domain": ["example.org"] * many,
            "portfolio_tier": ["B"] * many,
            "own_class": ["gold"] * many,
        },
        "deals": {
            "id": deals,
            "is_deleted": gone(),
            "dealname": [f"Deal {place}" for place in range(many)],
            "dealstage": [f"s-{state}" for state in states()],
            "pipeline": ["default"] * many,
            "amount": [*AMOUNTS, 99.0],
            "closedate": pa.array([close] * many, pa.timestamp("us", "UTC")),
            "createdate": moment,
        },
        "owners": {
            "id": owners,
            "first_name": ["Ann"] * many,
            "last_name": ["Other"] * many,
            "archived": [False] * many,
        },
    }
    told = {name: columns | stamps("dlt") for name, columns in tables.items()}
    told["companies__deals"] = {
        "value": [*accounts, accounts[6]],
        "deals_id": [*deals, deals[2]],
        "_dlt_parent_id": [*(f"row{place}" for place in range(many)), "row6"],
    }
    told["pipelines_deals"] = {
        "id": ["default"],
        "label": ["Sales"],
        "_dlt_id": ["pipe"],
        "_dlt_load_id": ["1782000000.5"],
    }
    told["pipelines_deals__stages"] = {
        "_dlt_parent_id": ["pipe"] * 3,
        "id": ["s-open", "s-won", "s-lost"],
        "label": ["Talk", "Won", "Lost"],
        "display_order": [1, 2, 3],
        "metadata__is_closed": ["false", "true", "true"],
        "metadata__probability": ["0.2", "1.0", "0.0"],
    }
    return told


def replica(layout: str) -> dict[str, pa.Table]:
    loader, _, vendor = layout.partition("-")
    if vendor == "salesforce":
        told = salesforce(loader)
    else:
        told = fivetran_hubspot() if loader == "fivetran" else dlt_hubspot()
    return {name: pa.table(columns) for name, columns in told.items()}


def laid_down(layout: str, folder: Path, **changed: pa.Table) -> Path:
    """The replica as Parquet files; the longest tables in parts, by their year."""
    for name, table in (replica(layout) | changed).items():
        if name in ("account", "deals"):
            place = folder / name / "loaded=2026"
            place.mkdir(parents=True)
            half = len(table) // 2
            pq.write_table(table.slice(0, half), place / "0.parquet")
            pq.write_table(table.slice(half), place / "1.parquet")
        else:
            folder.mkdir(exist_ok=True, parents=True)
            pq.write_table(table, folder / f"{name}.parquet")
    return folder


def replicated(pretend: Any, vendor: str, layout: str, folder: Path) -> Path:
    """What a loader would have made of what the pretend CRM holds."""
    held, folder = pretend.snapshot(), folder / layout
    folder.mkdir(parents=True)
    for kind, table in zip(KINDS[vendor], REPLICATED[layout], strict=True):
        records = list(held[kind].values())
        names = list(dict.fromkeys(name for record in records for name in record))
        columns = {
            column_of(name, table, layout): values(
                [one.get(name) for one in records], name
            )
            for name in names
        }
        if layout.startswith("fivetran"):
            columns["_fivetran_synced"] = pa.array([TONIGHT] * len(records))
            if vendor == "hubspot":
                columns["portal_id"] = pa.array([pretend.portal_id] * len(records))
        else:
            seconds = TONIGHT.replace(tzinfo=UTC).timestamp()
            columns["_dlt_load_id"] = pa.array([f"{seconds:.4f}"] * len(records))
        pq.write_table(pa.table(columns), folder / f"{table}.parquet")
    return folder


def column_of(name: str, table: str, layout: str) -> str:
    if layout.endswith("salesforce"):
        return re.sub("_+", "_", re.sub("(?<=[a-z])(?=[A-Z])", "_", name)).lower()
    if name == "hs_object_id":
        return KEYS[table]
    if name == "hubspot_owner_id" and table == "deal":
        return "owner_id"
    return f"property_{name}" if layout.startswith("fivetran") else name


def values(said: list[Any], name: str) -> pa.Array:
    array = pa.array(said)
    if name in NUMBERS and pa.types.is_string(array.type):
        return array.cast(pa.float64())
    if name in FLAGS:
        return array.cast(pa.bool_())
    return array.cast(pa.timestamp("us", "UTC")) if name in MOMENTS else array
