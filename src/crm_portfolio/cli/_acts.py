"""How are the acts of the demonstration shown on a screen of 80 columns?"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from crm_portfolio import _demo
from crm_portfolio._inert import inert
from crm_portfolio.cli._print import counted, listed, program

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["Page"]

_BAR_CELLS: Final = 10
_SAID: Final = 2
_WEIGHT: Final = {"dependent": "dependent", "major": "major"}
_TIER_COLOURS: Final = {"A": "bold green", "new": "cyan", "none": "dim"}
# Each teller takes its own kind of act; the table below pairs them.
_Teller = Callable[[Any], Iterator["RenderableType"]]
_INDENT: Final = (0, 0, 0, 3)


class Page:
    """Shows one act after the other, numbered."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0

    def show(self, act: _demo.Act) -> None:
        """One act: a headline with what it cost, then what it found."""
        title, tell = _TOLD[type(act)]
        title = title.format(crm=getattr(act, "crm", ""))
        self._number += 1
        line = Table.grid(expand=True)
        line.add_column()
        line.add_column(justify="right")
        cost = "" if act.api_calls is None else f"{act.api_calls} API calls"
        line.add_row(
            Text(f"{self._number}  {title}", style="bold"), Text(cost, style="dim")
        )
        self._console.print(line)
        for part in tell(act):
            if isinstance(part, str):  # to be pasted: neither cut nor broken
                line_to_paste = Text(f"   {part}", style="cyan")
                self._console.print(line_to_paste, soft_wrap=True)
            else:
                self._console.print(Padding(part, _INDENT))
        self._console.print()


def _started(act: _demo.Started) -> Iterator[RenderableType]:
    yield Text(f"{act.url} holds {counted(act.records)}.")


def _pulled(act: _demo.Pulled) -> Iterator[RenderableType]:
    yield Text(f"{counted(act.rows)}, in {act.currency}, as of {act.as_of}.")
    if act.faults:
        yield Text(f"Odd, but kept and reported: {listed(act.faults)}.", style="dim")


def _looked(act: _demo.Looked) -> Iterator[RenderableType]:
    yield Text(act.measured, style="dim")
    yield _ranking(act)
    yield _tiers(act)
    for why in act.reasons:
        yield Text.assemble((f"{inert(why.name)} ", "bold"), (why.account_id, "dim"))
        yield Padding(Text("\n".join(map(inert, why.said[:_SAID]))), (0, 0, 0, 2))


def _ranking(act: _demo.Looked) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("account", width=22, no_wrap=True, overflow="ellipsis")
    table.add_column(f"revenue {act.currency}", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("", width=_BAR_CELLS, no_wrap=True)
    table.add_column("tier", no_wrap=True)
    table.add_column("", no_wrap=True)
    largest = max((row.share or 0 for row in act.top), default=0)
    for row in act.top:
        table.add_row(
            str(row.rank),
            Text(inert(row.name or row.account_id)),
            f"{row.revenue:,.0f}",
            _percent(row.share),
            Text(_bar(row.share, largest), style="blue"),
            _tier(row.tier),
            Text(_WEIGHT.get(row.dependence or "", ""), style="bold red"),
        )
    return table


def _tier(tier: str | None) -> Text:
    return Text(tier or "?", style=_TIER_COLOURS.get(tier or "", ""))


def _bar(share: float | None, largest: float) -> str:
    """A bar in eighths of a cell, so that small shares still differ."""
    if not share or share < 0 or largest <= 0:
        return ""
    eighths = max(1, round(share / largest * _BAR_CELLS * 8))
    full, rest = divmod(eighths, 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{round(100 * share, 1) + 0.0:.1f} %"


def _tiers(act: _demo.Looked) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column("tier")
    for title in ("accounts", f"revenue {act.currency}", "share"):
        table.add_column(title, justify="right")
    for row in act.tiers:
        share = row.revenue / act.revenue if act.revenue > 0 else None
        table.add_row(
            _tier(row.tier),
            f"{row.accounts:,}",
            f"{row.revenue:,.0f}",
            _percent(share),
        )
    return table


def _set_up(act: _demo.SetUp) -> Iterator[RenderableType]:
    if not act.done:
        yield Text("All of it was there.")
        return
    yield Text(f"{len(act.done)} steps, from the first to the last:")
    shown = [*act.done[:2], "…", act.done[-1]] if len(act.done) > 3 else act.done
    for step in shown:
        yield Text(f"· {inert(step)}", style="dim")


def _planned(act: _demo.Planned) -> Iterator[RenderableType]:
    yield Text("\n".join(map(inert, act.text.splitlines())))


def _applied(act: _demo.Applied) -> Iterator[RenderableType]:
    yield Text(f"Run {act.run_id}: {listed(act.counts)}.")


def _again(act: _demo.Again) -> Iterator[RenderableType]:
    yield Text(f"{act.changes} changes, {act.write_calls} calls to write them: quiet.")


def _undone(act: _demo.Undone) -> Iterator[RenderableType]:
    yield Text(
        f"A plan of {act.changes:,} changes from the journal, applied like any other."
    )
    found = (
        f"{act.values_compared:,} values of {act.accounts_compared:,} accounts compared"
    )
    if act.is_as_before:
        yield Text(f"{found}: the CRM is as before.", style="green")
    else:
        yield Text(f"{found}: {act.values_different:,} differ.", style="bold red")


def _kept(act: _demo.Kept) -> Iterator[RenderableType]:
    inside = (act.portfolio, act.plan, act.undo, act.archive)
    names = ", ".join(Path(path).name for path in inside)
    yield inert(act.folder)
    yield Text(f"holds {names}. {act.all_api_calls} API calls in all. Look on with:")
    yield f"{program()} analyse {shlex.quote(inert(act.portfolio))}"


_TOLD: Final[Mapping[type[_demo.Act], tuple[str, _Teller]]] = {
    _demo.Started: ("A pretend {crm} on this machine", _started),
    _demo.Pulled: ("Pull: every account and opportunity", _pulled),
    _demo.Looked: ("Look: who is the revenue?", _looked),
    _demo.SetUp: ("Set up: our fields in the CRM, and the right to them", _set_up),
    _demo.Planned: ("Plan: what would change, and why", _planned),
    _demo.Applied: ("Apply: the plan, and nothing but the plan", _applied),
    _demo.Again: ("Again: pull, analyse and plan as the next night would", _again),
    _demo.Undone: ("Undo: take the run back", _undone),
    _demo.Kept: ("The files are yours", _kept),
}
