"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is not a slow function; speed is measured elsewhere.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

# Begun first, the longest before all: begun last, one worker would be left alone with
# them. `--no-loadscope-reorder` keeps the order made here.
LONG = (
    "tests/analysis/test_edge_books.py",
    "tests/test_sync.py",
    "tests/test_secrets.py",
    "tests/writeback/test_killed.py",
    "tests/cli/test_night.py",
    "tests/pull/test_killed_by_call.py",
    "tests/connectors/hubspot/test_places.py",
    "tests/connectors/hubspot/test_contract.py",
    "tests/analyse/test_same_bytes.py",
    "tests/writeback/test_properties.py",
    "tests/writeback/test_any_order.py",
    "tests/connectors/salesforce/test_contract.py",
    "tests/cli/test_archive.py",
    "tests/pull/test_killed.py",
    "tests/test_demo.py",
    "tests/archive/test_whole_job.py",
    "tests/airflow/test_run_by_airflow.py",
    "tests/pull/test_both_crms.py",
    "tests/real/test_maven_nights.py",
    "tests/cli/test_demo.py",
    "tests/cli/test_plan.py",
    "tests/connectors/hubspot/test_assumptions.py",
    "tests/analysis/test_same_bytes.py",
    "tests/cli/test_sync.py",
    "tests/cli/test_exit_codes.py",
    "tests/test_site.py",
    "tests/analysis/test_lost_opportunities.py",
    "tests/analysis/test_win_back.py",
    "tests/writeback/test_differential.py",
    "tests/connectors/salesforce/test_differential.py",
    "tests/cli/test_apply.py",
    "tests/portfolio/test_at.py",
    "tests/real/test_maven.py",
    "tests/testing/test_contract.py",
    "tests/analysis/test_risk.py",
    "tests/test_wording.py",
    "tests/cli/test_pages.py",
    "tests/test_readme.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long modules come first, everything else in the order it was found."""
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.nodeid.split("::")[0], len(place)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real and sample data beside the checkout."""
    folder = Path(os.environ.get("CRM_PORTFOLIO_DATA", SHARED))
    if not folder.is_dir():
        pytest.skip(
            "the shared data is not on this machine: put it in ../shared/data or name "
            "its folder in CRM_PORTFOLIO_DATA"
        )
    return folder
