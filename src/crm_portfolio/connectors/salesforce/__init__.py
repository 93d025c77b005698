"""How is a Salesforce org read, and how are a few of its fields written?"""

from __future__ import annotations

from crm_portfolio.connectors.salesforce._connector import Salesforce
from crm_portfolio.connectors.salesforce._login import (
    ClientCredentials,
    JwtBearer,
    Login,
    RetiringLoginWarning,
    SessionToken,
    UsernamePasswordToken,
)
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings

__all__ = [
    "ClientCredentials",
    "JwtBearer",
    "Login",
    "RetiringLoginWarning",
    "Salesforce",
    "SalesforceSettings",
    "SessionToken",
    "UsernamePasswordToken",
]
