"""Do both CRMs' histories tell the same of the work ahead, over their own clients?"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from crm_portfolio import connect, pull
from crm_portfolio.analysis import PipelineSettings, pipeline
from crm_portfolio.connectors.hubspot import HubSpotSettings
from crm_portfolio.connectors.salesforce import SalesforceSettings
from crm_portfolio.portfolio import Calendar, Portfolio
from crm_portfolio.simulator import HubSpot, Salesforce
from crm_portfolio.simulator.salesforce import Switches

AS_OF = date(2026, 6, 30)
ZONE = "Europe/Paris"
TABLES = ("account", "opportunity", "opportunity_change", "activity", "stage", "owner")
SETTINGS: dict[str, Any] = {
    "salesforce": SalesforceSettings(tables=TABLES),
    "hubspot": HubSpotSettings(tables=TABLES),
}
MOMENT = pa.timestamp("us", "UTC")
STAGES = (("Talk", "open", 0.2), ("Offer", "open", 0.6), ("Won", "won", 1.0))
STAGES += (("Lost", "lost", 0.0),)
YEAR = PipelineSettings(months=12, min_closed=5)


def table(
    names: str, rows: list[tuple[Any, ...]], **kinds: pa.DataType
) -> dict[str, Any]:
    columns = zip(names.split(), zip(*rows, strict=True), strict=True)
    return {name: pa.array(list(its), kinds.get(name)) for name, its in columns}


def book() -> dict[str, pa.Table]:
    """Opportunities at work for a year: stages, amounts, days and owners change."""
    draw = random.Random(7)
    deals, changes, acts = [], [], []
    for at in range(60):
        key = f"O{at:02}"
        born = datetime(2025, 7, 1, tzinfo=UTC)
        born += timedelta(minutes=draw.randrange(330 * 1440))
        told = life(draw, born)
        changes += [(key, *each) for each in told[1]]
        now, status = told[0], told[2]
        closed = date.fromisoformat(now["expected_close_on"])
        fixed = (key, "A1", key, "Sales", born, status)
        day = closed if status != "open" else None
        said = (now["stage"], now["owner_id"], float(now["amount"]))
        deals.append((*fixed, *said, day, closed))
        if draw.random() < 0.6:
            when = born + timedelta(days=draw.randrange(1, 60))
            acts.append((f"c{at}", "call", when, "A1", key, "held"))
    days = {"closed_on": pa.date32(), "expected_close_on": pa.date32()}
    stages = [("Sales", *each, place) for place, each in enumerate(STAGES, start=1)]
    made = {
        "account": {"account_id": ["A1"], "name": ["One"]},
        "owner": {"owner_id": ["u1", "u2"], "name": ["Ann", "Ben"]},
        "stage": table("pipeline stage status default_probability position", stages),
        "opportunity": table(
            "opportunity_id account_id name pipeline created_at status "
            "stage owner_id amount closed_on expected_close_on",
            deals,
            created_at=MOMENT,
            **days,
        ),
        "opportunity_change": table(
            "opportunity_id changed_at field old new", changes, changed_at=MOMENT
        ),
        "activity": table(
            "activity_id kind occurred_at account_id opportunity_id status",
            acts,
            occurred_at=MOMENT,
        ),
    }
    return {name: pa.table(columns) for name, columns in made.items()}


def life(draw: random.Random, born: datetime) -> tuple[dict[str, str], list[Any], str]:
    """What becomes of one: its fields today, the changes, and its status.

    Who closes one sets its day, as both CRMs do.
    """
    due = born + timedelta(days=draw.randrange(20, 120))
    amount = str(draw.randrange(10, 200) * 100)
    now = {"stage": "Talk", "amount": amount, "owner_id": draw.choice(["u1", "u2"])}
    now["expected_close_on"] = due.date().isoformat()
    told, when = [], born
    statuses = {name: status for name, status, _ in STAGES}
    for _ in range(draw.randrange(6)):
        when += timedelta(minutes=draw.randrange(1440, 50 * 1440))
        if when >= datetime(2026, 6, 29, tzinfo=UTC):
            break
        today = when.astimezone(ZoneInfo(ZONE)).date()
        field = draw.choice(
            ["stage", "stage", "amount", "expected_close_on", "owner_id"]
        )
        new = {
            "stage": draw.choice([name for name in statuses if name != now["stage"]]),
            "amount": str(draw.randrange(10, 200) * 100 + 0.5),
            "owner_id": "u2" if now["owner_id"] == "u1" else "u1",
            "expected_close_on": str(today + timedelta(days=draw.randrange(10, 90))),
        }
        is_over = statuses[now["stage"]] != "open"
        if is_over and field == "expected_close_on":
            continue
        said = {field: new[field]}
        if field == "stage" and statuses[new["stage"]] != "open":
            said["expected_close_on"] = str(today)
        for name, value in said.items():
            if value != now[name]:
                told.append((when, name, now[name], value))
                now[name] = value
    return now, told, statuses[now["stage"]]


BOOK = book()


def started(vendor: str, **more: Any) -> Any:
    kind: Any = {"salesforce": Salesforce, "hubspot": HubSpot}[vendor]
    return kind(BOOK, currency="EUR", time_zone=ZONE, **more)


def pulled(crm: Any, vendor: str, as_of: date = AS_OF) -> Portfolio:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in crm.environment.items():
            patch.setenv(name, value)
        source = connect(vendor, settings=SETTINGS[vendor])
        return pull(source, as_of=as_of, backend="pyarrow")


def owners(crm: Any, table: pa.Table) -> list[dict[str, Any]]:
    ours = {theirs: own for own, theirs in crm.ids("owner").items()}
    rows = table.to_pylist()
    for row in rows:
        row["owner_id"] = ours.get(row["owner_id"], row["owner_id"])
    return sorted(rows, key=lambda row: (row["month"], row["owner_id"]))


def without_line(table: pa.Table) -> pa.Table:
    """A pipeline is called otherwise where a CRM has only one."""
    return table.drop_columns(["pipeline"]).sort_by("stage")


@pytest.fixture(scope="module")
def both() -> dict[str, Any]:
    found = {}
    for vendor in SETTINGS:
        with started(vendor) as crm:
            result = pipeline(pulled(crm, vendor), YEAR)
            found[vendor] = result, owners(crm, result._owners)
    return found


def test_both_crms_give_the_same_pipeline(both):
    (ours, our_owners), (theirs, their_owners) = both["salesforce"], both["hubspot"]
    assert ours.arrow.equals(theirs.arrow)
    assert ours._cohorts.equals(theirs._cohorts)
    assert without_line(ours._stages).equals(without_line(theirs._stages))
    assert our_owners == their_owners
    assert ours.summary == theirs.summary
    assert ours.warnings == theirs.warnings


@pytest.mark.parametrize("vendor", SETTINGS)
def test_it_is_the_pipeline_that_was_put_in(both, vendor):
    put_in = Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", calendar=Calendar(ZONE), **BOOK
    )
    truth, (found, by_owner) = pipeline(put_in, YEAR), both[vendor]
    assert found.arrow.equals(truth.arrow)
    assert without_line(found._stages).equals(without_line(truth._stages))
    assert (
        by_owner
        == truth._owners.sort_by(
            [("month", "ascending"), ("owner_id", "ascending")]
        ).to_pylist()
    )
    rows = truth.arrow
    assert min(rows["live_count"].to_pylist()[-9:]) > 0
    assert min(rows["stale_count"].to_pylist()[-6:]) > 0
    assert rows["weighted_amount"].null_count < 6


@pytest.mark.parametrize(
    ("vendor", "of", "amount"),
    [("salesforce", "Opportunity", "Amount"), ("hubspot", "deals", "amount")],
)
def test_what_is_edited_in_july_alters_nothing_of_june(both, vendor, of, amount):
    with started(vendor) as crm:
        crm.clock.advance(20 * 86_400)
        for place, key in enumerate(sorted(crm.ids("opportunity").values())[:30]):
            crm.edit(of, key, {amount: 1_000_000 + place})
        crm.clock.advance(13 * 86_400)
        later = pipeline(pulled(crm, vendor, date(2026, 7, 31)), YEAR)
    before = both[vendor][0].arrow
    assert later.arrow.slice(0, 11).equals(before.slice(1))
    july = later.arrow.slice(11).to_pylist()[0]
    worth = (july["amount"] or 0) + july["stale_amount"]
    assert worth > 1_000_000 > sum(before["stale_amount"].to_pylist()[-1:])


def test_a_portfolio_taken_back_to_a_day_tells_the_same_of_the_months_before(both):
    """But for the CRM's own odds, of which nobody knows what they were then."""
    now = Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", calendar=Calendar(ZONE), backend="pyarrow", **BOOK
    )
    nine = PipelineSettings(months=9, min_closed=5)
    then = pipeline(now.at(date(2026, 3, 31)), nine).arrow
    told = [name for name in then.column_names if not name.startswith("default_")]
    assert then.select(told).equals(both["hubspot"][0].arrow.slice(0, 9).select(told))
    assert then["default_weighted_amount"].null_count == 9


def test_an_org_that_tracks_no_owners_says_so(both):
    no_history = Switches(without=("OpportunityFieldHistory",))
    with started("salesforce", switches=no_history) as crm:
        found = pipeline(pulled(crm, "salesforce"), YEAR)
    codes = [(each.code, each.values.get("field")) for each in found.warnings]
    assert ("pipeline_untracked", "owner_id") in codes
    assert found.arrow.equals(both["salesforce"][0].arrow)  # owners are no column of it
