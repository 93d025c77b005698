"""Does every error name the command that mends it?"""

from __future__ import annotations

import inspect
from pathlib import Path

import pyarrow as pa
import pytest

from crm_portfolio import errors
from crm_portfolio.cli._next import way_out

EACH = {
    "CrmPortfolioError": ("no",),
    "SettingsError": ("no",),
    "FieldNotFoundError": ("salesforce", "account", "Teir__c"),
    "MissingExtraError": ("duckdb", "simulator"),
    "ConnectorError": ("salesforce", "no"),
    "CursorLostError": ("salesforce", "no"),
    "LoginError": ("hubspot", "no"),
    "RightMissingError": ("hubspot", "no"),
    "TransientError": ("salesforce", "later"),
    "DataError": ("odd",),
    "SchemaError": (pa.table({}),),
    "MissingTableError": ("revenue_line", "profitability"),
    "MendedFileError": ("failed.csv", ("line 2",)),
    "DamagedFileError": ("plan.jsonl", "it was cut", "Take it from a backup."),
    "LockHeldError": ("this org", "process 7"),
    "RefusedError": ("no",),
    "LimitExceededError": (("too much",), 3),
    "PlanAlteredError": ("edited",),
    "PlanTooOldError": ("old",),
    "UnexpectedChangeError": ("abc", (("owner", 2),)),
    "WrongOrgError": ("one", "other"),
}


@pytest.mark.parametrize(
    "name",
    [n for n, kind in vars(errors).items() if inspect.isclass(kind) and "Error" in n],
)
def test_every_error_names_a_command(name: str) -> None:
    error = getattr(errors, name)(*EACH[name])
    told = f"{error}\n{way_out(error, 'apply', {})}"
    assert "crm-portfolio " in told or "pip install" in told


def test_a_login_is_for_the_doctor_of_that_crm() -> None:
    told = way_out(errors.LoginError("hubspot", "no"), "pull", {})
    assert told.endswith("doctor hubspot")


def test_a_folder_has_no_doctor() -> None:
    told = way_out(errors.ConnectorError("files", "no"), "pull", {})
    assert told.endswith("pull --help")


def test_settings_that_were_read_may_be_at_fault(tmp_path: Path) -> None:
    file = tmp_path / "portfolio.toml"
    error = errors.SettingsError("no")
    assert way_out(error, "settings where", {"settings": file}).endswith(
        "settings where --help"
    )
    file.touch()
    assert way_out(error, "plan", {"settings": file}).endswith(f"settings check {file}")


def test_what_stopped_by_its_first_accounts_can_be_taken_back() -> None:
    error = errors.UnexpectedChangeError("abc", (("owner", 2),))
    told = way_out(error, "apply", {"archive": Path("my runs")})
    assert "undo abc --archive 'my runs' -o PLAN" in told


def test_what_names_its_own_way_out_needs_no_other() -> None:
    error = errors.SettingsError("there is none: crm-portfolio setup salesforce")
    assert way_out(error, "plan", {}) == ""
