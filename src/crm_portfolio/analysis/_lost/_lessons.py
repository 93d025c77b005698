"""Which sentences say what is to be learnt from what was lost, and what waits?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from crm_portfolio._wording import Reason
from crm_portfolio.analysis._lost._learning import Learning
from crm_portfolio.results import Json

__all__ = ["cautions", "lessons"]

_OPPORTUNITY_CAUSE: Final = {
    "missed_unseen": "lesson_missed_unseen",
    "missed_late": "lesson_missed_late",
    "missed_neglected": "lesson_missed_neglected",
    "missed_underinvested": "lesson_missed_underinvested",
}
_ENQUIRY_CAUSE: Final = {
    "missed_unseen": "lesson_enquiry_unseen",
    "missed_late": "lesson_enquiry_late",
    "missed_neglected": "lesson_enquiry_neglected",
}
_TRENDS: Final = {
    "fell": "lesson_fell",
    "rose": "lesson_rose",
    "unproved": "lesson_unproved",
}
_TELLERS: Final = {
    "client": "lesson_reason_client",
    "seller": "lesson_reason_seller",
    "nobody_noted": "lesson_reason_unsaid",
}
_RESPONSES: Final = {
    "enquiry": "lesson_response_enquiry",
    "opportunity": "lesson_response_opportunity",
}
_WAITS: Final = {
    "unanswered": "lesson_waits_unanswered",
    "silent": "lesson_waits_silent",
    "no_next_step": "lesson_waits_no_next_step",
    "overdue": "lesson_waits_overdue",
    "unassigned": "lesson_waits_unassigned",
}


def cautions(learning: Learning) -> Iterator[Reason]:
    """What to bear in mind when reading the reasons and the waits."""
    reasons, own = learning.reasons, learning.triage.settings
    if reasons.count and reasons.unknown_count == reasons.count:
        yield Reason("loss_reasons_absent", {"n": reasons.count})
    elif reasons.is_readable is False:
        yield Reason(
            "unknown_reasons_high",
            {
                "n": reasons.unknown_count,
                "of": reasons.count,
                "share": reasons.unknown_count / reasons.count,
                "threshold": own.unknown_reasons_share,
            },
        )
    if not own.holidays:
        yield Reason("no_calendar")
    if not learning.waiting.knows_steps:
        yield Reason("next_steps_unknown")


def lessons(
    reasons: Mapping[str, Json], learning: Mapping[str, Json], money: dict[str, str]
) -> Iterator[Reason]:
    """The reasons, the answers, what waits, and which cause is mended."""
    yield from _why(cast("Mapping[str, Any]", reasons))
    for row in cast("list[dict[str, Any]]", learning["responses"]):
        yield from _answered(row)
    yield from _waiting(cast("Mapping[str, Any]", learning["waiting"]), money)
    for cause in cast("list[dict[str, Any]]", learning["causes"]):
        yield from _trend(cause)
    for load in cast("list[dict[str, Any]]", learning["owner_loads"]):
        yield Reason("lesson_owner_load", load)


def _why(reasons: Mapping[str, Any]) -> Iterator[Reason]:
    if not reasons["lost_count"]:
        return
    yield Reason(
        "lesson_reason_unknown",
        {
            "n": reasons["lost_count"],
            "share": reasons["unknown_share"],
            "low": reasons["unknown_share_low"],
            "high": reasons["unknown_share_high"],
        },
    )
    for teller, code in _TELLERS.items():
        told = reasons["stated_by"][teller]
        if reasons["is_readable"] and told["first_reason"] is not None:
            values = {"reason": told["first_reason"], "count": told["first_count"]}
            yield Reason(code, values | {"n": told["known_count"]})


def _answered(row: Mapping[str, Any]) -> Iterator[Reason]:
    if row["answered_count"]:
        values = {
            "n": row["answered_count"],
            "median": round(row["median_hours"], 1),
            "p90": round(row["p90_hours"], 1),
            "share": row["within_24h_share"],
            "unanswered": row["unanswered_count"],
        }
        yield Reason(_RESPONSES[row["record"]], values)


def _waiting(waiting: Mapping[str, Any], money: dict[str, str]) -> Iterator[Reason]:
    if not waiting["open_count"]:
        return
    values = {"n": waiting["waiting_count"], "of": waiting["open_count"]}
    yield Reason(
        "lesson_waiting", values | {"amount": waiting["waiting_amount"]} | money
    )
    for cause, code in _WAITS.items():
        if count := waiting["causes"][cause]["count"]:
            yield Reason(code, {"n": count})


def _trend(cause: Mapping[str, Any]) -> Iterator[Reason]:
    """Silent where one of the two spans has nothing to compare with."""
    if cause["trend"] not in _TRENDS:
        return
    is_lost = cause["record"] == "opportunity"
    code = (_OPPORTUNITY_CAUSE if is_lost else _ENQUIRY_CAUSE)[cause["cause"]]
    values = {"before": cause["before_share"], "after": cause["last_share"]}
    yield Reason(code, values | {"months": cause["months"]})
    change = {"low": cause["change_low"], "high": cause["change_high"]}
    yield Reason(_TRENDS[cause["trend"]], change)
