"""Does the CRM have our fields, and may this login see and edit them?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import attrs

from crm_portfolio._managed import STAMP
from crm_portfolio.errors import SettingsError
from crm_portfolio.protocols import Connector, Provisioner, ProvisionStep
from crm_portfolio.schema import HUMAN, MANAGED, ManagedField, OptIn
from crm_portfolio.writeback._asked import must_be_opt_ins

__all__ = ["SetupReport", "setup"]

_ALWAYS: Final = ("new", "none")


@attrs.frozen
class SetupReport:
    """What setup found, would do, or did, in order."""

    steps: tuple[ProvisionStep, ...]
    dry_run: bool

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return all(step.state != "planned" for step in self.steps)

    def __str__(self) -> str:
        lines = [
            f"  {step.state:<8} {step.what}"
            + (f" (needs {step.needs})" * bool(step.needs))
            for step in self.steps
        ]
        planned = sum(step.state == "planned" for step in self.steps)
        done = sum(step.state == "done" for step in self.steps)
        end = (
            f"{planned} to do: setup(crm, dry_run=False), or `setup --apply`."
            if planned
            else f"All is there; {done} done now."
        )
        return "\n".join([*lines, end])


def setup(
    crm: Connector | Provisioner,
    *,
    tiers: Sequence[str] = ("A", "B", "C", "D"),
    also: Collection[OptIn] = (),
    dry_run: bool = True,
) -> SetupReport:
    """Create the fields we write, and the rights to them; safe to repeat.

    Args:
        crm: With an administrator's login.
        tiers: The tiers of the settings, best first; ``new`` and ``none`` are added.
        also: What is written on request only: the fields of these are made too.
        dry_run: Only say what is missing.
    """
    if not isinstance(crm, Provisioner):
        name = getattr(crm, "name", type(crm).__name__)
        raise SettingsError(f"{name} cannot be set up: it has no fields to create")
    must_be_opt_ins(also)
    fields = _fields(tuple(tiers), also)
    steps = tuple(crm.provision(fields, dry_run=dry_run))
    return SetupReport(steps, dry_run)


def _fields(tiers: tuple[str, ...], also: Collection[str]) -> tuple[ManagedField, ...]:
    wrong = [tier for tier in tiers if not tier.strip() or tier in _ALWAYS]
    if wrong or not tiers or len(set(tiers)) != len(tiers):
        raise SettingsError(
            "tiers are one or more different names, without 'new' and 'none', which are "
            f"always there: {', '.join(map(repr, tiers)) or 'none were given'}"
        )
    choices = {"tier": (*tiers, *_ALWAYS), "tier_pinned": tiers}
    asked = [
        field
        for table in MANAGED
        for field in (*MANAGED[table], *HUMAN[table])
        if field.opt_in is None or field.opt_in in also
    ]
    # A table of which nothing else is written needs no stamp.
    used = {field.table for field in asked if field.column != STAMP}
    return tuple(
        attrs.evolve(field, choices=choices.get(field.column, field.choices))
        for field in asked
        if field.table in used
    )
