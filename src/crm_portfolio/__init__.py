"""Which names does the library offer?

Each is imported when it is first used, so ``import crm_portfolio`` costs next to nothing
and loads no data frame, no CRM client and no plotting.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from crm_portfolio._version import __version__

if TYPE_CHECKING:
    from crm_portfolio import analysis, samples
    from crm_portfolio._analyse import analyse
    from crm_portfolio._answers import read_answers
    from crm_portfolio._backtest import backtest
    from crm_portfolio._doctor import doctor
    from crm_portfolio._pull import PullSettings, pull
    from crm_portfolio._report import Report, report
    from crm_portfolio._sync import sync
    from crm_portfolio.archive import Archive
    from crm_portfolio.connectors import connect
    from crm_portfolio.portfolio import Calendar, Period, Portfolio
    from crm_portfolio.settings import Settings
    from crm_portfolio.writeback import (
        Limits,
        Policy,
        apply,
        history,
        plan,
        resend,
        setup,
        undo,
    )

__all__ = [
    "Archive",
    "Calendar",
    "Limits",
    "Period",
    "Policy",
    "Portfolio",
    "PullSettings",
    "Report",
    "Settings",
    "__version__",
    "analyse",
    "analysis",
    "apply",
    "backtest",
    "connect",
    "doctor",
    "history",
    "plan",
    "pull",
    "read_answers",
    "report",
    "resend",
    "samples",
    "setup",
    "sync",
    "undo",
]

_HOMES = {
    "Archive": "archive",
    "Calendar": "portfolio",
    "Limits": "writeback",
    "Period": "portfolio",
    "Policy": "writeback",
    "Portfolio": "portfolio",
    "PullSettings": "_pull",
    "Report": "_report",
    "Settings": "settings",
    "analyse": "_analyse",
    "analysis": "",
    "apply": "writeback",
    "backtest": "_backtest",
    "connect": "connectors",
    "doctor": "_doctor",
    "history": "writeback",
    "plan": "writeback",
    "pull": "_pull",
    "read_answers": "_answers",
    "report": "_report",
    "resend": "writeback",
    "samples": "",
    "setup": "writeback",
    "sync": "_sync",
    "undo": "writeback",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not home:
        return import_module(f"{__name__}.{name}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
