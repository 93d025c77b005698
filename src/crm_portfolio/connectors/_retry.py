"""What is tried again, how often, and after which wait?

Only `TransientError`, and not a spent quota: trying again would burn time, not mend it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs
import tenacity

from crm_portfolio.errors import SettingsError, TransientError

__all__ = ["QuotaSpentError", "RetrySettings", "TimedError", "once", "persistent"]


class QuotaSpentError(TransientError):
    """The day's calls are used up, or a ceiling of ours: run again when they are back."""


class TimedError(TransientError):
    """The CRM says how long to wait.

    Attributes:
        seconds: The least wait; 0 where the pace-maker already waits for the window.
    """

    def __init__(
        self, source: str, message: str, code: str = "", seconds: float = 0.0
    ) -> None:
        super().__init__(source, message, code)
        self.args = (source, message, code, seconds)
        self.seconds = seconds


@attrs.frozen
class RetrySettings:
    """How patient we are with a CRM that is busy or out of reach.

    Attributes:
        attempts: Calls in all, the first included.
        first_wait_seconds: Doubles with each attempt; up to a second of chance is added.
        longest_wait_seconds: Where doubling ends; a CRM that asks for more is not waited
            for.
    """

    attempts: int = 5
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0

    def __attrs_post_init__(self) -> None:
        shortest = min(self.first_wait_seconds, self.longest_wait_seconds)
        if self.attempts < 1 or shortest < 0:
            raise SettingsError("retry: at least 1 attempt, and no negative wait")


def once(settings: RetrySettings) -> RetrySettings:
    """The same, for what must not be done again before somebody has looked."""
    return attrs.evolve(settings, attempts=1)


def persistent(
    settings: RetrySettings, *, sleep: Callable[[float], None] = time.sleep
) -> tenacity.Retrying:
    """Calls a function until it answers, fails for good, or patience ends."""
    growing = tenacity.wait_exponential(
        multiplier=settings.first_wait_seconds, max=settings.longest_wait_seconds
    ) + tenacity.wait_random(0, min(1.0, settings.first_wait_seconds))

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, TimedError):
            return max(growing(state), error.seconds) if error.seconds else 0.0
        return growing(state)

    def is_worth_another_try(error: BaseException) -> bool:
        if isinstance(error, TimedError):
            return error.seconds <= settings.longest_wait_seconds
        return isinstance(error, TransientError) and not isinstance(
            error, QuotaSpentError
        )

    return tenacity.Retrying(
        sleep=sleep,
        stop=tenacity.stop_after_attempt(settings.attempts),
        wait=wait,
        retry=tenacity.retry_if_exception(is_worth_another_try),
        reraise=True,
    )
