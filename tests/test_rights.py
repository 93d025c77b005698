"""Is what the pages tell to grant enough, and is each of it needed?"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from crm_portfolio import (
    Archive,
    Settings,
    apply,
    connect,
    doctor,
    samples,
    setup,
    sync,
    undo,
)
from crm_portfolio.analysis import Quantiles, TiersSettings
from crm_portfolio.connectors._rights import Right
from crm_portfolio.connectors.hubspot import HubSpotSettings
from crm_portfolio.connectors.hubspot._rights import RIGHTS as SCOPES
from crm_portfolio.connectors.salesforce._rights import RIGHTS
from crm_portfolio.errors import CrmPortfolioError, RightMissingError
from crm_portfolio.settings import SyncSettings
from crm_portfolio.simulator import HubSpot, Salesforce
from crm_portfolio.simulator.hubspot._definitions import Property
from crm_portfolio.simulator.hubspot._kinds import Kind
from crm_portfolio.writeback import WriteSettings

CLOSE = date(2026, 6, 30)
DOCS = Path(__file__).resolve().parents[1] / "docs/reference"
OF: dict[str, tuple[Right, ...]] = {"salesforce": RIGHTS, "hubspot": SCOPES}
KINDS: dict[str, Any] = {"salesforce": Salesforce, "hubspot": HubSpot}
PAGES = {"salesforce": "salesforce-rights.md", "hubspot": "hubspot-scopes.md"}
WRITTEN = {
    "salesforce": ("Account", "Opportunity"),
    "hubspot": ("companies", "deals"),
}
NIGHTLY = ("reading", "writing")
# What `[write]` asks for, and the rights that this takes besides.
ASKED: dict[tuple[str, ...], tuple[str, ...]] = {
    (): (),
    ("lost_class", "win_back"): ("on_request",),
}
ALL = ("lost_class", "win_back")


def named(vendor: str, *works: str) -> list[str]:
    return [right.name for right in OF[vendor] if right.work in works]


def each(*works: str, told: bool) -> list[Any]:
    return [
        pytest.param(vendor, right.name, id=f"{vendor}: {right.name}")
        for vendor, rights in OF.items()
        for right in rights
        if right.work in works and right.is_told_by_doctor == told
    ]


def keep(pretend: Any, vendor: str, names: list[str]) -> None:
    """The log-in has these and nothing else."""
    if vendor == "hubspot":
        pretend.keep_scopes(*names)
    else:
        pretend.keep_rights(*(name.replace(" on ", " ") for name in names))


@pytest.fixture(scope="module")
def started():
    """Both CRMs with a small book; one and the same until the module ends."""
    tables = samples.book(accounts=40, opportunities=250).tables
    with (
        Salesforce(tables, currency="EUR") as one,
        HubSpot(tables, currency="EUR") as other,
    ):
        yield {"salesforce": one, "hubspot": other}


@pytest.fixture
def ready(started, monkeypatch):
    """A CRM whose set-up was made by exactly the administrator's list."""

    def make(vendor: str, also: tuple[str, ...] = ()) -> Any:
        pretend = started[vendor]
        pretend.reset()
        for variable, value in pretend.environment.items():
            monkeypatch.setenv(variable, value)
        more = [f"setup_{work}" for work in ASKED[also]]
        keep(pretend, vendor, named(vendor, "setup", *more))
        setup(connect(vendor), also=also, dry_run=False)
        return pretend

    return make


def night(vendor: str, place: Path, also: tuple[str, ...] = ()) -> Settings:
    return Settings(
        tiers=TiersSettings(method=Quantiles(4)),
        write=WriteSettings(also),
        sync=SyncSettings(
            crm=vendor, folder=str(place / "book"), archive=str(place / "runs")
        ),
    )


