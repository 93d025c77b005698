"""What must be borne in mind before anybody acts on this?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from crm_portfolio._wording import Reason
from crm_portfolio.analysis._exit._criteria import CODES
from crm_portfolio.analysis._exit._fairness import unfairness
from crm_portfolio.analysis._exit._tables import Dossier

__all__ = ["warnings"]


def warnings(found: Dossier) -> Iterator[Reason]:
    """People decide; and what limits what they are told."""
    scores, ladder = found.scores, found.ladder
    measures, settings = scores.measures, scores.settings
    yield Reason("exit_people_decide")
    yield from measures.facts.warnings()
    if not settings.weights:
        yield Reason(
            "exit_weights_to_be_replaced", {"n": int((scores.weights > 0).sum())}
        )
    shipped = sum(code not in settings.anchors for code in CODES)
    if shipped:
        yield Reason("exit_anchors_shipped", {"n": shipped})
    vetoed = int(ladder.is_vetoed.sum())
    if vetoed:
        yield Reason("veto", {"n": vetoed})
    left_out = found.decisions.left_out
    if left_out:
        yield Reason("exit_decisions_left_out", {"n": left_out})
    in_doubt = int(found.decisions.is_in_doubt.sum())
    if in_doubt:
        yield Reason("exit_decisions_in_doubt", {"n": in_doubt})
    too_little = int((scores.standing < 0).sum())
    if too_little:
        told = {"n": too_little, "accounts": found.size}
        yield Reason("insufficient", told | {"threshold": settings.least_coverage})
    is_open = int((~ladder.is_firm & ~np.isnan(ladder.holds)).sum())
    if is_open:
        yield Reason("depends_on_weights", {"n": is_open, "cut": settings.firm_share})
    yield from unfairness(ladder)
    yield from _of_ratings(found)
    yield from _of_figures(found)


def _of_ratings(found: Dossier) -> Iterator[Reason]:
    measures = found.scores.measures
    counts = {
        "exit_old_ratings": int(measures.is_old.sum()),
        "exit_raters_differ": int(measures.is_disputed.sum()),
        "exit_conflicts": measures.conflicts.num_rows,
    }
    for code, n in counts.items():
        if n:
            yield Reason(code, {"n": n})
    for written, near in measures.misspelt:
        yield Reason("exit_misspelt", {"criterion": written, "near": near})


def _of_figures(found: Dossier) -> Iterator[Reason]:
    scores, settings = found.scores, found.scores.settings
    measures = scores.measures
    is_relative = settings.rules.reference_contribution is None
    if is_relative and not np.isnan(measures.reference):
        yield Reason(_REFERENCE[measures.basis])
    if settings.target_share is None and not np.isnan(found.ladder.target):
        yield Reason("exit_target_of_book", {"share": found.ladder.target})
    if np.isnan(measures.hour_value):
        yield Reason("exit_no_hour_value")
    if found.after.fixed is None:
        yield Reason("exit_no_fixed_costs")
    if not measures.knows_contracts:
        yield Reason("exit_no_contracts")


_REFERENCE: Final = {
    "hour": "exit_reference_of_book_hour",
    "revenue": "exit_reference_of_book_revenue",
}
