"""What is left of each account's revenue, step by step, and what would end with it?"""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, to_arrow
from crm_portfolio._methods._costing import shared_out, step
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._loss import scaled
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._whale import Whale, standings
from crm_portfolio._places import places_of, rows_of
from crm_portfolio.analysis._facts import RevenueFacts, costs_of_lines, found_at
from crm_portfolio.analysis._facts._lines import placed
from crm_portfolio.analysis._profit._served import Served
from crm_portfolio.analysis._profit._settings import Curve, Key, ProfitabilitySettings
from crm_portfolio.analysis._profit._won import Won
from crm_portfolio.portfolio import Portfolio

_DAYS_A_MONTH = 365.2425 / 12

__all__ = ["MARGINS", "Known", "Statement"]

Known = tuple[Amounts, Flags]
"""Minor units by account, and where they are known; 0 elsewhere."""
MARGINS: tuple[Curve, ...] = (
    *("gross_margin", "margin_after_service"),
    *("account_margin", "full_margin"),
)


@attrs.frozen(eq=False)
class Statement:
    """The income statement of each account, in the order of the facts.

    Attributes:
        own_costs: Of the period, booked on the account: by kind.
        unsplit: Costs of delivery and service that name no account and no key splits:
            overhead.
        low, high: The account margin with all hours nobody noted charged by revenue, and
            with none; equal where enough hours are on record.
        whole_low: The same of the full margin.
        curve: Which margin the whale curve is of, ``on_curve`` of whom.
    """

    facts: RevenueFacts
    settings: ProfitabilitySettings
    served: Served
    won: Won
    is_in: Flags
    revenue: Known
    delivery: Known
    gross: Known
    service: Known
    after_service: Known
    late: Known
    acquisition: Known
    account: Known
    overhead: Known
    full: Known
    avoidable: Known
    low: Known
    high: Known
    unsplit: int
    unshared: int
    overhead_total: int | None
    unsaid_count: int

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        settings: ProfitabilitySettings,
        *,
        served: Served,
        won: Won,
        lateness: NativeFrame | pa.Table | None,
    ) -> Statement:
        of = facts.by_account
        own = Booked.of(facts, won.costs)
        revenue = of.revenue, of.is_whole
        lines = _line_cost(portfolio, facts, settings, own)
        delivery = lines[0] + own.now["delivery"], lines[1]
        gross = step(revenue, delivery)
        service, unshared = _service(facts, settings, served, own)
        unsplit = own.nobody("delivery")
        unsplit += 0 if settings.service_by else own.nobody("service")
        late = _late(facts, lateness)
        high = step(step(step(gross, service), late), won.cost)
        low = _lowest(high, facts, served)
        is_sure = high[1] & served.is_enough
        after = step(gross, service)
        after = after[0], after[1] & served.is_enough
        account = np.where(is_sure, high[0], 0), is_sure
        total = own.overhead(settings, _months(facts), facts.digits)
        shared_overhead = None
        if total is not None:
            shared_overhead = _split(
                total + unsplit, settings.overhead_by, facts, served
            )
        overhead = _overhead(shared_overhead, own)
        is_in = of.has_lines | own.any | (served.seconds.sum(axis=1) > 0)
        return cls(
            facts,
            settings,
            served,
            won,
            is_in=is_in,
            revenue=revenue,
            delivery=delivery,
            gross=gross,
            service=service,
            after_service=after,
            late=late,
            acquisition=won.cost,
            account=account,
            overhead=overhead,
            full=step(account, overhead),
            avoidable=_avoidable(revenue, lines, late, own),
            low=low,
            high=high,
            unsplit=unsplit,
            unshared=unshared,
            overhead_total=total,
            unsaid_count=int((own.unsaid > 0).sum()),
        )

    def margin(self, name: Curve) -> Known:
        found: dict[Curve, Known] = {
            "gross_margin": self.gross,
            "margin_after_service": self.after_service,
            "account_margin": self.account,
            "full_margin": self.full,
        }
        return found[name]

    @property
    def furthest(self) -> Groups:
        """The last margin that is known of each account, by its place; −1 where none is."""
        found: Groups = np.full(self.is_in.size, -1, dtype=np.int64)
        for at, name in enumerate(MARGINS):
            found[self.margin(name)[1]] = at
        return found

    @property
    def curve(self) -> Curve:
        """The margin that the whale curve is of."""
        if self.settings.curve is not None:
            return self.settings.curve
        least = self.settings.coverage_share * int(self.is_in.sum())
        for name in reversed(MARGINS[:3]):
            known = int((self.margin(name)[1] & self.is_in).sum())
            if known and known >= least:
                return name
        return "gross_margin"

    @property
    def on_curve(self) -> Flags:
        flags: Flags = self.margin(self.curve)[1] & self.is_in
        return flags

    def whale(self) -> Whale:
        return Whale(self.margin(self.curve)[0][self.on_curve])

    def standing(self) -> npt.NDArray[np.object_]:
        """By account, of the margin of the curve; None where it is unknown."""
        found = np.full(self.is_in.size, None, dtype=object)
        which = self.on_curve
        found[which] = standings(
            self.margin(self.curve)[0][which],
            self.revenue[0][which],
            self.settings.break_even_share,
        )
        return found

    def money(self, each: Known) -> pa.Array:
        return pa.array(self.facts.money(each[0]), mask=~each[1])

    def sum(self, each: Known) -> float | None:
        """Of those in the statement; None where one of them is unknown, or none is."""
        if not self.is_in.any() or not each[1][self.is_in].all():
            return None
        return self.facts.amount(int(each[0][self.is_in].sum()))


