"""What is tried again, how often, and after which wait?

Only `TransientError`, and not a spent quota: trying again would burn time, not mend it.
"""

from __future__ import annotations

import attrs
import tenacity

from crm_portfolio.errors import SettingsError, TransientError

__all__ = ["QuotaSpentError", "RetrySettings", "persistent"]


class QuotaSpentError(TransientError):
    """The day's calls are used up: run again when they are back."""


@attrs.frozen
class RetrySettings:
    """How patient we are with a CRM that is busy or out of reach.

    Attributes:
        attempts: Calls in all, the first included.
        first_wait_seconds: Doubles with each attempt; up to a second of chance is added.
        longest_wait_seconds: Where doubling ends.
    """

    attempts: int = 5
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0

    def __attrs_post_init__(self) -> None:
        if self.attempts < 1 or self.first_wait_seconds < 0:
            raise SettingsError("retry: at least 1 attempt, and no negative wait")


def persistent(settings: RetrySettings) -> tenacity.Retrying:
    """Calls a function until it answers, fails for good, or patience ends."""
    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(settings.attempts),
        wait=tenacity.wait_exponential(
            multiplier=settings.first_wait_seconds, max=settings.longest_wait_seconds
        )
        + tenacity.wait_random(0, min(1.0, settings.first_wait_seconds)),
        retry=tenacity.retry_if_exception(_is_worth_another_try),
        reraise=True,
    )


def _is_worth_another_try(error: BaseException) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, QuotaSpentError)
