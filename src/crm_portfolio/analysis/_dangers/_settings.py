"""From where on is something a danger?"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, TypeAlias

import attrs

from crm_portfolio._takes import is_at_least, is_count, is_inside
from crm_portfolio._wording import LANGS, Lang
from crm_portfolio.analysis._facts import Measure
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period

__all__ = ["RiskSettings", "Three"]

Three: TypeAlias = tuple[float, float, float]
"""Where medium, high and critical begin."""
Two: TypeAlias = tuple[float, float]
Label: TypeAlias = Literal["no_revenue", "contract_ended"]
"""What it is to have left."""

_LAST_YEAR = Period.last_months(12)


def _falls(_: object, field: attrs.Attribute[Three], value: Three) -> None:
    if not all(before > after for before, after in pairwise(value)):
        raise SettingsError(f"risk.{field.name} goes down to the gravest, not {value}")


def _rises(_: object, field: attrs.Attribute[Three], value: Three) -> None:
    if not all(before < after for before, after in pairwise(value)):
        raise SettingsError(f"risk.{field.name} goes up to the gravest, not {value}")


def _holds_one(_: object, field: attrs.Attribute[Two], value: Two) -> None:
    if not 0 <= value[0] < 1 < value[1]:
        raise SettingsError(
            f"risk.{field.name} goes from below 1 to above 1, not {value}"
        )


def _is_language(_: object, __: object, value: Lang | None) -> None:
    if value is not None and value not in LANGS:
        raise SettingsError(f"risk.language is {' or '.join(LANGS)}, not {value!r}")


@attrs.frozen
class RiskSettings:
    """Where medium, high and critical begin, and what is known well enough.

    Attributes:
        period: Whose revenue is held against that of the period before; invoices due
            from its first day on count.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        silence: Below these values of the silence index.
        erosion: From these shares of the former revenue lost on.
        days_late: From so many days late on average, by amount.
        rating: At these ratings of the relationship, of 10, or under.
        days_to_end: Fewer days than these to the end of a contract.
        own_rhythm_gaps: With fewer gaps between purchases the rhythm of the tier is taken.
        tier_rhythm_accounts: So many accounts must show the rhythm of a tier.
        same_season: A silence that was there in the same weeks a year before is none.
        gone_days: Who has been silent for longer has left: silence warns of nothing.
        days_late_form: ``floored``: to pay early makes up for nothing; ``signed``: it does.
        relationship_criteria: Criteria of the ratings that say how the relationship is.
        veto_criteria: A rating of 0 under one of these is a veto.
        old_rating_days: An older rating is pointed out; it counts all the same.
        rater_spread: Raters further apart than this are pointed out.
        lapsed_days: So long a contract counts that ended while no other one runs.
        language: Of the reasons that are written to the CRM; None: that of all settings.
        odds: ``learned``: a model of who left before is tried against the rates of the
            tiers, and used only where it did better on a later window; ``rates``: these.
        leaving: What it is to have left, where no departures are given: no revenue in
            the window, or no contract any more.
        horizon_months: How long that window is.
        training_windows: How many windows before the last one are learned from at most.
        fewest_events: With fewer that left, or stayed, nothing is learned.
        boosting_events: With more of them boosted trees are tried beside a logistic curve.
        isotonic_cases: With fewer cases odds are mended by a sigmoid, else by steps.
        most_cases: So many cases are learned from at most, drawn at random.
        folds: In so many parts the accounts are cut to calibrate odds.
        gain_alpha: The model did better where chance alone is less likely than this.
        slope_between: Odds whose calibration slope on the later window lies outside are
            no probabilities, and not used.
        count_between: Nor are odds where so many times those that were said to leave on it
            did, if the number lies outside and chance does not explain it.
        seed: Of what is drawn.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    silence: Three = attrs.field(default=(0.2, 0.05, 0.01), validator=_falls)
    erosion: Three = attrs.field(default=(0.2, 0.4, 0.7), validator=_rises)
    days_late: Three = attrs.field(default=(15.0, 30.0, 60.0), validator=_rises)
    rating: Three = attrs.field(default=(5.0, 3.0, 1.0), validator=_falls)
    days_to_end: Three = attrs.field(default=(120.0, 60.0, 30.0), validator=_falls)
    own_rhythm_gaps: int = attrs.field(default=3, validator=is_count)
    tier_rhythm_accounts: int = attrs.field(default=5, validator=is_count)
    same_season: bool = True
    gone_days: int = attrs.field(default=730, validator=is_count)
    days_late_form: Literal["floored", "signed"] = "floored"
    relationship_criteria: tuple[str, ...] = ("relationship",)
    veto_criteria: tuple[str, ...] = (
        *("ethics_breach", "legal_risk", "violence", "sanctions"),
    )
    old_rating_days: int = attrs.field(default=365, validator=is_count)
    rater_spread: float = 3.0
    lapsed_days: int = 90
    language: Lang | None = attrs.field(default=None, validator=_is_language)
    odds: Literal["learned", "rates"] = "learned"
    leaving: tuple[Label, ...] = ("no_revenue", "contract_ended")
    horizon_months: int = attrs.field(default=12, validator=is_at_least(2))
    training_windows: int = attrs.field(default=3, validator=is_count)
    fewest_events: int = attrs.field(default=20, validator=is_count)
    boosting_events: int = attrs.field(default=200, validator=is_count)
    isotonic_cases: int = attrs.field(default=1_000, validator=is_count)
    most_cases: int = attrs.field(default=20_000, validator=is_count)
    folds: int = attrs.field(default=5, validator=is_at_least(2))
    gain_alpha: float = attrs.field(default=0.05, validator=is_inside)
    slope_between: Two = attrs.field(default=(0.5, 2.0), validator=_holds_one)
    count_between: Two = attrs.field(default=(0.8, 1.25), validator=_holds_one)
    seed: int = 2026
