"""Where, when and under which load is work missed, and is a cause fixed?

All of it is asked for after the classes are told: each table is one more scan of the long
tables, and none of them is made before somebody wants it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final, Literal

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import nw
from crm_portfolio.analysis._facts import (
    answers,
    became_opportunities,
    closed,
    ended,
    enquired,
    lost_reasons,
    pursuits,
    tallied,
    with_segment,
)
from crm_portfolio.analysis._lost._causes import Reasons, rate_table
from crm_portfolio.analysis._lost._counts import (
    NO_COUNTS,
    RESPONSES,
    by_month,
    load_names,
    months_of,
    rate_counts,
    response,
    told_loads,
    trends,
)
from crm_portfolio.analysis._lost._rules import CLASS_OF, MISSED, named_rules
from crm_portfolio.analysis._lost._triage import Triage
from crm_portfolio.analysis._lost._waiting import OPEN_BY, Waiting, told_open
from crm_portfolio.results import Json

__all__ = ["Learning"]

_ENDS: Final[tuple[Literal["lost", "won"], ...]] = ("lost", "won")
_LOST_BY: Final = ("source", "segment", "kind", "pipeline", "owner_id")
_ENQUIRY_BY: Final = ("source", "segment", "owner_id", "day")
_RECORD_BY: Final = (*_LOST_BY, "loss_reason", "position", "day")


@attrs.frozen(eq=False, slots=False)
class Learning:
    """What there is to learn from what was lost, and what waits."""

    triage: Triage

    @cached_property
    def reasons(self) -> Reasons:
        """Why, in whose words; those set apart are not among them."""
        own, triage = self.triage.settings, self.triage
        return Reasons.of(
            lost_reasons(self._lost()),
            digits=triage.portfolio.minor_digits,
            no_answers=own.unknown_reasons,
            unknown_limit=own.unknown_reasons_share,
            seed=own.seed,
            draws=own.draws,
        )

    @cached_property
    def waiting(self) -> Waiting:
        return Waiting.of(self.triage)

    @cached_property
    def rates(self) -> pa.Table:
        """How often it was lost, missed, or waits now, by group, each with its interval."""
        asked = (
            ("lost", self._lost_and_won(), _LOST_BY),
            ("missed", self._missed("opportunity"), _RECORD_BY),
            ("missed_enquiry", self._missed("enquiry"), _ENQUIRY_BY),
            ("waiting", self._waits(), OPEN_BY),
        )
        parts = [
            part
            for rate, counts, by in asked
            for part in rate_counts(rate, counts, by, self._loads)
        ]
        return rate_table(pa.concat_tables(parts)) if parts else rate_table(NO_COUNTS)

    @cached_property
    def causes(self) -> pa.Table:
        """How many were missed in each month, for which cause, and what they would be."""
        return by_month(self._by_day, self.triage.portfolio.minor_digits)

    @cached_property
    def responses(self) -> pa.Table:
        """How soon we answered, in working hours, and how many never were."""
        limit = self.triage.settings.response_hours
        told = [response(record, waits, limit) for record, waits in self._waits_of()]
        return pa.Table.from_pylist(told, schema=RESPONSES)

    def summary(self) -> dict[str, Json]:
        """The figures of it all."""
        end = self.triage.span.end
        assert end is not None
        months = self.triage.settings.recent_months
        after = (end.year - 1970) * 12 + end.month - 1
        return {
            "responses": self.responses.to_pylist(),
            "waiting": told_open(self._open, self.triage.portfolio.minor_digits),
            "causes": [*trends(self._by_day, after, months)],
            "owner_loads": [*told_loads(self._loads, self._owners)],
        }

    def _waits_of(self) -> Iterator[tuple[str, pa.Table]]:
        if self.waiting.keeps_answers:
            yield "enquiry", self._answers_to_enquiries()
        yield "opportunity", self._answers_to_closed()

    def _answers_to_enquiries(self) -> pa.Table:
        triage, contacts = self.triage, self.waiting.contacts
        given = (triage.portfolio, triage.span, triage.clock, contacts)
        both = [answers(each(*given)) for each in (enquired, became_opportunities)]
        return pa.concat_tables(both)

    def _answers_to_closed(self) -> pa.Table:
        """Those of owners whose activities are kept."""
        triage, found = self.triage, []
        for status in _ENDS:
            rows = closed(triage.portfolio, status, triage.span, triage.clock)
            ends = triage.clock.told(rows, "ends_s", worked="worked_ends")
            waited = nw.col("worked_ends") - nw.col("worked_created")
            ends = ends.with_columns(waited_s=waited).drop("worked_ends")
            rows = pursuits(triage.portfolio, ends, triage.clock, self.waiting.contacts)
            rows = triage.with_capture(rows).filter(nw.col("is_captured") == 1)
            found.append(answers(rows))
        return pa.concat_tables(found)

    @cached_property
    def _records(self) -> pa.Table:
        """All that was judged, by each column that groups are made of, in one scan."""
        rows = self.triage.labelled(named=True).filter(nw.col("apart") == 0)
        came, ended_on = nw.col("created_day"), nw.col("closed_day")
        is_asked = nw.col("record") == "enquiry"
        rows = with_segment(rows, self.triage.portfolio).with_columns(
            day=nw.when(is_asked).then(came).otherwise(ended_on),
            # A loss that did not last is one of an opportunity too.
            record=nw.when(is_asked)
            .then(nw.lit("enquiry"))
            .otherwise(nw.lit("opportunity")),
        )
        also = ("record", "rule", "is_imputed")
        found = tallied(rows, _RECORD_BY, also)
        rules = named_rules(found["rule"]).to_pylist()
        names = [
            CLASS_OF[record].get(rule)
            for record, rule in zip(found["record"].to_pylist(), rules, strict=True)
        ]
        imputed = pc.if_else(pc.equal(found["is_imputed"], "1"), found["count"], 0)
        found = found.append_column("class", pa.array(names, pa.string()))
        found = found.append_column("imputed", imputed)
        judged = pc.not_equal(pc.fill_null(found["class"], ""), "data_insufficient")
        return found.filter(judged)

    @cached_property
    def _by_day(self) -> pa.Table:
        """All that was judged, by the month it closed in, or came in, of enquiries."""
        days = self._records.filter(pc.equal(self._records["by"], "day"))
        return days.append_column("month", pa.array(months_of(days["group"])))

    def _missed(self, record: str) -> pa.Table:
        own = self._records.filter(pc.equal(self._records["record"], record))
        return own.append_column("is_hit", pc.is_in(own["class"], pa.array(MISSED)))

    def _lost(self) -> Any:
        """What was lost for good, without what is set apart."""
        is_so = (nw.col("record") == "opportunity") & (nw.col("apart") == 0)
        return self.triage.losses().filter(is_so)

    def _lost_and_won(self) -> pa.Table:
        triage = self.triage
        found = []
        for status in _ENDS:
            # By who has it now, as nobody says who had what was won.
            rows = ended(triage.portfolio, status, triage.span, triage.clock)
            if status == "lost":
                rows = rows.join(self._lost().select("ordinal"), on="ordinal")
            counts = tallied(with_segment(rows, triage.portfolio), _LOST_BY)
            is_hit = pa.array([status == "lost"] * len(counts), pa.bool_())
            found.append(counts.append_column("is_hit", is_hit))
        return pa.concat_tables(found)

    @cached_property
    def _open(self) -> pa.Table:
        return self.waiting.counted()

    def _waits(self) -> pa.Table:
        return self._open.append_column("is_hit", pc.equal(self._open["waits"], "1"))

    @cached_property
    def _owners(self) -> dict[str, int]:
        """How many open opportunities each owner has."""
        rows = self._open.filter(pc.equal(self._open["by"], "owner_id"))
        found = rows.group_by("group").aggregate([("count", "sum")]).sort_by("group")
        told = zip(
            found["group"].to_pylist(), found["count_sum"].to_pylist(), strict=True
        )
        return {owner: count for owner, count in told if owner}

    @cached_property
    def _loads(self) -> dict[str, str]:
        loads = np.array([*self._owners.values()], dtype=np.int64)
        return load_names([*self._owners], loads)
