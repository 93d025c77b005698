"""Does a book of a replica know its org, and reach no other?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from laid_down import laid_down, replica, replicated

from crm_portfolio import Portfolio, analysis, connect, plan, pull, samples, setup
from crm_portfolio.connectors.warehouse import LayoutName, Warehouse, WarehouseSettings
from crm_portfolio.errors import SettingsError, WrongOrgError
from crm_portfolio.protocols import CopiedOrg, Org
from crm_portfolio.simulator import HubSpot, Salesforce

AS_OF = date(2026, 6, 30)
LONG, SHORT = "00D58000000aBcDEAU", "00D58000000aBcD"
OTHER = "00D58000000aBcEEAU"


def of(
    folder: Path, layout: LayoutName, org: str | None = None, **changed: pa.Table
) -> Warehouse:
    """The small replica, with what the settings say of its org."""
    place = laid_down(layout, folder, **changed)
    return Warehouse(place, settings=WarehouseSettings(layout=layout, org=org))


def organization(*ids: str | None, is_sandbox: bool | None = None) -> pa.Table:
    kinds = pa.array([is_sandbox] * len(ids), pa.bool_())
    return pa.table({"id": pa.array(ids, pa.string()), "is_sandbox": kinds})


def with_portals(table: str, *portals: int | None) -> pa.Table:
    told = replica("fivetran-hubspot")[table]
    place = told.column_names.index("portal_id")
    whole = [portals[at % len(portals)] for at in range(len(told))]
    return told.set_column(place, "portal_id", pa.array(whole, pa.int64()))


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (LONG, f"salesforce org {LONG} (replica)"),
        (f" {SHORT} ", f"salesforce org {LONG} (replica)"),
        (f"salesforce org {LONG}", f"salesforce org {LONG} (production, replica)"),
        (
            f"salesforce org {SHORT} (sandbox)",
            f"salesforce org {LONG} (sandbox, replica)",
        ),
    ],
)
def test_an_org_is_named_by_its_id_or_as_it_is_printed(
    said: str, known: str, tmp_path: Path
) -> None:
    told = of(tmp_path, "fivetran-salesforce", said).copied_from()
    assert str(told) == known
    assert CopiedOrg.read(known) == told


@pytest.mark.parametrize(
    ("layout", "said", "told"),
    [
        ("fivetran-salesforce", "ours", "begins with 00D"),
        ("fivetran-salesforce", "", "begins with 00D"),
        ("fivetran-salesforce", LONG.upper(), "begins with 00D"),
        ("fivetran-salesforce", "hubspot org 7", "is of hubspot"),
        ("dlt-hubspot", LONG, "the portal's number"),
    ],
)
def test_what_names_no_org_of_the_crm_is_refused_at_once(
    layout: LayoutName, said: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=told):
        of(tmp_path, layout, said)


@pytest.mark.parametrize("loader", ["fivetran", "dlt"])
@pytest.mark.parametrize("is_sandbox", [True, False, None])
def test_the_table_of_the_organisation_tells_the_org(
    loader: str, is_sandbox: bool | None, tmp_path: Path
) -> None:
    there = organization(SHORT, None, is_sandbox=is_sandbox)
    layout: Any = f"{loader}-salesforce"
    told = of(tmp_path, layout, organization=there).copied_from()
    assert told == CopiedOrg("salesforce", LONG, is_sandbox)


def test_of_the_past_of_the_organisation_nothing_is_read(tmp_path: Path) -> None:
    there = organization(OTHER, LONG)
    there = there.append_column("_fivetran_active", pa.array([False, True]))
    told = of(tmp_path, "fivetran-salesforce", organization=there).copied_from()
    assert told.org_id == LONG


def test_the_rows_of_hubspot_tell_their_portal(tmp_path: Path) -> None:
    assert str(of(tmp_path, "fivetran-hubspot").copied_from()) == (
        "hubspot org 1 (replica)"
    )


def test_a_replica_in_a_file_may_be_opened_again_with_its_org_named(
    tmp_path: Path,
) -> None:
    duckdb = pytest.importorskip("duckdb")
    file = tmp_path / "replica.duckdb"
    with duckdb.connect(str(file)) as laid:
        for name, table in replica("fivetran-salesforce").items():
            laid.register("rows", table)
            laid.execute(f'CREATE TABLE "{name}" AS FROM rows')
    first = Warehouse(file, layout="fivetran-salesforce")
    said = WarehouseSettings(layout="fivetran-salesforce", org=LONG)
    assert Warehouse(file, settings=said).copied_from().org_id == LONG
    assert not first.copied_from().org_id


@pytest.mark.parametrize("table", ["company", "deal"])
def test_a_replica_of_several_portals_is_refused(table: str, tmp_path: Path) -> None:
    mixed = {table: with_portals(table, 1, 2, None)}
    for said in (None, "1"):
        folder = tmp_path / str(said)
        with pytest.raises(SettingsError, match=r"more than one org.*\(1, 2, by"):
            pull(of(folder, "fivetran-hubspot", said, **mixed), as_of=AS_OF)


@pytest.mark.parametrize(
    ("said", "tells"),
    [
        (OTHER, organization(LONG)),
        (f"salesforce org {LONG}", organization(LONG, is_sandbox=True)),
    ],
)
def test_what_is_said_and_what_the_replica_tells_must_agree(
    said: str, tells: pa.Table, tmp_path: Path
) -> None:
    source = of(tmp_path, "fivetran-salesforce", said, organization=tells)
    with pytest.raises(SettingsError, match=f"{said}.* the replica tells .*{LONG}"):
        pull(source, as_of=AS_OF, currency="EUR")


def test_what_agrees_is_known_as_well_as_either_says(tmp_path: Path) -> None:
    tells = organization(LONG, is_sandbox=True)
    source = of(tmp_path, "fivetran-salesforce", SHORT, organization=tells)
    assert str(source.copied_from()) == f"salesforce org {LONG} (sandbox, replica)"


@pytest.mark.parametrize("layout", ["fivetran-salesforce", "dlt-hubspot"])
def test_without_a_word_of_it_the_org_is_unknown_and_the_book_says_so(
    layout: LayoutName, tmp_path: Path
) -> None:
    vendor = layout.partition("-")[2]
    source = of(tmp_path / "replica", layout)
    book = pull(source, as_of=AS_OF, currency="EUR", into=tmp_path / "book")
    assert book.org == f"{vendor} org unknown (replica)"


def test_a_book_of_a_replica_is_read_whole_and_keeps_no_copy(tmp_path: Path) -> None:
    source = of(tmp_path / "replica", "fivetran-salesforce", LONG)
    for _ in range(2):
        pull(source, as_of=AS_OF, currency="EUR", into=tmp_path / "book")
        assert not (tmp_path / "book" / "source").exists()
    book = Portfolio.load(tmp_path / "book")
    assert book.org == f"salesforce org {LONG} (replica)"
    assert pull(source, as_of=AS_OF, currency="EUR").org == book.org


@pytest.mark.parametrize(
    "text", [None, "", "salesforce org 1", "hubspot org 1 (sandbox)"]
)
def test_a_book_of_a_crm_or_of_files_is_of_no_replica(text: str | None) -> None:
    assert CopiedOrg.read(text) is None


def test_a_replica_of_production_is_not_of_its_sandbox() -> None:
    sandbox = Org("salesforce", LONG, True, "EUR", "UTC")
    assert CopiedOrg("salesforce", LONG).may_be(sandbox)
    assert CopiedOrg("salesforce", LONG, True).may_be(sandbox)
    assert not CopiedOrg("salesforce", LONG, False).may_be(sandbox)
    assert not CopiedOrg("hubspot", LONG).may_be(sandbox)


Pulled = Callable[..., Portfolio]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A pretend sandbox with our fields, and what its log-in reaches."""
    book = samples.book(accounts=40, opportunities=250)
    with Salesforce(book.tables, currency="EUR") as pretend:
        for variable, value in pretend.environment.items():
            monkeypatch.setenv(variable, value)
        setup(connect("salesforce"), dry_run=False)
        yield pretend


