"""The doctor names what lacks and what retires, changes nothing, and shows no secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import Settings, connect, doctor, schema
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.simulator import Fault, HubSpot, Salesforce

TABLES = {
    "account": pa.table({"account_id": ["a", "b"], "name": ["Planted AG", "Other"]})
}
FIELDS = (*schema.MANAGED["account"], *schema.HUMAN["account"])
ALWAYS = [field for field in FIELDS if not field.opt_in]
HASTY = RetrySettings(attempts=1, first_wait_seconds=0)


def settings() -> Settings:
    plain = Settings()
    return attrs.evolve(
        plain,
        salesforce=attrs.evolve(plain.salesforce, retry=HASTY),
        hubspot=attrs.evolve(plain.hubspot, retry=HASTY),
    )


@pytest.fixture(params=["salesforce", "hubspot"])
def crm(request, monkeypatch) -> Iterator[Salesforce | HubSpot]:
    kinds: dict[str, Callable] = {
        "salesforce": lambda: Salesforce(TABLES, currency="EUR"),
        "hubspot": lambda: HubSpot(TABLES, currency="EUR", limits_by="nothing"),
    }
    with kinds[request.param]() as running:
        running.name = request.param
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


def lacking(diagnosis) -> list[str]:
    return [f.what for f in diagnosis.findings if f.state == "missing"]


def test_before_setup_every_field_lacks_and_setup_is_named(crm) -> None:
    before = crm.snapshot(audit=True)
    found = doctor(crm.name, settings=settings())
    assert len(lacking(found)) == len(ALWAYS)
    assert all(
        "setup" in f.mend.lower() for f in found.findings if f.state == "missing"
    )
    assert found.exit_code == 2
    assert crm.snapshot(audit=True) == before


def test_after_setup_nothing_lacks(crm) -> None:
    list(connect(crm.name, settings=None).provision(FIELDS, dry_run=False))
    found = doctor(crm.name, settings=settings())
    assert (lacking(found), found.exit_code, found.is_good) == ([], 0, True)
    assert "nothing lacks" in str(found)


def test_what_it_prints_is_safe_to_paste(crm) -> None:
    said = str(doctor(crm.name, settings=settings()))
    secrets = [
        value
        for name, value in crm.environment.items()
        if name.endswith(("TOKEN", "SECRET", "KEY"))
    ]
    assert secrets
    assert not any(secret in said for secret in secrets)
    assert "Planted" not in said


def test_a_login_that_is_refused_is_a_finding(crm, monkeypatch) -> None:
    for name in crm.environment:
        if name.endswith(("TOKEN", "SECRET")):
            monkeypatch.setenv(name, "00000000-planted")
    found = doctor(crm.name, settings=settings())
    assert "log-in" in lacking(found)
    assert found.exit_code == 2
    assert "planted" not in str(found)


def test_a_crm_out_of_reach_is_a_finding_that_says_wait(crm) -> None:
    crm.fault(Fault(at_call=1, kind="gone"))
    found = doctor(crm.name, settings=settings())
    assert found.exit_code == 5
    assert "connection" in lacking(found)


def test_a_missing_login_is_a_finding(monkeypatch) -> None:
    for name in ("HUBSPOT_ACCESS_TOKEN", "HUBSPOT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    found = doctor("hubspot")
    assert "settings" in lacking(found)
    assert found.exit_code == 2
    assert "HUBSPOT_ACCESS_TOKEN" in str(found)


def test_a_missing_right_is_named_for_what_it_is() -> None:
    with (
        HubSpot(TABLES, limits_by="nothing") as crm,
        pytest.MonkeyPatch.context() as at,
    ):
        for name, value in crm.environment.items():
            at.setenv(name, value)
        crm.revoke_scope("crm.objects.deals.read")
        said = str(doctor("hubspot", settings=settings()))
        assert "crm.objects.deals.read" in said
