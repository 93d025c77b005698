"""What does the author of another connector build with?

The parts that the connectors of this package are built with: a mapping that is data, one
policy of repeating, one pace-maker, one host, and the one spelling of what we write. A
package of its own brings the rest, and an entry point of the group
``crm_portfolio.connectors`` makes `connect` find it.
"""

from __future__ import annotations

from crm_portfolio._managed import canonical
from crm_portfolio.connectors._mapping import (
    CONVERTERS,
    Converter,
    Field,
    Mapping,
    chosen,
    extended,
    mapped,
)
from crm_portfolio.connectors._origin import Origin
from crm_portfolio.connectors._pace import Ceilings, Pace, Window
from crm_portfolio.connectors._retry import (
    QuotaSpentError,
    RetrySettings,
    TimedError,
    persistent,
)

__all__ = [
    "CONVERTERS",
    "Ceilings",
    "Converter",
    "Field",
    "Mapping",
    "Origin",
    "Pace",
    "QuotaSpentError",
    "RetrySettings",
    "TimedError",
    "Window",
    "canonical",
    "chosen",
    "extended",
    "mapped",
    "persistent",
]
