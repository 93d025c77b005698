"""What every test may ask for."""

from __future__ import annotations

import gc
import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A busy machine is not a slow function; speed is measured elsewhere.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# No test cuts the power, so none waits for the disk: who kills a process loses nothing
# that it has written. The tests of what is flushed put a watch here themselves.
os.fsync = lambda _: None  # type: ignore[assignment]
# Tables this small are not worth a thread, and three workers share two cores. Read when
# NumPy is first imported; tests/analyse/test_same_bytes.py takes several.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# While tests are found nothing goes that would be worth looking for.
gc.disable()

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

# Begun first, the longest before all: begun last, one worker would be left alone with
# them. `--no-loadscope-reorder` keeps the order made here.
LONG = (
    "tests/engines/test_same_answers.py",
    "tests/engines/test_odd_books.py",
    "tests/test_sync.py",
    "tests/writeback/test_killed.py",
    "tests/test_secrets.py",
    "tests/analysis/test_edge_books.py",
    "tests/analyse/test_same_bytes.py",
    "tests/airflow/test_run_by_airflow.py",
    "tests/pull/test_killed.py",
    "tests/analysis/test_same_bytes.py",
    "tests/connectors/hubspot/test_contract.py",
    "tests/connectors/salesforce/test_contract.py",
    "tests/pull/test_killed_by_call.py",
    "tests/cli/test_help.py",
    "tests/report/test_browser.py",
    "tests/analyse/test_left_out.py",
    "tests/pull/test_both_crms.py",
    "tests/connectors/hubspot/test_assumptions.py",
    "tests/writeback/test_any_order.py",
    "tests/archive/test_objects.py",
    "tests/real/test_maven_nights.py",
    "tests/analysis/test_win_back.py",
    "tests/analyse/test_growth.py",
    "tests/analysis/test_lost_opportunities.py",
    "tests/cli/test_sync.py",
    "tests/report/test_page.py",
    "tests/test_rights.py",
    "tests/cli/test_night.py",
    "tests/cli/test_exit_codes.py",
    "tests/cli/test_archive.py",
    "tests/analysis/test_lost_ends.py",
    "tests/writeback/test_on_request.py",
    "tests/analysis/test_lifetime_value.py",
    "tests/analysis/test_review_slope.py",
    "tests/portfolio/test_at.py",
    "tests/writeback/test_differential.py",
    "tests/test_demo.py",
    "tests/connectors/salesforce/test_differential.py",
    "tests/archive/test_whole_job.py",
    "tests/archive/test_lease.py",
    "tests/connectors/trouble/test_lost.py",
    "tests/analysis/test_review.py",
    "tests/real/test_maven.py",
    "tests/testing/test_contract.py",
    "tests/analysis/test_risk.py",
    "tests/writeback/test_properties.py",
    "tests/test_docs.py",
    "tests/cli/test_analyse.py",
    "tests/test_hostile.py",
    "tests/cli/test_explain.py",
    "tests/cli/test_demo.py",
    "tests/test_site.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long modules come first, everything else in the order it was found."""
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.nodeid.split("::")[0], len(place)))


def pytest_sessionstart() -> None:
    """What our pretend CRMs do of themselves is done when they answer: no test waits a
    second for it. Those of the wait itself bring a clock of their own.
    """
    from crm_portfolio.writeback import apply

    usual = apply.__kwdefaults__
    assert usual["sleep"] is time.sleep
    usual["sleep"] = lambda seconds: time.sleep(min(seconds, 0.01))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Thousands of tests and what they import stay to the end: no search for garbage
    need walk through them, nor run after every few objects; it took a fifth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 50)


def pytest_runtest_teardown() -> None:
    """A picture that a test left open counts for no other: of twenty, pyplot warns."""
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


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


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from shelves import S3Server

    with S3Server.started(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3(s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """An address in the bucket that nobody else has, and the login to it."""
    from shelves import BUCKET, environment

    for name, value in environment(s3_server.port).items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{secrets.token_hex(6)}"
