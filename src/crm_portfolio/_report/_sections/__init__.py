"""Which questions does the page answer, and in which order?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from crm_portfolio._report._given import Given
from crm_portfolio._report._section import Section
from crm_portfolio._report._sections._danger import danger
from crm_portfolio._report._sections._dependence import dependence
from crm_portfolio._report._sections._earns import earns
from crm_portfolio._report._sections._lost import lost
from crm_portfolio._report._sections._moved import OF_BOTH, moved
from crm_portfolio._report._sections._proposed import proposed
from crm_portfolio._report._sections._tiers import tiers
from crm_portfolio._report._sections._unknown import unknown

__all__ = ["OF_BOTH", "SECTIONS"]

SECTIONS: Final[Sequence[Callable[[Given], Section]]] = (
    dependence,
    tiers,
    danger,
    lost,
    earns,
    moved,
    proposed,
    unknown,
)
"""As a director asks them."""
