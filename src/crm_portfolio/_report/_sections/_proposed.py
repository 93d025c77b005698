"""What is proposed?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from crm_portfolio._report._given import Given
from crm_portfolio._report._grid import Column, Grid
from crm_portfolio._report._labels import LABELS
from crm_portfolio._report._section import Section

__all__ = ["proposed"]

_SHOWN: Final = 25
# Nothing to weigh: all is well as it is, or too little is known.
_NO_STEP: Final = frozenset({"keep", "watch", "ask"})
_WEIGHED: Final = (
    Column("account_id", "account", "account"),
    Column("action", "step", "label"),
    Column("decisive_criterion", "criterion"),
    Column("acceptability", "support", "share"),
    Column("why", "why"),
)
_STEPS: Final = (
    Column("action", "step", "label"),
    Column("n", "account_count", "count"),
)
_RISING: Final = (
    Column("account_id", "account", "account"),
    Column("tier", "tier", "label"),
    Column("revenue", "revenue", "money"),
    Column("trend", "trend", "label"),
    Column("up_rate", "up_odds", "share"),
)


def proposed(given: Given) -> Section:
    """Steps to weigh, who is rising, and what freed hours could go to."""
    words = given.words
    return Section(
        "proposed",
        words.say("question_proposed"),
        lead=(words.say("report_lead_people"), *_lead(given)),
        notes=(
            *given.lacks("exit_review", "succession", "freed_capacity"),
            *given.untold("allocation", "hours"),
            words.say("report_lead_written"),
        ),
        pictures=(
            *given.drawn("exit_review", "plot"),
            *given.drawn("freed_capacity", "plot_value"),
            *given.drawn("allocation", "plot"),
        ),
        behind=(_weighed(given), _steps(given), _rising(given)),
        remarks=given.warned("exit_review", "freed_capacity", "allocation"),
    )


def _weighed(given: Given) -> Grid:
    keys = [each.key for each in _WEIGHED]
    rows = [r for r in given.rows("exit_review", keys) if r["action"] not in _NO_STEP]
    shown = [row | _told(given, row) for row in rows[:_SHOWN]]
    title = given.words.say("report_to_weigh")
    return Grid(title, _WEIGHED, shown, count=len(rows), is_open=True)


def _told(given: Given, row: dict[str, Any]) -> dict[str, str]:
    """In words: the criterion that decides, where one does, and the first reason."""
    decides = row["decisive_criterion"]
    reasons = given.findings["exit_review"].reasons(row["account_id"])
    return {
        "decisive_criterion": given.words.say(LABELS["criterion"][decides])
        if decides
        else "—",
        "why": given.words.told(reasons[0]),
    }


def _steps(given: Given) -> Grid:
    actions = given.figure("exit_review", "actions") or {}
    rows = [{"action": each, "n": n} for each, n in actions.items() if n]
    return Grid(given.words.say("report_steps"), _STEPS, rows)


def _rising(given: Given) -> Grid:
    keys = [*(each.key for each in _RISING), "rising"]
    rows = [row for row in given.rows("succession", keys) if row["rising"] == "yes"]
    title = given.words.say("report_rising")
    return Grid(title, _RISING, rows[:_SHOWN], count=len(rows))


def _lead(given: Given) -> Iterator[str]:
    words = given.words
    if actions := given.figure("exit_review", "actions"):
        steps = sum(n for each, n in actions.items() if each not in _NO_STEP)
        yield words.say("report_lead_steps", n=steps, ask=actions["ask"])
    if rising := given.figure("succession", "rising_count"):
        yield words.say("report_lead_rising", n=rising)
