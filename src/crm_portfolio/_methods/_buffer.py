"""How long do we last, and is time for the new kept free? Sheet 4.6."""

from __future__ import annotations

from collections.abc import Sequence

from crm_portfolio._methods._ranking import Flags

__all__ = ["runway_months", "under", "under_run"]


def runway_months(
    cash: float | None, backlog: float | None, monthly_costs: float | None
) -> float | None:
    """(cash + firm backlog contribution)/fixed monthly costs; None where one is unknown."""
    if cash is None or backlog is None or not monthly_costs:
        return None
    return max(0.0, (cash + backlog) / monthly_costs)


def under(
    spent: int | None, unsorted: int, total: int, target: float | None
) -> bool | None:
    """Whether the part of ``total`` is under the target, for certain; None: who knows.

    What is unsorted may belong to the part: it is under only if it would be with all of
    that, and not under only if it is not without any of it.
    """
    if spent is None or target is None or total <= 0:
        return None
    enough = round(
        target * total
    )  # in whole units; .07 of a float may be a little more
    if spent >= enough:
        return False
    return True if spent + unsorted < enough else None


def under_run(verdicts: Sequence[bool | None] | Flags) -> int:
    """How many of the last ones are under the target, without a break."""
    run = 0
    for verdict in reversed(verdicts):
        if not verdict:
            break
        run += 1
    return run
