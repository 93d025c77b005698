"""Which step fits each account, by which rule, and would it under other weights?

The rules stand in order and the first that fits wins; parting is the last. What an
account does worst is its cause, whatever the weights; they decide, through the score, how
far up the ladder it goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._parting import dilution, price_rise, volume_at_stake
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._exit._criteria import CODES, Code
from crm_portfolio.analysis._exit._decisions import Decisions
from crm_portfolio.analysis._exit._scores import STANDINGS, Scores

__all__ = ["HARSH", "STEPS", "Ladder"]

STEPS: Final = (
    *("grow", "keep", "automate", "reprice", "renegotiate", "reset_relationship"),
    *("reduce_dependence", "phase_out", "watch", "refer", "ask"),
)
"""The rules in their order, and what there is beside them: nothing fits, a person must
look, too little is known."""
HARSH: Final = ("reset_relationship", "phase_out")
"""Harsher than new terms: what protects an account blocks them."""
_LAST: Final = STEPS.index("phase_out")
_WATCH, _REFER, _ASK = (STEPS.index(each) for each in ("watch", "refer", "ask"))
_GOOD: Final = 0.5

Steps = npt.NDArray[np.int8]


@attrs.frozen(slots=False, eq=False)
class Ladder:
    """The step of each account, and what speaks for it.

    Attributes:
        step: The place in `STEPS` of the first rule that fits.
        blocked: That of the step which is forbidden by what protects the account, or,
            parting, because what follows is not known; −1.
        fits: By step, whom its rule fits, the first or not.
        holds: The share of all weightings under which the step is the same; NaN where no
            weighting has a say in it.
        target: The share of revenue that the contribution is held against; NaN: unknown.
        rise: By how much prices must rise for it; ``at_stake`` the volume that may go.
        to_win: How much more the others must bring for the dependence to be no more than
            the settings say.
    """

    scores: Scores
    taken: Decisions
    step: Steps
    blocked: Steps
    fits: Mapping[str, Flags]
    holds: Floats
    target: float
    rise: Floats
    at_stake: Floats
    to_win: Floats

    @classmethod
    def of(
        cls, scores: Scores, taken: Decisions, *, is_rising: Flags, is_foreseen: Flags
    ) -> Ladder:
        """The steps.

        Args:
            is_foreseen: Of whom it is known what follows if the relationship ends.
        """
        target = _target(scores)
        rise, at_stake = _repriced(scores, target)
        rules = _Rules(scores, taken, is_rising, is_foreseen, target=target, rise=rise)
        size = scores.score.size
        given = [np.full(size, at, dtype=np.int8) for at in range(len(STANDINGS))]
        steps = [rules.chosen(each) for each in given]
        now = scores.standing
        step = np.choose(np.maximum(now, 0), [each for each, _ in steps])
        blocked = np.choose(np.maximum(now, 0), [each for _, each in steps])
        agrees = np.stack([each == step for each, _ in steps], axis=1)
        holds = np.where(agrees, scores.standings, 0.0).sum(axis=1)
        is_open = rules.is_vetoed | (now < 0)
        step = np.where(now < 0, _ASK, step)
        step = np.where(rules.is_vetoed, _REFER, step).astype(np.int8)
        return cls(
            scores,
            taken,
            step=step,
            blocked=np.where(is_open, -1, blocked).astype(np.int8),
            fits=rules.fitting(now),
            holds=twelve_digits(np.where(is_open, np.nan, holds)),
            target=target,
            rise=rise,
            at_stake=at_stake,
            to_win=_to_win(scores),
        )

    @property
    def is_firm(self) -> Flags:
        """Whether as many weightings as there must be say the same."""
        firm: Flags = self.holds >= self.scores.settings.firm_share
        return firm

    @property
    def is_settled(self) -> Flags:
        """Whether as many put the score where it is, too."""
        at = np.maximum(self.scores.standing, 0)[:, None].astype(np.int64)
        share = np.take_along_axis(self.scores.standings, at, axis=1)[:, 0]
        settled: Flags = share >= self.scores.settings.firm_share
        return settled

    @property
    def is_vetoed(self) -> Flags:
        return _any(self.scores.measures.vetoes, self.step.size)

    @property
    def is_protected(self) -> Flags:
        return _any(self.scores.measures.protections, self.step.size)

    def others(self, step: str) -> Flags:
        """Whom the rule of a step fits although an earlier one won.

        Parting is beside nothing: it is the last step, after the others. Nor is what is
        forbidden.
        """
        comes_later: Flags = self.step < STEPS.index(step)
        is_named = step != STEPS[_LAST]
        if step in HARSH:
            comes_later = comes_later & ~self.is_protected
        return self.fits[step] & comes_later & is_named


def _any(flags: Mapping[str, Flags], size: int) -> Flags:
    found = np.zeros(size, dtype=bool)
    for each in flags.values():
        found = found | each
    return found


def _target(scores: Scores) -> float:
    """The firm's own, else what all whose contribution is known bring of their revenue."""
    if scores.settings.target_share is not None:
        return scores.settings.target_share
    of = scores.measures.of
    is_known = ~np.isnan(of.avoidable_contribution) & ~np.isnan(of.net_revenue)
    revenue = float(of.net_revenue[is_known].sum())
    brought = float(of.avoidable_contribution[is_known].sum())
    return brought / revenue if revenue > 0 and brought < revenue else float("nan")


