"""Which class is each lost opportunity in, without leaving the engine that holds it?"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from functools import cached_property
from typing import Any, Final

import attrs
import pyarrow as pa

from crm_portfolio._frames import from_arrow, kept, nw
from crm_portfolio.analysis._facts import (
    Clock,
    Contacts,
    answers_kept,
    at_share,
    attributed,
    collected,
    completed,
    contacted,
    contacts_of,
    day_number,
    ended,
    enquired,
    last_opened,
    lost_before,
    one_of,
    pursued,
    reached,
    recorded,
    unknown,
    whole,
)
from crm_portfolio.analysis._lost._doubles import doubles
from crm_portfolio.analysis._lost._overrides import Overrides
from crm_portfolio.analysis._lost._rules import (
    ENQUIRY_RULES,
    FINE,
    RULES,
    UNTAKEN,
    Limits,
    Rule,
    first_of,
    is_missed,
)
from crm_portfolio.analysis._lost._settings import LostOpportunitiesSettings
from crm_portfolio.analysis._lost._won import Won
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.schema import TableName

__all__ = ["Triage"]

_HOUR, _A_DAY = 3600, 24
_FIRST: Final = date(1990, 1, 1)
_MOST_LISTED: Final = 1000

_TEXTS: Final = (
    *("record_id", "account_id", "owner_id", "kind", "source", "pipeline", "stage"),
    *("loss_reason", "loss_reason_by", "competitor"),
)
_NUMBERS: Final = (
    *("created_s", "created_day", "closed_day", "minor", "is_imputed", "touches"),
    *("out_count", "in_count", "response_s", "last_day", "silent_days", "position"),
    *("offers", "has_next_step", "is_overdue", "refused_day"),
)


@attrs.frozen(eq=False, slots=False)
class Triage:
    """All that the rules need, and the rows they are asked of, lazily.

    Attributes:
        records: What was won and lost in the period, each loss for itself; and
            ``contacts``, what the activities of each add up to, None without any table
            of them. Both are kept by the engine.
        won: How those were pursued that were won.
        limits: What the rules compare with.
        answers: Of the enquiries that tell: how many there are, and how many of them say
            when they were answered; None without enquiries.
    """

    portfolio: Portfolio
    settings: LostOpportunitiesSettings
    span: Period
    clock: Clock
    records: Any
    contacts: Any | None
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
        span = settings.period.at(portfolio.as_of)
        clock = Clock.of(
            _FIRST,
            portfolio.as_of,
            zone=portfolio.calendar.time_zone,
            backend=portfolio.backend,
            weekdays=settings.working_weekdays,
            hours=settings.working_hours,
            holidays=settings.holidays,
        )
        records = kept(_records(portfolio, span, clock))
        which, found = _contacts(settings), None
        if "activity" in portfolio:
            log = contacted(portfolio, which, "opportunity_id")
            found = kept(contacts_of(records, log, "opportunity_id"))
        last = records.filter(nw.col("record") == "opportunity")
        wins = last.filter(nw.col("status") == "won")
        won = Won.of(portfolio, wins, found, which)
        limits = _limits(portfolio, settings, won, last)
        answers = answers_kept(portfolio, span) if "enquiry" in portfolio else None
        given = (portfolio, settings, span, clock, records, found)
        return cls(*given, won, limits, answers, overrides)

    def labelled(self, ids: Collection[str] | None = None) -> Any:
        """Every loss and every enquiry that became no opportunity, and its rule.

        ``record`` says what it is, ``episode`` a loss that did not last; ``rule`` is the
        first that holds, ``missed`` (1 or 0) whether any rule does that finds it missed,
        ``apart`` whether it is probably the same as one that was won, ``person`` the
        class a person gave it.

        Args:
            ids: Only these records.
        """
        parts = [self._judged(self._lost(ids), RULES, UNTAKEN)]
        if "enquiry" in self.portfolio:
            asked = self._enquired(ids).with_columns(record=nw.lit("enquiry"))
            parts.append(self._judged(asked, ENQUIRY_RULES, FINE))
        return nw.concat(parts, how="vertical") if len(parts) > 1 else parts[0]

    @cached_property
    def undated_count(self) -> int:
        """How many were lost nobody knows when: they are of no period."""
        return int(collected(self._undated.select(n=nw.len()))["n"][0].as_py())

    def undated(self) -> pa.Table:
        """The first of those, by id."""
        kinds = dict.fromkeys(
            ("table", "record_id", "account_id", "fault"), pa.string()
        )
        if not self.undated_count:
            return pa.table({name: pa.array([], kind) for name, kind in kinds.items()})
        found = collected(
            self._undated.select(
                nw.lit("opportunity").alias("table"),
                nw.col("opportunity_id").alias("record_id"),
                nw.col("account_id"),
                nw.lit("without_date").alias("fault"),
            )
            .sort("record_id")
            .head(_MOST_LISTED)
        )
        return found.cast(pa.schema(kinds))

    @property
    def _undated(self) -> Any:
        kinds = {"account_id": pa.string(), "closed_on": pa.date32()}
        rows = nw.from_native(completed(self.portfolio["opportunity"], kinds)).lazy()
        return rows.filter((nw.col("status") == "lost") & nw.col("closed_on").is_null())

    def _judged(self, rows: Any, rules: tuple[Rule, ...], otherwise: Any) -> Any:
        told = rows.with_columns(
            rule=first_of(rules, self.limits, otherwise),
            missed=nw.when(is_missed(rules, self.limits)).then(1).otherwise(0),
        )
        whole = ("missed", "apart", *_NUMBERS)
        return self.overrides.beside(told, self.portfolio.backend).select(
            "record",
            *_TEXTS,
            "rule",
            "person",
            *(nw.col(name).cast(nw.Int64) for name in whole),
            nw.col("few_by_then").cast(nw.Float64),
        )

    def losses(self, ids: Collection[str] | None = None) -> Any:
        """What was lost in the period and how, by its record; each loss for itself."""
        is_lost = (nw.col("record") == "episode") | (nw.col("status") == "lost")
        rows = self.records.filter(is_lost)
        return rows if ids is None else rows.filter(one_of(nw.col("record_id"), ids))

    @cached_property
    def lost_twice(self) -> Any:
        """Which of them are probably the same as one that was won."""
        last = self.losses().filter(nw.col("record") == "opportunity")
        return kept(doubles(last, self.portfolio, self.clock, self.settings))

    def _lost(self, ids: Collection[str] | None) -> Any:
        base = self._owned(self.losses(ids))
        rows = self.clock.told(
            base, "created_s", day="created_day", worked="worked_created"
        )
        rows = rows.join(self.lost_twice, on="record_id", how="left")
        furthest = reached(self.portfolio, self.losses(ids))
        if furthest is None:
            nobody = {name: unknown("starts_s") for name in ("position", "offers")}
            rows = rows.with_columns(**nobody)
        else:
            rows = rows.join(furthest, on="record_id", how="left")
        rows = pursued(rows, self.contacts, self.clock)
        overdue = nw.col("expected_close_on") < nw.col("closed_on")
        rows = self._measured(self._valued(rows))
        return self.with_capture(rows).with_columns(
            apart=nw.col("apart").fill_null(0),
            waited_s=unknown("starts_s"),
            is_overdue=_flag(overdue.fill_null(value=False)),
            has_next_step=nw.col("has_next_step").cast(nw.Int64),
            refused_day=day_number(nw.col("refused_on"), self.portfolio.backend),
        )

    def _owned(self, rows: Any) -> Any:
        """The rows with whose each was; of few columns, for this asks for them thrice."""
        few = rows.select("record_id", "opportunity_id", "owner_id", "created_s")
        if self.contacts is None:
            few = few.with_columns(last_s=unknown("created_s"))
        else:
            last = self.contacts.select("record_id", "last_s")
            few = few.join(last, on="record_id", how="left")
        owned = attributed(self.portfolio, few).select("record_id", "owner_id")
        return rows.drop("owner_id").join(owned, on="record_id", how="left")

    def _enquired(self, ids: Collection[str] | None) -> Any:
        rows = enquired(
            self.portfolio, self.span, self.clock, _contacts(self.settings), ids=ids
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
            minor=unknown("starts_s"),
            position=unknown("starts_s"),
            offers=unknown("starts_s"),
            few_by_then=unknown("starts_s"),
            refused_day=unknown("starts_s"),
            **dict.fromkeys(
                ("is_imputed", "has_next_step", "is_overdue", "apart"),
                zero,
            ),
        )

    @cached_property
    def _over(self) -> tuple[str, ...]:
        """What the CRM calls enquiries that nobody is to follow up any more."""
        said = _occurring(self.portfolio, "enquiry", "status")
        return _spelled(said, self.settings.closed_enquiry_statuses)

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


_OF_ENQUIRIES: Final = ("record_id", "account_id", "owner_id", "source")


def _records(portfolio: Portfolio, span: Period, clock: Clock) -> Any:
    """What was won and lost in the period, and each loss of it that did not last."""
    rows = last_opened(portfolio, ended(portfolio, None, span, clock))
    rows = rows.with_columns(record=nw.lit("opportunity"))
    before = lost_before(portfolio, recorded(portfolio), span, clock)
    if before is None:
        return rows
    columns = rows.collect_schema().names()
    before = before.with_columns(record=nw.lit("episode")).select(columns)
    return nw.concat([rows, before], how="vertical")


def _flag(condition: Any) -> Any:
    return nw.when(condition).then(1).otherwise(0)


def _contacts(settings: LostOpportunitiesSettings) -> Contacts:
    return Contacts(settings.automatic_kinds, settings.two_way_kinds)


def _limits(
    portfolio: Portfolio, settings: LostOpportunitiesSettings, won: Won, both: Any
) -> Limits:
    gap = 0.0 if won.gap_hours is None else won.gap_hours
    reasons = _occurring(portfolio, "opportunity", "loss_reason")
    return Limits(
        has_activities="activity" in portfolio,
        has_won=won.count > 0,
        response_s=round(settings.response_hours * _HOUR),
        silent_days=max(settings.silence_days, settings.silence_gaps * gap / _A_DAY),
        few_touches=won.touch_count(settings.min_touch_share),
        enough_touches=won.touch_count(settings.pursued_share),
        minor=at_share(both, "minor", settings.value_share),
        disqualifying=_spelled(reasons, settings.disqualifying_reasons),
        twice=_spelled(reasons, settings.duplicate_reasons),
        undecided=_spelled(
            reasons, (*settings.no_decision_reasons, *settings.unknown_reasons)
        ),
    )


def _occurring(portfolio: Portfolio, table: TableName, column: str) -> list[str]:
    """The codes that occur, such as reasons; they are few."""
    frame = nw.from_native(portfolio[table]).lazy()
    if column not in frame.collect_schema().names():
        return []
    told = frame.filter(~nw.col(column).is_null()).select(
        nw.col(column), n=nw.lit(1, dtype=nw.Int64)
    )
    found = collected(told.group_by(column).agg(nw.col("n").sum()))
    return sorted(found[column].to_pylist())


def _spelled(reasons: list[str], meant: Collection[str]) -> tuple[str, ...]:
    """Those of the reasons that are meant, however the CRM spells them."""
    plain = {_plain(each) for each in meant}
    return tuple(each for each in reasons if _plain(each) in plain)


def _plain(reason: str) -> str:
    return " ".join(reason.replace("_", " ").replace("-", " ").casefold().split())
