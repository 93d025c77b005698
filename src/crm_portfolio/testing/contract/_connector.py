"""What must every connector satisfy, beyond what every source does?"""

from __future__ import annotations

from crm_portfolio.testing.contract._changes import FollowsChanges
from crm_portfolio.testing.contract._discreet import Discreet
from crm_portfolio.testing.contract._honest import Honest
from crm_portfolio.testing.contract._paced import Paced
from crm_portfolio.testing.contract._set_up import SetsUp
from crm_portfolio.testing.contract._source import SourceContract
from crm_portfolio.testing.contract._writes import Writes

__all__ = ["ConnectorContract"]


class ConnectorContract(
    SourceContract, FollowsChanges, Writes, Honest, Paced, Discreet, SetsUp
):
    """What every connector keeps beyond `SourceContract`.

    Two more fixtures: ``pretend``, the CRM behind `opened`, with the managed fields and at
    least five accounts on several pages; and ``thrifty``, a function that makes a connector
    which may make so many calls and no more. Give the connectors short waits.

    Two that may be left out: ``narrow``, a function like ``opened`` whose CRM takes few
    calls in a short time, with that `Window`; and ``bare``, one whose CRM lacks the managed
    fields. What a connector can do beyond the protocol `Connector` is found out and looked
    at; what it cannot is skipped, and says so.

    Attributes:
        renews: The log-in can be renewed without a person.
        forecast_slack: Calls by which a forecast may miss.
    """
