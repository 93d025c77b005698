"""How do sales go, as people live them?

A story says who spoke first, how soon the other answered, how they went on and how it
ended, and what it therefore was. It knows no threshold of any rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NOT_LOST", "STORIES", "Story", "told"]

NOT_LOST: Final = ("won", "open")
"""Of all others the truth is the class that they were lost in."""

_CLIENT: Final = ("price", "competitor", "missing feature", "delivery time")
_NOBODY: Final = ("no decision", "budget frozen", "project cancelled")
_OURS: Final = ("not a fit", "no budget", "ethics")
_QUIET: Final = ("no response", None)


@attrs.frozen
class Story:
    """One way a sale can go.

    Attributes:
        truth: Its class where it was lost; ``won`` or ``open`` where it was not.
        weight: How often it happens, against the others.
        asked: The part of such sales that begin with a message of theirs.
        answer_hours: Working hours until we answer: the middle, and how far it spreads;
            None where nobody ever does.
        later: Fewest and most contacts after that, of both sides.
        replies: The part of those contacts that are theirs.
        reached: How often each of the four stages is the last one.
        rest_days: Fewest and most days from the last contact to the end.
        reasons: What the record says why.
        by_client: The part of reasons that are the client's own words.
        size: Middle and spread of the logarithm of the amount.
        next_step: The part that says what comes next; ``step``: whether that day has
            passed long ago (``overdue``), is to come (``ahead``), or is near.
        swept: The part that a rule closes, not a person.
        refuses: The part that says no and asks not to be asked again.
        tried_again: The part we write to again, months later.
        echo: The part in which they write once more, and nobody answers.
        is_won_back: Whether it was lost first, and won in the end.
    """

    name: str
    truth: str
    weight: int
    asked: float = 0.6
    answer_hours: tuple[float, float] | None = (3.0, 0.6)
    later: tuple[int, int] = (6, 20)
    replies: float = 0.42
    reached: tuple[float, float, float, float] = (0.0, 0.0, 0.4, 0.6)
    rest_days: tuple[int, int] = (0, 12)
    reasons: tuple[str | None, ...] = (None,)
    by_client: float = 0.7
    size: tuple[float, float] = (8.6, 0.9)
    kind: str = "new"
    next_step: float = 0.5
    step: str = "near"
    swept: float = 0.0
    refuses: float = 0.0
    tried_again: float = 0.0
    echo: float = 0.0
    has_contacts: bool = True
    is_won_back: bool = False


# fmt: off
STORIES: Final = (
    Story("won", "won", 420, reached=(0, 0, 0.15, 0.85), rest_days=(0, 6)),
    Story("won_and_entered_later", "won", 14, has_contacts=False, reached=(0, 0, 1, 0)),
    # Lost, tried again with something new to say, opened again, and won.
    Story("won_back", "won", 8, later=(6, 18), reasons=_CLIENT, is_won_back=True),
    Story("in_play", "open", 110, later=(1, 12), reached=(0.3, 0.3, 0.25, 0.15),
          rest_days=(0, 25)),
    # The client heard our offer and took another one.
    Story("lost_after_offer", "pursued_lost", 85, later=(6, 18), reasons=_CLIENT,
          refuses=0.12, tried_again=0.35),
    # Long talks, and they chose before there was an offer.
    Story("lost_after_talks", "pursued_lost", 14, later=(18, 26), reached=(0, 1, 0, 0),
          reasons=_CLIENT, refuses=0.1, tried_again=0.3),
    # Answered late, forgiven, and lost for another reason.
    Story("slow_to_begin", "pursued_lost", 14, asked=1.0, answer_hours=(90.0, 0.35),
          later=(6, 16), reasons=_CLIENT, tried_again=0.3),
    # "Call us in autumn", we agreed on; in autumn they had chosen.
    Story("rested_as_agreed", "pursued_lost", 13, later=(6, 12), reasons=_CLIENT,
          rest_days=(45, 80), next_step=1.0, step="ahead", tried_again=0.2),
    Story("bought_nothing", "no_decision", 70, later=(6, 18),
          reached=(0, 0.2, 0.5, 0.3), reasons=_NOBODY, tried_again=0.3),
    # We answered at once and tried again and again; nobody ever came back.
    Story("went_quiet", "no_decision", 20, asked=1.0, later=(6, 9), replies=0.0,
          reached=(0.8, 0.2, 0, 0), rest_days=(4, 16), reasons=("no response",),
          by_client=0.0),
    Story("not_for_us", "disqualified", 52, later=(3, 6), reached=(0.6, 0.4, 0, 0),
          rest_days=(0, 7), reasons=_OURS, by_client=0.0, next_step=0.2),
    Story("renewal_slipped", "lost_client", 15, asked=0.3, later=(1, 4),
          reached=(0.5, 0.3, 0.2, 0), rest_days=(10, 90), reasons=(*_CLIENT, None),
          kind="renewal", next_step=0.2, swept=0.3, refuses=0.04),
    Story("renewal_fought_for", "lost_client", 25, asked=0.3, later=(6, 16),
          reasons=_CLIENT, kind="renewal", refuses=0.1, tried_again=0.3),
    # They wrote, and wrote again; nobody read it.
    Story("never_answered", "missed_unseen", 30, asked=1.0, answer_hours=None,
          reached=(1, 0, 0, 0), rest_days=(20, 120), reasons=_QUIET, by_client=0.0,
          next_step=0.1, swept=0.5),
    # A name on a list; nobody ever called.
    Story("never_called", "missed_unseen", 12, has_contacts=False, reached=(1, 0, 0, 0),
          rest_days=(30, 150), reasons=_QUIET, by_client=0.0, next_step=0.1, swept=0.5),
    # Sorted out by its looks, without a word with them.
    Story("dismissed_unheard", "missed_unseen", 7, asked=1.0, answer_hours=None,
          reached=(1, 0, 0, 0), rest_days=(1, 15), reasons=("not a fit",),
          by_client=0.0, next_step=0.0),
    Story("answered_too_late", "missed_late", 38, asked=1.0, answer_hours=(90.0, 0.35),
          later=(0, 3), replies=0.0, reached=(1, 0, 0, 0), rest_days=(3, 25),
          reasons=("no response", "competitor", None), by_client=0.3, next_step=0.2),
    # A good talk, then something else came up on our side.
    Story("left_lying", "missed_neglected", 45, later=(3, 9),
          reached=(0.5, 0.5, 0, 0), rest_days=(40, 200), reasons=_QUIET, by_client=0.0,
          next_step=0.35, step="overdue", swept=0.4, refuses=0.04, echo=0.2),
    Story("offer_left_lying", "missed_neglected", 10, later=(5, 12),
          reached=(0, 0, 1, 0), rest_days=(45, 150), reasons=_QUIET, by_client=0.0,
          next_step=0.35, step="overdue", swept=0.3, echo=0.2),
    # Worth several others, taken for qualified after a word or two, and left at that.
    Story("hardly_tried", "missed_underinvested", 40, asked=0.8, later=(2, 2),
          reached=(0, 1, 0, 0), rest_days=(3, 18), size=(9.9, 0.45),
          reasons=("competitor", "price", None), next_step=0.3),
    # As little, but it was worth as little.
    Story("small_and_gone", "unclassified", 12, asked=0.8, later=(2, 2),
          reached=(0, 1, 0, 0), rest_days=(3, 18), size=(7.2, 0.4),
          reasons=("competitor", "price", None), next_step=0.3),
    # Written down when it was over already.
    Story("entered_when_over", "data_insufficient", 12, has_contacts=False,
          reached=(1, 0, 0, 0), rest_days=(0, 0), reasons=(*_CLIENT, *_NOBODY, None)),
)
# fmt: on


def told(name: str, story: NDArray[np.int64]) -> NDArray[Any]:
    """What the story of each sale says."""
    return np.array([getattr(each, name) for each in STORIES])[story]
