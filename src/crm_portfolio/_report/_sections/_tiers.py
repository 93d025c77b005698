"""Who is where, and why?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from crm_portfolio._report._accounts import Accounts
from crm_portfolio._report._given import Given
from crm_portfolio._report._grid import Column, Grid
from crm_portfolio._report._section import Section, Tile

__all__ = ["tiers"]

_TIERS: Final = (
    Column("tier", "tier", "label"),
    Column("account_count", "account_count", "count"),
    Column("revenue", "revenue", "money"),
    Column("share", "tier_share", "share"),
    Column("lower_edge", "lower_edge", "money"),
    Column("hours", "hours", "decimal"),
)


def tiers(given: Given) -> Section:
    """The tiers, and every account with all its reasons."""
    words = given.words
    return Section(
        "tiers",
        words.say("question_tiers"),
        lead=tuple(_lead(given)),
        notes=tuple(given.lacks("tiers")),
        tiles=tuple(_tiles(given)) if given.of("tiers") else (),
        pictures=(*given.drawn("tiers", "plot"), *given.drawn("succession", "plot")),
        behind=(
            Grid(given.title("tiers"), _TIERS, given.figure("tiers", "tiers") or ()),
            Accounts.of(given).html(),
        ),
        remarks=given.warned("tiers", "succession"),
    )


def _tiles(given: Given) -> Iterator[Tile]:
    for term in ("tiered_count", "moved_count", "pinned_count"):
        yield Tile(term, "count", given.figure("tiers", term))


def _lead(given: Given) -> Iterator[str]:
    words = given.words
    found = given.figure("tiers", "tiers") or ()
    said = [
        words.say(
            "report_lead_tier",
            tier=each["tier"],
            n=each["account_count"],
            share=each["share"],
        )
        for each in found
        if each["share"] is not None and each["account_count"]
    ]
    if said:
        yield " ".join(said)
    elif given.of("tiers"):
        yield words.say("report_lead_no_tier")
