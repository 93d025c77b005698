"""Plans made of invented values, for tests that need no CRM."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import attrs
import pytest

from crm_portfolio._managed import FIELDS, VALUES
from crm_portfolio._wording import Reason
from crm_portfolio.protocols import Change, Org, Quota
from crm_portfolio.writeback import Header, Limits, Plan, PlannedChange, Policy
from crm_portfolio.writeback._compare import draft

Rows = dict[str, tuple[dict[str, Any], dict[str, Any]]]

HEADER = Header(
    org=Org("salesforce", "00D000000000001", True, "EUR", "Europe/Paris"),  # noqa: FBT003
    as_of=date(2026, 6, 30),
    made_at=datetime(2026, 6, 30, 21, tzinfo=UTC),
    portfolio_id="a" * 64,
    settings_digest="b" * 64,
    library_version="0.1.0",
    population=100,
    limits=Limits(),
    policy=Policy(),
    quota=Quota(9_990, 10_000),
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
                if column in VALUES and row[column] != after
            ]
            if changes:
                drafts.append(draft(record_id, row, changes))
        population = max(header.population, len(rows))
        return Plan.of(attrs.evolve(header, population=population), drafts, **reported)

    return make
