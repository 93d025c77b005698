"""What do people need who test a job, or a connector, of their own?

``crm_portfolio.testing.plugin`` brings the pytest fixtures; pytest finds it by itself.
`SourceContract` and `ConnectorContract` hold what every source and every connector must
satisfy: inherit them, say what there is to be read, and pytest runs all of it. `Pretend`
is the CRM that they may break; what else it can do is a protocol each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_portfolio.testing.contract import (
        Clocked,
        ConnectorContract,
        Fallible,
        Merging,
        Pretend,
        Quiet,
        SourceContract,
        Timed,
        Trouble,
    )

__all__ = [
    "Clocked",
    "ConnectorContract",
    "Fallible",
    "Merging",
    "Pretend",
    "Quiet",
    "SourceContract",
    "Timed",
    "Trouble",
]


def __getattr__(name: str) -> Any:
    # Every pytest run of everyone who has the package loads this module: nothing heavy.
    if name in __all__:
        from crm_portfolio.testing import contract

        return getattr(contract, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
