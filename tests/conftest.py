"""What every test may ask for."""

from __future__ import annotations

import gc
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
    "tests/engines/test_same_answers.py",
    "tests/analysis/test_edge_books.py",
    "tests/test_sync.py",
    "tests/test_secrets.py",
    "tests/writeback/test_killed.py",
    "tests/pull/test_killed_by_call.py",
    "tests/writeback/test_properties.py",
    "tests/writeback/test_any_order.py",
    "tests/connectors/hubspot/test_contract.py",
    "tests/connectors/salesforce/test_contract.py",
    "tests/connectors/hubspot/test_places.py",
    "tests/archive/test_objects.py",
    "tests/pull/test_killed.py",
    "tests/report/test_browser.py",
    "tests/cli/test_help.py",
    "tests/real/test_maven_nights.py",
    "tests/analyse/test_same_bytes.py",
    "tests/airflow/test_run_by_airflow.py",
    "tests/analysis/test_same_bytes.py",
    "tests/pull/test_both_crms.py",
    "tests/cli/test_exit_codes.py",
    "tests/report/test_page.py",
    "tests/cli/test_sync.py",
    "tests/writeback/test_on_request.py",
    "tests/cli/test_archive.py",
    "tests/writeback/test_differential.py",
    "tests/test_demo.py",
    "tests/portfolio/test_at.py",
    "tests/cli/test_night.py",
    "tests/archive/test_whole_job.py",
    "tests/connectors/salesforce/test_differential.py",
    "tests/analysis/test_win_back.py",
    "tests/real/test_maven.py",
    "tests/testing/test_contract.py",
    "tests/archive/test_lease.py",
    "tests/analysis/test_lost_opportunities.py",
    "tests/analysis/test_risk.py",
    "tests/test_docs.py",
    "tests/cli/test_analyse.py",
    "tests/test_hostile.py",
    "tests/cli/test_demo.py",
    "tests/test_site.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long modules come first, everything else in the order it was found."""
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.nodeid.split("::")[0], len(place)))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Thousands of tests and what they import stay to the end: no search for garbage
    need walk through them, nor run after every few objects; it took a fifth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_unconfigure() -> None:
    """Modules written in C ask at the end whether all of theirs has gone."""
    gc.unfreeze()


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
