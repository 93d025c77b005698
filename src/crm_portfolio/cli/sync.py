"""How does the nightly job run, org after org?"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import typer

from crm_portfolio.cli import _complete
from crm_portfolio.cli._options import must_have_begun, read_day
from crm_portfolio.cli._print import complain, hush, listed, pasted, say, then
from crm_portfolio.cli._progress import counting, is_watched, progress
from crm_portfolio.cli._run import (
    TERMINATED,
    UNEXPECTED,
    Stopping,
    gravest,
    unexpected,
)
from crm_portfolio.errors import CrmPortfolioError, SettingsError

if TYPE_CHECKING:
    from crm_portfolio._sync import Run
    from crm_portfolio.portfolio import Calendar
    from crm_portfolio.protocols import Progress
    from crm_portfolio.settings import Settings
    from crm_portfolio.writeback import Plan

__all__ = ["sync"]

Log = Literal["text", "json"]
_TOLD_IN_WORDS: Final = (2, 6)


def sync(
    orgs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ORG]...",
            help="Orgs of the settings file, in turn.",
            autocompletion=_complete.orgs,
        ),
    ] = None,
    *,
    settings: Annotated[
        Path,
        typer.Option(
            envvar="CRM_PORTFOLIO_SETTINGS",
            metavar="portfolio.toml",
            help="What to do, and where; no secret stands in it.",
        ),
    ],
    as_of: Annotated[
        date | None,
        typer.Option(
            parser=read_day,
            metavar="DAY",
            help="The last day known; without it, yesterday, the last that is over.",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every org of the settings file.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Stop after the plan; write nothing.")
    ] = False,
    log: Annotated[
        Log, typer.Option(help="What is said on stderr: text, or a JSON line an event.")
    ] = "text",
) -> int:
    """The nightly job: pull, analyse, plan and apply, under one lock for each org.

    Only what changed since the last night is asked for, only what differs is written. A
    plan beyond its limits is not applied: it is kept, and the exit code is 4.

    crm-portfolio sync --settings portfolio.toml --log json

    crm-portfolio sync europe asia --settings orgs.toml --dry-run
    """
    if log == "json":
        hush()  # each line of stderr is read by a program
    chosen = _chosen(settings, orgs or [], every=every)
    codes: list[int] = []
    visited: dict[str, str] = {}
    for org, own in chosen:
        codes.append(_night(org, own, as_of, visited, dry_run=dry_run, log=log))
        if codes[-1] == TERMINATED:
            break
    return gravest(codes)


def _last_day_over(settings: Settings) -> date:
    """Yesterday: at night the day that has just begun is not known yet."""
    zone = settings.calendar.time_zone if settings.calendar else None
    now = datetime.now(UTC).astimezone(ZoneInfo(zone) if zone else None)  # noqa: TID251
    return now.date() - timedelta(days=1)


def _chosen(
    file: Path, named: list[str], *, every: bool
) -> Iterator[tuple[str, Callable[[], Settings]]]:
    """Each org that was asked for, and how to read its settings."""
    from crm_portfolio.settings import Settings

    known = Settings.orgs(file)
    if every and named:
        raise typer.BadParameter("name the orgs, or say --all")
    if (every or named) and not known:
        raise typer.BadParameter(f"{file.name} has no [orgs]: leave the names away")
    if known and not named and not every:
        raise typer.BadParameter(
            f"which orgs? {', '.join(known)}, or --all: nothing is chosen by itself"
        )
    wanted = dict.fromkeys(known if every else named) or {"": None}
    for name in wanted:
        yield name, lambda org=name: Settings.load(file, org=org or None)  # type: ignore[misc]


def _night(
    org: str,
    own: Callable[[], Settings],
    day: date | None,
    visited: dict[str, str],
    *,
    dry_run: bool,
    log: Log,
) -> int:
    """One org's night, told as it goes; what one org refuses does not stop the others."""
    from crm_portfolio._sync import sync as spend

    tell, stop = _Told(org, is_json=log == "json"), Stopping()
    run, settings = None, None
    failure: Exception | None = None
    try:
        settings = own()
        with ExitStack() as until, progress() as bar:
            night = day or _last_day_over(settings)
            begins = partial(_must_be_sound, org, visited, night, settings.calendar)
            tell.once("started", begins)
            tell.once("planned", lambda _: until.enter_context(stop))
            run = spend(
                settings,
                as_of=night,
                dry_run=dry_run,
                progress=_counted(bar, settings) if log == "text" else None,
                foretell=is_watched() and log == "text",
                log=tell,
                stop=stop,
            )
    except Exception as error:  # noqa: BLE001 - the other orgs have their night
        failure = error
        tell.failed(error)
    if settings is not None and settings.sync.summary:
        try:
            _summarise(settings, org, tell, run, failure)
        except OSError as error:  # what was written to the CRM is done all the same
            unsaid = SettingsError(
                f"the summary cannot be written to {settings.sync.summary!r}: "
                f"{error.strerror}. Name a folder that this user may write."
            )
            tell.failed(unsaid)
            failure = failure or unsaid
    if run is not None and log == "text":
        _say(run, settings)
    code = _code(failure) if failure else run.exit_code if run else 0
    return stop.code(code)


def _counted(tell: Progress | None, settings: Settings) -> Progress | None:
    """Also how many of the analyses that a night makes are done."""
    from crm_portfolio._analyse import assigning

    made = settings.sync.analyses or assigning(settings.write.also)
    return counting(tell, "analyses", made)


