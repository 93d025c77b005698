"""What is there to tell about each act of the demonstration?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import attrs

__all__ = [
    "Act",
    "Again",
    "Applied",
    "Demo",
    "Kept",
    "Looked",
    "Planned",
    "Pulled",
    "Ranked",
    "SetUp",
    "Started",
    "Tier",
    "Undone",
    "Why",
]


@attrs.frozen
class Started:
    """The pretend CRM, and how many records of each table it was given."""

    api_calls: None = attrs.field(default=None, init=False)
    crm: str
    url: str
    records: Mapping[str, int]


@attrs.frozen
class Pulled:
    """What came over: rows per table, and odd rows per kind."""

    api_calls: int
    rows: Mapping[str, int]
    faults: Mapping[str, int]
    currency: str
    as_of: date


@attrs.frozen
class Ranked:
    """One account of the hit parade."""

    rank: int
    account_id: str
    name: str
    revenue: float
    share: float | None
    tier: str | None
    dependence: str | None


@attrs.frozen
class Why:
    """Why an account is where it is, in sentences."""

    account_id: str
    name: str
    said: tuple[str, ...]


@attrs.frozen
class Tier:
    """One tier and what is in it."""

    tier: str | None
    accounts: int
    revenue: float


@attrs.frozen
class Looked:
    """Ranking, dependence and tiers."""

    api_calls: None = attrs.field(default=None, init=False)
    measured: str
    revenue: float
    currency: str
    top: tuple[Ranked, ...]
    tiers: tuple[Tier, ...]
    reasons: tuple[Why, ...]


@attrs.frozen
class SetUp:
    """What was created in the CRM."""

    api_calls: int
    done: tuple[str, ...]


@attrs.frozen
class Planned:
    """The diff, before anything is written."""

    api_calls: int
    plan_id: str
    changes: int
    accounts: int
    text: str


@attrs.frozen
class Applied:
    """What came of it."""

    api_calls: int
    run_id: str
    counts: Mapping[str, int]
    exit_code: int


@attrs.frozen
class Again:
    """The same night once more: nothing left to write."""

    api_calls: int
    changes: int
    write_calls: int


@attrs.frozen
class Undone:
    """The way back, and whether every field of every account is as before."""

    api_calls: int
    changes: int
    accounts_compared: int
    values_compared: int
    values_different: int

    @property
    def is_as_before(self) -> bool:
        return self.values_compared > 0 and self.values_different == 0


@attrs.frozen
class Kept:
    """Where the files are."""

    api_calls: None = attrs.field(default=None, init=False)
    folder: str
    portfolio: str
    plan: str
    undo: str
    archive: str
    all_api_calls: int


Act = Started | Pulled | Looked | SetUp | Planned | Applied | Again | Undone | Kept


@attrs.frozen
class Demo:
    """Every fact of the demonstration, act by act."""

    started: Started
    pulled: Pulled
    looked: Looked
    set_up: SetUp
    planned: Planned
    applied: Applied
    again: Again
    undone: Undone
    kept: Kept

    def agrees_with(self, other: Demo) -> bool:
        """Whether two CRMs with the same book gave the same ranking and the same tiers."""
        one, two = self.looked, other.looked
        return (one.revenue, one.tiers, _places(one)) == (
            two.revenue,
            two.tiers,
            _places(two),
        )

    @property
    def is_good(self) -> bool:
        """Whether it showed what it promises."""
        return (
            self.applied.exit_code == 0
            and self.again.changes == 0
            and self.again.write_calls == 0
            and self.undone.is_as_before
        )


def _places(looked: Looked) -> list[tuple[object, ...]]:
    """The hit parade without the ids, which each CRM gives itself."""
    return [(r.rank, r.name, r.revenue, r.tier, r.dependence) for r in looked.top]
