"""How is each act played against the pretend CRM?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crm_portfolio._analyse import analyse, assigning
from crm_portfolio._demo._acts import (
    Act,
    Again,
    Applied,
    Kept,
    Looked,
    Planned,
    Pulled,
    Ranked,
    SetUp,
    Tier,
    Undone,
    Why,
)
from crm_portfolio._frames import to_arrow
from crm_portfolio._pull import pull
from crm_portfolio._wording import sentence
from crm_portfolio.archive import Archive
from crm_portfolio.writeback import apply, plan, setup, undo

if TYPE_CHECKING:
    import pyarrow as pa

    from crm_portfolio._analyse import Findings
    from crm_portfolio._demo._pretended import Pretend, Pretended
    from crm_portfolio.archive import Journal
    from crm_portfolio.portfolio import Portfolio
    from crm_portfolio.protocols import Progress
    from crm_portfolio.results import Result
    from crm_portfolio.writeback import Plan

__all__ = ["Stage"]

_TOP: Final = 10
_WEIGHTY: Final = ("major", "dependent")
_ON_DEPENDENCE: Final = ("dependence_major", "dependence_dependent")
_Row = Mapping[str, Any]
_Snapshot = Mapping[tuple[str, str], object]


class Stage:
    """The pretend CRM, the connector that reaches it, and the acts played on them."""

    def __init__(
        self,
        crm: Pretended,
        pretend: Pretend,
        folder: Path,
        as_of: date,
        progress: Progress | None,
    ) -> None:
        self._pretend, self._folder = pretend, folder
        self._as_of, self._progress = as_of, progress
        self._archive = Archive(folder / "archive")
        self._accounts = crm.accounts
        self._crm = crm.reached(pretend.environment)
        self._calls = pretend.api_calls

    def play(self, over: Callable[[Act], None]) -> None:
        """The acts in their order; each is over before the next begins."""
        portfolio = self._pull()
        portfolio.save(self._folder / "portfolio")
        over(self._pulled(portfolio))
        findings = analyse(portfolio, only=assigning())
        over(_looked(portfolio, findings))
        before = self._snapshot()
        over(self._set_up())
        proposal = plan(findings.values(), self._crm)
        proposal.save(self._folder / "plan.jsonl")
        over(self._planned(proposal))
        journal = apply(
            proposal, self._crm, archive=self._archive, progress=self._progress
        )
        over(self._applied(journal))
        over(self._again())
        over(self._undone(journal, before))
        over(self._kept())

    def _pull(self) -> Portfolio:
        return pull(self._crm, as_of=self._as_of, progress=self._progress)

    def _pulled(self, portfolio: Portfolio) -> Pulled:
        faults = to_arrow(portfolio.faults)["fault"].to_pylist()
        return Pulled(
            api_calls=self._spent(),
            rows={name: len(portfolio[name]) for name in portfolio.tables},
            faults=dict(sorted(Counter(faults).items())),
            currency=portfolio.currency,
            as_of=portfolio.as_of,
        )

    def _set_up(self) -> SetUp:
        report = setup(self._crm, dry_run=False)
        done = tuple(step.what for step in report.steps if step.state == "done")
        return SetUp(api_calls=self._spent(), done=done)

    def _planned(self, proposal: Plan) -> Planned:
        return Planned(
            api_calls=self._spent(),
            plan_id=proposal.id,
            changes=len(proposal.changes),
            accounts=len(proposal.records),
            text=str(proposal),
        )

    def _applied(self, journal: Journal) -> Applied:
        return Applied(
            api_calls=self._spent(),
            run_id=journal.run_id,
            counts={str(state): count for state, count in journal.counts.items()},
            exit_code=journal.exit_code,
        )

    def _again(self) -> Again:
        """Pull, analyse and plan once more; apply what is left, which is nothing."""
        portfolio = self._pull()
        findings = analyse(portfolio, only=assigning())
        proposal = plan(findings.values(), self._crm, held=portfolio)
        until_written = self._pretend.api_calls
        apply(proposal, self._crm, archive=self._archive)
        write_calls = self._pretend.api_calls - until_written
        return Again(
            api_calls=self._spent(),
            changes=len(proposal.changes),
            write_calls=write_calls,
        )

    def _undone(self, journal: Journal, before: _Snapshot) -> Undone:
        way_back = undo(journal, self._crm)
        way_back.save(self._folder / "undo.jsonl")
        apply(way_back, self._crm, archive=self._archive, progress=self._progress)
        spent, after = self._spent(), self._snapshot()
        places = before.keys() | after.keys()
        different = [at for at in places if before.get(at) != after.get(at)]
        return Undone(
            api_calls=spent,
            changes=len(way_back.changes),
            accounts_compared=len({account for account, _ in places}),
            values_compared=len(places),
            values_different=len(different),
        )

    def _kept(self) -> Kept:
        inside = {name: str(self._folder / name) for name in ("portfolio", "archive")}
        plans = {name: str(self._folder / f"{name}.jsonl") for name in ("plan", "undo")}
        return Kept(
            folder=str(self._folder),
            all_api_calls=self._pretend.api_calls,
            **inside,
            **plans,
        )

    def _snapshot(self) -> _Snapshot:
        """Every value of every account, seen behind the API."""
        return {
            (account, field): value
            for account, record in self._pretend.snapshot(self._accounts)[
                self._accounts
            ].items()
            for field, value in record.items()
        }

    def _spent(self) -> int:
        """API calls since the act before."""
        spent = self._pretend.api_calls - self._calls
        self._calls += spent
        return spent


def _looked(portfolio: Portfolio, findings: Findings) -> Looked:
    """Ranking, dependence and tiers, as the first look at a portfolio shows them."""
    ranking, tiers = findings["concentration"], findings["tiers"]
    rows = ranking.arrow.to_pylist()
    tiers_frame = tiers.arrow
    tier_of = _pairs(tiers_frame, "account_id", "tier")
    held: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        held[tier_of[row["account_id"]]].append(row["revenue"] or 0.0)
    chosen = _worth_a_word(rows, tier_of)
    names = {row["account_id"]: row.get("name") or "" for row in rows}
    return Looked(
        measured=" ".join(ranking.explain(rows[0]["account_id"]).splitlines()[-2:]),
        revenue=sum(sum(revenues) for revenues in held.values()),
        currency=portfolio.currency,
        top=tuple(_ranked(row, tier_of) for row in rows[:_TOP]),
        tiers=tuple(Tier(t, len(v), sum(v)) for t, v in sorted(held.items())),
        reasons=tuple(_why(row, ranking, tiers, names) for row in chosen),
    )


def _pairs(table: pa.Table, key: str, value: str) -> dict[str, Any]:
    return dict(zip(table[key].to_pylist(), table[value].to_pylist(), strict=True))


def _ranked(row: _Row, tier_of: Mapping[str, str]) -> Ranked:
    return Ranked(
        rank=row["rank"],
        account_id=row["account_id"],
        name=row.get("name") or "",
        revenue=row["revenue"],
        share=row["share"],
        tier=tier_of[row["account_id"]],
        dependence=row["dependence"],
    )


def _worth_a_word(rows: Sequence[_Row], tier_of: Mapping[str, str]) -> list[_Row]:
    """The first account, and the first of a weighty group, of the new and of ``none``."""
    tests: tuple[Callable[[_Row], bool], ...] = (
        lambda row: row["group_member_count"] > 1 and row["dependence"] in _WEIGHTY,
        lambda row: tier_of[row["account_id"]] == "new",
        lambda row: tier_of[row["account_id"]] == "none" and row["revenue"] != 0,
    )
    firsts = (*rows[:1], *(next(filter(test, rows), None) for test in tests))
    return list({row["account_id"]: row for row in firsts if row}.values())


def _why(row: _Row, ranking: Result, tiers: Result, names: Mapping[str, str]) -> Why:
    """What hangs on the account, and why it is in its tier."""
    account = row["account_id"]
    reasons = [
        *(r for r in ranking.reasons(account) if r.code.startswith(_ON_DEPENDENCE)),
        *tiers.reasons(account),
    ]
    said = tuple(sentence(reason, names=names) for reason in reasons)
    return Why(account_id=account, name=names[account], said=said)
