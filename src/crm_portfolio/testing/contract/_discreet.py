"""Is a connector deaf to strangers, and silent about secrets?"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from crm_portfolio.errors import ConnectorError
from crm_portfolio.testing.contract._given import GivenCrm, Opened, calls_of, strike
from crm_portfolio.testing.contract._pretend import Fallible, Pretend, Trouble

__all__ = ["Discreet"]

_LASTING: tuple[Trouble, ...] = (
    "unavailable",
    "expired",
    "over_quota",
    "reset",
    "elsewhere",
)


class Discreet(GivenCrm):
    """One host, and no word of what is in the log-in."""

    def test_it_never_follows_to_another_host(
        self, opened: Opened, fallible: Fallible, pretend: Pretend
    ) -> None:
        calls = calls_of(pretend, lambda: list(opened().pull("account")))
        for at_call in range(1, calls + 1):
            strike(fallible, "elsewhere", at_call=at_call)
            try:
                list(opened().pull("account"))
            except ConnectorError:
                continue
            finally:
                assert fallible.calls_elsewhere == 0, (
                    "it followed to another host: refuse redirects and addresses "
                    "that are not of the configured origin"
                )
            pytest.fail(
                f"sent elsewhere at call {at_call}, it raised no ConnectorError"
            )

    @pytest.mark.parametrize("kind", _LASTING)
    def test_errors_show_no_secret(
        self, opened: Opened, fallible: Fallible, kind: Trouble
    ) -> None:
        strike(fallible, kind, calls=50)
        with pytest.raises(ConnectorError) as caught:
            list(opened().pull("account"))
        for told in _told(caught.value):
            assert not self.shows_a_secret(told), (
                f"{kind}: an error, or one behind it, holds a secret; raise ours with "
                "`from None` where the vendor's holds the request"
            )

    def test_the_log_shows_no_secret(
        self,
        opened: Opened,
        fallible: Fallible,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        list(opened().pull("account"))
        assert self.secrets, "name in `secrets` what the log-in must not show"
        strike(fallible, "unavailable", calls=50)
        with pytest.raises(ConnectorError):
            list(opened().pull("account"))
        assert not self.shows_a_secret(caplog.text), (
            "a secret is in the log: send it in a header or a body, never in an address"
        )


def _told(error: BaseException | None) -> Iterator[str]:
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield f"{one!r} {one} {one.args} {vars(one)} {getattr(one, '__notes__', '')}"
            waiting += [one.__cause__, one.__context__]