def whole_run(vendor: str, place: Path, also: tuple[str, ...] = ()) -> tuple[int, ...]:
    """Pull, plan and apply; the next night's increment; verify; and all of it undone."""
    archive, settings = Archive(place / "runs"), night(vendor, place, also)
    first = sync(settings, as_of=CLOSE)
    second = sync(settings, as_of=CLOSE + timedelta(days=1))
    assert archive.verify().exit_code == 0
    assert first.journal is not None
    tables = {entry.change.table for entry in first.journal.entries}
    assert tables == {"account", *["opportunity"] * bool(also)}
    crm = connect(vendor)
    back = apply(undo(first.journal, crm), crm, archive=archive)
    return first.exit_code, second.exit_code, back.exit_code


def stopped(vendor: str, place: Path, also: tuple[str, ...] = ()) -> str:
    """What a night says that cannot be spent."""
    with pytest.raises(CrmPortfolioError) as caught:
        sync(night(vendor, place, also), as_of=CLOSE)
    assert caught.value.exit_code == 2
    return str(caught.value)


def said(vendor: str) -> str:
    found = doctor(vendor, settings=Settings())
    return "\n".join(f"{f.what} {f.mend}" for f in found.findings if f.state != "good")


@pytest.mark.parametrize("also", ASKED, ids=["plain", "opportunities"])
@pytest.mark.parametrize("vendor", OF)
def test_with_exactly_these_rights_the_whole_run_passes(ready, vendor, also, tmp_path):
    pretend = ready(vendor, also)
    before = [pretend.snapshot()[kind] for kind in WRITTEN[vendor]]
    keep(pretend, vendor, named(vendor, *NIGHTLY, *ASKED[also]))
    assert whole_run(vendor, tmp_path, also) == (0, 0, 0)
    assert [pretend.snapshot()[kind] for kind in WRITTEN[vendor]] == before


@pytest.mark.parametrize("vendor", OF)
def test_to_read_only_the_rights_of_reading_do(ready, vendor, tmp_path):
    pretend = ready(vendor)
    keep(pretend, vendor, named(vendor, "reading"))
    run = sync(night(vendor, tmp_path), as_of=CLOSE, dry_run=True)
    assert len(run.plan.changes) > 20


@pytest.mark.parametrize(("vendor", "right"), each(*NIGHTLY, told=False))
def test_without_any_one_of_them_an_error_names_it(ready, vendor, right, tmp_path):
    pretend = ready(vendor)
    keep(pretend, vendor, [n for n in named(vendor, *NIGHTLY) if n != right])
    assert f"'{right}'" in stopped(vendor, tmp_path)


@pytest.mark.parametrize(("vendor", "right"), each("on_request", told=False))
def test_what_is_written_on_request_names_the_right_that_it_lacks(
    ready, vendor, right, tmp_path
):
    pretend = ready(vendor, ALL)
    keep(pretend, vendor, named(vendor, *NIGHTLY))
    assert f"'{right}'" in stopped(vendor, tmp_path, ALL)


@pytest.mark.parametrize(("vendor", "right"), each(*NIGHTLY, "table", told=True))
def test_what_the_crm_does_without_in_silence_the_doctor_names(ready, vendor, right):
    pretend = ready(vendor)
    keep(pretend, vendor, named(vendor, *NIGHTLY, "table"))
    assert right not in said(vendor)
    held = named(vendor, *NIGHTLY, "table")
    keep(pretend, vendor, [name for name in held if name != right])
    assert right in said(vendor)


@pytest.mark.parametrize(
    ("vendor", "right"), each("setup", "setup_on_request", told=False)
)
def test_setup_without_any_one_of_its_rights_names_it(
    started, monkeypatch, vendor, right
):
    pretend = started[vendor]
    pretend.reset()
    for variable, value in pretend.environment.items():
        monkeypatch.setenv(variable, value)
    held = named(vendor, "setup", "setup_on_request")
    keep(pretend, vendor, [name for name in held if name != right])
    with pytest.raises(RightMissingError, match=f"'{right}'"):
        setup(connect(vendor), also=ALL, dry_run=False)