@attrs.frozen(eq=False)
class Booked:
    """What the table of costs books on each account, in the order of the facts.

    Attributes:
        now: Of the period, by kind; ``avoidable`` of all kinds together.
        unsaid: Rows of which nobody says whether they end with the account; winning an
            account is paid, and never does.
        nowhere: Of no account, by kind; None without the table.
    """

    now: dict[str, Amounts]
    avoidable: Amounts
    unsaid: Amounts
    nowhere: dict[str, int] | None
    has_overhead: bool

    @classmethod
    def of(cls, facts: RevenueFacts, costs: pa.Table | None) -> Booked:
        ids = facts.by_account.ids
        kinds = ("delivery", "service", "acquisition", "overhead")
        zeros = np.zeros(len(ids), dtype=np.int64)
        if costs is None:
            return cls(
                dict.fromkeys(kinds, zeros), zeros, zeros, None, has_overhead=False
            )
        at = places_of(costs["account_id"], ids)
        inside = pc.is_valid(at)
        place = at.filter(inside).to_numpy()
        rows, others = costs.filter(inside), costs.filter(pc.invert(inside))

        def summed(name: str, which: npt.NDArray[np.bool_]) -> Amounts:
            sums = zeros.copy()
            np.add.at(sums, place[which], rows[name].to_numpy()[which])
            return sums

        kind = np.array(rows["kind"].to_pylist(), dtype=object)
        every = np.ones(kind.size, dtype=bool)
        nobody = others.group_by("kind").aggregate([("now", "sum")])
        told = zip(
            nobody["kind"].to_pylist(), nobody["now_sum"].to_pylist(), strict=True
        )
        counted = pc.and_(
            pc.equal(costs["kind"], "overhead"), pc.greater(costs["rows"], 0)
        )
        return cls(
            {each: summed("now", kind == each) for each in kinds},
            summed("avoidable", every),
            summed("unsaid", kind != "acquisition"),
            dict(told),
            has_overhead=bool(pc.any(counted).as_py()),
        )

    @property
    def any(self) -> Flags:
        booked: Flags = np.any([each != 0 for each in self.now.values()], axis=0)
        return booked

    def nobody(self, kind: str) -> int:
        return (self.nowhere or {}).get(kind, 0)

    def overhead(
        self, settings: ProfitabilitySettings, months: float, digits: int
    ) -> int | None:
        """What names no account; None where nothing tells of any overhead."""
        if self.has_overhead:
            return self.nobody("overhead")
        if settings.fixed_costs is None:
            return None
        return round(float(settings.fixed_costs * months / 12 * 10**digits))


