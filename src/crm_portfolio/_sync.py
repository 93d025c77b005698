"""What does the nightly job do, from the CRM and back to it?"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from crm_portfolio._analyse import Findings, analyse, assigning
from crm_portfolio._analyse._large import LONG, in_engine, longest
from crm_portfolio._pull import forecast, metering, pull_into
from crm_portfolio.archive import Archive, Journal, Lease
from crm_portfolio.connectors import connect
from crm_portfolio.errors import (
    ConnectorError,
    RefusedError,
    SettingsError,
    WrongOrgError,
)
from crm_portfolio.portfolio import read_header
from crm_portfolio.protocols import Connector, Metered, Org, Progress
from crm_portfolio.settings import Settings
from crm_portfolio.writeback import Plan, apply, plan

if TYPE_CHECKING:
    from crm_portfolio.portfolio import Portfolio

__all__ = ["Event", "Run", "sync"]

Event = Callable[[str, Mapping[str, Any]], None]
"""Told what has just happened: a name, then counts, ids and codes, never values."""

# All that a night asks of a connector before it writes, by the protocols' names.
_READS: Final = frozenset(
    {
        *("name", "tables", "pull", "org", "read", "quota"),
        *("present", "again", "calls", "forecast", "fingerprint"),
        *("write_batch", "write_forecast", "edits", "fitted"),
    }
)


@attrs.frozen(eq=False)
class Run:
    """What one night at one org came to.

    Attributes:
        run_id: Of the night; the plan and its journal have the plan's id.
        findings: What the analyses said.
        plan_file: Where the plan lies that a person should look at: it was refused by its
            limits, or the run was dry. A path, or an address in a store; else None.
        journal: None where nothing was written.
        calls: API calls of the night, where the connector counts them.
    """

    run_id: str
    org: Org
    as_of: date
    findings: Findings
    plan: Plan
    plan_file: Path | str | None
    journal: Journal | None
    calls: int | None

    @property
    def exit_code(self) -> int:
        """0 done, 3 some changes failed, 4 refused by a limit, 5 interrupted."""
        if self.journal is not None:
            return self.journal.exit_code
        return RefusedError.exit_code if self.plan.refusals else 0

    def to_dict(self) -> dict[str, Any]:
        """What monitoring wants to know; ids, counts and codes only."""
        return {
            "run_id": self.run_id,
            "org": attrs.asdict(self.org),
            "as_of": self.as_of.isoformat(),
            "plan_id": self.plan.id,
            "changes": len(self.plan.changes),
            "accounts": len(self.plan.of_table("account")),
            "opportunities": len(self.plan.of_table("opportunity")),
            "refusals": [str(refusal) for refusal in self.plan.refusals],
            "edited": [edited.record_id for edited in self.plan.edited],
            "pinned": len(self.plan.pinned),
            "pins_ended": [ended.record_id for ended in self.plan.ended],
            "missing": len(self.plan.missing),
            "skipped": self.findings.lacking()["skipped"],
            "plan_file": None if self.plan_file is None else str(self.plan_file),
            "counts": dict(self.journal.counts) if self.journal else {},
            "interrupted": self.journal.interrupted if self.journal else "",
            "calls": self.calls,
            "exit_code": self.exit_code,
        }


def _silent(_: str, __: Mapping[str, Any]) -> None:
    return


def _never() -> bool:
    return False


def sync(
    settings: Settings,
    *,
    as_of: date,
    crm: Connector | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
    foretell: bool = False,
    log: Event = _silent,
    stop: Callable[[], bool] = _never,
) -> Run:
    """Pull, analyse, plan and apply, for one org, under one lock.

    Where the folder of the last night is there, only what changed is asked for. A plan
    beyond its limits is not applied: it is kept for a person to look at, and release.

    Args:
        settings: Of one org; ``settings.sync`` says which, and where things are kept.
        as_of: The last day known, inclusive.
        crm: None: the one the settings name, with the log-in of the environment.
        dry_run: Stop after the plan; the CRM is reached by what cannot write.
        progress: Told of every batch and analysis.
        foretell: Tell it, too, how many calls the pull will take; counting them takes a
            few more.
        log: Told of every step.
        stop: Asked between two batches of writing; True ends the run there.

    Raises:
        SettingsError: No CRM is named, or nothing is chosen that could be written.
        WrongOrgError: The log-in reaches another org than the settings name, or than the
            one in the folder.
        LockHeldError: Another run is at this org.
        CrmPortfolioError: Whatever the four steps raise.

    Example:
        run = sync(Settings.load("portfolio.toml"), as_of=date(2026, 6, 30))
        print(run.exit_code, run.plan.counts)
    """
    reached = crm if crm is not None else _connected(settings)
    night = _Night(settings, as_of, reached, progress, foretell, log, stop)
    return night.spent(dry_run=dry_run)


def _connected(settings: Settings) -> Connector:
    """The CRM that the settings name, with the log-in variables of its org."""
    chosen = settings.sync
    if not chosen.crm:
        raise SettingsError(
            'the settings name no CRM to sync: say crm = "salesforce" in [sync], or in '
            "the table of each org, [orgs.NAME]"
        )
    environment = {
        name.removeprefix(chosen.environment): value
        for name, value in os.environ.items()
        if name.startswith(chosen.environment)
    }
    crm: Connector = connect(
        chosen.crm,
        settings=settings.of_connector(chosen.crm),
        environment=environment if chosen.environment else None,
    )
    return crm


class _Reader:
    """A connector that cannot write: all that is handed to what only reads.

    Each connector gets a class that has what it can do as properties: which protocols an
    object keeps, Python 3.12 asks its class, and no longer `__getattr__`.
    """

    def __new__(cls, crm: Connector) -> Self:
        can = (name for name in _READS if hasattr(crm, name))
        there = {name: property(partial(_of, name)) for name in can}
        return object.__new__(type(cls.__name__, (cls,), there))

    def __init__(self, crm: Connector) -> None:
        self._crm = crm

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"this connector has no {name!r}: it only reads")


def _of(name: str, reader: _Reader) -> Any:
    return getattr(reader._crm, name)  # noqa: SLF001 - its own


@attrs.define(eq=False)
class _Night:
    """One night at one org."""

    settings: Settings
    as_of: date
    crm: Connector
    progress: Progress | None
    foretell: bool
    log: Event
    stop: Callable[[], bool]
    reader: Any = attrs.field(init=False)
    archive: Archive = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.reader = _Reader(self.crm)
        self.archive = Archive(self.settings.sync.archive)

    def spent(self, *, dry_run: bool) -> Run:
        org = self.reader.org()
        self._must_be_meant(org)
        run_id = f"{self.as_of:%Y%m%d}-{secrets.token_hex(4)}"
        told = {"run_id": run_id, "org": str(org), "as_of": self.as_of.isoformat()}
        self.log("started", {**told, "time_zone": org.time_zone})
        with self.archive.lock(org, run_id) as lease:
            portfolio = self._pulled()
            findings = self._found(portfolio)
            proposal = self._planned(findings, portfolio)
            is_kept = bool(dry_run or proposal.refusals)
            plan_file = self._kept(proposal) if is_kept else None
            journal = None
            if proposal.changes and not is_kept:
                journal = self._applied(proposal, lease)
            elif not is_kept:
                self._noted(run_id, proposal, lease)
        calls = self.crm.calls if isinstance(self.crm, Metered) else None
        run = Run(
            run_id, org, self.as_of, findings, proposal, plan_file, journal, calls
        )
        self.log("ended", {"calls": calls, "exit_code": run.exit_code})
        return run

    def _must_be_meant(self, org: Org) -> None:
        """Another org than last night is another log-in by mistake.

        Raises:
            WrongOrgError: It names both; nothing was read or written.
        """
        chosen = self.settings.sync
        if chosen.org_id and chosen.org_id != org.org_id:
            raise WrongOrgError(f"org {chosen.org_id}", str(org))
        folder = Path(chosen.folder)
        if (folder / "portfolio.json").is_file():
            known = read_header(folder).org
            if known != str(org):
                raise WrongOrgError(known or "a folder of files", str(org))

    def _pulled(self) -> Portfolio:
        folder = Path(self.settings.sync.folder)
        with metering(self.progress, self.reader, self._expected(folder)) as tell:
            pulled = pull_into(
                self.reader,
                folder,
                as_of=self.as_of,
                currency=self.settings.currency,
                calendar=self.settings.calendar,
                since_last=True,
                settings=self.settings.pull,
                progress=tell,
            )
        rows = {str(name): n for name, n in pulled.portfolio.row_counts.items()}
        self.log("pulled", {"rows": rows, "notes": len(pulled.notes)})
        return self._lightened(pulled.portfolio)

    def _lightened(self, portfolio: Portfolio) -> Portfolio:
        """A long book need not be held, where there is an engine for it."""
        if longest(portfolio) < LONG or find_spec("duckdb") is None:
            return portfolio
        return in_engine(portfolio)

    def _expected(self, folder: Path) -> int:
        """The calls to come; counting them takes some.

        0: nobody asked, or they cannot be counted, which is no reason to end the night.
        """
        expected = None
        if self.foretell:
            with suppress(ConnectorError):
                expected = forecast(self.reader, folder, since_last=True)
        return expected.calls if expected else 0

    def _found(self, portfolio: Portfolio) -> Findings:
        only = self.settings.sync.analyses or assigning(self.settings.write.also)
        findings = analyse(portfolio, self.settings, only=only, progress=self.progress)
        skipped = findings.lacking()["skipped"]
        told = {"results": list(findings), "skipped": skipped}
        self.log("analysed", told)
        return findings

    def _planned(self, findings: Findings, portfolio: Portfolio) -> Plan:
        proposal = plan(
            findings.values(),
            self.reader,
            held=portfolio,
            limits=self.settings.limits,
            policy=self.settings.policy,
            also=self.settings.write.also,
            archive=self.archive,
        )
        told = {
            "plan_id": proposal.id,
            "accounts": len(proposal.of_table("account")),
            "opportunities": len(proposal.of_table("opportunity")),
            "changes": len(proposal.changes),
            "refusals": [refusal.rule for refusal in proposal.refusals],
            "edited": len(proposal.edited),
            "pinned": len(proposal.pinned),
            "pins_ended": len(proposal.ended),
            "missing": len(proposal.missing),
            "call_estimate": proposal.call_estimate,
        }
        self.log("planned", told)
        return proposal

    def _kept(self, proposal: Plan) -> Path | str:
        """The plan on file, for a person to look at; nothing is written to the CRM."""
        file = self.archive.inside("kept", f"{proposal.id}.jsonl")
        if isinstance(file, Path):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        proposal.save(file)
        self.log("kept", {"plan_id": proposal.id})
        return file

    def _noted(self, run_id: str, proposal: Plan, lease: Lease) -> None:
        """A quiet night, for the next one to go on from: what it told is not told again."""
        lease.check()
        header = proposal.header
        self.archive.note_quiet(
            run_id,
            header.org,
            as_of=header.as_of,
            population=header.population,
            compared=header.compared,
        )

    def _applied(self, proposal: Plan, lease: Lease) -> Journal:
        journal = apply(
            proposal,
            self.crm,
            archive=self.archive,
            progress=self.progress,
            lease=lease,
            stop=self.stop,
        )
        told = {"plan_id": proposal.id, "counts": dict(journal.counts)}
        self.log("applied", told | {"interrupted": journal.interrupted})
        return journal
