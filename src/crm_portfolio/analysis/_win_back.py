"""Which lost opportunities deserve another attempt, and which must be left in peace?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, ClassVar

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._html import Lines
from crm_portfolio._inert import inert
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._again import (
    Candidates,
    Odds,
    Past,
    Verdict,
    WinBackSettings,
    Worth,
    assigned_table,
    attempt_table,
    candidate_table,
    of_opportunity,
    owner_names,
    owner_sheets,
    rate_table,
    reopening_table,
    sheet_of,
    summary_of,
    warnings,
)
from crm_portfolio.analysis._facts import (
    Contacts,
    echo,
    holding,
    made_by,
    of_same,
    revenue_facts,
    told_in_plans,
)
from crm_portfolio.analysis._lost import Losses, LostOpportunitiesSettings
from crm_portfolio.analysis._lost_opportunities import LostOpportunitiesResult
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result, Row, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["WinBackResult", "WinBackSettings", "win_back", "win_back_by"]

_USUAL = WinBackSettings()
_SHOWN = 12


@reading()
def win_back(
    portfolio: Portfolio,
    settings: WinBackSettings = _USUAL,
    *,
    lost: LostOpportunitiesResult | None = None,
    overrides: NativeFrame | None = None,
    news: NativeFrame | None = None,
) -> WinBackResult:
    """Weigh another attempt at each loss against its hours, and stop where it is enough.

    Who refused or asked to be left in peace is not weighed at all. Where nobody records
    refusals, every row says to ask first. People decide, and nothing is sent.

    Args:
        lost: Which losses are of which class, and what is a contact; None: as
            ``analysis.lost_opportunities`` says by default, with these ``overrides``.
        news: What is new since the loss, as people know it: a frame of
            ``opportunity_id``, ``fact`` and ``known_on``.

    Raises:
        MissingTableError: There are no opportunities.
        SettingsError: ``overrides`` are given beside ``lost``, which has its own.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.win_back(samples.firm())
        >>> result.summary["has_refusals"]
        False
    """
    if "opportunity" not in portfolio:
        raise MissingTableError("opportunity", "win_back")
    of_same(portfolio, lost)
    if lost is not None and overrides is not None:
        raise SettingsError(
            "overrides are of the triage: give them to lost_opportunities, or leave out"
            " lost"
        )
    if lost is not None:
        return _of(portfolio, settings, lost.losses, news=news)
    rules = LostOpportunitiesSettings(period=settings.reach(portfolio.as_of))
    losses = Losses.of(portfolio, rules, overrides)
    return _of(portfolio, settings, losses, news=news)


def win_back_by(
    portfolio: Portfolio, settings: WinBackSettings, rules: LostOpportunitiesSettings
) -> WinBackResult:
    """`win_back` of what was lost by these rules, without telling of that itself."""
    if "opportunity" not in portfolio:
        raise MissingTableError("opportunity", "win_back")
    return _of(portfolio, settings, Losses.of(portfolio, rules, None), news=None)


def _of(
    portfolio: Portfolio,
    settings: WinBackSettings,
    lost: Losses,
    *,
    news: NativeFrame | None,
) -> WinBackResult:
    facts = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="win_back"
    )
    records = _records(lost, settings)
    found = Candidates.of(
        portfolio, facts, records, settings, _contacts(lost), news=news
    )
    past = Past.of(portfolio, found.contacts, settings, found.which)
    odds = Odds.of(portfolio, found, past, settings)
    worth = Worth.of(portfolio, facts, found, settings)
    verdict = Verdict.of(found, odds, worth, settings, portfolio.as_of)
    return WinBackResult(
        table=candidate_table(found, odds, worth, verdict),
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary_of(found, odds, worth, verdict, past),
        params=echo(portfolio, facts, settings, population="lost_opportunities")
        | {"lost_opportunities": made_by(lost)},
        coverage=significant(facts.coverage),
        warnings=(*facts.warnings(), *warnings(found, odds, worth, verdict, settings)),
        attempts=attempt_table(odds),
        rates=rate_table(odds),
        reopening=reopening_table(past),
        held=holding(portfolio, "win_back_rank", "not_before_on"),
        accounts=_accounts(facts.account, found),
        owners=owner_names(portfolio),
    )


def _contacts(lost: Losses) -> Contacts:
    """The same contacts as before the loss."""
    own = lost.triage.settings
    return Contacts([*own.automatic_kinds], [*own.two_way_kinds])


def _records(lost: Losses, settings: WinBackSettings) -> pa.Table:
    """Those of the classes by the rules, and those a person gave another class."""
    by_rule = lost.sales(*settings.classes)
    if not lost.overridden:
        return by_rule
    told = lost.sales(ids=lost.overridden)
    others = pc.is_in(by_rule["record_id"], value_set=pa.array(lost.overridden))
    return pa.concat_tables([by_rule.filter(pc.invert(others)), told])


def _accounts(account: pa.Table, found: Candidates) -> Mapping[str, str]:
    """What the accounts are called that the reasons speak of."""
    if "name" not in account.column_names:
        return {}
    spoken = pc.unique(found.opted_out_by)
    own = account.filter(pc.is_in(account["account_id"], value_set=spoken))
    rows = own.select(["account_id", "name"]).to_pylist()
    return {row["account_id"]: row["name"] for row in rows if row["name"]}


@attrs.frozen(slots=False, eq=False, repr=False)
class WinBackResult(Result):
    """What is recommended for each loss, and what that stands on.

    Attributes:
        summary: ``recommendations`` how many of which, ``past`` what came of earlier
            attempts, ``odds`` where the odds come from, and how the model and the rates
            did on the later year, ``hour`` what an hour costs and would bring elsewhere,
            ``chase`` how many show which sign of one.
    """

    name: ClassVar[str] = "win_back"
    title: ClassVar[str] = "heading_win_back"
    key: ClassVar[str] = "opportunity_id"
    rows: ClassVar[str] = "opportunities"
    compared: ClassVar[str] = "recommendation"
    summed: ClassVar[Mapping[str, int]] = {"expected_value": 10_000}
    further: ClassVar[tuple[str, ...]] = ("attempts", "rates", "reopening")

    _attempts: pa.Table
    _rates: pa.Table
    _reopening: pa.Table
    _held: pa.Table
    _accounts: Mapping[str, str]
    _owners: Mapping[str, str]

    @property
    def attempts(self) -> NativeFrame:
        """How many came to each attempt, and how many of them were won."""
        return from_arrow(self._attempts, self._backend)

    @property
    def rates(self) -> NativeFrame:
        """Tried and won by class and reason, and the rate drawn towards all."""
        return from_arrow(self._rates, self._backend)

    @property
    def reopening(self) -> NativeFrame:
        """The share of the tried that is not opened again, by months since the loss."""
        return from_arrow(self._reopening, self._backend)

    def candidates(self) -> pa.Table:
        """Those worth an attempt now, as candidates for hours: also those to ask first."""
        table = self.arrow
        return table.filter(
            pc.and_(
                pc.equal(table["otherwise"], "try"),
                pc.is_in(
                    table["recommendation"], value_set=pa.array(["try", "ask_first"])
                ),
            )
        )

    def sheet(self, opportunity_id: str, *, lang: Lang = "en") -> str:
        """What to think of before the next word, a line each; blanks are for a person.

        Only where it is known why it was lost, and where there is a next word.
        """
        row = self._row(opportunity_id)
        if row["otherwise"] in {"leave_in_peace", "stop"}:
            return self.explain(opportunity_id, lang=lang)
        if row["loss_reason"] is None:
            return sentence(Reason("again_no_sheet"), lang)
        lines = []
        for what, known in sheet_of(row, self._settings):
            said = sentence(known, lang, names=self._names([known]))
            lines.append(f"{sentence(what, lang)}: {said}")
        return "\n".join(lines)

    def assignments(self) -> pa.Table:
        """Place and waiting time of each candidate; empty where one is none any more."""
        today = date.fromisoformat(str(self.params["as_of"]))
        return assigned_table(self._table, self._held, today)

    def assigned_because(self, ids: Sequence[str]) -> dict[str, tuple[Reason, ...]]:
        """One that is no candidate any more has none."""
        known = set(self._row_of)
        return {
            one: told_in_plans(self.reasons(one)) if one in known else () for one in ids
        }

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        rows = self._attempts.filter(pc.greater(self._attempts["tried_count"], 0))
        series = {
            "label_again_reached": rows["tried_count"].to_pylist(),
            "label_again_won": rows["won_count"].to_pylist(),
        }
        return _plots.side_by_side(
            _plots.axes(ax),
            names=[str(each) for each in rows["attempt"].to_pylist()],
            series={
                sentence(Reason(code), lang): values for code, values in series.items()
            },
            words=self._words("title_win_back", "attempt", "label_again_nothing", lang),
        )

    def plot_value(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """What each of the best is expected to bring, and between what by its odds."""
        table = self._table
        rows = table.filter(pc.is_valid(table["rank"])).slice(0, _SHOWN).to_pylist()
        middles = [row["expected_value"] for row in rows]
        ends = [
            [
                middle
                if row[name] is None
                else middle + row["value"] * (row[name] - row["odds"])
                for middle, row in zip(middles, rows, strict=True)
            ]
            for name in ("odds_low", "odds_high")
        ]
        return _plots.ranges(
            _plots.axes(ax),
            names=[row["opportunity_id"] for row in rows],
            middles=middles,
            lows=ends[0],
            highs=ends[1],
            words=self._words("title_again_value", "place", "label_again_none", lang),
        )

    @property
    def _settings(self) -> Mapping[str, object]:
        settings = self.params["settings"]
        assert isinstance(settings, Mapping)
        return settings

    def _words(self, title: str, what: str, nothing: str, lang: Lang) -> _plots.Words:
        places, amounts = _LABELS[what]
        words = _plots.Words.of(
            Reason(title),
            places=places,
            others="label_nothing",
            currency=self.params["currency"],
            lang=lang,
        )
        said = sentence(Reason(amounts, self._money()), lang)
        return attrs.evolve(
            words, amounts=said, nothing=sentence(Reason(nothing), lang)
        )

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        return tuple(of_opportunity(row, self.summary, self._settings, self._money()))

    def _own_sheets(self, lang: Lang, taken: Sequence[str]) -> dict[str, Lines]:
        def why(row: Row) -> str:
            reasons = self._reasons(row)
            names = self._names(reasons)
            return " ".join(sentence(each, lang, names=names) for each in reasons)

        return owner_sheets(
            self._table, self._owners, taken=taken, reasons=why, lang=lang
        )

    def _names(self, reasons: Sequence[Reason]) -> dict[str, str]:
        """The names, made harmless, of the accounts and owners these reasons speak of."""
        spoken = {
            str(value)
            for reason in reasons
            for key, value in reason.values.items()
            if key in {"account", "owner"}
        }
        called = {**self._owners, **self._accounts}
        return {each: inert(called[each]) for each in spoken if each in called}


_LABELS = {
    "attempt": ("label_again_attempt", "label_again_count"),
    "place": ("label_again_place", "label_again_expected"),
}
