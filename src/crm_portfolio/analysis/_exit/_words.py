"""How are criteria, steps, sources and reasons called in the catalogue?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = [
    "AGE",
    "ASKED",
    "BY",
    "CRITERION",
    "PROTECTED",
    "SAID",
    "SHARE",
    "SOURCE",
    "STANDING",
    "STEP",
    "STEP_LABEL",
    "VETO",
]

CRITERION: Final[Mapping[str, str]] = {
    "F1": "label_exit_f1",
    "F2": "label_exit_f2",
    "F3": "label_exit_f3",
    "F4": "label_exit_f4",
    "F5": "label_exit_f5",
    "F6": "label_exit_f6",
    "F7": "label_exit_f7",
    "F8": "label_exit_f8",
    "F9": "label_exit_f9",
    "F10": "label_exit_f10",
    "F11": "label_exit_f11",
    "F12": "label_exit_f12",
    "F13": "label_exit_f13",
}
"""The name of a criterion; a template finds it by its prefix."""
STEP_LABEL: Final[Mapping[str, str]] = {
    "grow": "label_exit_step_grow",
    "keep": "label_exit_step_keep",
    "automate": "label_exit_step_automate",
    "reprice": "label_exit_step_reprice",
    "renegotiate": "label_exit_step_renegotiate",
    "reset_relationship": "label_exit_step_reset_relationship",
    "reduce_dependence": "label_exit_step_reduce_dependence",
    "phase_out": "label_exit_step_phase_out",
    "watch": "label_exit_step_watch",
    "refer": "label_exit_step_refer",
    "ask": "label_exit_step_ask",
    "plan_replacement": "label_exit_step_plan_replacement",
}
"""The same of a step."""
STEP: Final[Mapping[str, str]] = {
    "grow": "exit_grow",
    "keep": "exit_keep",
    "automate": "exit_automate",
    "reprice": "exit_reprice",
    "renegotiate": "exit_renegotiate",
    "reset_relationship": "exit_reset_relationship",
    "reduce_dependence": "exit_reduce_dependence",
    "phase_out": "exit_phase_out",
    "watch": "exit_watch",
    "refer": "exit_refer",
    "ask": "exit_ask",
}
"""What is proposed, as a sentence with its facts."""
SOURCE: Final[Mapping[str, str]] = {
    "rating": "label_exit_from_rating",
    "revenue_line": "label_exit_from_revenue_line",
    "opportunity": "label_exit_from_opportunity",
    "invoice": "label_exit_from_invoice",
    "cost": "label_exit_from_cost",
    "effort": "label_exit_from_effort",
    "activity": "label_exit_from_activity",
    "ticket": "label_exit_from_ticket",
    "event": "label_exit_from_event",
    "account": "label_exit_from_account",
    "settings": "label_exit_from_settings",
}
"""Where something is known from."""
ASKED: Final[Mapping[str, str]] = {
    "owner": "label_exit_ask_owner",
    "finance": "label_exit_ask_finance",
    "delivery": "label_exit_ask_delivery",
    "service": "label_exit_ask_service",
    "sales": "label_exit_ask_sales",
}
"""Who could say it."""
BY: Final[Mapping[str, str]] = {
    "tier": "label_exit_by_tier",
    "segment": "label_exit_by_segment",
}
"""What accounts are grouped by; a template finds it by its prefix."""
AGE: Final[Mapping[str, str]] = {
    "under_1": "label_exit_age_under_1",
    "1_to_3": "label_exit_age_1_to_3",
    "3_to_10": "label_exit_age_3_to_10",
    "over_10": "label_exit_age_over_10",
}
"""The same of groups by age."""
STANDING: Final[Mapping[str, str]] = {
    "low": "label_exit_low",
    "middle": "label_exit_middle",
    "high": "label_exit_high",
}
"""Where a score is."""
VETO: Final[Mapping[str, str]] = {
    "ethics_breach": "exit_veto_ethics_breach",
    "legal_risk": "exit_veto_legal_risk",
    "violence": "exit_veto_violence",
    "sanctions": "exit_veto_sanctions",
}
"""What forbids to weigh anything."""
PROTECTED: Final[Mapping[str, str]] = {
    "contract_in_force": "exit_protected_contract_in_force",
    "strategic": "exit_protected_strategic",
    "new_account": "exit_protected_new_account",
    "potential_unknown": "exit_protected_potential_unknown",
}
"""What forbids the harsher steps."""
SAID: Final[Mapping[str, str]] = {
    "ratio": "exit_said_ratio",
    "days": "exit_said_days",
    "hours": "exit_said_hours",
    "rating": "exit_said_rating",
    "score": "exit_said_score",
}
"""What is known by a criterion, by its unit."""
SHARE: Final[Mapping[str, str]] = {
    "F2": "exit_said_revenue_share",
    "F4": "exit_said_offer_share",
    "F9": "exit_said_hours_share",
    "F11": "exit_said_revenue_share",
    "F12": "exit_said_revenue_share",
}
"""The same of shares, by criterion: of what it is one."""
