"""Does a real, dirty book give the same numbers from files and from a CRM?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from loaders import maven_folder, tree_tables

from crm_portfolio import (
    Archive,
    Period,
    Portfolio,
    analysis,
    apply,
    connect,
    plan,
    pull,
    setup,
    simulator,
    undo,
)
from crm_portfolio._frames import to_arrow
from crm_portfolio.connectors.hubspot import HubSpotSettings
from crm_portfolio.connectors.salesforce import SalesforceSettings
from crm_portfolio.errors import MissingTableError
from crm_portfolio.protocols import Connector

YEAR_END = date(2017, 12, 31)
MID_DECEMBER = date(2017, 12, 15)

# What a CRM says about a record that the source never did.
ONLY_FROM_THE_CRM = {
    "salesforce": {
        "account": {
            "created_on",
            "domain",
            "last_activity_on",
            "owner_id",
        },
        "opportunity": {
            "kind",
            "last_activity_on",
            "name",
            "next_step",
            "probability",
            "source",
        },
        "stage": {"default_probability"},
        "owner": set(),
    },
    "hubspot": {
        "account": {
            "activity_count",
            "contact_count",
            "created_on",
            "domain",
            "is_customer",
            "last_activity_on",
            "owner_id",
        },
        "opportunity": {
            "activity_count",
            "contact_count",
            "currency",
            "kind",
            "last_activity_on",
            "loss_reason",
            "name",
            "next_step",
            "probability",
        },
        "stage": {"default_probability"},
        "owner": set(),
    },
}
# A CRM demands them of every opportunity; the source does not have them for all.
SUPPLIED_BELOW_THE_API = {"created_at", "expected_close_on"}
# The user who runs the nightly job.
USERS_OF_OUR_OWN = {"salesforce": 1, "hubspot": 0}
# Of accounts and opportunities, the stages, and the owners; pages of 2,000 or of 100.
LEAST_CALLS = {"salesforce": 1 + 5 + 1 + 1, "hubspot": 1 + 88 + 1 + 2}
ACCOUNTS = {"salesforce": "Account", "hubspot": "companies"}
SETTINGS = {
    "salesforce": SalesforceSettings(
        fields={"opportunity": {"product_id": "Product_Id__c"}}
    ),
    "hubspot": HubSpotSettings(fields={"opportunity": {"product_id": "product_id"}}),
}
Org = simulator.Salesforce | simulator.HubSpot


def started(vendor: str, data: Any) -> Org:
    if vendor == "hubspot":
        return simulator.HubSpot(data=data, currency="USD")
    return simulator.Salesforce(data=data, currency="USD")


def connected(vendor: str, org: Org, settings: Any = None) -> Connector:
    """A job's own line, with the environment it would find."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in org.environment.items():
            environment.setenv(name, value)
        return connect(vendor, settings=settings)


@pytest.fixture(scope="module")
def folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return maven_folder(shared_data / "maven_crm", tmp_path_factory.mktemp("maven"))


