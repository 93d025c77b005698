"""A user's tests with the fixtures that the package brings."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import crm_portfolio

pytest_plugins = ["pytester"]

HEAVY = (
    "duckdb",
    "uvicorn",
    "pandas",
    "pyarrow",
    "numpy",
    "scipy",
    "simple_salesforce",
    "hubspot",
)
JOB = """
    import os, pytest
    import pyarrow as pa
    from datetime import date
    from crm_portfolio import connect, pull

    def test_a_job_runs_unchanged_on_the_sample_book(salesforce_simulator):
        book = pull(connect("salesforce"), as_of=date(2026, 6, 30))
        assert len(book["account"]) == 300
        assert salesforce_simulator.api_calls > 0
        assert os.environ["SALESFORCE_INSTANCE_URL"] == salesforce_simulator.url
        assert "SALESFORCE_ACCESS_TOKEN" not in os.environ

    TABLES = {"account": pa.table({"account_id": ["a", "b"]})}

    @pytest.mark.crm_data(TABLES, currency="GBP")
    def test_the_data_asked_for_is_there(salesforce_simulator):
        assert len(salesforce_simulator.snapshot("Account")["Account"]) == 2
        (home,) = salesforce_simulator.snapshot("Organization")["Organization"].values()
        assert home["DefaultCurrencyIsoCode"] == "GBP"

    @pytest.mark.crm_data(data=TABLES)
    def test_the_data_may_be_named(salesforce_simulator):
        assert salesforce_simulator.ids("account").keys() == {"a", "b"}
        assert "SALESFORCE_DOMAIN" not in os.environ

    @pytest.mark.crm_data("tables")
    def test_a_folder_will_do(salesforce_simulator):
        assert salesforce_simulator.ids("account").keys() == {"x"}

    @pytest.mark.crm_data(TABLES, currency="GBP")
    def test_there_is_a_hubspot_too(hubspot_simulator):
        assert hubspot_simulator.ids("account").keys() == {"a", "b"}
        assert os.environ["HUBSPOT_API_URL"] == hubspot_simulator.url
        assert "HUBSPOT_SECRET" not in os.environ

    def test_the_environment_is_as_before():
        assert os.environ["HUBSPOT_SECRET"] == "a real one"
        assert os.environ["SALESFORCE_ACCESS_TOKEN"] == "a real one"
        assert "SALESFORCE_INSTANCE_URL" not in os.environ
"""


@pytest.fixture
def users_tests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Run a user's test file in a process of its own."""
    package = Path(crm_portfolio.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", str(package))
    monkeypatch.setenv("SALESFORCE_ACCESS_TOKEN", "a real one")
    monkeypatch.setenv("SALESFORCE_DOMAIN", "test")
    monkeypatch.setenv("HUBSPOT_SECRET", "a real one")
    monkeypatch.delenv("SALESFORCE_INSTANCE_URL", raising=False)
    installed = any(e.name == "crm_portfolio" for e in entry_points(group="pytest11"))
    named = [] if installed else ["-p", "crm_portfolio.testing.plugin"]

    def run(source: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        return pytester.runpytest_subprocess("--strict-markers", "-W", "error", *named)

    return run


def test_connect_reaches_the_pretend_crm_in_a_users_tests(
    users_tests, pytester: pytest.Pytester
) -> None:
    (pytester.mkdir("tables") / "account.csv").write_text("account_id,name\nx,NA\n")
    users_tests(JOB).assert_outcomes(passed=6)


def test_the_plugin_costs_other_projects_nothing() -> None:
    code = (
        "import sys, crm_portfolio.testing.plugin;"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    package = Path(crm_portfolio.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(package)},
    )
    assert done.stdout.strip() == ""
