"""Which class is each lost opportunity in, without leaving the engine that holds it?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any, Final

import attrs
import pyarrow as pa

from crm_portfolio._frames import from_arrow, nw
from crm_portfolio.analysis._facts import (
    Clock,
    answers_kept,
    at_share,
    collected,
    completed,
    days_asked,
    enquired,
    floor_div,
    once_per_portfolio,
    one_of,
    recorded,
    unknown,
    whole,
)
from crm_portfolio.analysis._lost._ends import (
    NUMBERS,
    Ends,
    contacts_in,
    ends_of,
    with_ordinal,
)
from crm_portfolio.analysis._lost._overrides import Overrides
from crm_portfolio.analysis._lost._rules import (
    ENQUIRY_RULES,
    FINE,
    RULES,
    UNTAKEN,
    Limits,
    Rule,
    asked_of_words,
    first_of,
    is_missed,
    that_may_be,
)
from crm_portfolio.analysis._lost._settings import LostOpportunitiesSettings
from crm_portfolio.analysis._lost._spelling import occurring, spelled
from crm_portfolio.analysis._lost._won import Won
from crm_portfolio.portfolio import Period, Portfolio

__all__ = ["Triage"]

_HOUR, _A_DAY = 3600, 24
_MOST_LISTED: Final = 1000

_NAMES: Final = ("record_id", "account_id", "ordinal", "owner_now")
_TEXTS: Final = (
    *("owner_id", "kind", "source", "pipeline", "stage"),
    *("loss_reason", "loss_reason_by", "competitor"),
)
_NUMBERS: Final = (
    *("created_day", "closed_day", "minor", "is_imputed", "touches"),
    *("out_count", "in_count", "response_s", "last_day", "silent_days", "position"),
    *("offers", "has_next_step", "is_overdue", "refused_day"),
)


@attrs.frozen(eq=False, slots=False)
class Triage:
    """All that the rules need, and the rows they are asked of, lazily.

    Attributes:
        won: How those were pursued that were won.
        limits: What the rules compare with.
        answers: Of the enquiries that tell: how many there are, and how many of them say
            when they were answered; None without enquiries.
    """

    portfolio: Portfolio
    settings: LostOpportunitiesSettings
    span: Period
    won: Won
    limits: Limits
    answers: tuple[int, int] | None
    overrides: Overrides

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        settings: LostOpportunitiesSettings,
        overrides: Overrides,
    ) -> Triage:
        """The thresholds, from the settings and from what was won."""
        span = days_asked(
            settings.period, portfolio.as_of, needed_by="lost_opportunities"
        )
        ends = ends_of(portfolio, span, settings)
        won = Won.of(ends.wins, ends.left, is_told="activity" in portfolio)
        limits = _limits(portfolio, settings, won, ends.closed)
        answers = answers_kept(portfolio, span) if "enquiry" in portfolio else None
        return cls(portfolio, settings, span, won, limits, answers, overrides)

    @property
    def ends(self) -> Ends:
        """What was won and lost in the period; made again, if it was let go of."""
        return ends_of(self.portfolio, self.span, self.settings)

    @property
    def clock(self) -> Clock:
        return self.ends.clock

    def labelled(
        self, ids: Collection[str] | None = None, *, named: bool = False
    ) -> Any:
        """Every loss and every enquiry that became no opportunity, and its rule.

        ``record`` says what it is, ``episode`` a loss that did not last; ``rule`` is the
        number of the first that holds, ``missed`` (1 or 0) whether any rule does that
        finds it missed, ``apart`` whether it is probably the same as one that was won,
        ``person`` the class a person gave it, ``owner_now`` who has it today.

        Args:
            ids: Only these records.
            named: Whether to tell which record each is, and of which account.
        """
        named = named or ids is not None
        lost = self._lost(ids, named=named or self.overrides.count > 0)
        names = _NAMES if named else ()
        parts = [self._judged(lost, RULES, UNTAKEN, names)]
        if "enquiry" in self.portfolio:
            asked = self._enquired(ids).with_columns(record=nw.lit("enquiry"))
            parts.append(self._judged(asked, ENQUIRY_RULES, FINE, names))
        return nw.concat(parts, how="vertical") if len(parts) > 1 else parts[0]

    def lost_for_good(self, *classes: str, ids: Collection[str] | None = None) -> Any:
        """Those of the `labelled` that were lost for good, by name.

        Args:
            classes: Only those to which the rules may give one of these.
        """
        # Names are long: those are looked up that are asked for, if rules can tell.
        named = ids is not None or self.overrides.count > 0
        names = _NAMES if named else ("ordinal", "owner_now")
        rows = self._judged(self._lost(ids, named=named), RULES, UNTAKEN, names)
        rows = rows.filter(nw.col("record") == "opportunity")
        rows = that_may_be(rows, *classes) if classes else rows
        if named:
            return rows
        rows = rows.join(self._names(None), on="ordinal", how="inner")
        return rows.rename({"opportunity_id": "record_id"})

    @property
    def undated_count(self) -> int:
        """How many were lost nobody knows when: they are of no period."""
        return _count_undated(self.portfolio)

    def undated(self) -> pa.Table:
        """The first of those, by id."""
        kinds = dict.fromkeys(
            ("table", "record_id", "account_id", "fault"), pa.string()
        )
        if not self.undated_count:
            return pa.table({name: pa.array([], kind) for name, kind in kinds.items()})
        found = collected(
            _undated(self.portfolio)
            .select(
                nw.lit("opportunity").alias("table"),
                nw.col("opportunity_id").alias("record_id"),
                nw.col("account_id"),
                nw.lit("without_date").alias("fault"),
            )
            .sort("record_id")
            .head(_MOST_LISTED)
        )
        return found.cast(pa.schema(kinds))

    def _judged(
        self,
        rows: Any,
        rules: tuple[Rule, ...],
        otherwise: Any,
        names: Sequence[str],
    ) -> Any:
        told = rows.with_columns(
            rule=first_of(rules, self.limits, otherwise),
            missed=nw.when(is_missed(rules, self.limits)).then(1).otherwise(0),
        )
        whole = ("missed", "apart", *_NUMBERS)
        return self.overrides.beside(told, self.portfolio.backend).select(
            "record",
            *names,
            *_TEXTS,
            "rule",
            "person",
            *(nw.col(name).cast(nw.Int64) for name in whole),
            nw.col("few_by_then").cast(nw.Float64),
        )

    def losses(self, ids: Collection[str] | None = None, *, named: bool = False) -> Any:
        """What was lost in the period and how, by its record; each loss for itself."""
        return self._losses(self.ends.said, ids, named=named)

    def _losses(self, said: Any, ids: Collection[str] | None, *, named: bool) -> Any:
        rows = self.ends.losses.join(said, on="says", how="inner")
        rows = rows.with_columns(owner_now=nw.col("owner_id"))
        if self.ends.owners is not None:
            then = nw.coalesce(nw.col("owner_then"), nw.col("owner_id"))
            rows = rows.join(self.ends.owners, on="record", how="left")
            rows = rows.with_columns(owner_id=then).drop("owner_then")
        number = floor_div(nw.col("record"), NUMBERS)
        rows = with_ordinal(rows).with_columns(
            nw.col("position").cast(nw.Int64),
            number=number,
            record=nw.when(number == 0)
            .then(nw.lit("opportunity"))
            .otherwise(nw.lit("episode")),
        )
        if ids is None and not named:
            return rows
        rows = rows.join(self._names(ids), on="ordinal", how="inner")
        number, of_one = nw.col("number"), nw.col("opportunity_id")
        of_several = nw.concat_str([of_one, number.cast(nw.String)], separator="#")
        rows = rows.with_columns(
            record_id=nw.when(number == 0).then(of_one).otherwise(of_several)
        ).drop("opportunity_id")
        return rows if ids is None else rows.filter(one_of(nw.col("record_id"), ids))

    def _names(self, ids: Collection[str] | None) -> Any:
        """What opportunities are called, and whose they are; of all, or of these."""
        if ids is not None:
            ids = sorted({*ids, *(each.rpartition("#")[0] for each in ids)})
        rows = recorded(self.portfolio, ids=ids)
        return rows.select("ordinal", "opportunity_id", "account_id")

    def _lost(self, ids: Collection[str] | None, *, named: bool) -> Any:
        said = self.ends.said.with_columns(**asked_of_words(self.limits))
        rows = self._losses(said, ids, named=named)
        return self.with_capture(self._measured(self._valued(rows)))

    def _enquired(self, ids: Collection[str] | None) -> Any:
        rows = enquired(
            self.portfolio, self.span, self.clock, contacts_in(self.settings), ids=ids
        )
        is_over = one_of(nw.col("status").fill_null(""), self._over)
        rows = rows.with_columns(
            silent_days=nw.when(~is_over).then(nw.col("silent_days"))
        )
        assert self.answers is not None
        told, answered = self.answers
        least = self.settings.min_capture_share
        is_kept = int(answered > 0 and answered >= least * told)
        zero = whole("starts_s", 0)
        nothing = nw.when(nw.col("record_id").is_null()).then(nw.col("record_id"))
        texts = {name: nothing for name in _TEXTS if name not in _OF_ENQUIRIES}
        return rows.with_columns(
            **texts,
            is_captured=whole("starts_s", is_kept),
            ordinal=unknown("starts_s").cast(nw.Int32),
            owner_now=nw.col("owner_id"),
            **dict.fromkeys(
                ("minor", "position", "offers", "few_by_then", "refused_day"),
                unknown("starts_s"),
            ),
            **dict.fromkeys(
                ("is_imputed", "has_next_step", "is_overdue", "apart"),
                zero,
            ),
        )

    @cached_property
    def _over(self) -> tuple[str, ...]:
        """What the CRM calls enquiries that nobody is to follow up any more."""
        said = occurring(self.portfolio, "enquiry", "status")
        return spelled(said, self.settings.closed_enquiry_statuses)

    def with_capture(self, rows: Any) -> Any:
        """Whether the activities of each one's owner are kept, else those of all."""
        own = self.settings
        share = self.won.capture_share
        overall = int(share is not None and share >= own.min_capture_share)
        owners = self.won.captured(own.min_capture_share, own.min_won_count)
        known = nw.from_native(from_arrow(owners, self.portfolio.backend)).lazy()
        told = rows.join(known, on="owner_id", how="left")
        return told.with_columns(
            is_captured=nw.col("owner_captured").fill_null(overall)
        )

    def _measured(self, rows: Any) -> Any:
        """How many activities the won ones had by the same stage, else in all."""
        by_stage = self.won.touches_at(*self._shares, self.settings.min_won_count)
        known = nw.from_native(from_arrow(by_stage, self.portfolio.backend)).lazy()
        told = rows.join(known, on=["pipeline", "position"], how="left")
        few, enough = self.limits.few_touches or 0.0, self.limits.enough_touches or 0.0
        return told.with_columns(
            few_by_then=nw.col("few_by_then").fill_null(few),
            enough_by_then=nw.col("enough_by_then").fill_null(enough),
        )

    @property
    def _shares(self) -> tuple[float, float]:
        return self.settings.min_touch_share, self.settings.pursued_share

    def _valued(self, rows: Any) -> Any:
        """A missing amount is the median of its stage, and said to be."""
        medians = self._medians
        known = nw.from_native(from_arrow(medians, self.portfolio.backend)).lazy()
        told = rows.join(known, on=["pipeline", "stage"], how="left")
        is_missing = nw.col("minor").is_null()
        is_last = nw.col("record") == "opportunity"
        return told.with_columns(
            minor=nw.when(is_missing & is_last)
            .then(nw.col("stage_minor"))
            .otherwise(nw.col("minor")),
            is_imputed=_flag(is_missing & is_last & ~nw.col("stage_minor").is_null()),
        )

    @cached_property
    def _medians(self) -> pa.Table:
        """The median amount of each stage in which one is missing, else that of all."""
        rows = self.losses().filter(nw.col("record") == "opportunity")
        by = ["pipeline", "stage"]
        missing = collected(
            rows.filter(nw.col("minor").is_null())
            .select(*by, n=nw.lit(1, dtype=nw.Int64))
            .group_by(*by)
            .agg(nw.col("n").sum())
        ).sort_by([(name, "ascending") for name in by])
        found = []
        overall = at_share(rows, "minor", 0.5) if len(missing) else None
        for row in missing.to_pylist():
            same = (nw.col("pipeline") == row["pipeline"]) & (
                nw.col("stage") == row["stage"]
            )
            here = at_share(rows.filter(same), "minor", 0.5)
            found.append(overall if here is None else here)
        return missing.select(by).append_column(
            "stage_minor", pa.array(found, pa.int64())
        )


