"""How many accounts call for what, and what is the whole held against?"""

from __future__ import annotations

from typing import Final

import numpy as np

from crm_portfolio.analysis._exit._criteria import CODES, CRITERIA
from crm_portfolio.analysis._exit._ladder import STEPS
from crm_portfolio.analysis._exit._scores import STANDINGS
from crm_portfolio.analysis._exit._tables import Dossier
from crm_portfolio.results import Json, significant

__all__ = ["summary_of"]

_SIDES: Final = {"unknown": -1} | {name: at for at, name in enumerate(STANDINGS)}


def summary_of(found: Dossier) -> dict[str, Json]:
    """Actions, standings, criteria and what each is known of, target and edge."""
    scores, ladder, after = found.scores, found.ladder, found.after
    measures = scores.measures
    standing = scores.standing
    settled = ~np.isnan(ladder.holds)
    return {
        "account_count": found.size,
        "actions": {
            step: int((ladder.step == at).sum()) for at, step in enumerate(STEPS)
        },
        "standings": {name: int((standing == at).sum()) for name, at in _SIDES.items()},
        "firm_count": int((ladder.is_firm & settled).sum()),
        "open_count": int((~ladder.is_firm & settled).sum()),
        "veto_count": int(ladder.is_vetoed.sum()),
        "blocked_count": int((ladder.blocked >= 0).sum()),
        "decisions": _decisions(found),
        "criteria": {code: _criterion(found, at) for at, code in enumerate(CODES)},
        "target_share": significant(ladder.target),
        "hour_value": significant(measures.hour_value),
        "hour_value_from": measures.hour_value_from,
        "profit_reference": {
            "value": significant(measures.reference),
            "basis": measures.basis,
        },
        "now": {
            "margin_of_safety": significant(after.safety_now),
            "hhi": significant(after.hhi_now),
            "largest_share": significant(after.largest_now),
        },
    }


def _decisions(found: Dossier) -> dict[str, Json]:
    """How many are on record, wait to be looked at again, and overrule what is proposed."""
    steps = np.array(STEPS, dtype=object)[found.ladder.step]
    return {
        "count": found.decisions.count,
        "due_count": found.decisions.due_count,
        "overruled_count": int(found.decisions.overrules(steps).sum()),
    }


def _criterion(found: Dossier, at: int) -> Json:
    scores = found.scores
    worth = scores.utilities[:, at]
    return {
        "name": CRITERIA[CODES[at]].name,
        "weight": significant(float(scores.weights[at])),
        "known_count": int((~np.isnan(worth)).sum()),
        "mean_worth": significant(float(scores.reference[at]))
        if scores.settings.reference == "mean"
        else None,
        "weakest_count": int((scores.weakest == at).sum()),
    }
