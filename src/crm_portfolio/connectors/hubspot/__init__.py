"""How is a HubSpot portal read, and how are a few of its fields written?"""

from __future__ import annotations

from crm_portfolio.connectors.hubspot._connector import HubSpot
from crm_portfolio.connectors.hubspot._login import AccessToken, Login, OAuthRefresh
from crm_portfolio.connectors.hubspot._settings import HubSpotSettings

__all__ = ["AccessToken", "HubSpot", "HubSpotSettings", "Login", "OAuthRefresh"]
