"""How do I try a job against a Salesforce that is not there?

>>> from crm_portfolio import samples
>>> from crm_portfolio.simulator import Salesforce
>>> with Salesforce(samples.book().tables, currency="EUR") as crm:
...     sorted(crm.environment)
['SALESFORCE_CLIENT_ID', 'SALESFORCE_CLIENT_SECRET', 'SALESFORCE_INSTANCE_URL']
"""

from __future__ import annotations

from crm_portfolio.simulator.salesforce._arriving import Switches
from crm_portfolio.simulator.salesforce._assumptions import Assumptions
from crm_portfolio.simulator.salesforce._custom import CustomObject
from crm_portfolio.simulator.salesforce._jobs import Bulk
from crm_portfolio.simulator.salesforce._rules import (
    DuplicateRule,
    Rules,
    ValidationRule,
)
from crm_portfolio.simulator.salesforce._simulator import Salesforce

__all__ = [
    "Assumptions",
    "Bulk",
    "CustomObject",
    "DuplicateRule",
    "Rules",
    "Salesforce",
    "Switches",
    "ValidationRule",
]
