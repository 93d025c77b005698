"""How many hours does the loss free, role by role, and who still needs them?"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats, part
from crm_portfolio._methods._loss import lost_in, scaled
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._facts import RoleTime
from crm_portfolio.analysis._freed._settings import FreedCapacitySettings

__all__ = ["Freed"]

_SECONDS_A_MINUTE = 60


@attrs.frozen(eq=False)
class Freed:
    """The time of the accounts that are lost, in the first year after; whole minutes.

    Attributes:
        roles: Of ``by_role``; one without a name where nobody notes any.
        time: What each account took in a year, by role; a row an account.
        by_account: What losing each one frees, in minutes of the first year.
        by_role: The same by role, rounded down.
        reserve: Kept free, rounded up.
        is_known: Whether anything is known of the time of those that are lost.
        unknown_count: How many of them nobody noted any time for.
    """

    settings: FreedCapacitySettings
    roles: tuple[str, ...]
    time: RoleTime
    by_account: Floats
    by_role: Groups
    reserve: Groups
    is_known: bool
    unknown_count: int

    @classmethod
    def of(
        cls,
        time: RoleTime,
        is_taken: Flags,
        settings: FreedCapacitySettings,
        *,
        months: float,
    ) -> Freed:
        factor = float(Fraction(12) / Fraction(months))
        yearly = attrs.evolve(time, seconds=scaled(time.seconds, factor))
        freed = yearly.seconds * _freed_share(settings) / _SECONDS_A_MINUTE
        is_known = is_taken & time.given.is_known
        by_role = np.floor(freed[is_known].sum(axis=0) + 1e-9).astype(np.int64)
        return cls(
            settings=settings,
            roles=yearly.roles,
            time=yearly,
            by_account=np.where(time.given.is_known, freed.sum(axis=1), np.nan),
            by_role=by_role,
            reserve=np.array(
                [ceil(part(int(each), settings.reserve_share)) for each in by_role],
                dtype=np.int64,
            ),
            is_known=bool(is_known.any()),
            unknown_count=int((is_taken & ~time.given.is_known).sum()),
        )

    @property
    def is_pooled(self) -> bool:
        """Whether no role is noted at all, so that hours are one pool."""
        return not any(self.roles)

    @property
    def room(self) -> Groups:
        """What may be given out."""
        left: Groups = self.by_role - self.reserve
        return left

    def on(self, roles: tuple[str, ...], values: Groups) -> Groups:
        """Values of our roles as those of more roles; without any, of the one pool."""
        found = np.zeros((*values.shape[:-1], len(roles)), dtype=np.int64)
        for at, role in enumerate(self.roles):
            found[..., roles.index(role)] = values[..., at]
        return found

    def minutes_of(self, at: npt.NDArray[np.int64], share: Floats) -> Groups:
        """That share of a year's time of these accounts, by role, rounded up."""
        seconds = self.time.seconds[at] * share[:, None]
        minutes: Groups = np.ceil(seconds / _SECONDS_A_MINUTE - 1e-9).astype(np.int64)
        return minutes


def _freed_share(settings: FreedCapacitySettings) -> float:
    """Of a year's time, what is free in the first one: the ramp and the leaving come off."""
    scenario = settings.scenario
    arrived = lost_in(12, scenario.ramp_months) / 12
    return scenario.lost_share * max(0.0, arrived - settings.run_off_share)
