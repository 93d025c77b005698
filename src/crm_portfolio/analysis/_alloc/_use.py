"""What was spent on whom, beside what it brought?"""

from __future__ import annotations

from math import floor

import attrs
import numpy as np

from crm_portfolio._methods import _allocation as formulas
from crm_portfolio._methods._cuts import largest_first
from crm_portfolio._methods._indices import Amounts, part
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._facts import RevenueFacts, Worked
from crm_portfolio.results import Json, significant

__all__ = ["Use"]


@attrs.frozen(eq=False)
class Use:
    """Hours and revenue of any set of accounts; by place in the facts.

    Shares of hours are of all hours known, those of accounts outside the tiers too; shares
    of revenue are of its positive part, of which slices are made (sheet 2.1, 2.6). Who has
    no time noted is on neither side of an intensity.
    """

    facts: RevenueFacts
    given: Worked

    @property
    def brought(self) -> Amounts:
        positive: Amounts = np.maximum(self.facts.by_account.revenue, 0)
        return positive

    @property
    def total_brought(self) -> int:
        return int(self.brought.sum())

    @property
    def total_seconds(self) -> int:
        return int(self.given.seconds[self.given.is_known].sum())

    def seconds(self, members: Flags) -> int | None:
        """None where no time is known of any of them."""
        noted = members & self.given.is_known
        return int(self.given.seconds[noted].sum()) if noted.any() else None

    def hours_share(self, members: Flags) -> float | None:
        spent, total = self.seconds(members), self.total_seconds
        return None if spent is None or total <= 0 else spent / total

    def revenue_share(self, members: Flags) -> float | None:
        total = self.total_brought
        return int(self.brought[members].sum()) / total if total else None

    @property
    def brought_by_noted(self) -> int:
        """By everyone whose time is known."""
        return int(self.brought[self.given.is_known].sum())

    def revenue_share_of_noted(self, members: Flags) -> float | None:
        """What those of them with known time bring, of what all such accounts bring."""
        noted, total = members & self.given.is_known, self.brought_by_noted
        if not noted.any() or not total:
            return None
        return int(self.brought[noted].sum()) / total

    def intensity(self, members: Flags) -> float | None:
        return formulas.intensity(
            self.hours_share(members), self.revenue_share_of_noted(members)
        )

    def noted_share(self, members: Flags) -> float | None:
        """The part of their revenue that those with known time bring."""
        brought = int(self.brought[members].sum())
        noted = int(self.brought[members & self.given.is_known].sum())
        return noted / brought if brought else None

    def is_tail(self, share: float) -> Flags:
        """The smallest so many of those with revenue lines; ties by id."""
        of = self.facts.by_account
        is_ranked = of.has_lines & of.is_known
        order = largest_first(of.revenue, ~is_ranked)[: int(is_ranked.sum())]
        members = np.zeros(of.revenue.size, dtype=bool)
        members[order[order.size - floor(part(order.size, share)) :]] = True
        return members

    def tail(self, share: float, limit: float) -> dict[str, Json]:
        """Article 3: the small ones shall not eat the effort."""
        members = self.is_tail(share)
        taken = self.hours_share(members)
        is_over = None if taken is None else taken > limit
        if self._could_tip(members, is_over=bool(is_over)):
            is_over = None
        return {
            "tail_share": share,
            "account_count": int(members.sum()),
            "noted_count": int((members & self.given.is_known).sum()),
            "revenue_share": significant(self.revenue_share(members)),
            "hours_share": significant(taken),
            "limit_share": limit,
            "is_over_limit": is_over,
        }

    def _could_tip(self, members: Flags, *, is_over: bool) -> bool:
        """More hours of the small ones only take them further over, and the reverse."""
        of = self.facts.by_account
        unnoted = of.has_lines & ~self.given.is_known
        may_tip = (~members if is_over else members) | ~of.is_known
        return bool((unnoted & may_tip).any())
