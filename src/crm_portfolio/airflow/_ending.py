"""How does a task end: done, tried again, or failed for a person to look at?"""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from crm_portfolio.errors import CrmPortfolioError, LockHeldError, TransientError

if TYPE_CHECKING:
    from crm_portfolio.archive import Journal
    from crm_portfolio.protocols import WritableTable
    from crm_portfolio.writeback import Plan

__all__ = ["guarded", "must_be_tolerable", "tolerance"]

# What another try may mend: the CRM comes back, the other run ends.
_PASSES: Final = (TransientError, LockHeldError)
_RECORDS: Final[Mapping[WritableTable, str]] = {
    "account": "accounts",
    "opportunity": "opportunities",
}
_ASKS_FOR_TRACEBACK: Final = "CRM_PORTFOLIO_TRACEBACK"
Told = TypeVar("Told")


def guarded(call: Callable[[], Told]) -> Told:
    """What the call gives; what it raises becomes an error of Airflow's.

    What only a person can mend fails the task at once; what passes is tried again, as
    often as the task says. Airflow logs errors with all that caused them, and a cause may
    hold what a CRM sent: so none is attached.
    """
    try:
        return call()
    except AirflowException:
        raise
    except CrmPortfolioError as error:
        kind = AirflowException if isinstance(error, _PASSES) else AirflowFailException
        failure = kind(f"{type(error).__name__}: {error}")
    except Exception as error:
        if os.environ.get(_ASKS_FOR_TRACEBACK):
            raise
        failure = AirflowException(_unexpected(error))
    raise failure


def _unexpected(error: Exception) -> str:
    """Where it broke, without its message: that may hold names or secrets."""
    steps = traceback.extract_tb(error.__traceback__)
    way = " > ".join(f"{Path(s.filename).name}:{s.lineno}" for s in steps[1:])
    told = (
        f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    )
    return (
        f"unexpected {type(error).__name__}{told} ({way}). Set {_ASKS_FOR_TRACEBACK}=1 "
        "in the worker's environment to see all of it, and please report it."
    )


def tolerance(max_failed: float) -> float:
    """The tolerance as a DAG says it, checked while the DAG is read."""
    is_share = isinstance(max_failed, float)
    if max_failed < 0 or (is_share and max_failed > 1):
        raise ValueError(
            f"max_failed is a number of accounts, or a share from 0.0 to 1.0, not "
            f"{max_failed}"
        )
    return max_failed


def must_be_tolerable(journal: Journal, plan: Plan, max_failed: float) -> int:
    """How many records failed, if a task may pass over so many.

    Args:
        plan: What the journal is of.
        max_failed: A whole number of records, or, as a fraction, a share of those to
            change in each table: many opportunities do not cover for the accounts.

    Raises:
        AirflowException: The run was cut off; another try goes on with it.
        AirflowFailException: More failed. Another try would be refused the same way.
    """
    if journal.interrupted:
        raise AirflowException(
            f"{journal}. Another try of this task goes on from here."
        )
    refs = {(entry.change.table, entry.change.record_id) for entry in journal.failed}
    failed = Counter(table for table, _ in refs)
    planned = {table: len(plan.of_table(table)) for table in failed}
    is_share = isinstance(max_failed, float)
    is_too_much = len(refs) > max_failed
    if is_share:
        is_too_much = any(n > max_failed * planned[of] for of, n in failed.items())
    if is_too_much:
        told = " and ".join(
            f"{failed[table]} of {planned[table]} {_RECORDS[table]}"
            for table in sorted(failed)
        )
        raise AirflowFailException(
            f"{journal}. {told} failed, and max_failed is {max_failed}. `crm-portfolio "
            f"history {journal.run_id} --archive FOLDER --failed FILE` names them and "
            "says why."
        )
    return len(refs)
