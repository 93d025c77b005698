"""Which tier is each account in, and by which rule?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._methods import _cuts as cuts
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._facts import Measure, RevenueFacts, echo, revenue_facts
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, Result, Row, json_rows, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Abc", "Bands", "Quantiles", "Slices", "TiersResult", "TiersSettings", "tiers"]


def _is_count(_: object, field: attrs.Attribute[int], value: int) -> None:
    if not 1 <= value <= len(ascii_uppercase):
        raise SettingsError(f"{field.name} is a number of tiers from 1 to 26, not {value}")


@attrs.frozen
class Slices:
    """Tiers of about equal revenue, the largest accounts first."""

    count: int = attrs.field(default=4, validator=_is_count)

    @property
    def tier_count(self) -> int:
        return self.count

    def cut(self, descending: Amounts, digits: int) -> cuts.Groups:  # noqa: ARG002
        return cuts.slices(descending, self.count)

    def reason(self, row: Row) -> Reason:
        return Reason("tier_slice", {"slices": row["tier_count"]})


@attrs.frozen
class Bands:
    """Fixed bands of revenue an account; an amount on an edge is in the upper band.

    Attributes:
        edges: Where each tier but the last begins, in units of the currency.
    """

    edges: tuple[float, ...] = attrs.field(converter=lambda edges: tuple(edges))

    @edges.validator
    def _fall(self, _: object, edges: tuple[float, ...]) -> None:
        if not edges or any(edge <= 0 for edge in edges) or len(edges) > 25:
            raise SettingsError("bands need 1 to 25 edges, all above 0")
        if list(edges) != sorted(set(edges), reverse=True):
            raise SettingsError("the edges of bands go from the highest to the lowest")

    @property
    def tier_count(self) -> int:
        return len(self.edges) + 1

    def minor(self, digits: int) -> list[int]:
        """The edges in minor units; a finer edge is met by the next unit up."""
        exact = (Decimal(str(edge)).scaleb(digits) for edge in self.edges)
        return [int(edge.to_integral_value("ROUND_CEILING")) for edge in exact]

    def cut(self, descending: Amounts, digits: int) -> cuts.Groups:
        return cuts.bands(descending, self.minor(digits))

    def reason(self, row: Row) -> Reason:
        if row["edge_above"] is None:
            return Reason("tier_band_top", {"edge": row["lower_edge"]})
        above = {"edge_above": row["edge_above"]}
        if row["lower_edge"] is None:
            return Reason("tier_band_last", above)
        return Reason("tier_band", above | {"edge": row["lower_edge"]})


@attrs.frozen
class Abc:
    """Tiers by the share of revenue that the accounts before each one hold.

    The account that crosses a line stays in the better tier.
    """

    a_share: float = 0.80
    b_share: float = 0.95

    def __attrs_post_init__(self) -> None:
        if not 0 < self.a_share < self.b_share < 1:
            raise SettingsError("a_share and b_share rise between 0 and 1")

    @property
    def tier_count(self) -> int:
        return 3

    def cut(self, descending: Amounts, digits: int) -> cuts.Groups:  # noqa: ARG002
        return cuts.by_share(descending, (self.a_share, self.b_share))

    def reason(self, row: Row) -> Reason:
        before = {"before": row["share_before"]}
        if row["tier_raw"] == "C":
            return Reason("tier_abc_last", before | {"cut": self.b_share})
        cut = self.a_share if row["tier_raw"] == "A" else self.b_share
        return Reason("tier_abc", before | {"cut": cut})


@attrs.frozen
class Quantiles:
    """Tiers of about equal number; equal revenues go to the better one."""

    count: int = attrs.field(default=4, validator=_is_count)

    @property
    def tier_count(self) -> int:
        return self.count

    def cut(self, descending: Amounts, digits: int) -> cuts.Groups:  # noqa: ARG002
        return cuts.by_rank(descending, self.count)

    def reason(self, row: Row) -> Reason:
        values = {"rank": row["rank"], "n": row["tiered_count"], "groups": self.count}
        return Reason("tier_quantile", values)


Method: TypeAlias = Slices | Bands | Abc | Quantiles


@attrs.frozen
class TiersSettings:
    """By which rule, and what is worth a warning.

    Attributes:
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        imbalance_share: A slice further from its equal part than this share of revenue.
        border_count: How many accounts are listed on each side of each edge.
    """

    period: Period = Period.last_months(12)
    measure: Measure | None = None
    method: Method = Slices(4)
    imbalance_share: float = 0.1
    border_count: int = 3


def tiers(portfolio: Portfolio, settings: TiersSettings = TiersSettings()) -> TiersResult:
    """Put each account into a tier by its revenue.

    Accounts whose first revenue came less than three months before the end of the period
    are ``new``, those without net revenue ``none``; both stay outside the rule. Where no
    amount is known the tier is null. A tier pinned by a person stands.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.tiers(samples.firm())
        >>> print(result.explain("A04"))
    """
    facts = revenue_facts(portfolio, settings.period, settings.measure, needed_by="tiers")
    cut = _cut(facts, settings.method)
    table = _table(portfolio, facts, cut)
    by_tier = _by_tier(facts, cut, table)
    summary = _summary(facts, cut, table, by_tier, settings)
    return TiersResult(
        table=table,
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary,
        params=echo(portfolio, facts, settings),
        coverage=significant(facts.coverage),
        warnings=tuple(_warnings(facts, cut, summary, settings)),
        tiers=by_tier,
        method=settings.method,
    )


@attrs.frozen(eq=False)
class _Cut:
    """The accounts under the rule, largest first, and where they were cut.

    Attributes:
        places: Where each stands among all accounts.
        group: 0 for the best tier.
        edge: Where each tier begins, in minor units; None without a beginning.
        made: Number of tiers; slices make no empty one.
    """

    places: npt.NDArray[np.int64]
    amounts: Amounts
    group: cuts.Groups
    edge: tuple[int | None, ...]
    made: int
    is_fixed: bool

    @property
    def total(self) -> int:
        return int(self.amounts.sum())

    def better(self, group: int) -> int | None:
        """The next tier up; where edges follow from accounts, one that has some."""
        return next(
            (each for each in range(group - 1, -1, -1) if self.edge[each] is not None), None
        )

    def worse(self, group: int) -> int | None:
        later = range(group + 1, self.made)
        has_some = set(np.unique(self.group).tolist())
        return next((each for each in later if self.is_fixed or each in has_some), None)


def _cut(facts: RevenueFacts, method: Method) -> _Cut:
    of = facts.by_account
    is_tiered = of.has_lines & of.is_known & (of.revenue > 0) & ~facts.is_young
    places = np.flatnonzero(is_tiered)
    places = places[np.argsort(-of.revenue[places], kind="stable")]
    amounts = of.revenue[places]
    group = method.cut(amounts, facts.digits)
    made = method.tier_count
    if isinstance(method, Slices):
        made = int(group.max()) + 1 if group.size else 0
    if isinstance(method, Bands):
        edge: tuple[int | None, ...] = (*method.minor(facts.digits), None)
    else:
        ends = {int(each): int(amounts[group == each].min()) for each in np.unique(group)}
        edge = tuple(ends.get(each) for each in range(made))
    return _Cut(places, amounts, group, edge, made, isinstance(method, Bands))
