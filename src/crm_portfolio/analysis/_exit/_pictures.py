"""Where do all weightings put each account, and what makes the score of one?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import pyarrow as pa

from crm_portfolio import _plots
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._exit._words import CRITERION, STANDING
from crm_portfolio.results import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["dial", "made_of"]


def dial(
    shown: pa.Table,
    called: Sequence[str],
    *,
    ax: Axes,
    words: _plots.Words,
    lang: Lang,
) -> Axes:
    """Of each account the share of all weightings by standing, and what is proposed."""
    parts = {
        sentence(Reason(code), lang): [
            100 * each for each in shown[f"{name}_share"].to_pylist()
        ]
        for name, code in STANDING.items()
    }
    proposed = zip(
        shown["action"].to_pylist(), shown["acceptability"].to_pylist(), strict=True
    )
    return _plots.dial(
        ax,
        names=called,
        parts=parts,
        said=[
            sentence(Reason("label_exit_said", {"action": each, "share": share}), lang)
            for each, share in proposed
        ],
        words=words,
    )


def made_of(
    row: Row | None,
    criteria: Sequence[Mapping[str, Any]],
    *,
    ax: Axes,
    words: _plots.Words,
    lang: Lang,
) -> Axes:
    """The score of an account, from that of the reference, criterion by criterion.

    Args:
        row: Of the account; None: there is none.
    """
    known = [each for each in criteria if each["contribution"] is not None]
    ends = None
    if row is not None and known:
        ends = (100 * row["reference_score"], 100 * row["score"])
    return _plots.waterfall(
        ax,
        names=[sentence(Reason(CRITERION[each["criterion"]]), lang) for each in known],
        steps=[100 * each["contribution"] for each in known],
        ends=ends,
        end_names=[
            sentence(Reason(code), lang)
            for code in ("label_exit_reference", "label_exit_score")
        ],
        level=None,
        words=attrs.evolve(
            words,
            places=sentence(Reason("label_exit_criterion"), lang),
            amounts=sentence(Reason("label_exit_points"), lang),
        ),
    )
