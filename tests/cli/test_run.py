"""Does every end of a command have its exit code?"""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from crm_portfolio import errors
from crm_portfolio.cli._run import _Terminated, guarded


def _end(raised: BaseException | None, code: int | None = None):
    app = typer.Typer()

    @app.command()
    @guarded
    def command() -> int | None:
        if raised is not None:
            raise raised
        return code

    return CliRunner().invoke(app, [])


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (errors.SettingsError("mend it"), 2),
        (errors.FieldNotFoundError("salesforce", "account", "Teir__c"), 2),
        (errors.LoginError("salesforce", "no"), 2),
        (errors.RightMissingError("salesforce", "no"), 2),
        (errors.ConnectorError("salesforce", "no"), 1),
        (errors.TransientError("salesforce", "later"), 5),
        (errors.MissingTableError("revenue_line", "tiers"), 7),
        (errors.DamagedFileError("plan.jsonl", "cut", "again"), 7),
        (errors.LimitExceededError(("too much",), 3), 4),
        (errors.PlanAlteredError("edited"), 4),
        (errors.PlanTooOldError("old"), 4),
        (errors.WrongOrgError("a", "b"), 4),
        (KeyboardInterrupt(), 130),
        (_Terminated(), 143),
        (ZeroDivisionError("secret name"), 1),
    ],
)
def test_what_goes_wrong_has_its_code_and_no_traceback(
    raised: BaseException, code: int
) -> None:
    result = _end(raised)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("code", [None, 0, 3, 5])
def test_a_command_may_choose_its_code(code: int | None) -> None:
    assert _end(None, code).exit_code == (code or 0)


def test_what_is_unexpected_tells_where_but_not_what() -> None:
    result = _end(ZeroDivisionError("secret name"))
    assert "ZeroDivisionError" in result.stderr
    assert "test_run.py" in result.stderr
    assert "secret name" not in result.stderr


def test_the_whole_traceback_can_be_asked_for(monkeypatch) -> None:
    monkeypatch.setenv("CRM_PORTFOLIO_TRACEBACK", "1")
    assert "Traceback" in _end(ZeroDivisionError("why")).stderr


def test_a_message_cannot_command_the_terminal() -> None:
    result = _end(errors.SettingsError("\x1b[2Jgone\nsecond line"))
    assert "\x1b" not in result.stderr
    assert "\nsecond line" in result.stderr