_OF_ENQUIRIES: Final = ("owner_id", "source")


def _flag(condition: Any) -> Any:
    return nw.when(condition).then(1).otherwise(0)


def _limits(
    portfolio: Portfolio, settings: LostOpportunitiesSettings, won: Won, both: Any
) -> Limits:
    gap = 0.0 if won.gap_hours is None else won.gap_hours
    reasons = occurring(portfolio, "opportunity", "loss_reason")
    return Limits(
        has_activities="activity" in portfolio,
        has_won=won.count > 0,
        response_s=round(settings.response_hours * _HOUR),
        silent_days=max(settings.silence_days, settings.silence_gaps * gap / _A_DAY),
        few_touches=won.touch_count(settings.min_touch_share),
        enough_touches=won.touch_count(settings.pursued_share),
        minor=at_share(both, "minor", settings.value_share),
        disqualifying=spelled(reasons, settings.disqualifying_reasons),
        twice=spelled(reasons, settings.duplicate_reasons),
        undecided=spelled(
            reasons, (*settings.no_decision_reasons, *settings.unknown_reasons)
        ),
    )


def _undated(portfolio: Portfolio) -> Any:
    kinds = {"account_id": pa.string(), "closed_on": pa.date32()}
    rows = nw.from_native(completed(portfolio["opportunity"], kinds)).lazy()
    return rows.filter((nw.col("status") == "lost") & nw.col("closed_on").is_null())


@once_per_portfolio
def _count_undated(portfolio: Portfolio) -> int:
    found = collected(_undated(portfolio).select(n=nw.len()))
    return int(found["n"][0].as_py())