def _line_cost(
    portfolio: Portfolio,
    facts: RevenueFacts,
    settings: ProfitabilitySettings,
    own: Booked,
) -> Known:
    """What delivering the lines cost: as they say, else the share that was set.

    Where no line says any and costs of delivery are booked on the account, those are it.
    """
    of = facts.by_account
    cost = np.zeros(len(of.ids), dtype=np.int64)
    is_costed = np.zeros(len(of.ids), dtype=bool)
    if facts.measure == "net_revenue":
        found = costs_of_lines(portfolio, facts.period)
        at = found_at(found["account_id"], of.ids)
        sums = {name: placed(found[name], at) for name in found.column_names[1:]}
        cost = sums["line_cost"]
        # A concession alone sells nothing, and need not say what it cost.
        is_costed = (sums["costed"] == sums["sold"]) & (
            (sums["sold"] > 0) | ~of.has_lines
        )
        is_costed |= (sums["costed"] == 0) & (own.now["delivery"] != 0)
    if settings.variable_cost_share is not None:
        by_share = scaled(of.revenue, settings.variable_cost_share)
        cost = np.where(is_costed, cost, by_share)
        is_costed = is_costed | of.is_whole
    is_costed = is_costed | ~of.has_lines
    return np.where(is_costed, cost, 0), is_costed


def _late(facts: RevenueFacts, lateness: NativeFrame | pa.Table | None) -> Known:
    ids = facts.by_account.ids
    nothing = np.zeros(len(ids), dtype=np.int64)
    if lateness is None:
        return nothing, np.zeros(len(ids), dtype=bool)
    table = lateness if isinstance(lateness, pa.Table) else to_arrow(lateness)
    at = rows_of(ids, table["account_id"])
    costs = table["cost_of_lateness"].combine_chunks().take(at)
    is_known: Flags = pc.is_valid(costs).to_numpy(zero_copy_only=False)
    amounts: Floats = pc.fill_null(costs.cast(pa.float64()), 0.0).to_numpy(
        zero_copy_only=False
    )
    return np.rint(amounts * 10**facts.digits).astype(np.int64), is_known


def _split(total: int, key: Key, facts: RevenueFacts, served: Served) -> Amounts | None:
    """A cost of all by the key; None where the key is nothing for anybody."""
    if not total:
        return np.zeros(len(facts.by_account.ids), dtype=np.int64)
    of = facts.by_account
    weights = {
        "revenue": of.revenue,
        "hours": served.seconds.sum(axis=1),
        "accounts": of.has_lines.astype(np.int64),
    }
    return shared_out(total, weights[key])


def _service(
    facts: RevenueFacts,
    settings: ProfitabilitySettings,
    served: Served,
    own: Booked,
) -> tuple[Known, int]:
    """Hours, what is booked on the account, and its part of what is shared by a key.

    And the shared cost that the key could not split.
    """
    booked = served.cost[0] + own.now["service"]
    shared = own.nobody("service") if settings.service_by else 0
    part = _split(shared, settings.service_by or "accounts", facts, served)
    if part is None:
        return (booked, np.zeros(booked.size, dtype=bool)), shared
    return (booked + part, served.cost[1]), 0


def _lowest(high: Known, facts: RevenueFacts, served: Served) -> Known:
    """The margin with its part, by revenue, of the hours nobody noted."""
    if served.is_enough:
        return high
    unexplained = served.unexplained
    part = None
    if unexplained is not None:
        part = _split(unexplained, "revenue", facts, served)
    if part is None:
        return np.zeros_like(high[0]), np.zeros_like(high[1])
    return high[0] - part, high[1]


def _overhead(part: Amounts | None, own: Booked) -> Known:
    """Each account's part of what is nobody's, and its own."""
    nothing = np.zeros(own.avoidable.size, dtype=np.int64)
    if part is None:
        return nothing, nothing.astype(bool)
    return part + own.now["overhead"], ~nothing.astype(bool)


def _months(facts: RevenueFacts) -> float:
    """How many months the period has, from its first line on."""
    if facts.period.months:
        return float(facts.period.months)
    assert facts.period.start is not None
    first = facts.by_account.first_on
    begins = np.datetime64(facts.period.start, "D")
    if not np.isnat(first).all():
        begins = max(begins, np.nanmin(first))
    days = np.datetime64(facts.period.end, "D") - begins
    return float(days.astype(np.int64)) / _DAYS_A_MONTH


def _avoidable(revenue: Known, lines: Known, late: Known, own: Booked) -> Known:
    """Revenue less what would end within a year of the account leaving.

    Hours do not: people stay. What late payment costs is in it where it is known.
    """
    is_known = revenue[1] & lines[1] & (own.unsaid == 0)
    left = revenue[0] - lines[0] - own.avoidable - late[0]
    return np.where(is_known, left, 0), is_known
