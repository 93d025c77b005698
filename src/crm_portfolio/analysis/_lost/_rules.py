"""Which rule takes a lost opportunity first, and what does it stand on?

A table of rules in order: the first whose predicate holds gives the class. A predicate
that stands on something unknown does not hold. Rules: sheet 6.1, amendment 4. In the
engine a number stands for the name of a rule, which comes back in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs
import pyarrow as pa

from crm_portfolio._frames import nw, same_kind
from crm_portfolio.analysis._facts import one_of

__all__ = [
    "CLASSES",
    "CLASS_OF",
    "DUPLICATE",
    "ENQUIRY_RULES",
    "FINE",
    "MISSED",
    "RULES",
    "STANCES",
    "TIMINGS",
    "UNTAKEN",
    "Limits",
    "LostClass",
    "Rule",
    "asked_of_words",
    "first_of",
    "is_missed",
    "named_rules",
    "number_of",
    "that_may_be",
]

LostClass: TypeAlias = Literal[
    "data_insufficient",
    "disqualified",
    "lost_client",
    "missed_unseen",
    "missed_late",
    "missed_neglected",
    "missed_underinvested",
    "pursued_lost",
    "no_decision",
    "unclassified",
]
CLASSES: Final[tuple[LostClass, ...]] = get_args(LostClass)
"""In the order in which they are asked for."""
MISSED: Final = tuple(name for name in CLASSES if name.startswith("missed_"))
DUPLICATE: Final = "probable_duplicate"
"""What is set aside, and in none of the classes."""

_BEFORE, _AFTER = "before_the_decision", "after_the_decision"
TIMINGS: Final[Mapping[str, str]] = {
    **dict.fromkeys(MISSED, _BEFORE),
    **dict.fromkeys(("lost_client", "pursued_lost", "no_decision"), _AFTER),
}
"""When there is something to do about such a one: the next time before it is decided."""
STANCES: Final[Mapping[str, str]] = {
    name: "proactive" if timing == _BEFORE else "reactive"
    for name, timing in TIMINGS.items()
}


@attrs.frozen
class Limits:
    """The thresholds a rule compares with, from the settings and from what was won.

    Attributes:
        has_activities: Whether the portfolio holds any table of them.
        has_won: Whether anything was won that tells what is kept.
        response_s: Working seconds within which we answer.
        silent_days: From so many on, it was left lying.
        few_touches: Below, it was given too little.
        enough_touches: From so many on, it was pursued. A stage that enough won ones have
            left has its own of both, in ``few_by_then`` and ``enough_by_then``. Both are
            None where nothing was won.
        minor: From this amount on it is of value; None where no amount is known.
    """

    has_activities: bool
    has_won: bool
    response_s: int
    silent_days: float
    few_touches: float | None
    enough_touches: float | None
    minor: float | None
    disqualifying: tuple[str, ...]
    twice: tuple[str, ...]
    undecided: tuple[str, ...]


Predicate: TypeAlias = Callable[[Limits], Any]


@attrs.frozen
class Rule:
    """What must hold, and the columns that show that it does."""

    name: str
    gives: LostClass
    predicate: Predicate
    evidence: tuple[str, ...]


def _known(condition: Any) -> Any:
    """What stands on something unknown does not hold."""
    return condition.fill_null(value=False)


def _two_way() -> Any:
    return (nw.col("in_count") > 0) & (nw.col("out_count") > 0)


def asked_of_words(limits: Limits) -> dict[str, Any]:
    """What rules ask of the words of a record, by the name under which they look for it.

    Many records say the same; so each of these is found once for all that do.
    """
    reason = nw.col("loss_reason").fill_null("")
    return {
        "is_renewal": nw.col("kind").fill_null("") == "renewal",
        "is_by_us": nw.col("loss_reason_by").fill_null("seller") != "client",
        "names_nobody": nw.col("competitor").fill_null("") == "",
        "is_disqualifying": one_of(reason, limits.disqualifying),
        "is_twice": one_of(reason, limits.twice),
        "is_undecided": (reason == "") | one_of(reason, limits.undecided),
    }


def _always(*, holds: bool) -> Any:
    return nw.col("touches") >= 0 if holds else nw.col("touches") < 0


def _no_activities(limits: Limits) -> Any:
    return _always(holds=not limits.has_activities)


def _nothing_won(limits: Limits) -> Any:
    return _always(holds=not limits.has_won)


def _not_captured(_: Limits) -> Any:
    return nw.col("is_captured") == 0


def _back_filled(_: Limits) -> Any:
    is_same_day = _known(nw.col("created_day") == nw.col("closed_day"))
    return is_same_day & (nw.col("touches") == 0) & nw.col("answered_s").is_null()


def _disqualified(_: Limits) -> Any:
    ours = nw.col("is_by_us") & nw.col("is_disqualifying")
    return ours & ~_had_offer() & _two_way()


def _entered_twice(_: Limits) -> Any:
    """Whoever talked to them, talked about the other entry."""
    return nw.col("is_by_us") & nw.col("is_twice")


def _had_offer() -> Any:
    return nw.col("offers").fill_null(0) == 1


def _lost_client(_: Limits) -> Any:
    return nw.col("is_renewal")


def _unseen(_: Limits) -> Any:
    return nw.col("answered_s").is_null()


def _late(limits: Limits) -> Any:
    is_late = _known(nw.col("response_s") > limits.response_s)
    came_back = _known(nw.col("last_in_s") > nw.col("answered_s"))
    return is_late & ~came_back


def _neglected(limits: Limits) -> Any:
    is_silent = _known(nw.col("silent_days") >= limits.silent_days)
    # What was planned before an earlier loss nobody keeps: perhaps it was much.
    has_none = _known(nw.col("has_next_step") == 0)
    has_no_step = has_none | (nw.col("is_overdue") == 1)
    return _two_way() & is_silent & has_no_step


def _underinvested(limits: Limits) -> Any:
    if limits.few_touches is None or limits.minor is None:
        return _always(holds=False)
    is_of_value = _known(nw.col("minor") >= limits.minor)
    is_little = nw.col("touches") < nw.col("few_by_then")
    return is_of_value & is_little & ~_had_offer()


def _pursued(limits: Limits, enough: Any) -> Any:
    if limits.enough_touches is None:
        return _had_offer()
    return _had_offer() | (nw.col("touches") >= enough)


def _nobody_chose() -> Any:
    """Nobody says that the client decided."""
    nobody_refused = nw.col("refused_day").is_null()
    return nw.col("names_nobody") & nobody_refused & nw.col("is_undecided")


def _ours() -> Any:
    return nw.col("is_by_us") & nw.col("names_nobody") & nw.col("is_disqualifying")


def _pursued_lost(limits: Limits) -> Any:
    is_pursued = _pursued(limits, limits.enough_touches)
    return is_pursued & ~_nobody_chose() & ~_ours()


def _no_decision(limits: Limits) -> Any:
    """Who decides nothing halts a sale where it is, so that the stage is the measure."""
    return _pursued(limits, nw.col("enough_by_then")) & _nobody_chose()


_WAY = ("out_count", "in_count")
RULES: Final = (
    Rule("no_activities", "data_insufficient", _no_activities, ()),
    Rule("nothing_won", "data_insufficient", _nothing_won, ()),
    Rule("capture_low", "data_insufficient", _not_captured, ("owner_id",)),
    Rule("back_filled", "data_insufficient", _back_filled, ("created_on", "touches")),
    Rule("let_go_by_us", "disqualified", _disqualified, ("loss_reason", *_WAY)),
    Rule("entered_twice", "disqualified", _entered_twice, ("loss_reason",)),
    Rule("renewal_lost", "lost_client", _lost_client, ("kind",)),
    Rule("never_answered", "missed_unseen", _unseen, _WAY),
    Rule("answered_late", "missed_late", _late, ("response_hours", "in_count")),
    Rule(
        "left_lying", "missed_neglected", _neglected, ("silent_days", "last_contact_on")
    ),
    Rule("hardly_tried", "missed_underinvested", _underinvested, ("minor", "touches")),
    Rule(
        "client_decided", "pursued_lost", _pursued_lost, ("touches", "has_had_proposal")
    ),
    Rule(
        "nobody_decided", "no_decision", _no_decision, ("touches", "has_had_proposal")
    ),
)
"""Of opportunities, in order; what none of them takes is unclassified."""


def _unanswered(limits: Limits) -> Any:
    has_waited = _known(nw.col("waited_s") > limits.response_s)
    return nw.col("answered_s").is_null() & has_waited


ENQUIRY_RULES: Final = (
    Rule("answers_not_kept", "data_insufficient", _not_captured, ()),
    Rule("never_answered", "missed_unseen", _unanswered, ("created_on",)),
    Rule("answered_late", "missed_late", _late, ("response_hours", "in_count")),
    Rule(
        "left_lying", "missed_neglected", _neglected, ("silent_days", "last_contact_on")
    ),
)
"""Of enquiries that never became an opportunity; what none of them takes was answered
well enough, or waits and may still be."""
_NAMES: Final = tuple(
    sorted(
        {
            *(rule.name for rule in (*RULES, *ENQUIRY_RULES)),
            *("untaken", "waiting", "answered"),
        }
    )
)


def number_of(name: str) -> int:
    """What stands for this rule in the engine."""
    return _NAMES.index(name)


def named_rules(numbers: pa.ChunkedArray) -> pa.Array:
    """The names of the rules for which these numbers stand."""
    return pa.array(_NAMES).take(numbers.combine_chunks().cast(pa.int64()))


def _whole(name: str) -> Any:
    return nw.lit(number_of(name), dtype=nw.Int8)


UNTAKEN: Final = _whole("untaken")
"""An opportunity that no rule takes."""
FINE: Final = (
    nw.when(nw.col("answered_s").is_null())
    .then(_whole("waiting"))
    .otherwise(_whole("answered"))
)
"""An enquiry that no rule takes, and that is in no class."""
_OF_LOSSES: Final[Mapping[str, LostClass]] = {
    **{rule.name: rule.gives for rule in RULES},
    "untaken": "unclassified",
}
CLASS_OF: Final[Mapping[str, Mapping[str, LostClass]]] = {
    "opportunity": _OF_LOSSES,
    "episode": _OF_LOSSES,
    "enquiry": {rule.name: rule.gives for rule in ENQUIRY_RULES},
}
"""What each rule gives, by the record it is asked of."""


def is_missed(rules: tuple[Rule, ...], limits: Limits) -> Any:
    """Whether any rule holds that finds it missed, whichever comes before."""
    found = [rule.predicate(limits) for rule in rules if rule.gives in MISSED]
    return nw.any_horizontal(*found, ignore_nulls=True)


def first_of(rules: tuple[Rule, ...], limits: Limits, otherwise: Any) -> Any:
    """The number of the first rule that holds, for each row."""
    found = otherwise
    for rule in reversed(rules):
        found = nw.when(rule.predicate(limits)).then(_whole(rule.name)).otherwise(found)
    return found


def that_may_be(rows: Any, *classes: str) -> Any:
    """Those to which their ``rule`` may give one of these classes, none set apart."""
    told = {
        number_of(rule)
        for given in CLASS_OF.values()
        for rule, name in given.items()
        if name in classes
    }
    its = pa.table({"rule": pa.array(sorted(told), pa.int8())})
    # For a filter an engine would go through all rules again for each of the numbers.
    wanted = nw.from_native(same_kind(its, nw.to_native(rows))).lazy()
    rows = rows.filter(nw.col("apart") == 0)
    return rows.join(wanted, on="rule", how="semi")
