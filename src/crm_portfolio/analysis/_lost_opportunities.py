"""Which were pursued and lost, which were missed, and why?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._facts import holding, told_in_plans
from crm_portfolio.analysis._lost import (
    CLASSES,
    Learning,
    Learnt,
    Losses,
    LostOpportunitiesSettings,
    assigned_table,
    cautions,
    class_table,
    coverage,
    of_class,
    of_record,
    summary_of,
    totals,
    warnings,
)
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Comparison, Result, Row, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LostOpportunitiesResult", "LostOpportunitiesSettings", "lost_opportunities"]

_BY_DEFAULT = LostOpportunitiesSettings()


@reading()
def lost_opportunities(
    portfolio: Portfolio,
    settings: LostOpportunitiesSettings = _BY_DEFAULT,
    *,
    overrides: NativeFrame | None = None,
) -> LostOpportunitiesResult:
    """Sort what was lost by how it was pursued, and what was asked in vain beside it.

    Args:
        overrides: What people say of single ones: ``opportunity_id``, ``class``, and if
            known ``decided_by``, ``decided_on``, ``reason``; the rule's class stays
            beside it.

    Raises:
        MissingTableError: There are no opportunities.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.lost_opportunities(samples.firm())
        >>> [warning.code for warning in result.warnings][-1]
        'lost_blind_spot'
    """
    if "opportunity" not in portfolio:
        raise MissingTableError("opportunity", "lost_opportunities")
    losses = Losses.of(portfolio, settings, overrides)
    triage = losses.triage
    found = totals(triage.labelled())
    learning = Learning(triage)
    summary = summary_of(triage, found) | {"reasons": learning.reasons.summary()}
    return LostOpportunitiesResult(
        table=class_table(found, portfolio.minor_digits),
        rejected=triage.undated(),
        backend=portfolio.backend,
        summary=summary,
        params=dict(losses.params),
        coverage=significant(coverage(found)),
        warnings=(*cautions(learning), *warnings(triage, summary)),
        learning=learning,
        losses=losses,
    )


@attrs.frozen(slots=False, eq=False, repr=False)
class LostOpportunitiesResult(Learnt):
    """How many were lost in which way, and what each one stands on.

    Attributes:
        summary: ``opportunities`` and ``enquiries`` that were judged, ``duplicates`` set
            apart, ``rules`` that took them, ``thresholds`` they were held against,
            ``capture`` of activities, ``people`` who say otherwise, ``reasons`` that
            were given. What is learnt from them is in ``learning``.
    """

    name: ClassVar[str] = "lost_opportunities"
    title: ClassVar[str] = "heading_lost_opportunities"
    key: ClassVar[str] = "class"
    compared: ClassVar[str] = "count"
    summed: ClassVar[dict[str, int]] = {"amount": 10_000}
    rows: ClassVar[str] = "classes"

    _losses: Losses

    @property
    def losses(self) -> Losses:
        """What was judged, before it is added up."""
        return self._losses

    def records(self, *classes: str, ids: Collection[str] | None = None) -> NativeFrame:
        """The lost opportunities and enquiries of these classes, by id; all without one.

        Args:
            classes: Names of classes; ``probable_duplicate``: those set apart.
            ids: Only these.
        """
        return from_arrow(self.records_arrow(*classes, ids=ids), self._backend)

    def records_arrow(
        self, *classes: str, ids: Collection[str] | None = None
    ) -> pa.Table:
        """`records` as an Arrow table."""
        return self._losses.records(*classes, ids=ids)

    def assignments(self) -> pa.Table:
        """The class of each opportunity lost in the period; empty where none is any more."""
        triage = self._losses.triage
        found = assigned_table(triage.labelled(named=True))
        ended = holding(triage.portfolio, "lost_class", but_lost=True)
        nothing = pa.nulls(ended.num_rows, pa.string())
        over = ended.set_column(1, "lost_class", nothing)
        return pa.concat_tables([found, over])

    def assigned_because(self, ids: Sequence[str]) -> dict[str, tuple[Reason, ...]]:
        """Of all of them at once: each look goes through all opportunities."""
        rows = self.records_arrow(ids=ids).to_pylist()
        money = self._money()
        found = {
            row["record_id"]: told_in_plans(of_record(row, self.summary, money))
            for row in rows
        }
        return {record_id: found.get(record_id, ()) for record_id in ids}

    def reasons(self, record_id: str) -> tuple[Reason, ...]:
        """Why this record, or all of this class, is where it is."""
        if isinstance(record_id, pa.Scalar):  # a cell of a PyArrow frame
            record_id = record_id.as_py()
        if record_id in CLASSES:
            return super().reasons(record_id)
        table = self.records_arrow(ids=[record_id])
        if not len(table):
            raise SettingsError(f"{self.name} knows no lost record {record_id!r}")
        return tuple(of_record(table.to_pylist()[0], self.summary, self._money()))

    def compared_with(self, other: Result) -> Comparison:
        """How many more or fewer each class has, and what they are worth."""
        found = super().compared_with(other)
        was = other.arrow
        at = pc.index_in(found._table["class"].combine_chunks(), was["class"])  # noqa: SLF001
        before = was["amount"].take(at)
        names = found._table.column_names  # noqa: SLF001
        place = names.index("amount")
        table = found._table.add_column(place, "amount_before", before)  # noqa: SLF001
        return attrs.evolve(found, table=table)

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        shown = self._table.filter(pc.greater(self._table["count"], 0))
        names = shown["class"].to_pylist()
        return _plots.parts(
            _plots.axes(ax),
            names=[sentence(Reason(_LABELS[name]), lang) for name in names],
            left=(shown["count"].to_pylist(), shown["addressable_count"].to_pylist()),
            right=(
                shown["amount"].to_pylist(),
                shown["addressable_amount"].to_pylist(),
            ),
            words=self._words(lang),
            marked=self._marked(lang),
        )

    def _words(self, lang: Lang) -> _plots.Words:
        codes = (
            *(Reason("title_lost_opportunities"), Reason("label_lost_class")),
            *(Reason("label_lost_count"), Reason("label_lost_amount", self._money())),
            Reason("label_no_losses"),
        )
        return _plots.Words(*(sentence(each, lang) for each in codes), lang=lang)

    def _marked(self, lang: Lang) -> tuple[str, str]:
        """What the marked part of the bars is called, left and right."""
        words = self._words(lang)
        left, right = (
            sentence(Reason("label_lost_could", {"what": what}), lang)
            for what in (words.amounts, words.others)
        )
        return left, right

    def _measured(self) -> tuple[Reason, ...]:
        return super()._measured()[:1]

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        return tuple(of_class(row, self._money()))


_LABELS: Final = {
    "data_insufficient": "label_lost_data_insufficient",
    "disqualified": "label_lost_disqualified",
    "lost_client": "label_lost_lost_client",
    "missed_unseen": "label_lost_missed_unseen",
    "missed_late": "label_lost_missed_late",
    "missed_neglected": "label_lost_missed_neglected",
    "missed_underinvested": "label_lost_missed_underinvested",
    "pursued_lost": "label_lost_pursued_lost",
    "no_decision": "label_lost_no_decision",
    "unclassified": "label_lost_unclassified",
}
