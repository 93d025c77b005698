"""Which CRMs can be pretended on this machine, so that a job can be tried without one?"""

from __future__ import annotations

from crm_portfolio.simulator._calls import LoggedCall
from crm_portfolio.simulator._faults import Fault
from crm_portfolio.simulator._wire import Break, Wire
from crm_portfolio.simulator.hubspot import HubSpot
from crm_portfolio.simulator.salesforce import Salesforce

__all__ = [
    "Break",
    "Fault",
    "HubSpot",
    "LoggedCall",
    "Salesforce",
    "Wire",
]
