"""A source is reached by its name, and only that source is loaded."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from crm_portfolio import connectors
from crm_portfolio.connectors import connect
from crm_portfolio.connectors.salesforce import Salesforce, SalesforceSettings
from crm_portfolio.errors import SettingsError
from crm_portfolio.simulator import Salesforce as Simulator


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    import os

    for name in os.environ:
        if name.startswith("SALESFORCE_"):
            monkeypatch.delenv(name)
    return monkeypatch


def test_salesforce_is_reached_with_the_log_in_of_the_environment(environment) -> None:
    with Simulator() as org:
        for name, value in org.environment.items():
            environment.setenv(name, value)
        crm = connect("salesforce", settings=SalesforceSettings(page_size=200))
        assert isinstance(crm, Salesforce)
        assert crm.org().org_id == org.org_id


def test_without_a_log_in_every_way_to_give_one_is_listed(environment) -> None:
    with pytest.raises(SettingsError) as caught:
        connect("salesforce")
    for name in ("CLIENT_SECRET", "PRIVATE_KEY_FILE", "ACCESS_TOKEN", "INSTANCE_URL"):
        assert f"SALESFORCE_{name}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("salesforse", "did you mean 'salesforce'"),
        ("zoho", "there is files, hubspot, salesforce, warehouse"),
        ("", "there is files, hubspot, salesforce, warehouse"),
    ],
)
def test_an_unknown_source_is_told_the_known_ones(name: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        connect(name)


def test_arguments_that_a_source_does_not_take_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unexpected keyword argument 'folder'"):
        connect("salesforce", tmp_path)
    with pytest.raises(SettingsError, match="missing a required argument: 'folder'"):
        connect("files")


def test_a_source_of_another_package_is_found_by_its_entry_point(
    environment, tmp_path: Path
) -> None:
    theirs = EntryPoint("ledger", "argparse:Namespace", connectors.GROUP)
    environment.setattr("importlib.metadata.entry_points", lambda group: [theirs])
    with pytest.raises(SettingsError, match="did you mean 'ledger'"):
        connect("leger")
    assert vars(connect("ledger", tmp_path)) == {"folder": tmp_path}


@pytest.mark.parametrize(
    "code",
    [
        "import crm_portfolio.connectors",
        "import crm_portfolio.connectors.salesforce",
        (
            "from crm_portfolio.connectors.salesforce import *; "
            "Salesforce(SessionToken('http://127.0.0.1:1', 't'))"
        ),
    ],
)
def test_no_client_is_loaded_before_the_first_call(code: str) -> None:
    check = f"import sys; {code}; print('simple_salesforce' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
