"""How concentrated is the revenue, by account and by group?"""

from __future__ import annotations

import numpy as np

from crm_portfolio._methods import _indices as indices
from crm_portfolio._methods import _pareto as pareto
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import League, Revenue, count_for, top_count
from crm_portfolio._methods._resampled import gini_interval
from crm_portfolio.analysis._dependence._settings import ConcentrationSettings
from crm_portfolio.analysis._facts import RevenueFacts
from crm_portfolio.results import Json, significant

__all__ = ["figures_of", "league_of"]


def league_of(
    facts: RevenueFacts, of: Revenue, settings: ConcentrationSettings
) -> League:
    is_all = settings.population == "all"
    return League(
        of,
        is_counted=np.ones(of.lines.size, dtype=bool) if is_all else of.has_lines,
        has_previous=facts.has_previous,
        total=facts.total,
        major_share=settings.major_share,
        dependent_share=settings.dependent_share,
    )


def figures_of(
    league: League, facts: RevenueFacts, settings: ConcentrationSettings
) -> dict[str, Json]:
    amounts, total, major_share = league.counted, facts.total, settings.major_share
    k = top_count(amounts.size, settings.top_share)
    reading = league.reading(settings.negatives)
    interval = gini_interval(
        amounts, form=reading, seed=settings.seed, draws=settings.draws
    )
    top = f"share_of_top_{100 * settings.top_share:g}pct"
    shares = {
        top: league.share(amounts[:k].sum()),
        "major_share": league.share(indices.majors(amounts, major_share).sum()),
        "customer_concentration": indices.customer_concentration(amounts, major_share),
        **indices.all_indices(amounts),
    }
    return {
        "n": amounts.size,
        "n_positive": int((amounts > 0).sum()),
        "total": None if total is None else facts.amount(total),
        "top_k": k,
        f"n_for_{100 * settings.target:g}": count_for(amounts, settings.target),
        **league.kinds,
        **{key: significant(value) for key, value in shares.items()},
        "gini_reading": reading,
        "gini_interval": [significant(each) for each in interval] if interval else None,
        "pareto": _pareto(amounts, settings),
    }


def _pareto(counted: Amounts, settings: ConcentrationSettings) -> dict[str, Json]:
    """Is it really 80/20? Of the positive amounts, largest first: sheet 1.5."""
    positive = counted[counted > 0]
    n, total = positive.size, int(positive.sum())
    k = top_count(n, settings.top_share)
    enough = count_for(positive, settings.target)
    top, held = (k / n, int(positive[:k].sum()) / total) if n else (None, None)
    joint = pareto.joint_share(positive)
    alpha = None if top is None or held is None else pareto.implied_alpha(top, held)
    return {
        "n": n,
        "top_k": k,
        "top_share": significant(top),
        "held_share": significant(held),
        "share_for_target": None if enough is None else significant(enough / n),
        "joint_share": significant(joint),
        "joint_ratio": None if joint is None else pareto.in_words(joint),
        "implied_alpha": significant(alpha),
        "implied_gini": significant(pareto.gini_of_pareto(alpha)),
    }
