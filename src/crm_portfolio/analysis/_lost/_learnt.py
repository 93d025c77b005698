"""What does a result tell of the reasons, the causes, and what waits?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._methods._rates import wilson
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._lost._learning import Learning
from crm_portfolio.analysis._lost._lessons import lessons
from crm_portfolio.results import Json, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Learnt"]

_SHOWN_REASONS: Final = 12
_SHOWN_MONTHS: Final = 12
_THOUSANDS_FROM: Final = 10_000.0
_TELLERS: Final = {
    "client": "label_stated_by_client",
    "seller": "label_stated_by_seller",
    None: "label_stated_by_nobody",
}
_CAUSES: Final = {
    "missed_unseen": "label_lost_missed_unseen",
    "missed_late": "label_lost_missed_late",
    "missed_neglected": "label_lost_missed_neglected",
    "missed_underinvested": "label_lost_missed_underinvested",
}


@attrs.frozen(slots=False, eq=False, repr=False)
class Learnt(Result):
    """The part of a result that says what is to be learnt.

    Each table is a scan of its own, and made when it is first asked for.
    """

    further: ClassVar[tuple[str, ...]] = (
        *("loss_reasons", "rates", "missed_by_month", "responses"),
    )

    _learning: Learning

    @property
    def loss_reasons(self) -> NativeFrame:
        """Why, by count and by amount; those of clients and of sellers apart."""
        return from_arrow(self._loss_reasons, self._backend)

    @property
    def rates(self) -> NativeFrame:
        """How often it was lost, missed, or waits now, by group, with raw rate and n."""
        return from_arrow(self._rates, self._backend)

    @property
    def missed_by_month(self) -> NativeFrame:
        """How many were missed in each month, for which cause, and for how much."""
        return from_arrow(self._missed_by_month, self._backend)

    @property
    def responses(self) -> NativeFrame:
        """How soon we answered, in working hours."""
        return from_arrow(self._responses, self._backend)

    def waiting(self, *, limit: int | None = None) -> NativeFrame:
        """What waits for us today, for what, and since when: the list to work through.

        Enquiries first, the oldest first; then open opportunities, the largest first.

        Args:
            limit: Only so many of each; None: all of them.
        """
        return from_arrow(self._learning.waiting.listed(limit), self._backend)

    @cached_property
    def learning(self) -> Mapping[str, Json]:
        """Response times, what waits, which cause is fixed, and the load of owners."""
        return self._learning.summary()

    def lessons(self, *, lang: Lang = "en") -> str:
        """What is to be learnt, in sentences, one a line."""
        said = lessons(self._learning.reasons.summary(), self.learning, self._money())
        return "\n".join(sentence(reason, lang) for reason in said)

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"learning": self.learning}

    def plot_reasons(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """How many give no reason, and the reasons of each side, with their intervals."""
        shown = self._shown_reasons(lang)
        return _plots.ranges(
            _plots.axes(ax),
            names=[name for name, *_ in shown],
            middles=[100 * share for _, share, _, _ in shown],
            lows=[100 * low for *_, low, _ in shown],
            highs=[100 * high for *_, high in shown],
            words=self._spoken(
                Reason("title_loss_reasons", {"n": self._learning.reasons.count}),
                "label_loss_reason",
                Reason("label_per_cent"),
                lang,
            ),
        )

    def plot_missed(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """What was missed in each month, by cause: opportunities, at their amount."""
        table = self._missed_by_month
        table = table.filter(pc.equal(table["record"], "opportunity"))
        months = sorted({*table["month"].to_pylist()})[-_SHOWN_MONTHS:]
        # Without any amount the number of them is all that can be shown.
        is_priced = table["amount"].null_count == 0
        column = "amount" if is_priced else "count"
        missed = {
            (row["month"], row["cause"]): row[column] for row in table.to_pylist()
        }
        known = {name for _, name in missed}
        # A month has room for three or four digits.
        is_large = is_priced and max(missed.values(), default=0.0) >= _THOUSANDS_FROM
        scale = 1000.0 if is_large else 1.0
        code = "label_missed_thousands" if is_large else "label_missed_amount"
        unit = Reason(code, self._money())
        return _plots.stacked(
            _plots.axes(ax),
            names=months,
            series={
                sentence(Reason(code), lang): [
                    missed.get((month, name), 0.0) / scale for month in months
                ]
                for name, code in _CAUSES.items()
                if name in known
            },
            words=self._spoken(
                Reason("title_missed_by_month"),
                "label_month",
                unit if is_priced else Reason("label_lost_count"),
                lang,
            ),
        )

    def _shown_reasons(self, lang: Lang) -> list[tuple[str, float, float, float]]:
        """Name, share, and its ends: no reason, of all; then those of each side."""
        reasons = self._learning.reasons
        rows = [row for row in self._loss_reasons.to_pylist() if not row["is_unknown"]]
        tellers = [*dict.fromkeys(row["stated_by"] for row in rows)]
        most = _SHOWN_REASONS // max(len(tellers), 1)
        shown = []
        if unsaid := wilson(reasons.unknown_count, reasons.count):
            name = sentence(Reason("label_reason_unknown"), lang)
            shown = [(name, reasons.unknown_count / reasons.count, *unsaid)]
        for teller in tellers:
            said = sentence(Reason(_TELLERS[teller]), lang)
            for row in [each for each in rows if each["stated_by"] == teller][:most]:
                name = (
                    row["reason"] if len(tellers) == 1 else f"{said}: {row['reason']}"
                )
                ends = (row["count_share_low"], row["count_share_high"])
                shown.append((name, row["count_share"], *ends))
        return shown

    def _spoken(
        self, title: Reason, places: str, amounts: Reason, lang: Lang
    ) -> _plots.Words:
        words = _plots.Words.of(
            title,
            places=places,
            others="label_nothing",
            currency=self.params["currency"],
            lang=lang,
        )
        nothing = sentence(Reason("label_nothing_lost"), lang)
        return attrs.evolve(words, amounts=sentence(amounts, lang), nothing=nothing)

    @property
    def _loss_reasons(self) -> pa.Table:
        return self._learning.reasons.table

    @property
    def _rates(self) -> pa.Table:
        return self._learning.rates

    @property
    def _missed_by_month(self) -> pa.Table:
        return self._learning.causes

    @property
    def _responses(self) -> pa.Table:
        return self._learning.responses
