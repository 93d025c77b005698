"""Why is a loss worth another word or not, what would change that, and what limits it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._again._candidates import Candidates
from crm_portfolio.analysis._again._odds import Odds
from crm_portfolio.analysis._again._settings import WinBackSettings
from crm_portfolio.analysis._again._verdict import Verdict
from crm_portfolio.analysis._again._worth import Worth
from crm_portfolio.results import Row

__all__ = ["headline", "of_opportunity", "sheet_of", "warnings", "when"]

Values = Mapping[str, ReasonValue]
Summary = Mapping[str, Any]

_HEAD: Final = {
    "try": "again_try",
    "wait": "again_wait",
    "ask_first": "again_ask_first",
    "unknown": "again_unknown",
    "stop": "again_stop",
    "leave_in_peace": "again_leave",
}
_MISSING: Final = {
    "value": "again_no_value",
    "odds": "again_no_odds",
    "hours": "again_no_hours",
    "hour_cost": "again_no_hour_cost",
    "hour_value": "again_no_hour_value",
}
_SIGN: Final = {
    "over_most": "again_sign_over_most",
    "discount_grows": "again_sign_discount",
    "unanswered": "again_sign_unanswered",
    "hours_after": "again_sign_hours",
}
_NEWS: Final = {
    "answered": "again_news_answered",
    "enquiry": "again_news_enquiry",
    "event": "again_news_event",
    "told": "again_news_told",
}
_BY: Final = {"client": "again_reason_client", "seller": "again_reason_seller"}


def headline(row: Row) -> Reason:
    """What is recommended, in one sentence."""
    return Reason(_HEAD[row["recommendation"]], {"rank": row["rank"]})


def of_opportunity(
    row: Row, summary: Summary, settings: Mapping[str, Any], money: Values
) -> Iterator[Reason]:
    """What is recommended and by which rule; what it is worth; what would change that."""
    yield headline(row)
    unknown = [*_consent(row, summary)]
    yield from unknown
    if unknown and row["recommendation"] == "ask_first" != row["otherwise"]:
        yield Reason(_OTHERWISE[row["otherwise"]])
    yield from _rule(row, settings)
    yield from _loss(row)
    if row["otherwise"] == "leave_in_peace":
        return
    yield from _contact(row, settings)
    yield from _worth(row, summary, money)
    yield from _change(row, money)
    for sign in _split(row["chase_signs"]):
        yield Reason(_SIGN[sign], _sign_values(row, settings))


def _consent(row: Row, summary: Summary) -> Iterator[Reason]:
    """Why it is unknown whether another word is welcome."""
    if not summary["has_refusals"]:
        yield Reason("again_refusal_unknown")
    if not summary["has_opt_outs"]:
        yield Reason("again_opt_out_unknown")
    if not row["is_account_known"]:
        yield Reason("again_account_unknown")


_OTHERWISE: Final = {
    "try": "again_otherwise_try",
    "wait": "again_otherwise_wait",
    "unknown": "again_otherwise_unknown",
    "stop": "again_otherwise_stop",
}


def _split(text: str) -> list[str]:
    return text.split(", ") if text else []


def _rule(row: Row, settings: Mapping[str, Any]) -> Iterator[Reason]:
    """What decided; waiting says its own reasons with the contacts."""
    decided = _decided(row, settings)
    if decided is not None:
        yield decided
    if row["rule"] == "inputs_unknown":
        if not row["missing"]:
            is_never = row["expected_value"] <= 0
            yield Reason("again_never_won" if is_never else "again_always_won")
        for each in _split(row["missing"]):
            yield Reason(_MISSING[each])


def _decided(row: Row, settings: Mapping[str, Any]) -> Reason | None:
    code = _DECIDED.get(row["rule"])
    if row["rule"] == "history_unknown" and row["lost_on"] is None:
        code = "again_undated"
    if code is None:
        return None
    values: dict[str, ReasonValue] = {
        "account": row["opted_out_by"],
        "n": row["attempt_count"],
        "most": settings["max_attempts"],
        "on": row[_DAY_OF.get(row["rule"], "lost_on")],
    }
    if row["rule"] == "next_does_not_pay":
        values["n"] = row["paying_attempt_count"]
    return Reason(code, values)


_DECIDED: Final = {
    "opted_out": "again_opted_out",
    "refused": "again_refused",
    "attempts_spent": "again_attempts_spent",
    "history_unknown": "again_no_activities",
    "worthless": "again_worthless",
    "not_worth_it": "again_not_worth_it",
    "next_does_not_pay": "again_next_does_not_pay",
    "refused_elsewhere": "again_refused_elsewhere",
}
_DAY_OF: Final = {
    "opted_out": "opted_out_on",
    "refused": "refused_on",
    "refused_elsewhere": "refused_elsewhere_on",
}


def _loss(row: Row) -> Iterator[Reason]:
    yield Reason("again_lost", {"on": row["lost_on"], "class": row["class"]})
    if row["loss_reason"] is None:
        yield Reason("again_reason_unknown")
    else:
        code = _BY.get(row["loss_reason_by"], "again_reason_told")
        yield Reason(code, {"reason": row["loss_reason"]})
    if row["is_owner_active"] is False:
        yield Reason("again_owner_inactive", {"owner": row["owner_id"]})


def _contact(row: Row, settings: Mapping[str, Any]) -> Iterator[Reason]:
    n, most = row["attempt_count"], settings["max_attempts"]
    if n is not None:
        last = {"n": n, "most": most, "on": row["last_attempt_on"]}
        yield Reason("again_attempts" if n else "again_no_attempt", last)
    if row["not_before_on"] is not None:
        yield Reason("again_not_before", {"on": row["not_before_on"]})
    pressed = row["account_attempt_count"] or 0
    if pressed >= settings["pressure_attempts"]:
        days = {"n": pressed, "days": settings["pressure_days"]}
        yield Reason("again_pressed", days)
    if row["news"] is not None:
        yield Reason(_NEWS[row["news"]], {"on": row["news_on"]})
    elif settings["needs_news"]:
        yield Reason("again_no_news")


def _worth(row: Row, summary: Summary, money: Values) -> Iterator[Reason]:
    if row["odds"] is not None:
        odds = {name: row[name] for name in ("odds", "odds_low", "odds_high")}
        counts = {"n": row["tried_count"], "won": row["won_back_count"]}
        source = summary["odds"]["source"]
        if source == "rates" and None not in odds.values():
            code = "again_odds" if row["tried_count"] else "again_odds_of_all"
            yield Reason(code, {**odds, **counts})
        else:
            code = "again_odds_given" if source == "settings" else "again_odds_plain"
            yield Reason(code, odds)
    if row["concession_share"]:
        yield Reason("again_concession", {"share": row["concession_share"]})
    if row["expected_value"] is None:
        return
    values = {"expected": row["expected_value"], "value": row["value"]}
    hour = summary["hour"]
    per_hour = {"cost": round(hour["cost"], 2), "lost": round(hour["value"], 2)}
    values |= {"hours": round(row["hours"], 2), **per_hour}
    yield Reason("again_expected", {**values, **money})


def _change(row: Row, money: Values) -> Iterator[Reason]:
    """What would change the recommendation."""
    if row["break_even_odds"] is not None and row["odds"] is not None:
        code = "again_even_odds" if row["break_even_odds"] <= 1 else "again_even_never"
        even = {"even": row["break_even_odds"], "odds": row["odds"]}
        yield Reason(code, even)
    if row["break_even_hours"] is not None and row["break_even_hours"] > 0:
        even_hours = round(row["break_even_hours"], 2)
        hours = {"even": even_hours, "hours": round(row["hours"], 2)}
        yield Reason("again_even_hours", hours)
    if (even_value := row["break_even_hour_value"]) is not None and even_value > 0:
        yield Reason("again_even_hour_value", {"even": round(even_value, 2), **money})


def _sign_values(row: Row, settings: Mapping[str, Any]) -> dict[str, ReasonValue]:
    return {
        "n": row["attempt_count"],
        "most": settings["max_attempts"],
        "raises": row["discount_raise_count"],
        "silent": row["silent_attempt_count"],
        "before": _rounded(row["hours_before"]),
        "after": _rounded(row["hours_after"]),
        "limit": settings["hours_after_share"],
    }


def _rounded(hours: float | None) -> float | None:
    return None if hours is None else round(hours, 2)


def when(row: Row) -> Reason:
    """From which day on, in words."""
    if row["recommendation"] == "leave_in_peace":
        return Reason("again_when_never")
    if row["not_before_on"] is None:
        return Reason("again_when_stopped")
    waits = row["otherwise"] == "wait" and row["rule"] == "no_news"
    code = "again_when_news" if waits else "again_when"
    return Reason(code, {"on": row["not_before_on"]})


def sheet_of(row: Row, settings: Mapping[str, Any]) -> Iterator[tuple[Reason, Reason]]:
    """The sheet for the next word: what to answer, and what we know of it.

    What nobody recorded is a blank for a person to fill.
    """
    blank = Reason("again_blank")
    by = _BY.get(row["loss_reason_by"], "again_reason_told")
    yield Reason("again_sheet_reason"), Reason(by, {"reason": row["loss_reason"]})
    yield Reason("again_sheet_answer"), blank
    yield Reason("again_sheet_proof"), blank
    conceded = row["concession_share"]
    offer = Reason("again_concession", {"share": conceded}) if conceded else blank
    yield Reason("again_sheet_offer"), offer
    who = Reason("again_owner", {"owner": row["owner_id"]})
    yield Reason("again_sheet_who"), who if row["owner_id"] else blank
    yield Reason("again_sheet_when"), when(row)
    left = settings["max_attempts"] - (row["attempt_count"] or 0)
    yield Reason("again_sheet_stop"), Reason("again_stop_after", {"n": left})


def warnings(
    found: Candidates,
    odds: Odds,
    worth: Worth,
    verdict: Verdict,
    settings: WinBackSettings,
) -> Iterator[Reason]:
    """What limits the answer, besides the revenue."""
    if n := int(verdict.is_left.sum()):
        yield Reason("opt_out", {"n": n})
    yield from _of_consent(found)
    if not found.has_activities:
        yield Reason("again_without_activities")
    yield from _of_odds(odds)
    yield from _of_hours(worth)
    if n := int(verdict.signs.any(axis=0).sum()):
        yield Reason("chase", {"n": n})
    share = found.seconds.team_share
    if share is not None and share > settings.team_share:
        limit = {"share": share, "threshold": settings.team_share}
        yield Reason("again_team_share", limit)


def _of_consent(found: Candidates) -> Iterator[Reason]:
    if not found.has_refusals:
        yield Reason("again_refusals_unmapped")
    if not found.has_opt_outs:
        yield Reason("again_opt_outs_unmapped")
    if n := int((~found.is_account_known).sum()):
        yield Reason("again_accounts_unknown", {"n": n})


def _of_odds(odds: Odds) -> Iterator[Reason]:
    if not odds.knows_reasons:
        yield Reason("again_reasons_unkept")
    if odds.source == "unknown":
        yield Reason("again_no_past")
    if odds.trial.verdict == "few_events":
        yield Reason("few_events", {"n": odds.trial.events})
    if odds.trial.verdict in {"no_later_year", "not_better"}:
        yield Reason("again_model_not_used")


def _of_hours(worth: Worth) -> Iterator[Reason]:
    hour = worth.hour
    if hour.source == "unknown":
        yield Reason("again_hour_value_unknown")
    elif hour.unvalued and hour.source == "pipeline":
        yield Reason("again_open_unvalued", {"n": hour.unvalued, "of": hour.open_count})
