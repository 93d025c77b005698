"""Why is a lost opportunity in its class, and what is told of a class?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from crm_portfolio._wording import Reason
from crm_portfolio.results import Json, Row

__all__ = ["of_class", "of_record"]


def of_class(row: Row, money: Mapping[str, str]) -> Iterator[Reason]:
    """What the class is, and how many are in it."""
    yield Reason(_IS[row["class"]])
    values = {"n": row["count"], "amount": row["amount"], **money}
    yield Reason("lost_class_count", values)
    if row["enquiry_count"]:
        yield Reason("lost_class_enquiries", {"n": row["enquiry_count"]})
    if row["imputed_count"]:
        yield Reason("lost_class_imputed", {"n": row["imputed_count"]})
    if row["timing"] is not None:
        yield Reason(_STANCE[row["stance"]])


def of_record(
    row: Row, summary: Mapping[str, Json], money: Mapping[str, str]
) -> Iterator[Reason]:
    """The rule that took it, with what it stands on, and what a person says."""
    limits = cast("Mapping[str, Any]", summary["thresholds"])
    values = {name: row[name] for name in _EVIDENCE} | {
        f"limit_{name}": value for name, value in limits.items()
    }
    if row["few_touches"] is not None:  # at the stage it reached
        values["limit_few_touches"] = row["few_touches"]
    values["decision"] = row["competitor"] or row["loss_reason"] or row["refused_on"]
    if row["class"] != "probable_duplicate":
        yield Reason(_OF_RECORDS.get(row["record"], _RULES)[row["rule"]], values)
    yield Reason(_IS[row["class"]])
    if row["class_by_person"] is not None:
        is_same = row["class_by_person"] == row["class"]
        told = {"by_person": row["class_by_person"]}
        yield Reason("lost_person_same" if is_same else "lost_person_other", told)
    if row["is_imputed"]:
        yield Reason("lost_imputed", {"amount": row["amount"], **money})


_EVIDENCE: Final = (
    *("created_on", "closed_on", "loss_reason", "touches", "out_count", "in_count"),
    *("response_hours", "last_contact_on", "silent_days", "amount"),
)
_IS: Final = {
    "data_insufficient": "lost_is_data_insufficient",
    "disqualified": "lost_is_disqualified",
    "lost_client": "lost_is_lost_client",
    "missed_unseen": "lost_is_missed_unseen",
    "missed_late": "lost_is_missed_late",
    "missed_neglected": "lost_is_missed_neglected",
    "missed_underinvested": "lost_is_missed_underinvested",
    "pursued_lost": "lost_is_pursued_lost",
    "no_decision": "lost_is_no_decision",
    "unclassified": "lost_is_unclassified",
    "probable_duplicate": "lost_is_probable_duplicate",
}
_STANCE: Final = {"proactive": "lost_proactive", "reactive": "lost_reactive"}
_RULES: Final = {
    "no_activities": "lost_rule_no_activities",
    "nothing_won": "lost_rule_nothing_won",
    "capture_low": "lost_rule_capture_low",
    "back_filled": "lost_rule_back_filled",
    "let_go_by_us": "lost_rule_let_go_by_us",
    "entered_twice": "lost_rule_entered_twice",
    "renewal_lost": "lost_rule_renewal_lost",
    "never_answered": "lost_rule_never_answered",
    "answered_late": "lost_rule_answered_late",
    "left_lying": "lost_rule_left_lying",
    "hardly_tried": "lost_rule_hardly_tried",
    "client_decided": "lost_rule_client_decided",
    "nobody_decided": "lost_rule_nobody_decided",
    "untaken": "lost_rule_untaken",
}
_ENQUIRIES: Final = {
    "answers_not_kept": "lost_enquiry_answers_not_kept",
    "never_answered": "lost_enquiry_never_answered",
    "answered_late": "lost_enquiry_answered_late",
    "left_lying": "lost_enquiry_left_lying",
}
_EPISODES: Final = _RULES | {"untaken": "lost_rule_untaken_before"}
_OF_RECORDS: Final = {"enquiry": _ENQUIRIES, "episode": _EPISODES}
