"""Why is this step proposed, what speaks for and against it, and what is not known?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._exit._decisions import of_people
from crm_portfolio.analysis._exit._ladder import HARSH
from crm_portfolio.analysis._exit._words import PROTECTED, SAID, SHARE, STEP, VETO
from crm_portfolio.analysis._facts import partly_unknown
from crm_portfolio.results import Row

__all__ = ["of_account"]

Values = Mapping[str, ReasonValue]
Rows = Sequence[Mapping[str, Any]]

_FACTS: Final[Mapping[str, tuple[str, ...]]] = {
    "grow": (),
    "keep": ("avoidable_contribution",),
    "automate": ("contribution_per_hour", "tier"),
    "reprice": ("price_rise", "volume_at_stake", "weakest_criterion"),
    "renegotiate": ("weakest_criterion",),
    "reset_relationship": ("weakest_criterion",),
    "reduce_dependence": ("group_share", "revenue_to_win"),
    "phase_out": ("low_share",),
    "watch": (),
    "refer": (),
    "ask": (),
}
"""What of the row each rule stands on."""


def of_account(
    row: Row,
    criteria: Rows,
    summary: Mapping[str, Any],
    settings: Mapping[str, Any],
    money: Values,
) -> Iterator[Reason]:
    """The dossier: the step and its facts, the score, each criterion, what follows."""
    for veto in _codes(row["vetoes"]):
        yield Reason(VETO[veto])
    yield from _step(row, criteria, summary, settings, money)
    yield from of_people(row)
    yield from _score(row, settings)
    for each in criteria:
        yield from _criterion(each)
    yield from partly_unknown(row)
    if _is_grave(row):
        yield from _after(row, summary, money)
        yield from _reminders(row)


def _codes(text: str) -> list[str]:
    return text.split(", ") if text else []


def _is_grave(row: Row) -> bool:
    """Whether ending the relationship is so much as thought of."""
    steps = {row["action"], row["blocked_action"]}
    return bool(row["standing"] == "low" or row["vetoes"] or steps & {*HARSH})


def _step(
    row: Row,
    criteria: Rows,
    summary: Mapping[str, Any],
    settings: Mapping[str, Any],
    money: Values,
) -> Iterator[Reason]:
    yield _proposed(row, criteria, summary, settings, money)
    if row["blocked_action"]:
        if row["protections"]:
            yield Reason("exit_blocked", {"action": row["blocked_action"]})
        else:
            yield Reason("exit_blocked_unforeseen", {"action": row["blocked_action"]})
        for each in _codes(row["protections"]):
            yield Reason(PROTECTED[each])
    if row["action"] == "reset_relationship" and row["tried_actions"] == "":
        yield Reason("exit_before_parting")
    for each in _codes(row["tried_actions"]):
        yield Reason("exit_tried", {"action": each})
    for each in _codes(row["other_actions"]):
        yield Reason("exit_other", {"action": each})
    yield from _holds(row, settings)


def _proposed(
    row: Row,
    criteria: Rows,
    summary: Mapping[str, Any],
    settings: Mapping[str, Any],
    money: Values,
) -> Reason:
    """The step as a sentence, with what it stands on."""
    action = row["action"]
    if action == "grow":
        return _grown(criteria, settings)
    if action == "automate" and row["contribution_per_hour"] is None:
        return Reason("exit_automate_rated", {"tier": row["tier"]})
    facts = {name: row[name] for name in _FACTS[action]} | dict(money)
    if action == "reprice":
        facts["target"] = summary["target_share"]
    if action == "reduce_dependence":
        facts["most"] = settings["dependence_share"]
    if action == "ask":
        facts |= {
            "share": row["score_coverage"],
            "threshold": settings["least_coverage"],
        }
    return Reason(STEP[action], facts)


def _grown(criteria: Rows, settings: Mapping[str, Any]) -> Reason:
    """By its potential, as measured or as rated; else because it is rising."""
    (held,) = (each for each in criteria if each["criterion"] == "F13")
    if held["worth"] is None or held["worth"] < settings["potential_from"]:
        return Reason("exit_grow_rising")
    is_rated = held["unit"] == "rating"
    return Reason(
        "exit_grow_rated" if is_rated else STEP["grow"], {"potential": held["value"]}
    )


def _holds(row: Row, settings: Mapping[str, Any]) -> Iterator[Reason]:
    if row["acceptability"] is None:
        return
    values = {
        "share": row["acceptability"],
        "threshold": settings["firm_share"],
        "n": settings["weightings"],
    }
    if row["is_firm"]:
        yield Reason("exit_firm", values)
        if row["decisive_criterion"]:
            told = {"share": row[f"{row['standing']}_share"], "n": values["n"]}
            told |= {
                "standing": row["standing"],
                "criterion": row["decisive_criterion"],
            }
            yield Reason("exit_standing_depends", told)
    elif row["decisive_criterion"]:
        yield Reason("exit_depends", values | {"criterion": row["decisive_criterion"]})
    else:
        yield Reason("exit_depends_on_many", values)


def _score(row: Row, settings: Mapping[str, Any]) -> Iterator[Reason]:
    if row["score"] is None:
        return
    names = ("score", "score_low", "score_high", "score_coverage", "reference_score")
    code = "exit_score_mean" if settings["reference"] == "mean" else "exit_score_target"
    yield Reason(code, {name: round(row[name], 3) for name in names})


def _criterion(each: Mapping[str, Any]) -> Iterator[Reason]:
    code = {"criterion": each["criterion"]}
    if each["value"] is None:
        yield Reason("exit_unknown", code | {"who": each["ask"]})
        return
    told = code | {name: each[name] for name in ("value", "source")}
    told["on"] = each["said_on"]
    told["points"] = round(100 * (each["contribution"] or 0.0), 1) + 0.0
    is_share = each["unit"] == "share"
    said = SHARE[each["criterion"]] if is_share else SAID[each["unit"]]
    yield Reason(said, told)
    if each["is_partial"]:
        yield Reason("exit_partial", code)


def _after(row: Row, summary: Mapping[str, Any], money: Values) -> Iterator[Reason]:
    """What follows if it ends: nothing is proposed without it."""
    yield from _loss(row, money)
    now = summary["now"]
    if row["safety_after"] is not None:
        told = {"now": now["margin_of_safety"], "after": row["safety_after"]}
        yield Reason("exit_after_safety", told)
    else:
        yield Reason("exit_after_no_safety")
    if row["hhi_after"] is not None:
        told = {"now": now["largest_share"], "after": row["largest_share_after"]}
        yield Reason("exit_after_concentration", told)
    if row["group_member_count"] > 1:
        told = {"n": row["group_member_count"] - 1}
        brings = row["group_other_revenue"]
        amount = {} if brings is None else {"revenue": brings, **money}
        code = "exit_after_group" if amount else "exit_after_group_unknown"
        yield Reason(code, told | amount)
    if row["open_amount"]:
        names = {"open": row["open_amount"], "overdue": row["overdue_amount"]}
        yield Reason("exit_after_owed", {**names, **money})


def _loss(row: Row, money: Values) -> Iterator[Reason]:
    lost = row["avoidable_contribution"]
    if lost is None:
        yield Reason("exit_after_no_contribution")
        return
    if lost < 0:
        yield Reason("exit_after_spared", {"amount": -lost, **money})
    else:
        yield Reason("exit_after_lost", {"amount": lost, **money})
    if row["hours"] is None:
        yield Reason("exit_after_no_hours")
    elif row["freed_value"] is None:
        told = {"hours": row["hours"], "least": row["least_hour_value"], **money}
        yield Reason("exit_after_break_even", told)
    else:
        told = {
            "hours": row["hours"],
            "freed": row["freed_value"],
            "least": row["least_hour_value"],
            "balance": row["balance_after"],
            **money,
        }
        gains = row["balance_after"] is not None and row["balance_after"] >= 0
        yield Reason("exit_after_gain" if gains else "exit_after_cost", told)


def _reminders(row: Row) -> Iterator[Reason]:
    """For counsel and for those who hand over; no notice is ever computed."""
    if row["contract_count"]:
        on = {"on": row["contract_end_on"], "n": row["contract_count"]}
        open_ended = row["contract_end_on"] is None
        yield Reason("exit_contract_open" if open_ended else "exit_contract", on)
    yield Reason("exit_counsel_notice", {"since_on": row["since_on"]})
    yield Reason("exit_counsel_data")
    yield Reason("exit_hand_over")