def pulled(pretend: Any, folder: Path, org: str | None, **tells: pa.Table) -> Portfolio:
    layout: LayoutName = "fivetran-salesforce"
    place = replicated(pretend, "salesforce", layout, folder)
    for name, table in tells.items():
        pq.write_table(table, place / f"{name}.parquet")
    source = Warehouse(place, settings=WarehouseSettings(layout=layout, org=org))
    return pull(source, as_of=AS_OF, currency="EUR")


def test_a_replica_of_production_is_not_planned_into_a_sandbox(
    sandbox: Salesforce, tmp_path: Path
) -> None:
    crm = connect("salesforce")
    of_production = {
        "named": pulled(sandbox, tmp_path / "1", LONG),
        "told": pulled(sandbox, tmp_path / "2", None, organization=organization(LONG)),
        "same id": pulled(
            sandbox,
            tmp_path / "3",
            None,
            organization=organization(sandbox.org_id, is_sandbox=False),
        ),
    }
    for how, book in of_production.items():
        for held in (None, book):
            with pytest.raises(WrongOrgError, match=r"replica\).*sandbox"):
                plan([analysis.tiers(book)], crm, held=held)
            assert "PATCH" not in " ".join(sandbox.calls), how


@pytest.mark.parametrize("is_told", [True, False])
def test_a_replica_of_the_very_org_is_planned(
    sandbox: Salesforce, tmp_path: Path, is_told: bool
) -> None:
    tells = organization(sandbox.org_id, is_sandbox=True)
    if is_told:
        book = pulled(sandbox, tmp_path, None, organization=tells)
    else:
        book = pulled(sandbox, tmp_path, sandbox.org_id[:15])
    assert plan([analysis.tiers(book)], connect("salesforce")).changes


