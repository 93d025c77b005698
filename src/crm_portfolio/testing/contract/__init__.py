"""What must every source, and every connector, satisfy?"""

from __future__ import annotations

from crm_portfolio.testing.contract._connector import ConnectorContract
from crm_portfolio.testing.contract._pretend import (
    Clocked,
    Fallible,
    Merging,
    Pretend,
    Quiet,
    Timed,
    Trouble,
)
from crm_portfolio.testing.contract._source import SourceContract

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
