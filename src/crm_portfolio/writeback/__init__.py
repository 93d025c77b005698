"""How do results get into the CRM, safely, and back out again?

`plan` compares, `apply` writes a plan and nothing else, `undo` makes the plan that takes
a run back, `setup` creates the fields all of them need.
"""

from __future__ import annotations

from crm_portfolio.archive import Archive, Entry, Journal
from crm_portfolio.writeback._apply import apply
from crm_portfolio.writeback._asked import WriteSettings
from crm_portfolio.writeback._compare import plan
from crm_portfolio.writeback._history import Step, history
from crm_portfolio.writeback._last_written import Written, last_values, last_written
from crm_portfolio.writeback._limits import Limits, Policy, Refusal
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import (
    Bordering,
    Edited,
    Ended,
    Header,
    Pinned,
    PlannedChange,
    PlannedRecord,
)
from crm_portfolio.writeback._resend import resend
from crm_portfolio.writeback._setup import SetupReport, setup
from crm_portfolio.writeback._undo import undo

__all__ = [
    "Archive",
    "Bordering",
    "Edited",
    "Ended",
    "Entry",
    "Header",
    "Journal",
    "Limits",
    "Pinned",
    "Plan",
    "PlannedChange",
    "PlannedRecord",
    "Policy",
    "Refusal",
    "SetupReport",
    "Step",
    "WriteSettings",
    "Written",
    "apply",
    "history",
    "last_values",
    "last_written",
    "plan",
    "resend",
    "setup",
    "undo",
]