def test_of_an_unknown_org_nothing_is_planned_and_what_to_write_is_told(
    sandbox: Salesforce, tmp_path: Path
) -> None:
    book = pulled(sandbox, tmp_path, None)
    with pytest.raises(SettingsError, match="nothing was planned") as refused:
        plan([analysis.tiers(book)], connect("salesforce"))
    line = f'[warehouse]\n  org = "{sandbox.org_id}"\n'
    assert line in str(refused.value)


def test_a_replica_of_another_portal_is_not_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = samples.book(accounts=40, opportunities=250)
    with HubSpot(book.tables, currency="EUR") as pretend:
        for variable, value in pretend.environment.items():
            monkeypatch.setenv(variable, value)
        setup(connect("hubspot"), dry_run=False)
        own = replicated(pretend, "hubspot", "fivetran-hubspot", tmp_path / "own")
        for name in ("company", "deal"):
            file = own / f"{name}.parquet"
            table = pq.read_table(file)
            place = table.column_names.index("portal_id")
            other = pa.array([pretend.portal_id + 1] * len(table))
            (tmp_path / "other").mkdir(exist_ok=True)
            moved = table.set_column(place, "portal_id", other)
            pq.write_table(moved, tmp_path / "other" / file.name)
        results = {
            name: analysis.tiers(
                pull(
                    Warehouse(folder, layout="fivetran-hubspot"),
                    as_of=AS_OF,
                    currency="EUR",
                )
            )
            for name, folder in (("own", own), ("other", tmp_path / "other"))
        }
        assert plan([results["own"]], connect("hubspot")).changes
        with pytest.raises(WrongOrgError, match=r"replica\).* reaches hubspot org"):
            plan([results["other"]], connect("hubspot"))
