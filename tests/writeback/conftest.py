"""Plans of invented values, and a pretend org to write them to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import simulator
from crm_portfolio._managed import FIELDS, VALUES
from crm_portfolio._wording import Reason
from crm_portfolio.archive import Archive
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.salesforce import (
    ClientCredentials,
    Salesforce,
    SalesforceSettings,
)
from crm_portfolio.protocols import Change, Org, Quota
from crm_portfolio.results import Result
from crm_portfolio.schema import HUMAN, MANAGED, ManagedField, arrow_type
from crm_portfolio.writeback import Header, Limits, Plan, PlannedChange, Policy
from crm_portfolio.writeback._compare import draft

Rows = dict[str, tuple[dict[str, Any], dict[str, Any]]]

HEADER = Header(
    org=Org("salesforce", "00D000000000001", True, "EUR", "Europe/Paris"),
    as_of=date(2026, 6, 30),
    made_at=datetime(2026, 6, 30, 21, tzinfo=UTC),
    portfolio_id="a" * 64,
    settings_digest="b" * 64,
    library_version="0.1.0",
    population=100,
    limits=Limits(),
    policy=Policy(),
    quota=Quota(9_990, 10_000),
    call_estimate=6,
)


@pytest.fixture(scope="session")
def header() -> Header:
    return HEADER


@pytest.fixture(scope="session")
def plan_of() -> Callable[..., Plan]:
    """A plan from rows: account → (what the CRM holds, what is wanted)."""

    def make(rows: Rows, *, header: Header = HEADER, **reported: Any) -> Plan:
        drafts = []
        for record_id, (held, wanted) in rows.items():
            row = {**dict.fromkeys(FIELDS), **held}
            changes = [
                PlannedChange(
                    Change(record_id, column, row[column], after),
                    is_first_fill=row[column] is None
                    and row["portfolio_stamp"] is None,
                    reasons=(
                        Reason("tier_none", {"revenue": 0.0, "currency": "EUR"}),
                        Reason("young", {"first_on": date(2026, 6, 1), "months": 1}),
                    )
                    if column.startswith("tier")
                    else (),
                )
                for column, after in wanted.items()
                if column in VALUES["account"] and row[column] != after
            ]
            if changes:
                drafts.append(draft("account", record_id, row, changes))
        population = max(header.population, len(rows))
        return Plan.of(attrs.evolve(header, population=population), drafts, **reported)

    return make


NAMES = {
    "tier": "Portfolio_Tier__c",
    "tier_since_on": "Portfolio_Tier_Since__c",
    "portfolio_rank": "Portfolio_Rank__c",
    "revenue_share": "Portfolio_Revenue_Share__c",
    "dependence": "Portfolio_Dependence__c",
    "rising": "Portfolio_Rising__c",
    "risk_level": "Portfolio_Risk__c",
    "risk_reasons": "Portfolio_Risk_Reasons__c",
    "decision": "Portfolio_Decision__c",
    "decided_on": "Portfolio_Decided_On__c",
    "decision_review_on": "Portfolio_Decision_Review_On__c",
    "portfolio_stamp": "Portfolio_Stamp__c",
    "tier_pinned": "Portfolio_Tier_Pinned__c",
    "tier_pinned_until_on": "Portfolio_Tier_Pinned_Until__c",
    "tier_pinned_by": "Portfolio_Tier_Pinned_By__c",
}


@attrs.frozen(slots=False, eq=False, repr=False)
class Wanted(Result):
    """A result that assigns what a test says."""

    name = "wanted"
    compared = "tier"

    def _reasons(self, row: Mapping[str, Any]) -> tuple[Reason, ...]:
        return (Reason("rank_dormant", {"n": 3}),)

    def plot(self, *, ax: Any = None, lang: Any = "en") -> Any:
        raise NotImplementedError

    def assignments(self) -> pa.Table | None:
        return self._table if self._table.num_columns > 1 else None


@pytest.fixture(scope="session")
def wanted() -> Callable[..., Wanted]:
    """A result that assigns these values: account → column → value."""

    def make(values: Mapping[str, Mapping[str, Any]], **params: Any) -> Wanted:
        columns = list(dict.fromkeys(c for each in values.values() for c in each))
        arrays = {
            column: pa.array(
                [each.get(column) for each in values.values()],
                arrow_type(FIELDS[column]) if column in FIELDS else pa.string(),
            )
            for column in columns
        }
        ids = pa.array(list(values), pa.string())
        return Wanted(
            table=pa.table({"account_id": ids, **arrays}),
            rejected=pa.table({}),
            backend="pyarrow",
            summary={},
            params={"as_of": "2026-06-30", "portfolio": "p1", **params},
            coverage=1.0,
            warnings=(),
        )

    return make


def _metadata(field: ManagedField) -> dict[str, Any]:
    match field.type:
        case "code":
            values = [
                {"valueName": c, "label": c, "default": False} for c in field.choices
            ]
            definition = {"sorted": False, "value": values}
            options = {"restricted": True, "valueSetDefinition": definition}
            told = {"type": "Picklist", "valueSet": options}
        case "day":
            told = {"type": "Date"}
        case "text":
            told = {"type": "Text", "length": field.max_length}
        case _:
            told = {"type": "Number", "precision": 18, "scale": field.scale}
    return {"label": field.label, "required": False, **told}


@pytest.fixture(scope="module")
def account_count() -> int:
    """How many accounts the pretend org has: more than one batch."""
    return 250


@pytest.fixture(scope="module")
def _started(account_count: int) -> Iterator[simulator.Salesforce]:
    accounts = {
        "account_id": [f"a{n:04}" for n in range(account_count)],
        "name": [f"Secret Name {n}" for n in range(account_count)],
    }
    fields = {
        f"Account.{NAMES[f.column]}": _metadata(f)
        for f in (*MANAGED["account"], *HUMAN["account"])
    }
    tables: Any = {"account": pa.table(accounts)}
    with simulator.Salesforce(tables, fields=fields) as started:
        yield started


@pytest.fixture
def sim(_started: simulator.Salesforce) -> simulator.Salesforce:
    """A pretend org of some accounts with our fields, all empty."""
    _started.reset()
    return _started


def reach(org: simulator.Salesforce, kind: type[Salesforce] = Salesforce) -> Salesforce:
    """The real connector, on its way to a pretend org, with no patience."""
    there = org.environment
    login = ClientCredentials(
        there["SALESFORCE_INSTANCE_URL"],
        there["SALESFORCE_CLIENT_ID"],
        there["SALESFORCE_CLIENT_SECRET"],
    )
    hasty = RetrySettings(attempts=1, first_wait_seconds=0)
    return kind(login, settings=SalesforceSettings(retry=hasty))


@pytest.fixture(scope="session")
def connected() -> Callable[..., Salesforce]:
    """A new connector to a pretend org."""
    return reach


@pytest.fixture
def crm(sim: simulator.Salesforce) -> Salesforce:
    return reach(sim)


@pytest.fixture
def ids(sim: simulator.Salesforce) -> list[str]:
    """The ids of all accounts, in order."""
    return sorted(sim.ids("account").values())


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


@pytest.fixture
def edit(sim: simulator.Salesforce) -> Callable[..., None]:
    """Change managed or human fields of an account as a person does."""

    def change(record_id: str, **values: Any) -> None:
        told = {
            NAMES[column]: value.isoformat() if isinstance(value, date) else value
            for column, value in values.items()
        }
        sim.edit("Account", record_id, told)

    return change


@pytest.fixture
def held(sim: simulator.Salesforce) -> Callable[[str], dict[str, Any]]:
    """What the org holds in the managed and human fields that are not empty."""

    def of(record_id: str) -> dict[str, Any]:
        record = sim.record("Account", record_id)
        pairs = ((column, record[name]) for column, name in NAMES.items())
        return {column: value for column, value in pairs if value is not None}

    return of
