"""Whichever way the same changes go, the same org and the same outcomes come of it."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pyarrow as pa
import pytest

from crm_portfolio import schema
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.salesforce import Salesforce, SalesforceSettings
from crm_portfolio.connectors.salesforce._login import login_from
from crm_portfolio.protocols import Change
from crm_portfolio.simulator import Salesforce as Simulator
from crm_portfolio.simulator.salesforce import Assumptions

FIELDS = (*schema.MANAGED["account"], *schema.HUMAN["account"])
TEXTS = (
    "plain",
    'two\nlines, a "quote" and a, comma',
    'ends in a quote"',
    "windows\r\nlines",
    "é ü ñ 会社 Αθήνα 🙂",
    "#N/A",
    " #N/A",
    "NULL",
    "null",
    "NA",
    "=1+1",
    "0012",
    "",
    None,
)
COUNT = 60


def data() -> dict[str, pa.Table]:
    ids = [f"A{place}" for place in range(COUNT)]
    return {"account": pa.table({"account_id": ids, "name": ids})}


def outcome_of(way: str, script, **assumptions: object):
    """The org and the outcomes after some changes were sent in one way."""
    settings = SalesforceSettings(
        bulk=way, retry=RetrySettings(attempts=4, first_wait_seconds=0.0)
    )
    with Simulator(
        data(), currency="EUR", assumptions=Assumptions(**assumptions)
    ) as org:
        crm = Salesforce(login_from(org.environment), settings=settings)
        list(crm.provision(FIELDS, dry_run=False))
        ids = list(org.ids("account").values())
        came = []
        for changes in script(org, ids):
            came += crm.write("account", changes)
        said = {
            (o.change.record_id, o.change.column, n): (o.state, o.code, o.message)
            for n, o in enumerate(
                sorted(came, key=lambda o: (o.change.record_id, o.change.column))
            )
        }
        return org.snapshot()["Account"], said, org.calls


def texts(_org, ids):
    changes = [
        Change(record, "portfolio_stamp", None, text)
        for record, text in zip(ids, TEXTS * 5, strict=False)
    ]
    yield changes
    # The second time other texts, so that each of them meets each state of the field.
    yield [
        Change(record, "portfolio_stamp", None, text)
        for record, text in zip(ids[3:], TEXTS * 5, strict=False)
    ]


def clearing(_org, ids):
    yield [Change(record, "tier", None, "A") for record in ids]
    yield [Change(record, "portfolio_rank", None, 3) for record in ids]
    yield [Change(record, "tier", "A", None) for record in ids[::2]]
    # In one call some records change one field and some another.
    yield [
        Change(record, "tier" if place % 2 else "portfolio_rank", None, None)
        for place, record in enumerate(ids)
    ]


def refusals(org, ids):
    org.delete("Account", ids[0])
    org.lock(ids[1], attempts=2)
    org.lock(ids[2], attempts=99)
    org.rules.troubled[ids[7]] = 1  # a trigger meets a lock, once
    org.rules.troubled[ids[8]] = 99
    yield [
        Change(ids[0], "tier", None, "A"),
        Change(ids[1], "tier", None, "A"),
        Change(ids[2], "tier", None, "A"),
        Change(ids[3], "tier", None, "no such option"),
        Change(ids[3], "portfolio_rank", None, 4),
        Change(ids[4], "portfolio_stamp", None, "x" * 300),
        Change(ids[5], "portfolio_rank", None, 10**18),
        Change("001000000000000AAA", "tier", None, "A"),
        Change("nonsense", "tier", None, "A"),
        Change(ids[6], "tier", None, "B"),
        Change(ids[7], "tier", None, "B"),
        Change(ids[8], "tier", None, "B"),
    ]


def anything(_org, ids):
    chance = random.Random(7)
    day = date(2026, 1, 1)
    values = {
        "tier": lambda: chance.choice(["A", "B", "new", "none", None, "bad"]),
        "tier_since_on": lambda: chance.choice(
            [None, day + timedelta(days=chance.randrange(900))]
        ),
        "portfolio_rank": lambda: chance.choice([None, chance.randrange(10**6)]),
        "revenue_share": lambda: chance.choice(
            [None, 0.0, 1.0, 1e-06, round(chance.random(), 6)]
        ),
        "portfolio_stamp": lambda: chance.choice(TEXTS),
    }
    for _ in range(6):
        yield [
            Change(record, column, None, make())
            for record in chance.sample(ids, 40)
            for column, make in values.items()
            if chance.random() < 0.5
        ]


@pytest.mark.parametrize("script", [texts, clearing, refusals, anything])
@pytest.mark.parametrize(
    "assumptions",
    [
        {},
        {"bulk_quotes_all": False},
    ],
)
def test_a_job_and_collections_end_in_the_same_org(script, assumptions) -> None:
    by_job = outcome_of("always", script, **assumptions)
    by_collections = outcome_of("never", script)
    assert by_job[0] == by_collections[0]
    assert by_job[1] == by_collections[1]
    assert by_job[2]["POST jobs/ingest"] > 0
    assert by_collections[2].get("POST jobs/ingest", 0) == 0


def test_a_refusal_that_names_no_field_differs_in_nothing_else() -> None:
    by_job = outcome_of("always", refusals, bulk_error_tail="--")
    by_collections = outcome_of("never", refusals)
    assert by_job[0] == by_collections[0]
    assert {key: said[:2] for key, said in by_job[1].items()} == {
        key: said[:2] for key, said in by_collections[1].items()
    }
