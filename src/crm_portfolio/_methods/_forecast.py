"""Which model foresees best, and what do its odds really mean?

Rules: sheets 9.2 and 9.3. The fits are scikit-learn's; boosted trees are made here alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Literal, TypeAlias

import attrs
import numpy as np

from crm_portfolio._methods._calibration import Recalibration, isotonic, platt
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._logistic import (
    Logistic,
    log_loss,
    logistic,
    most_coefficients,
)
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.errors import MissingExtraError

__all__ = ["Boosted", "Forecast", "Kind", "boosted", "forecast", "out_of_fold"]

Kind = Literal["logistic", "boosting"]
_STRENGTH: Final = 1.0
_DIGITS: Final = 6


@attrs.frozen(eq=False)
class Boosted:
    """Odds by many small trees, each mending what those before it left."""

    trees: Any

    def odds(self, features: Floats) -> Floats:
        """Of each row of features."""
        halves = np.array_split(features, 2) if len(features) > 1 else [features]
        with _side_by_side() as pool:
            told = pool.map(lambda rows: self.trees.predict_proba(rows)[:, 1], halves)
            return np.concatenate([*told])


Model: TypeAlias = Logistic | Boosted


@attrs.frozen(eq=False)
class Forecast:
    """A model, and the curve that says what its odds turned out to mean.

    Attributes:
        columns: How many of the features it takes, the first ones.
        correction: Learned from odds of cases the model had not seen; None: none found.
    """

    kind: Kind
    model: Model
    columns: int
    correction: Recalibration | None

    def odds(self, features: Floats) -> Floats:
        """Of each row of features, to six digits: nobody knows more."""
        if not features.shape[0]:
            return np.zeros(0)
        found = self.model.odds(features[:, : self.columns])
        if self.correction is not None:
            found = self.correction.of(found)
        return np.round(found, _DIGITS)


def boosted(features: Floats, happened: Flags) -> Boosted:
    """A hundred trees of eight leaves.

    Raises:
        MissingExtraError: scikit-learn is not there.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "ml") from error
    trees = HistGradientBoostingClassifier(
        max_leaf_nodes=8, l2_regularization=1.0, early_stopping=False, random_state=0
    )
    with _side_by_side() as pool:
        pool.submit(trees.fit, features, happened.astype(np.int64)).result()
    return Boosted(trees)


@contextmanager
def _side_by_side() -> Iterator[ThreadPoolExecutor]:
    """Two that work at once, each of them with one thread.

    So that every machine agrees, and none waits for threads that others keep busy.
    """
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ImportError as error:  # it comes with scikit-learn
        raise MissingExtraError("scikit-learn", "ml") from error
    # OpenMP is told by the thread that asks, BLAS for all of them.
    alone = partial(threadpool_limits, 1, user_api="openmp")
    with threadpool_limits(1), ThreadPoolExecutor(2, initializer=alone) as pool:
        yield pool


def forecast(
    features: Floats,
    happened: Flags,
    fold: Groups,
    *,
    boosting_events: int,
    isotonic_cases: int,
) -> Forecast:
    """The kind with the lower log loss on cases it had not seen, recalibrated on them.

    A logistic curve with one feature for each ten events; boosted trees besides where
    there are more events than ``boosting_events``. A sigmoid mends the odds of fewer
    than ``isotonic_cases`` cases, steps that never fall those of more.

    Args:
        features: A row a case, the features that matter most first.
        fold: Of each case; all of one account have the same.

    Raises:
        MissingExtraError: scikit-learn is not there.
    """
    events = int(min(happened.sum(), (~happened).sum()))
    columns = min(features.shape[1], max(1, most_coefficients(happened)))
    kinds: Sequence[Kind] = (
        ("logistic", "boosting") if events > boosting_events else ("logistic",)
    )
    found = {}
    for kind in kinds:
        used = features[:, :columns] if kind == "logistic" else features
        unseen = out_of_fold(kind, used, happened, fold)
        found[kind] = (log_loss(unseen, happened), unseen, used)
    kind = min(kinds, key=lambda each: found[each][0])
    _, unseen, used = found[kind]
    mend = platt if happened.size < isotonic_cases else isotonic
    return Forecast(
        kind, _fitted(kind, used, happened), used.shape[1], mend(unseen, happened)
    )


def out_of_fold(kind: Kind, features: Floats, happened: Flags, fold: Groups) -> Floats:
    """The odds of each case by a model that saw none of its fold."""
    odds = np.full(happened.size, float(happened.mean()))

    def tell(own: int) -> None:
        held = fold == own
        seen = happened[~held]
        if seen.any() and not seen.all():
            model = _fitted(kind, features[~held], seen)
            odds[held] = model.odds(features[held])

    with _side_by_side() as pool:
        deque(pool.map(tell, np.unique(fold)), maxlen=0)
    return odds


def _fitted(kind: Kind, features: Floats, happened: Flags) -> Model:
    if kind == "boosting":
        return boosted(features, happened)
    return logistic(features, happened, strength=_STRENGTH)
