"""What does the next task, and what does a person, get to know of a run?

XComs are kept in Airflow's database and shown to everyone who may look at a DAG: ids,
counts, codes and paths stand in them, never a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_portfolio._sync import Run
    from crm_portfolio.archive import Journal
    from crm_portfolio.writeback import Plan

__all__ = ["of_journal", "of_night", "of_plan"]


def of_plan(plan: Plan) -> dict[str, Any]:
    """A plan by its numbers."""
    return {
        "plan_id": plan.id,
        "org": str(plan.header.org),
        "as_of": plan.header.as_of.isoformat(),
        "accounts": len(plan.of_table("account")),
        "opportunities": len(plan.of_table("opportunity")),
        "changes": len(plan.changes),
        "refusals": [refusal.rule for refusal in plan.refusals],
        "edited": len(plan.edited),
        "pinned": len(plan.pinned),
        "missing": len(plan.missing),
    }


def of_journal(journal: Journal, failed: int) -> dict[str, Any]:
    """What came of a plan: changes by their state, and how many records failed."""
    counts = {str(state): n for state, n in journal.counts.items()}
    return {"run_id": journal.run_id, "counts": counts, "failed": failed}


def of_night(run: Run, archive: str) -> dict[str, Any]:
    """A night, but what was written."""
    kept = None if run.plan_file is None else str(run.plan_file)
    return {
        **of_plan(run.plan),
        "plan_file": kept,
        "archive": archive,
        "calls": run.calls,
    }
