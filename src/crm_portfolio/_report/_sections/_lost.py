"""What did we lose, and what did we miss?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from crm_portfolio._report._given import Given
from crm_portfolio._report._grid import Column, Grid
from crm_portfolio._report._section import Section, Tile

__all__ = ["lost"]

_SHOWN: Final = 20
_CLASSES: Final = (
    Column("class", "lost_class", "label"),
    Column("count", "lost_count", "count"),
    Column("amount", "amount", "money"),
    Column("amount_share", "lost_share", "share"),
    Column("addressable_count", "could_count", "count"),
)
_AGAIN: Final = (
    Column("opportunity_id", "opportunity"),
    Column("account_id", "account", "account"),
    Column("amount", "amount", "money"),
    Column("expected_value", "expected_value", "money"),
    Column("not_before_on", "not_before", "day"),
)


def lost(given: Given) -> Section:
    """Sales that went elsewhere, those that we missed, and those to try again."""
    words = given.words
    rows = given.rows("lost_opportunities", _keys())
    classes = [row for row in rows if row["count"]]
    again = [row for row in given.rows("win_back", _again()) if _is_tried(row)]
    return Section(
        "lost",
        words.say("question_lost"),
        lead=tuple(_lead(given)),
        notes=tuple(given.lacks("lost_opportunities", "win_back")),
        tiles=tuple(_tiles(given)) if given.of("lost_opportunities") else (),
        pictures=given.drawn("lost_opportunities", "plot", "plot_reasons"),
        behind=(
            Grid(given.title("lost_opportunities"), _CLASSES, classes),
            Grid(
                words.say("report_win_back"), _AGAIN, again[:_SHOWN], count=len(again)
            ),
        ),
        remarks=given.warned("lost_opportunities", "win_back"),
    )


def _keys() -> list[str]:
    return [each.key for each in _CLASSES]


def _again() -> list[str]:
    return [*(each.key for each in _AGAIN), "recommendation"]


def _is_tried(row: dict[str, object]) -> bool:
    return row["recommendation"] == "try"


def _tiles(given: Given) -> Iterator[Tile]:
    told = given.figure("lost_opportunities", "opportunities")
    yield Tile("lost_count", "count", told["count"])
    yield Tile("lost_amount", "money", told["amount"])
    missed = told if _knows_missed(given) else {}
    yield Tile("missed_count", "count", missed.get("missed_count"))
    yield Tile("missed_amount", "money", missed.get("missed_amount"))
    yield Tile("addressable", "money", missed.get("addressable_amount"))
    share = given.figure("lost_opportunities", "reasons/unknown_share")
    yield Tile("reasons_unknown", "share", share)


def _knows_missed(given: Given) -> bool:
    """Whether anything says what was done before a loss, of one of them at least."""
    if "classes" in given.findings.gaps.get("lost_opportunities", {}):
        return False
    told = given.figure("lost_opportunities", "opportunities")
    return told["missed_count"] is not None


def _lead(given: Given) -> Iterator[str]:
    words = given.words
    told = given.figure("lost_opportunities", "opportunities")
    if told is None:
        return
    if not told["count"]:
        yield words.say("report_lead_nothing_lost")
    else:
        count, amount = told["count"], told["amount"]
        yield words.say("report_lead_lost", n=count, amount=amount)
        if not _knows_missed(given):
            yield words.say("report_lead_missed_unknown")
        elif told["missed_count"]:
            missed, amount = told["missed_count"], told["missed_amount"]
            yield words.say("report_lead_missed", n=missed, amount=amount)
    if again := given.figure("win_back", "recommendations/try"):
        yield words.say("report_lead_again", n=again)
