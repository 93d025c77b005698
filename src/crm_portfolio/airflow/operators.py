"""Which steps of a night can be tasks of a DAG?

An operator resolves a connection, calls one function of the library, and returns ids,
counts and paths.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import BaseOperator

from crm_portfolio.airflow import _told
from crm_portfolio.airflow._ending import guarded, must_be_tolerable, tolerance
from crm_portfolio.airflow._watch import Watch
from crm_portfolio.airflow.hooks import CrmHook
from crm_portfolio.errors import SettingsError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from crm_portfolio._sync import Run
    from crm_portfolio.protocols import Connector
    from crm_portfolio.settings import Settings

__all__ = ["LAST_DAY_OVER", "ApplyOperator", "PlanOperator", "SyncOperator"]

LAST_DAY_OVER: Final = (
    "{{ macros.ds_add((data_interval_end | default(dag_run.run_after, true))"
    ".astimezone(dag.timezone).strftime('%Y-%m-%d'), -1) }}"
)
"""The day before the run is due, in the DAG's time zone: the last one that is over."""


class _CrmOperator(BaseOperator):
    """What all three need.

    Args:
        settings: The settings file, where the worker finds it.
        crm_conn_id: Whose log-in is used: a connection of ours, or a stock Salesforce one.
        org: Which of the file's ``[orgs]``, if it has any.
        archive: Where plans, journals and locks are kept, instead of where the settings
            say; a folder that all workers see, or an address such as ``s3://…``.
    """

    template_fields: Sequence[str] = ("settings", "crm_conn_id", "org", "archive")
    ui_color = "#e8f0ea"
    _is_killed = False

    def __init__(
        self,
        *,
        settings: str | Path,
        crm_conn_id: str,
        org: str | None = None,
        archive: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = settings
        self.crm_conn_id = crm_conn_id
        self.org = org
        self.archive = archive

    def execute(self, context: Context) -> dict[str, Any]:
        return guarded(lambda: self._done(context))

    def on_kill(self) -> None:
        """Wish an end: the batch in flight is finished and its journal is closed."""
        self._is_killed = True

    @abstractmethod
    def _done(self, context: Context) -> dict[str, Any]:
        """What the one function says: ids, counts and paths."""

    def _chosen(self, folder: str | None = None) -> Settings:
        """The settings of one org, its places as this task says."""
        from crm_portfolio.settings import Settings

        file = Path(self.settings)
        known = Settings.orgs(file)
        if known and not self.org:
            raise SettingsError(
                f"which org? {file.name} has {', '.join(known)}: name one with org="
            )
        chosen = Settings.load(file, org=self.org or None)
        places = attrs.evolve(
            chosen.sync,
            archive=str(self.archive or chosen.sync.archive),
            folder=str(folder or chosen.sync.folder),
        )
        return attrs.evolve(chosen, sync=places)

    def _crm(self, settings: Settings) -> Connector:
        return CrmHook(self.crm_conn_id, settings=settings).get_conn()

    def _stop(self) -> bool:
        return self._is_killed


class _NightOperator(_CrmOperator):
    """A night, whole or up to its plan.

    Args:
        folder: Where the pulled book is kept, instead of where the settings say. A worker
            without it pulls everything again.
        as_of: The last day known, inclusive; else the day before the run is due.
    """

    template_fields: Sequence[str] = (*_CrmOperator.template_fields, "folder", "as_of")
    _is_dry = False

    def __init__(
        self,
        *,
        folder: str | None = None,
        as_of: str | date = LAST_DAY_OVER,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.folder = folder
        self.as_of = as_of

    def _spent(self, context: Context) -> tuple[Run, dict[str, Any]]:
        """The night, and what is told of it."""
        from crm_portfolio._sync import sync

        settings, day = self._chosen(self.folder), _day(self.as_of)
        zone = settings.calendar.time_zone if settings.calendar else None
        begun_at = context["ti"].start_date
        watch = Watch(self.log, self._stop, day, begun_at, zone)
        run = sync(
            settings,
            as_of=day,
            crm=self._crm(settings),
            dry_run=self._is_dry,
            progress=watch.reached,
            log=watch.told,
            stop=self._stop,
        )
        return run, _told.of_night(run, settings.sync.archive)


class SyncOperator(_NightOperator):
    """A whole night at one org: pull, analyse, plan and apply.

    A plan beyond its limits is kept and not applied, and the task fails.

    Args:
        max_failed: So many records may fail before the task does; a fraction such as
            0.01 is a share of those to change in each table.
    """

    def __init__(self, *, max_failed: float = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_failed = tolerance(max_failed)

    def _done(self, context: Context) -> dict[str, Any]:
        run, told = self._spent(context)
        if run.journal is not None:
            failed = must_be_tolerable(run.journal, run.plan, self.max_failed)
            return told | _told.of_journal(run.journal, failed)
        if run.plan.refusals:
            why = " ".join(map(str, run.plan.refusals))
            raise AirflowFailException(
                f"the plan was refused and nothing was written. {why} It is kept in "
                f"{run.plan_file}: look at it. If it is right, an ApplyOperator with "
                f"accept_changes={len(run.plan.changes)} writes it."
            )
        return told | {"counts": {}, "failed": 0}


class PlanOperator(_NightOperator):
    """A night up to its plan, which is kept for a person; nothing is written.

    Returns where the plan lies, its numbers, and its summary for a terminal. What the
    limits refuse is among them: it is `ApplyOperator` that stops at it.
    """

    _is_dry = True

    def _done(self, context: Context) -> dict[str, Any]:
        run, told = self._spent(context)
        return told | {"summary": str(run.plan)}


class ApplyOperator(_CrmOperator):
    """Write a plan, and nothing but the plan. Another try goes on where one was cut off.

    Args:
        plan: The file that a `PlanOperator` returned as ``plan_file``.
        accept_changes: To go beyond the limits: exactly how many changes the plan holds.
        max_failed: So many records may fail before the task does; a fraction such as
            0.01 is a share of those to change in each table.
    """

    template_fields: Sequence[str] = (
        *_CrmOperator.template_fields,
        "plan",
        "accept_changes",
    )

    def __init__(
        self,
        *,
        plan: str,
        accept_changes: int | str | None = None,
        max_failed: float = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.accept_changes = accept_changes
        self.max_failed = tolerance(max_failed)

    def _done(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        from crm_portfolio.archive import Archive
        from crm_portfolio.writeback import Plan, apply

        settings = self._chosen()
        proposal = Plan.load(self.plan)
        journal = apply(
            proposal,
            self._crm(settings),
            archive=Archive(settings.sync.archive),
            accept_changes=_count(self.accept_changes),
            stop=self._stop,
        )
        failed = must_be_tolerable(journal, proposal, self.max_failed)
        told = _told.of_plan(proposal) | {"archive": settings.sync.archive}
        return told | _told.of_journal(journal, failed)


def _day(said: str | date) -> date:
    if isinstance(said, datetime):
        return said.date()
    if isinstance(said, date):
        return said
    try:
        return date.fromisoformat(said.strip())
    except ValueError:
        raise SettingsError(
            f"as_of: {said!r} is not a day such as 2026-06-30"
        ) from None


def _count(said: int | str | None) -> int | None:
    """A number that a template or a form gave; it gives no number as text, too."""
    if isinstance(said, int) or said is None:
        return said
    text = said.strip()
    if text in ("", "None"):
        return None
    if not text.isdecimal():
        raise SettingsError(f"accept_changes: {text!r} is not a number of changes")
    return int(text)
