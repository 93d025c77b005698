"""Does everything work whichever way the portal answers what nobody has verified?

One story is told to a portal for each answer: set up, pulled by pages and by export,
changed by people, pulled again, written, read. It ends the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import schema
from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.hubspot import HubSpot
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._metadata import Portal
from crm_portfolio.errors import LoginError
from crm_portfolio.protocols import Batch, Change
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator.hubspot import Assumptions
from crm_portfolio.simulator.hubspot import HubSpot as Simulator

FIELDS = (*schema.MANAGED["account"], *schema.HUMAN["account"])
PATIENT = RetrySettings(attempts=4, first_wait_seconds=0.0)
COUNT = 12
OTHERWISE: dict[str, tuple[object, ...]] = {
    "unknown_properties": ("refused",),
    "unchanged_write_bumps": (True,),
    "null_in_write": ("refused",),
    "duplicates_in_batch": ("last",),
    "key_without_id_property": ("silent",),
    "malformed_token_status": (530,),
    "long_url_bytes": (700,),
    "long_url_status": (400, 502),
    "refresh_error": ("rfc",),
    "retry_after": (False,),
    "rate_error": ("category",),
    "over_limit_status": (None,),
    "inner_page": (1, 2),
    "list_cursor": ("opaque",),
    "merged_read": (False,),
    "merged_ids": ("own",),
    "iso_in_search": (False,),
    "search_tells_day": (True,),
    "dated_partial_status": (207,),
    "history_batch": (100,),
    "association_batch": (2,),
    "association_page": (1,),
    "no_association_says": (None,),
    "no_association_status": (200,),
    "existing_property_status": (400,),
    "existing_property_category": ("CONFLICT",),
    "rates_lead": ("from_company",),
    "exports_at_once": ("refused",),
    "exported_moments": ("local",),
    "daily_limit_pro": (650_000,),
}
# Where no answer can be taken as it comes: the one constant that has to follow.
CONSTANTS = {
    "long_url_bytes": ("LIST_QUERY_MAX", 300),
    "association_batch": ("ASSOCIATIONS_MAX", 2),
}
DATED = {"dated_partial_status", "association_batch"}


def test_every_assumption_has_another_answer_here() -> None:
    assert set(OTHERWISE) == {field.name for field in attrs.fields(Assumptions)}


def tables() -> dict[str, pa.Table]:
    places = range(COUNT)
    linked = ["", "A1", "A2;A1;A3", "A4;A2"]
    return {
        "account": pa.table(
            {
                "account_id": [f"A{place}" for place in places],
                "name": [f"Account {place}" for place in places],
            }
        ),
        "opportunity": pa.table(
            {
                "opportunity_id": [f"O{place}" for place in places],
                "account_id": ["A1" if p % 4 == 1 else None for p in places],
                "account_ids": [linked[place % 4] for place in places],
                "status": [("open", "won", "lost")[place % 3] for place in places],
                "amount": [place / 4 for place in places],
            }
        ),
    }


def rows(batches: list[Batch]) -> list[dict[str, Any]]:
    found = [row for batch in batches for row in batch.rows.to_pylist()]
    return sorted(found, key=str)


def gone(batches: list[Batch]) -> set[tuple[str, str, str]]:
    told = [b.gone.to_pylist() for b in batches if b.gone is not None]
    return {(r["id"], r["reason"], r["merged_into"]) for part in told for r in part}


def story(
    connected: Callable[..., HubSpot], family: str, assumptions: Assumptions
) -> dict[str, Any]:
    """What a reader and writer sees from beginning to end."""
    with Simulator(
        tables(), currency="EUR", limits_by="nothing", assumptions=assumptions
    ) as org:

        def opened(login: str = "token", **chosen: object) -> HubSpot:
            fixed = {"exports": "never", "retry": PATIENT, "paths": family}
            return connected(org, login, **{**fixed, **chosen})

        told: dict[str, Any] = {}
        for attempt in ("set up", "set up again"):
            steps = opened().provision(FIELDS, dry_run=False)
            told[attempt] = [(step.what, step.state) for step in steps]
        org.clock.advance(3600)
        names = ("account", "opportunity", "opportunity_change")
        whole = {name: list(opened().pull(name)) for name in names}
        told["whole"] = {name: rows(batches) for name, batches in whole.items()}
        told["exported"] = rows(list(opened(exports="always").pull("opportunity")))
        told["people"] = after_people(org, opened, whole)
        told["written"] = written(org, opened)
        told["trouble"] = in_trouble(org, opened)
        return told


def after_people(
    org: Simulator, opened: Callable[..., HubSpot], whole: dict[str, list[Batch]]
) -> dict[str, Any]:
    accounts, deals = org.ids("account"), org.ids("opportunity")
    org.clock.advance(3600)
    org.edit("companies", accounts["A5"], {"name": "Anew"})
    org.delete("companies", accounts["A6"])
    org.merge("companies", accounts["A7"], accounts["A8"])
    for key in ("O2", "O3", "O4"):
        org.edit("deals", deals[key], {"amount": "77"})
    told: dict[str, Any] = {}
    for name, batches in whole.items():
        since = batches[-1].cursor
        more = list(opened().pull(name, since=since))
        told[name] = [
            row for row in rows(more) if "77" in str(row) or "Anew" in str(row)
        ]
        told[f"gone from {name}"] = gone(more)
    return told


def written(org: Simulator, opened: Callable[..., HubSpot]) -> dict[str, Any]:
    crm, ids = opened(), org.ids("account")
    changes = [
        Change(ids["A0"], "tier", None, "A"),
        Change(ids["A0"], "portfolio_rank", None, 3),
        Change(ids["A1"], "tier", None, "Purple"),  # no such choice
        Change(ids["A2"], "tier", None, "B"),
        Change(ids["A6"], "tier", None, "B"),  # in the bin
        Change(ids["A8"], "tier", None, "B"),  # part of another
        Change("999", "tier", None, "B"),
    ]
    states = [(o.change, o.state) for o in crm.write("account", changes)]
    cleared = [
        o.state for o in crm.write("account", [Change(ids["A2"], "tier", "B", None)])
    ]
    again = [o.state for o in crm.write("account", changes[:1])]
    # What is written to one that is part of another may be written to that other.
    asked = [*(one for key, one in ids.items() if key != "A7"), "999"]
    return {
        "states": sorted(states, key=str),
        "cleared": cleared,
        "again": again,
        "read": crm.read("account", asked, ["tier", "portfolio_rank"]).to_pylist(),
    }


def in_trouble(org: Simulator, opened: Callable[..., HubSpot]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for about in ("SECONDLY", "TEN_SECONDLY_ROLLING"):
        org.fault(
            Fault(at_call=org.api_calls + 3, kind="throttled", about=about, seconds=0)
        )
        crm = hurried(opened())
        told[about] = len(rows(list(crm.pull("account"))))
    bad = opened("oauth")
    bad._login = attrs.evolve(bad._login, refresh_token="eu1-none-at-all")
    with pytest.raises(LoginError) as refused:
        bad.org()
    told["refused"] = type(refused.value).__name__
    strange = opened()
    strange._login = attrs.evolve(strange._login, token="!")
    with pytest.raises(LoginError):
        strange.org()
    return told


def hurried(crm: HubSpot) -> HubSpot:
    """With a clock that its own waiting moves."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    client = Client(crm._login, crm._settings, clock=lambda: now[0], sleep=sleep)
    crm._opened = client, Portal(client, crm._settings)
    return crm


_TOLD: dict[str, dict[str, Any]] = {}


def as_believed(connected: Callable[..., HubSpot], family: str) -> dict[str, Any]:
    if family not in _TOLD:
        _TOLD[family] = story(connected, family, Assumptions())
    return _TOLD[family]


@pytest.mark.parametrize(
    ("name", "answer"),
    [(name, answer) for name, answers in OTHERWISE.items() for answer in answers],
)
def test_the_story_ends_the_same(
    connected, monkeypatch, name: str, answer: object
) -> None:
    family = "2026-09" if name in DATED else "v3"
    expected = as_believed(connected, family)
    if name in CONSTANTS:
        monkeypatch.setattr(_assumptions, *CONSTANTS[name])
    found = story(connected, family, Assumptions(**{name: answer}))
    for part, said in expected.items():
        assert found[part] == said, part