def _repriced(scores: Scores, target: float) -> tuple[Floats, Floats]:
    of = scores.measures.of
    rise = price_rise(of.net_revenue, of.avoidable_contribution, target)
    rise = np.where(rise > 0, rise, np.nan)
    return twelve_digits(rise), twelve_digits(volume_at_stake(_ratio(scores), rise))


def _ratio(scores: Scores) -> Floats:
    """The avoidable contribution of the revenue; NaN where nothing is sold."""
    of = scores.measures.of
    ratio: Floats = np.divide(
        of.avoidable_contribution,
        of.net_revenue,
        out=np.full(of.net_revenue.shape, np.nan),
        where=of.net_revenue > 0,
    )
    return ratio


def _to_win(scores: Scores) -> Floats:
    """NaN where it brings no more than it should; in its group, as that falls together."""
    of, most = scores.measures.of, scores.settings.dependence_share
    total = float(np.nansum(of.net_revenue))
    group = of.group_share * total
    more = dilution(group, total, most)
    return twelve_digits(np.where((of.group_share > most) & (total > 0), more, np.nan))


class _Rules:
    """Whom the rule of each step fits, given where the score puts an account."""

    def __init__(
        self,
        scores: Scores,
        taken: Decisions,
        is_rising: Flags,
        is_foreseen: Flags,
        *,
        target: float,
        rise: Floats,
    ) -> None:
        self.scores, self.taken, self.is_rising = scores, taken, is_rising
        self.is_foreseen, self.rise = is_foreseen, rise
        self.of = scores.measures.of
        size = scores.score.size
        self.is_vetoed = _any(scores.measures.vetoes, size)
        self.is_protected = _any(scores.measures.protections, size)
        self.is_short = _ratio(scores) < target
        self.is_small = np.isin(self.of.tier, scores.settings.small_tiers)

    def chosen(self, standing: npt.NDArray[np.int8]) -> tuple[Steps, Steps]:
        """The first step that fits, and the one that is blocked if it was to be."""
        fits = self.fitting(standing)
        found = np.full(standing.size, _WATCH, dtype=np.int8)
        for step in reversed([*fits]):
            found[fits[step]] = STEPS.index(step)
        harsh = np.isin(found, [STEPS.index(each) for each in HARSH])
        is_blind = (found == _LAST) & ~self.is_foreseen
        is_blocked = (harsh & self.is_protected) | is_blind
        blocked = np.where(is_blocked, found, -1).astype(np.int8)
        return np.where(is_blocked, _REFER, found).astype(np.int8), blocked

    def fitting(self, standing: npt.NDArray[np.int8]) -> dict[str, Flags]:
        """By step in order: whom its rule fits, the first or not."""
        is_low, is_high = standing == 0, standing == len(STANDINGS) - 1
        settings, taken = self.scores.settings, self.taken
        brings = self.of.avoidable_contribution > 0
        promises = self.worth("F13") >= settings.potential_from
        by_worst = self.worst_is
        cheap = self.is_short & (self.rise <= settings.most_rise)
        light = (self.worth("F8") >= _GOOD) & (self.worth("F7") >= _GOOD)
        # Nobody is parted with before somebody has met: what no rule takes begins there.
        unnamed = is_low & ~by_worst("F11")
        is_firm = self.scores.standings[:, 0] >= settings.firm_share
        return {
            "grow": is_high & (promises | self.is_rising),
            "keep": is_high & brings,
            "automate": (self.worth("F1") < settings.weak_below)
            & light
            & self.is_small
            & ~taken.tried["automate"],
            "reprice": cheap & by_worst("F2", "F4", "F7") & ~taken.tried["reprice"],
            "renegotiate": by_worst("F3", "F7") & ~taken.tried["renegotiate"],
            "reset_relationship": (by_worst("F8", "F10") | unnamed)
            & ~taken.tried["reset_relationship"],
            "reduce_dependence": by_worst("F11") & ~taken.tried["reduce_dependence"],
            "phase_out": is_low & is_firm & taken.has_led_nowhere & taken.is_replaced,
        }

    def worth(self, code: Code) -> Floats:
        column: Floats = self.scores.utilities[:, CODES.index(code)]
        return column

    def worst_is(self, *codes: Code) -> Flags:
        places: Sequence[int] = [CODES.index(code) for code in codes]
        found: Flags = np.isin(self.scores.weakest, places)
        return found