FURTHER = {
    "Read on Task": "activity",
    "Read on Event": "activity",
    "Read on Case": "ticket",
    "Read on Lead": "enquiry",
    "Read on Contract": "contract",
    "settings.currencies.read": "exchange_rate",
    "tickets": "ticket",
    "crm.objects.leads.read": "enquiry",
    "crm.objects.invoices.read": "invoice",
    "crm.objects.contacts.read": "activity",
    "sales-email-read": "activity",
}
CUSTOM = "crm.objects.custom.read"
WITHOUT_A_TABLE_OF_THEIR_OWN = {CUSTOM, "crm.export"}


def test_every_further_right_is_asked_for_with_its_table():
    further = {*named("salesforce", "table"), *named("hubspot", "table")}
    assert further == {*FURTHER, *WITHOUT_A_TABLE_OF_THEIR_OWN}


@pytest.mark.parametrize(
    ("vendor", "right"),
    [each for each in each("table", told=False) if each.values[1] in FURTHER],
)
def test_a_further_table_names_the_right_that_it_lacks(ready, vendor, right):
    pretend = ready(vendor)
    held = named(vendor, *NIGHTLY, "table")
    keep(pretend, vendor, [name for name in held if name != right])
    plain = Settings()
    tables = ("account", FURTHER[right])
    chosen = attrs.evolve(getattr(plain, vendor), tables=tables)
    crm = connect(vendor, settings=chosen)
    with pytest.raises(RightMissingError, match=f"'{right}'"):
        _ = [list(crm.pull(table)) for table in crm.tables()]


@pytest.mark.parametrize("is_granted", [True, False])
def test_a_custom_object_names_the_right_that_it_lacks(ready, is_granted):
    pretend = ready("hubspot")
    portal, kind = pretend._portal, "p147_agreement"
    for name, type_ in (("begins", "date"), ("hs_lastmodifieddate", "datetime")):
        portal.definitions.add(kind, Property(name, name, type_, "date", "facts"))
    portal.add_kind(Kind(kind, kind, "2-777", "crm.objects.custom"))
    portal.links.add_plain(kind, "companies", 5_001)
    portal.create(kind, [{"begins": "2026-01-02"}])
    held = named("hubspot", *NIGHTLY, "table")
    keep(pretend, "hubspot", [n for n in held if is_granted or n != CUSTOM])
    chosen = HubSpotSettings(
        tables=("account",),
        objects={"contract": kind},
        fields={"contract": {"starts_on": "begins"}},
    )
    crm = connect("hubspot", settings=chosen)
    if is_granted:
        (batch,) = crm.pull("contract")
        assert batch.rows["starts_on"].to_pylist() == [date(2026, 1, 2)]
    else:
        with pytest.raises(RightMissingError, match=f"'{CUSTOM}'"):
            _ = [list(crm.pull(table)) for table in crm.tables()]


def rows(page: str) -> list[tuple[str, str]]:
    """Of the tables of rights, and of those only: right and what for."""
    found, is_ours = [], False
    for line in page.splitlines():
        if line in ("| right | what for |", "| scope | what for |"):
            is_ours = True
        elif not line.startswith("|"):
            is_ours = False
        elif is_ours and "---" not in line:
            name, use = line.strip("| ").split(" | ", 1)
            found.append((name.strip("`"), use))
    return found


@pytest.mark.parametrize("vendor", OF)
def test_the_page_tells_exactly_these(vendor):
    page = (DOCS / PAGES[vendor]).read_text(encoding="utf-8")
    told = [(right.name, right.use) for right in OF[vendor]]
    assert rows(page) == told


@pytest.mark.parametrize("column", ["tier", "tier_pinned"])
def test_a_field_that_setup_has_not_granted_is_named(ready, column):
    from crm_portfolio.connectors.salesforce._fields import OUR_FIELDS

    pretend, name = ready("salesforce"), OUR_FIELDS["account"][column]
    keep(pretend, "salesforce", named("salesforce", *NIGHTLY))
    pretend.hide_field("Account", name)
    assert f"field Account.{name}" in said("salesforce")