def _must_be_sound(
    org: str,
    visited: dict[str, str],
    night: date,
    calendar: Calendar | None,
    started: Mapping[str, Any],
) -> None:
    """Before anything is read: an org that had no night yet, and a day that has begun."""
    _must_be_new(org, started, visited)
    zone = calendar.time_zone if calendar else str(started["time_zone"])
    must_have_begun(night, lambda: zone)


def _must_be_new(org: str, started: Mapping[str, Any], visited: dict[str, str]) -> None:
    """Two names may reach one org: it has one night, whichever settings came first.

    Raises:
        SettingsError: It names both; nothing was read or written for the second.
    """
    reached = str(started["org"])
    other = visited.setdefault(reached, org)
    if other != org:
        raise SettingsError(
            f"[orgs.{org}] reaches {reached}, and so does [orgs.{other}], whose night it "
            "was: nothing was done for the second. Give each the log-in of its own org "
            "(`environment`), or take one of the two tables away."
        )


def _code(failure: Exception) -> int:
    if isinstance(failure, CrmPortfolioError):
        return failure.exit_code
    return UNEXPECTED


class _Told:
    """Events on stderr as they come: sentences, or one JSON object a line."""

    def __init__(self, org: str, *, is_json: bool) -> None:
        self._org, self._is_json = org, is_json
        self._last = time.monotonic()
        self.began_at = datetime.now(UTC)  # noqa: TID251 - the log has the time
        self._run_id = self.plan_id = ""
        self._hooks: dict[str, Callable[[Mapping[str, Any]], object]] = {}
        self.seconds: dict[str, float] = {}

    def once(self, event: str, hook: Callable[[Mapping[str, Any]], object]) -> None:
        """Do this when the event comes; what it raises ends the night."""
        self._hooks[event] = hook

    def __call__(self, event: str, facts: Mapping[str, Any]) -> None:
        self._run_id = facts.get("run_id", self._run_id)
        self.plan_id = facts.get("plan_id", self.plan_id)
        now = time.monotonic()
        took, self._last = round(now - self._last, 3), now
        self.seconds[event] = took
        if hook := self._hooks.pop(event, None):
            hook(facts)
        if not self._is_json:
            return
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),  # noqa: TID251
            "event": event,
            "name": self._org,
            "run_id": self._run_id,
            "plan_id": self.plan_id,
            "seconds": took,
            **facts,
        }
        typer.echo(json.dumps(line, default=str), err=True)

    def failed(self, error: Exception) -> None:
        """What went wrong: all of it to a person, its kind and code to a log.

        What the settings or the log-in lack is said to both: no value is in that.
        """
        told = {
            "error": type(error).__name__,
            "code": getattr(error, "code", ""),
            "exit_code": _code(error),
        }
        if _code(error) in _TOLD_IN_WORDS:
            told["message"] = str(error)
        self("failed", told)
        if not self._is_json:
            is_ours = isinstance(error, CrmPortfolioError)
            said = str(error) if is_ours else unexpected(error)
            complain(f"{self._org + ': ' if self._org else ''}{said}")


def _summarise(
    settings: Settings,
    org: str,
    told: _Told,
    run: Run | None,
    failure: Exception | None,
) -> None:
    """The state of the last run of this org, for monitoring; ids, counts, codes."""
    from crm_portfolio import _storage

    folder = Path(settings.sync.summary)
    folder.mkdir(parents=True, exist_ok=True)
    state: dict[str, Any] = {
        "version": 1,
        "name": org,
        "plan_id": told.plan_id,
        "began_at": told.began_at.isoformat(timespec="seconds"),
        "seconds": told.seconds,
        "exit_code": _code(failure) if failure else 0,
    }
    if failure is not None:
        state["error"] = type(failure).__name__
        state["code"] = getattr(failure, "code", "")
    if run is not None:
        state |= run.to_dict()
    content = json.dumps(state, indent=2, default=str).encode() + b"\n"
    _storage.write_atomically(folder / f"{org or 'sync'}.json", content)


def _say(run: Run, settings: Settings | None) -> None:
    typer.echo(f"{run.org}: {_came_to(run)}")
    for what in _of_people(run.plan):
        say(f"  {what}")
    if settings is None:
        return
    archive = ("--archive", settings.sync.archive)
    if run.plan_file is not None:
        for refusal in run.plan.refusals:
            complain(f"  {refusal}")
        count = len(run.plan.changes)
        accepts = ("--accept-changes", count) if run.plan.refusals else ()
        tell = complain if run.plan.refusals else say
        way = pasted("apply", run.plan_file, *archive, *accepts)
        tell(f"The plan is kept in {run.plan_file}. Look at it; this writes it: {way}")
    elif run.journal is not None:
        then("To take it back", "undo", run.plan.id, *archive, "-o", "PLAN")
    else:
        then("Whether the archive is as it was written", "verify", *archive)


def _of_people(plan: Plan) -> Iterator[str]:
    """What people did that a night must not pass over in silence."""
    for one in plan.edited:
        columns = f" ({', '.join(one.columns)})" if one.columns else ""
        yield f"{one.record_id}: edited by a person{columns}"
    for pin in plan.ended:
        yield f"{pin.record_id}: its pin to tier {pin.tier} ended on {pin.until_on}"


def _came_to(run: Run) -> str:
    if run.journal is not None:
        told = listed({str(s): n for s, n in run.journal.counts.items()})
        ended = f", interrupted ({run.journal.interrupted})"
        return f"{told}{ended if run.journal.interrupted else ''}; run {run.plan.id}"
    if run.plan_file is not None:
        return f"{len(run.plan.changes):,} changes planned, nothing written"
    return "nothing to write"
