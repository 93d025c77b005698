"""What was lost and how, for who asks of the losses and not of all of them together?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame
from crm_portfolio.analysis._facts import echoed
from crm_portfolio.analysis._lost._overrides import Overrides
from crm_portfolio.analysis._lost._rules import CLASSES, DUPLICATE, that_may_be
from crm_portfolio.analysis._lost._settings import LostOpportunitiesSettings
from crm_portfolio.analysis._lost._tables import record_table, sale_table
from crm_portfolio.analysis._lost._triage import Triage
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json

__all__ = ["Losses"]


@attrs.frozen(eq=False)
class Losses:
    """What was judged by one set of rules; nothing is looked at before it is asked for."""

    name: ClassVar[str] = "lost_opportunities"

    triage: Triage

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        settings: LostOpportunitiesSettings,
        overrides: NativeFrame | None,
    ) -> Losses:
        return cls(Triage.of(portfolio, settings, Overrides.of(overrides)))

    @property
    def params(self) -> Mapping[str, Json]:
        """All it takes to judge the same again."""
        own = self.triage
        return echoed(
            own.portfolio, own.span, own.settings, measure="lost", population="lost"
        )

    @property
    def overridden(self) -> tuple[str, ...]:
        """The ids to which a person gave a class."""
        return tuple(self.triage.overrides.table["opportunity_id"].to_pylist())

    def records(self, *classes: str, ids: Collection[str] | None = None) -> pa.Table:
        """Of these classes, by id, and what each class stands on; all without one."""
        rows = self.triage.labelled(ids, named=True)
        rows = that_may_be(rows, *classes) if _are_rules(classes) else rows
        return _of(classes, record_table(rows, self.triage.portfolio.minor_digits))

    def sales(self, *classes: str, ids: Collection[str] | None = None) -> pa.Table:
        """Of the `records` those that were lost for good: what another try asks."""
        of_rules = classes if _are_rules(classes) else ()
        return _of(classes, sale_table(self.triage.lost_for_good(*of_rules, ids=ids)))


def _are_rules(classes: Collection[str]) -> bool:
    """Whether it is a matter of rules, whether one is of these classes."""
    known = (*CLASSES, DUPLICATE)
    for name in classes:
        if name not in known:
            near = did_you_mean(name, known)
            raise SettingsError(f"there is no class {name!r}{near}")
    return bool(classes) and DUPLICATE not in classes


def _of(classes: Collection[str], table: pa.Table) -> pa.Table:
    wanted = pa.array(classes or (*CLASSES, DUPLICATE))
    return table.filter(pc.is_in(table["class"], wanted))
