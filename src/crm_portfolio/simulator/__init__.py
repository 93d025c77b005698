"""Which CRMs can be pretended on this machine, so that a job can be tried without one?"""

from __future__ import annotations

from crm_portfolio.simulator._faults import Fault
from crm_portfolio.simulator.salesforce import Assumptions, Salesforce

__all__ = ["Assumptions", "Fault", "Salesforce"]
