"""What we wrote is what we read, however the org's own fields spell it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pytest
from pretend import Org, started

from crm_portfolio import pull
from crm_portfolio._managed import VALUES
from crm_portfolio.archive import Archive
from crm_portfolio.errors import SettingsError
from crm_portfolio.protocols import Fitting
from crm_portfolio.simulator.salesforce import Assumptions
from crm_portfolio.writeback import Limits, Plan, apply, plan

Wanted = Callable[..., Any]
Values = Mapping[str, Mapping[str, Any]]
AT_ONCE = Limits(
    canary_count=0,
    canary_share=0.0,
    settle_seconds=0,
    max_share=1.0,
    max_share_by_field=dict.fromkeys(VALUES["account"], 1.0),
)
AS_OF = date(2026, 6, 30)
SHARES = (1 / 3, 0.123456, 0.000049, 0.00005, 1.0, 0.0, 0.5, None)
COUNT = len(SHARES)
# What a customer's admin may have made of our fields, one at a time.
ODD: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "salesforce": {
        "as setup makes them": {},
        "a share of four decimals": {"revenue_share": {"scale": 4}},
        "a share of nine decimals": {"revenue_share": {"scale": 9}},
        "a share that is a currency": {"revenue_share": {"type": "currency"}},
        "a rank with two decimals": {"portfolio_rank": {"scale": 2}},
        "a tier that is free text": {
            "tier": {"type": "string", "length": 20, "is_restricted": False}
        },
        "a stamp in a long text": {
            "portfolio_stamp": {"type": "textarea", "length": 2_000}
        },
    },
    "hubspot": {
        "as setup makes them": {},
        "numbers that are text": {
            "revenue_share": {"type": "string", "field_type": "text"},
            "portfolio_rank": {"type": "string", "field_type": "text"},
        },
        "a day that is text": {
            "tier_since_on": {"type": "string", "field_type": "text"}
        },
        "choices that are text": {
            "tier": {"type": "string", "field_type": "text", "options": ()},
            "dependence": {"type": "string", "field_type": "text", "options": ()},
        },
    },
}
CASES = [
    pytest.param((crm, shape), id=f"{crm}: {shape}")
    for crm, shapes in ODD.items()
    for shape in shapes
]


@pytest.fixture(scope="module")
def _orgs() -> Iterator[dict[str, Org]]:
    running = {crm: started(crm, COUNT) for crm in ("salesforce", "hubspot")}
    yield {crm: next(org) for crm, org in running.items()}
    for org in running.values():
        next(org, None)


@pytest.fixture
def org(_orgs: dict[str, Org], request: pytest.FixtureRequest) -> Org:
    crm, shape = getattr(request, "param", ("salesforce", "as setup makes them"))
    chosen = _orgs[crm]
    chosen.there.reset()
    return odd(chosen.given_our_fields(), ODD[crm][shape])


def odd(org: Org, shape: Mapping[str, Mapping[str, Any]]) -> Org:
    for column, changes in shape.items():
        org.there.change_field(org.object, org.name(column), **changes)
    return org


def assigned(org: Org) -> Values:
    return {
        one: {
            "tier": "ABCD"[place % 4],
            "tier_since_on": date(2026, 1, 1 + place),
            "portfolio_rank": place + 1,
            "revenue_share": share,
            "dependence": "major" if place % 2 else None,
        }
        for place, (one, share) in enumerate(zip(org.ids, SHARES, strict=True))
    }


def planned(org: Org, wanted: Wanted, *, pulled: bool = False) -> Plan:
    crm = org.connected()
    held = pull(crm, as_of=AS_OF) if pulled else None
    return plan([wanted(assigned(org))], crm, held=held, limits=AT_ONCE)


def applied(org: Org, proposal: Plan, folder: Path) -> Mapping[str, int]:
    archive = Archive(folder / "archive")
    crm = org.connected()
    return apply(proposal, crm, archive=archive, sleep=lambda _: None).counts


@pytest.mark.parametrize("org", CASES, indirect=True)
@pytest.mark.parametrize("pulled", [False, True], ids=["read again", "pulled"])
def test_applying_twice_makes_an_empty_plan_and_no_call_that_writes(
    org: Org, wanted: Wanted, tmp_path: Path, *, pulled: bool
) -> None:
    counts = applied(org, planned(org, wanted), tmp_path)
    assert counts.keys() == {"written"}
    again = planned(org, wanted, pulled=pulled)
    assert (again.changes, again.edited) == ((), ())
    writes, before = org.writes, org.there.snapshot(audit=True)
    applied(org, again, tmp_path)
    assert org.writes == writes > 0
    assert org.there.snapshot(audit=True) == before


@pytest.mark.parametrize("decimals", ["kept", "rounded"])
def test_a_share_of_four_decimals_is_written_once_whatever_the_org_does_with_more(
    wanted: Wanted, tmp_path: Path, decimals: Any
) -> None:
    how = Assumptions(decimals=decimals)
    for org in started("salesforce", COUNT, assumptions=how):
        odd(org.given_our_fields(), ODD["salesforce"]["a share of four decimals"])
        proposal = planned(org, wanted)
        shares = [
            c.change.after
            for c in proposal.changes
            if c.change.column == "revenue_share"
        ]
        assert sorted(shares, key=float) == [0.0, 0.0, 0.0001, 0.1235, 0.3333, 0.5, 1]
        applied(org, proposal, tmp_path)
        assert planned(org, wanted).changes == ()
        crm = org.connected()
        assert isinstance(crm, Fitting)
        assert crm.fitted("revenue_share", [0.00015, 0.12344999, None]) == [
            0.0002,
            0.1234,
            None,
        ]


def test_a_share_that_would_be_rounded_to_nothing_is_refused_before_it_is_sent(
    org: Org, wanted: Wanted, tmp_path: Path
) -> None:
    org.there.change_field("Account", org.name("revenue_share"), scale=2)
    writes = org.writes
    with pytest.raises(SettingsError, match="keeps 2 decimals and needs 6"):
        applied(org, planned(org, wanted), tmp_path)
    assert org.writes == writes
    findings = [f for f in org.connected().inspect() if "Share" in f.what]
    assert [f.state for f in findings] == ["missing"]
    org.there.change_field("Account", org.name("revenue_share"), scale=4)
    findings = [f for f in org.connected().inspect() if "Share" in f.what]
    assert [f.state for f in findings] == ["warning"]


OTHERWISE: Mapping[str, Mapping[str, Any]] = {
    "salesforce": {"portfolio_rank": 7.0, "dependence": "major  ", "tier": " C"},
    "hubspot": {
        "portfolio_rank": "7.00",
        "revenue_share": "0.50",
        "tier_since_on": "1767744000000",  # midnight UTC of 7 January 2026
        "tier": "C",
    },
}


@pytest.mark.parametrize(
    "org",
    [
        pytest.param(("salesforce", "a tier that is free text"), id="salesforce"),
        pytest.param(("hubspot", "as setup makes them"), id="hubspot"),
        pytest.param(("hubspot", "numbers that are text"), id="hubspot, as text"),
    ],
    indirect=True,
)
@pytest.mark.parametrize("pulled", [False, True], ids=["read again", "pulled"])
def test_the_same_value_in_another_spelling_is_no_edit(
    org: Org, wanted: Wanted, tmp_path: Path, *, pulled: bool
) -> None:
    applied(org, planned(org, wanted), tmp_path)
    seventh = org.ids[6]
    said = dict(OTHERWISE[org.crm])
    if org.crm == "salesforce":
        said.pop("dependence")
    org.edit(seventh, **said)
    again = planned(org, wanted, pulled=pulled)
    assert (again.changes, again.edited) == ((), ())


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_text_and_null_are_the_same(
    org: Org, wanted: Wanted, tmp_path: Path, empty: str | None
) -> None:
    one = org.ids[0]
    result = wanted({one: {"tier": "A", "dependence": empty}})
    proposal = plan([result], org.connected(), limits=AT_ONCE)
    assert {c.change.column for c in proposal.changes} == {"tier", "portfolio_stamp"}
    applied(org, proposal, tmp_path)
    assert plan([result], org.connected(), limits=AT_ONCE).changes == ()


@pytest.mark.parametrize(
    "org", [("hubspot", "as setup makes them")], indirect=True, ids=["hubspot"]
)
def test_a_label_that_says_it_otherwise_changes_nothing(
    org: Org, wanted: Wanted, tmp_path: Path
) -> None:
    """People read "Stufe A"; the API speaks of A."""
    known = org.there._portal.properties("companies")[org.name("tier")]
    options = tuple(
        attrs.evolve(option, label=f"Stufe {option.label}") for option in known.options
    )
    org.there.change_field("companies", org.name("tier"), options=options)
    applied(org, planned(org, wanted), tmp_path)
    again = planned(org, wanted)
    assert (again.changes, again.edited) == ((), ())


def test_a_stamp_that_does_not_fit_its_field_is_rejected_and_nothing_else_is_lost(
    org: Org, wanted: Wanted, tmp_path: Path
) -> None:
    org.there.change_field("Account", org.name("portfolio_stamp"), length=20)
    counts = applied(org, planned(org, wanted), tmp_path)
    assert counts.keys() == {"rejected"}
    assert not any(org.held(VALUES["account"]).values())
