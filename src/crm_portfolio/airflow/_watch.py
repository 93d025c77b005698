"""How does a task follow a night, and end it before it writes?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import attrs
from airflow.providers.common.compat.sdk import AirflowException

from crm_portfolio.errors import SettingsError

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

__all__ = ["Watch"]


@attrs.define
class Watch:
    """Told of each step of a night; raises where it must not go on.

    While something is written it never raises: there ``stop`` is asked between two
    batches, so that the journal is closed.

    Attributes:
        begun_at: When the task began: no day after that one is known.
        zone: In which a day begins and ends; None: the org's.
    """

    log: Logger
    is_killed: Callable[[], bool]
    as_of: date
    begun_at: datetime | None
    zone: str | None
    _is_writing: bool = False

    def told(self, event: str, facts: Mapping[str, Any]) -> None:
        """An event of `sync`: counts, ids and codes, never values."""
        self.log.info("%s %s", event, json.dumps(facts, default=str))
        if event == "started":
            self._must_have_begun(self.zone or str(facts["time_zone"]))
        if event == "planned":
            self._is_writing = True
        self._must_be_wanted()

    def reached(self, step: str, done: int, total: int | None) -> None:  # noqa: ARG002
        """Progress of the pull, batch by batch."""
        self._must_be_wanted()

    def _must_be_wanted(self) -> None:
        if self.is_killed() and not self._is_writing:
            raise AirflowException(
                "stopped from outside; nothing was written, and another try goes on with "
                "what was pulled"
            )

    def _must_have_begun(self, zone: str) -> None:
        """Of a day that lies ahead nobody knows anything; what is foreseen is not done."""
        if self.begun_at is None:
            return
        today = self.begun_at.astimezone(ZoneInfo(zone)).date()
        if self.as_of > today:
            raise SettingsError(
                f"as of {self.as_of}: that day is still ahead, today is {today} in "
                f"{zone}. Nothing was read or written."
            )
