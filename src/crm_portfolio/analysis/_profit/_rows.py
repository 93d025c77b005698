"""Which rows of a scan are of the accounts in question, and where does each stand?"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._places import places_of
from crm_portfolio.analysis._facts import RevenueFacts

__all__ = ["placed"]


def placed(found: pa.Table, facts: RevenueFacts) -> pa.Table:
    """The rows of the accounts of the facts, with the ``place`` of each among them."""
    at = places_of(found["account_id"], facts.by_account.ids)
    return found.append_column("place", at).filter(pc.is_valid(at))
