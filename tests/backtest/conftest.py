"""Books whose past is known, and whose future too."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import Portfolio, Settings
from crm_portfolio.analysis import (
    Bands,
    TiersSettings,
    WinBackSettings,
)

AS_OF = date(2025, 12, 31)
Line = tuple[str, date, float, str]
_EVERY_CLASS = (
    *("data_insufficient", "disqualified", "lost_client", "missed_unseen"),
    *("missed_late", "missed_neglected", "missed_underinvested", "pursued_lost"),
    *("no_decision", "unclassified"),
)


def months(account: str, first: int, last: int, amount: float) -> Iterator[Line]:
    """A line on the tenth of each month; months count from January 2023."""
    for month in range(first, last):
        day = date(2023 + month // 12, month % 12 + 1, 10)
        yield account, day, amount, "P1"


def of_lines(lines: list[Line], as_of: date = AS_OF, **tables: pa.Table) -> Portfolio:
    account, day, amount, product = zip(*lines, strict=True)
    return Portfolio.from_frames(
        as_of=as_of,
        currency="EUR",
        account=pa.table({"account_id": sorted(set(account))}),
        revenue_line=pa.table(
            {
                "line_id": [f"L{at:06}" for at in range(len(lines))],
                "account_id": account,
                "booked_on": pa.array(day, pa.date32()),
                "amount": pa.array(amount, pa.float64()),
                "product_id": product,
            }
        ),
        **tables,
    )


def planted() -> list[Line]:
    """On 31 December 2024, 25 have been silent for half a year: 20 stay so, 5 come back.

    100 buy each month and 10 of them stop in 2025, of which nobody could know. Ten small
    ones grow in size and breadth: six of them are large a year later, as are four of the
    forty small ones that do not grow.
    """
    lines: list[Line] = []
    for at in range(25):
        lines += months(f"gone-{at:02}", 0, 18, 10_000)
        if at >= 20:
            lines += months(f"gone-{at:02}", 24, 36, 10_000)
    for at in range(100):
        lines += months(f"here-{at:02}", 0, 25 if at < 10 else 36, 10_000)
    for at in range(10):
        for month in range(24):
            amount = 100.0 + 20 * month
            for product in ("P1",) if month < 12 else ("P1", "P2", "P3"):
                day = date(2023 + month // 12, month % 12 + 1, 10)
                lines.append((f"grow-{at:02}", day, amount, product))
        lines += months(f"grow-{at:02}", 24, 36, 6_000 if at < 6 else 1_300)
    for at in range(40):
        lines += months(f"calm-{at:02}", 0, 24, 400)
        lines += months(f"calm-{at:02}", 24, 36, 6_000 if at < 4 else 400)
    return lines


def lost(
    won: Callable[[int], bool], *, count: int, begin: str, amount: float, words: int
) -> Iterator[dict[str, Any]]:
    """Losses of January 2025 with words of ours after them, before and after July.

    Those that were won were opened again in September and won on 10 November.
    """
    for at in range(count):
        yield {
            "id": f"{begin}{at:02}",
            "amount": amount,
            "is_won": won(at),
            "words": [date(2025, 2, 1 + word) for word in range(words)]
            + [date(2025, 8, 1), date(2025, 8, 20)],
            "refused_on": date(2025, 2, 20) if begin == "peace" else None,
        }


def of_losses(draw: random.Random | None = None) -> dict[str, pa.Table]:
    """Four whose attempts are spent, five that do not pay, three refused, six to try.

    One of each of the first three kinds, and three of the last, are won after all.

    Args:
        draw: All that comes after June 2025 is drawn by it instead.
    """
    sales = [
        *lost(lambda at: at < 1, count=4, begin="spent", amount=10_000, words=3),
        *lost(lambda at: at < 1, count=5, begin="small", amount=100, words=0),
        *lost(lambda at: at < 1, count=3, begin="peace", amount=5_000, words=0),
        *lost(lambda at: at < 3, count=6, begin="again", amount=50_000, words=0),
    ]
    if draw is not None:
        for sale in sales:
            sale["is_won"] = draw.random() < 0.5
            sale["words"] = [
                day for day in sale["words"] if day.month < 7 or draw.random() < 0.5
            ]
    changes, talks = [], []
    for sale in sales:
        # What it was for was said once, so that it is known of every day.
        changes.append((sale["id"], date(2024, 11, 5), "amount", None, sale["amount"]))
        changes.append((sale["id"], date(2025, 1, 15), "stage", "Talks", "Lost"))
        if sale["is_won"]:
            changes.append((sale["id"], date(2025, 9, 1), "stage", "Lost", "Talks"))
            changes.append((sale["id"], date(2025, 11, 10), "stage", "Talks", "Won"))
        talks += [(sale["id"], day) for day in sale["words"]]
    stages = {"Talks": "open", "Won": "won", "Lost": "lost"}
    moment = pa.timestamp("us", "UTC")

    def at_noon(days: list[date]) -> pa.Array:
        return pa.array(
            [datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day in days],
            moment,
        )

    return {
        "account": pa.table(
            {
                "account_id": [f"of-{sale['id']}" for sale in sales],
                "do_not_contact_on": pa.nulls(len(sales), pa.date32()),
            }
        ),
        "stage": pa.table(
            {
                "pipeline": ["default"] * 3,
                "stage": list(stages),
                "position": [1, 2, 3],
                "status": list(stages.values()),
            }
        ),
        "opportunity": pa.table(
            {
                "opportunity_id": [sale["id"] for sale in sales],
                "account_id": [f"of-{sale['id']}" for sale in sales],
                "pipeline": ["default"] * len(sales),
                "stage": ["Won" if sale["is_won"] else "Lost" for sale in sales],
                "status": ["won" if sale["is_won"] else "lost" for sale in sales],
                "amount": [sale["amount"] for sale in sales],
                "created_at": at_noon([date(2024, 11, 4)] * len(sales)),
                "closed_on": [
                    date(2025, 11, 10) if sale["is_won"] else date(2025, 1, 15)
                    for sale in sales
                ],
                "refused_on": pa.array(
                    [sale["refused_on"] for sale in sales], pa.date32()
                ),
            }
        ),
        "opportunity_change": pa.table(
            {
                "opportunity_id": [each[0] for each in changes],
                "changed_at": at_noon([each[1] for each in changes]),
                "field": [each[2] for each in changes],
                "old": [each[3] for each in changes],
                "new": [str(each[4]) for each in changes],
            }
        ),
        "activity": pa.table(
            {
                "activity_id": [f"T{at:03}" for at in range(len(talks))],
                "occurred_at": at_noon([day for _, day in talks]),
                "opportunity_id": [sale for sale, _ in talks],
                "kind": ["mail"] * len(talks),
                "direction": ["out"] * len(talks),
                "status": ["held"] * len(talks),
            }
        ),
    }


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Tiers by edges that stay where they are, and a plain price for an hour."""
    return Settings(
        tiers=TiersSettings(method=Bands((100_000, 50_000, 20_000))),
        win_back=WinBackSettings(
            classes=_EVERY_CLASS,
            base_rate=0.12,
            hours=6,
            cost_per_hour=60,
            hour_value=20,
            variable_cost_share=0.4,
            needs_news=False,
        ),
    )


@pytest.fixture(scope="session")
def book() -> Portfolio:
    return of_lines(planted())


@pytest.fixture(scope="session")
def losses() -> Portfolio:
    return Portfolio.from_frames(as_of=AS_OF, currency="EUR", **of_losses())


@pytest.fixture(scope="session")
def later() -> Callable[[random.Random], Portfolio]:
    """The same losses with another future."""

    def drawn(draw: random.Random) -> Portfolio:
        return Portfolio.from_frames(as_of=AS_OF, currency="EUR", **of_losses(draw))

    return drawn
