"""How do I try a job against a HubSpot that is not there?

>>> from crm_portfolio import samples
>>> from crm_portfolio.simulator.hubspot import HubSpot
>>> with HubSpot(samples.book().tables, currency="EUR") as crm:
...     sorted(crm.environment)
['HUBSPOT_ACCESS_TOKEN', 'HUBSPOT_API_URL']
"""

from __future__ import annotations

from crm_portfolio.simulator.hubspot._assumptions import Assumptions
from crm_portfolio.simulator.hubspot._simulator import HubSpot

__all__ = ["Assumptions", "HubSpot"]
