"""Is each thing that a set-up lacks named, and nothing secret shown?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crm_portfolio import schema
from crm_portfolio.connectors.hubspot import HubSpot
from crm_portfolio.errors import LoginError
from crm_portfolio.protocols import Finding, Inspectable
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator.hubspot import HubSpot as Simulator
from crm_portfolio.simulator.hubspot._definitions import Option

FIELDS = (*schema.MANAGED["account"], *schema.HUMAN["account"])


@pytest.fixture
def ready(org: Simulator, connected: Callable[..., HubSpot]) -> Simulator:
    """A portal in which setup has been run."""
    list(connected(org).provision(FIELDS, dry_run=False))
    return org


def found(crm: HubSpot) -> dict[str, Finding]:
    return {finding.what: finding for finding in crm.inspect()}


def lacking(crm: HubSpot) -> dict[str, str]:
    return {f.what: f.mend for f in crm.inspect() if f.state == "missing"}


def test_a_set_up_that_is_whole_lacks_nothing(ready, connected) -> None:
    crm = connected(ready)
    assert isinstance(crm, Inspectable)
    assert lacking(crm) == {}
    states = {what: finding.state for what, finding in found(crm).items()}
    assert states["table account: companies"] == "good"
    assert states["table stage: 3 rows"] == "good"
    assert states["property portfolio_tier"] == "good"


def test_properties_that_setup_makes_are_named_before_it_has_run(
    org, connected
) -> None:
    told = lacking(connected(org))
    assert len(told) == sum(not field.opt_in for field in FIELDS)
    assert "setup hubspot --apply" in told["property portfolio_tier"]


@pytest.mark.parametrize(
    ("scope", "what"),
    [
        ("crm.objects.deals.read", "table opportunity: deals"),
        ("crm.objects.owners.read", "table owner"),
        ("crm.schemas.companies.read", "properties of companies"),
    ],
)
def test_a_scope_that_was_revoked_is_named(ready, connected, scope, what) -> None:
    ready.revoke_scope(scope)
    told = lacking(connected(ready))
    assert scope in told[what]


def test_what_nobody_asked_for_may_be_missing(ready, connected) -> None:
    ready.revoke_scope("tickets")
    told = found(connected(ready, tables="all"))
    assert told["table ticket: tickets"].state == "warning"
    assert "tickets" in told["table ticket: tickets"].mend
    assert "table ticket: tickets" not in found(connected(ready))


@pytest.mark.parametrize(
    ("exports", "state"), [("always", "missing"), ("auto", "warning"), ("never", None)]
)
def test_the_scope_of_exports_is_named_where_they_are_wanted(
    ready, connected, exports, state
) -> None:
    crm, what = connected(ready, exports=exports), "scope crm.export"
    if state:
        assert found(crm)[what].state == "good"
    ready.revoke_scope("crm.export")
    told = found(crm)
    assert (told[what].state if state else told.get(what)) == state


def test_deals_are_not_looked_at_where_nobody_asked_for_them(ready, connected) -> None:
    crm = connected(ready, tables=("account",))
    before = ready.calls["GET properties/{kind}"]
    assert not any("deals" in what for what in found(crm))
    assert ready.calls["GET properties/{kind}"] - before == 1


def test_whether_a_login_may_write_is_not_known_and_said_so(ready, connected) -> None:
    (told,) = [
        f for w, f in found(connected(ready)).items() if w.endswith("companies.write")
    ]
    assert told.state == "warning"
    assert "first write" in told.mend


def test_what_was_mended_meanwhile_is_good(org, connected) -> None:
    crm = connected(org)
    assert lacking(crm)
    list(connected(org).provision(FIELDS, dry_run=False))
    assert lacking(crm) == {}


def test_a_property_that_is_gone_is_named(ready, connected) -> None:
    ready.hide_field("companies", "portfolio_tier")
    ready.hide_field("companies", "industry")
    told = found(connected(ready))
    assert told["property portfolio_tier"].state == "missing"
    assert told["column account.segment: companies.industry"].state == "warning"


def test_a_property_that_a_table_cannot_do_without_is_missing(ready, connected) -> None:
    ready.hide_field("deals", "amount")
    assert "column opportunity.amount: deals.amount" in lacking(connected(ready))


def test_choices_that_were_removed_are_named(ready, connected) -> None:
    left = tuple(Option(tier, tier) for tier in ("A", "B", "C", "none"))
    ready.change_field("companies", "portfolio_tier", options=left)
    told = lacking(connected(ready))
    assert set(told) == {f"option {name!r} of portfolio_tier" for name in ("D", "new")}


def test_a_property_of_another_type_is_named(ready, connected) -> None:
    ready.change_field(
        "companies", "portfolio_rank", type="string", field_type="text", options=()
    )
    assert any("portfolio_rank" in what for what in lacking(connected(ready)))


@pytest.mark.parametrize(
    ("family", "state", "day"),
    [("v3", "warning", "30 March 2027"), ("2026-09", "good", "March 2028")],
)
def test_days_on_which_something_ends_are_told(
    ready, connected, family, state, day
) -> None:
    told = [
        f for f in connected(ready, paths=family).inspect() if "API paths" in f.what
    ]
    assert [(f.state, day in f.mend) for f in told] == [(state, True)]


def test_a_private_app_is_told_what_comes_after_it(ready, connected) -> None:
    assert "service key" in found(connected(ready))["log-in: AccessToken"].mend
    assert found(connected(ready, "oauth"))["log-in: OAuthRefresh"].mend == ""


@pytest.mark.parametrize("login", ["token", "oauth"])
def test_it_is_safe_to_paste(ready, connected, login) -> None:
    for scope in ("crm.objects.deals.read", "crm.schemas.companies.read"):
        ready.revoke_scope(scope)
    shown = "\n".join(str(f) for f in connected(ready, login, tables="all").inspect())
    said = ready.environment_for(login)
    secrets = [value for name, value in said.items() if not name.endswith("URL")]
    assert len(shown) > 1_000
    for secret in (*secrets, "Account 1", "acme.example"):
        assert secret not in shown


def test_nothing_is_changed(ready, connected) -> None:
    before = ready.snapshot(audit=True)
    list(connected(ready, tables="all").inspect())
    assert ready.snapshot(audit=True) == before
    assert {call.method for call in ready.log[-20:]} == {"GET"}


def test_a_log_in_that_is_refused_is_an_error(ready, connected) -> None:
    crm = connected(ready)
    ready.fault(Fault(at_call=1, kind="expired", calls=None))
    with pytest.raises(LoginError):
        list(crm.inspect())