@pytest.fixture(scope="module", params=["salesforce", "hubspot"])
def vendor(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def org(vendor: str, folder: Path) -> Iterator[Org]:
    with started(vendor, folder) as running:
        yield running


@pytest.fixture(scope="module")
def crm(vendor: str, org: Org) -> Connector:
    return connected(vendor, org, SETTINGS[vendor])


@pytest.fixture(scope="module")
def from_crm(crm: Connector) -> Portfolio:
    return pull(crm, as_of=YEAR_END)


@pytest.fixture(scope="module")
def from_files(folder: Path) -> Portfolio:
    return pull(connect("files", folder), as_of=YEAR_END, currency="USD")


def totals(portfolio: Portfolio) -> dict[str, tuple[int, float]]:
    table = to_arrow(portfolio["opportunity"])
    grouped = table.group_by("status").aggregate(
        [("opportunity_id", "count"), ("amount", "sum")]
    )
    return {
        row["status"]: (row["opportunity_id_count"], row["amount_sum"])
        for row in grouped.to_pylist()
    }


def test_the_whole_book_is_there(from_files: Portfolio) -> None:
    assert to_arrow(from_files["account"]).num_rows == 85
    assert totals(from_files) == {
        "won": (4238, 10_005_534.0),
        "lost": (2473, 0.0),
        "open": (2089, None),
    }


def test_open_opportunities_without_account_are_kept_and_reported(
    from_files: Portfolio,
) -> None:
    table = to_arrow(from_files["opportunity"])
    assert table.num_rows == 8800
    assert table["account_id"].null_count == 1425
    faults = to_arrow(from_files.faults).to_pylist()
    orphans = [row for row in faults if row["fault"] == "opportunity_without_account"]
    assert len(orphans) == 1425
    assert {row["effect"] for row in orphans} == {"kept"}
    without_amount = [row for row in faults if row["fault"] == "open_without_amount"]
    assert len(without_amount) == 2089


def test_the_spelling_of_the_source_stays(from_files: Portfolio) -> None:
    accounts = to_arrow(from_files["account"]).to_pylist()
    assert sum(row["segment"] == "technolgy" for row in accounts) == 12
    assert sum(row["country"] == "Philipines" for row in accounts) == 1
    opportunities = to_arrow(from_files["opportunity"]).to_pylist()
    assert sum(row["product_id"] == "GTXPro" for row in opportunities) == 1480
    acme = next(row for row in accounts if row["name"] == "Acme Corporation")
    assert acme["account_turnover"] == 1_100_040_000.0


def shares(portfolio: Portfolio, period: Period) -> dict[str, Any]:
    settings = analysis.ConcentrationSettings(period=period)
    return dict(analysis.concentration(portfolio, settings).summary)


def test_the_whole_book_is_unusually_flat(from_files: Portfolio) -> None:
    """Facts of the data set's README, over all time."""
    summary = shares(from_files, Period.all())
    by_account, by_group = summary["by_account"], summary["by_group"]
    assert by_account["total"] == 10_005_534.0
    assert by_account["n"] == 85
    assert by_account["top_k"] == 17
    assert by_account["share_of_top_20pct"] == pytest.approx(0.31687, abs=5e-6)
    assert by_account["hhi"] == pytest.approx(0.0135810, abs=5e-8)
    assert by_group["n"] == 70
    assert by_group["top_k"] == 14
    assert by_group["share_of_top_20pct"] == pytest.approx(0.40068, abs=5e-6)
    assert by_group["hhi"] == pytest.approx(0.0198808, abs=5e-8)


def test_the_default_period_ends_on_the_first_of_the_month(folder: Path) -> None:
    portfolio = pull(connect("files", folder), as_of=MID_DECEMBER, currency="USD")
    result = analysis.concentration(portfolio)
    by_account = result.summary["by_account"]
    assert result.params["period"]["end"] == "2017-12-01"
    assert by_account["total"] == 8_873_961.0
    assert by_account["share_of_top_20pct"] == pytest.approx(0.31780, abs=5e-6)
    assert by_account["hhi"] == pytest.approx(0.0136360, abs=5e-8)


def in_the_keys_of_the_source(portfolio: Portfolio, table: str, org: Org) -> pa.Table:
    """The table with the org's ids turned back into the loader's keys."""
    back = {
        value: key
        for name in ("account", "opportunity", "owner")
        for key, value in org.ids(name).items()
    }
    columns = {}
    frame = to_arrow(portfolio[table])
    for name in frame.column_names:
        column = frame[name]
        if name.endswith("_id") and name != "product_id":
            column = pa.array(
                [back.get(value, value) for value in column.to_pylist()], pa.string()
            )
        columns[name] = column
    return pa.table(columns)


@pytest.mark.parametrize("table", ["account", "opportunity", "stage", "owner"])
def test_files_and_crm_give_the_same_table(
    vendor: str, table: str, from_files: Portfolio, from_crm: Portfolio, org: Org
) -> None:
    ours = to_arrow(from_files[table])
    theirs = in_the_keys_of_the_source(from_crm, table, org)
    if table == "owner":
        extra = set(theirs["owner_id"].to_pylist()) - set(ours["owner_id"].to_pylist())
        assert len(extra) == USERS_OF_OUR_OWN[vendor]
        theirs = theirs.filter(
            pa.array([key not in extra for key in theirs["owner_id"].to_pylist()])
        )
    key = {"account": "account_id", "opportunity": "opportunity_id"}.get(
        table, "owner_id" if table == "owner" else "stage"
    )
    compared = [
        name for name in ours.column_names if name not in SUPPLIED_BELOW_THE_API
    ]
    assert ours.sort_by(key).select(compared).to_pylist() == (
        theirs.sort_by(key).select(compared).to_pylist()
    )
    extra_columns = set(theirs.column_names) - set(ours.column_names)
    assert extra_columns - SUPPLIED_BELOW_THE_API == ONLY_FROM_THE_CRM[vendor][table]


def test_the_crm_gives_the_same_figures(from_crm: Portfolio) -> None:
    assert totals(from_crm)["won"] == (4238, 10_005_534.0)
    summary = shares(from_crm, Period.all())
    assert summary["by_account"]["hhi"] == pytest.approx(0.0135810, abs=5e-8)
    assert summary["by_group"]["n"] == 70


def test_a_pull_costs_the_least_calls(vendor: str, folder: Path) -> None:
    """Five more than the records take, for metadata and identity; the token is none."""
    with started(vendor, folder) as org:
        pull(connected(vendor, org), as_of=YEAR_END)
        assert org.api_calls <= LEAST_CALLS[vendor] + 5


def test_written_checked_and_undone(vendor: str, folder: Path, tmp_path: Path) -> None:
    with started(vendor, folder) as org:
        crm = connected(vendor, org)
        report = setup(crm, dry_run=False)
        assert all(step.state in ("present", "done") for step in report.steps)
        before = org.snapshot(ACCOUNTS[vendor])

        portfolio = pull(crm, as_of=YEAR_END)
        results = [analysis.tiers(portfolio), analysis.concentration(portfolio)]
        proposal = plan(results, crm, held=portfolio)
        assert not proposal.refusals
        archive = Archive(tmp_path / "runs")
        journal = apply(proposal, crm, archive=archive)
        assert journal.exit_code == 0
        assert journal.counts["written"] == len(proposal.changes) > 85

        again = pull(crm, as_of=YEAR_END)
        second = plan(
            [analysis.tiers(again), analysis.concentration(again)], crm, held=again
        )
        assert not second.changes
        calls = dict(org.calls)
        assert apply(second, crm, archive=archive).exit_code == 0
        assert dict(org.calls) == calls

        way_back = undo(archive.journal(journal.run_id), crm)
        assert apply(way_back, crm, archive=archive).exit_code == 0
        assert org.snapshot(ACCOUNTS[vendor]) == before


def test_the_developer_edition_records(shared_data: Path) -> None:
    tables = tree_tables(shared_data / "salesforce_sample" / "sobject_tree")
    with started("salesforce", tables) as org:
        portfolio = pull(connected("salesforce", org), as_of=date(2018, 12, 31))
    assert totals(portfolio)["won"] == (8, 1_640_000.0)
    assert to_arrow(portfolio["account"]).num_rows == 10
    assert (
        analysis.concentration(portfolio).summary["by_account"]["total"] == 1_640_000.0
    )
    with pytest.raises(MissingTableError):
        portfolio["revenue_line"]
