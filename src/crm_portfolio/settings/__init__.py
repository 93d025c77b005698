"""What did a person choose? One portfolio.toml, read into the layers' own classes.

    currency = "EUR"
    period = "last 12 months"

    [tiers]
    method = "slices"
    count = 4

    [limits]
    max_share = 0.2

Every mistake in the file is told at once. Secrets never stand in it.
"""

from __future__ import annotations

from crm_portfolio.settings._check import Remark, check
from crm_portfolio.settings._orgs import SyncSettings
from crm_portfolio.settings._origins import Origin
from crm_portfolio.settings._settings import Settings
from crm_portfolio.settings._where import Place, places

__all__ = ["Origin", "Place", "Remark", "Settings", "SyncSettings", "check", "places"]
