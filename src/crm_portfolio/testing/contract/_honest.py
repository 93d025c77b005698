"""Does a connector outlast what passes, stop at what lasts, and claim nothing it does not know?"""

from __future__ import annotations

import pickle
from typing import cast

import pytest

from crm_portfolio.errors import ConnectorError, LoginError, TransientError
from crm_portfolio.protocols import Batch, Change, Connector, Outcome
from crm_portfolio.schema import TableName
from crm_portfolio.testing.contract._given import (
    GivenCrm,
    Opened,
    Thrifty,
    calls_of,
    strike,
)
from crm_portfolio.testing.contract._pretend import Fallible, Pretend, Trouble
from crm_portfolio.testing.contract._rows import differences, whole

__all__ = ["Honest"]

# What a connector outlasts while it reads, one call or a few long.
_PASSING: tuple[Trouble, ...] = ("unavailable", "reset", "cut_body", "empty", "busy")
_FOR_EVER = 10_000


class Honest(GivenCrm):
    """What happens when things go wrong."""

    @pytest.mark.parametrize("kind", _PASSING)
    def test_a_pull_outlasts_passing_trouble_at_any_call(
        self, opened: Opened, fallible: Fallible, pretend: Pretend, kind: Trouble
    ) -> None:
        expected = whole(list(opened().pull("account")))
        calls = calls_of(pretend, lambda: list(opened().pull("account")))
        for at_call in range(1, calls + 1):
            strike(fallible, kind, at_call=at_call)
            found = whole(list(opened().pull("account")))
            wrong = differences("account", found, expected)
            assert not wrong, f"{kind} at call {at_call}: {wrong}"

    @pytest.mark.parametrize("kind", _PASSING)
    def test_reading_outlasts_passing_trouble(
        self, crm: Connector, fallible: Fallible, ids: list[str], kind: Trouble
    ) -> None:
        expected = crm.read("account", ids, ["tier"])
        strike(fallible, kind)
        assert crm.read("account", ids, ["tier"]).equals(expected)

    def test_lasting_trouble_ends_in_an_error_that_says_wait(
        self, opened: Opened, fallible: Fallible, pretend: Pretend
    ) -> None:
        strike(fallible, "unavailable", calls=_FOR_EVER)
        before = pretend.api_calls
        with pytest.raises(TransientError):
            list(opened().pull("account"))
        calls = pretend.api_calls - before
        assert calls < 20, f"a CRM that is out of order was asked {calls} times"

    def test_what_came_before_an_error_is_kept_and_gone_on_from(
        self, opened: Opened, thrifty: Thrifty, pretend: Pretend, longest: TableName
    ) -> None:
        if not self.resumes:
            pytest.skip("this connector has no cursors")
        expected = whole(list(opened().pull(longest)))
        calls = calls_of(pretend, lambda: list(opened().pull(longest)))
        batches: list[Batch] = []
        with pytest.raises(TransientError):
            batches.extend(thrifty(calls - 1).pull(longest))
        assert not any(batch.is_last for batch in batches), (
            "a pull that broke off says that it was complete"
        )
        resume = self.stored(batches[-1].cursor) if batches else None
        rest = list(opened().pull(longest, resume=resume))
        wrong = differences(longest, whole([*batches, *rest]), expected)
        assert not wrong, f"gone on after an error: {wrong}"

    # The log-in

    def test_a_session_is_renewed_once_at_any_call(
        self, opened: Opened, fallible: Fallible, pretend: Pretend
    ) -> None:
        if not self.renews:
            pytest.skip("this log-in cannot be renewed")
        expected = whole(list(opened().pull("account")))
        calls = calls_of(pretend, lambda: list(opened().pull("account")))
        for at_call in range(1, calls + 1):
            strike(fallible, "expired", at_call=at_call)
            try:
                found = whole(list(opened().pull("account")))
            except LoginError as error:
                pytest.fail(f"a session that ended at call {at_call}: {error}")
            wrong = differences("account", found, expected)
            assert not wrong, f"a session that ended at call {at_call}: {wrong}"

    def test_a_session_that_is_always_refused_ends_in_an_error(
        self, opened: Opened, fallible: Fallible, pretend: Pretend, ids: list[str]
    ) -> None:
        crm = cast("Connector", opened())
        crm.org()
        strike(fallible, "expired", calls=_FOR_EVER)
        before = pretend.api_calls
        with pytest.raises(LoginError):
            list(crm.pull("account"))
        with pytest.raises(LoginError):
            crm.read("account", ids[:2], ["tier"])
        calls = pretend.api_calls - before
        assert calls < 10, f"it went on for {calls} calls: renew a session once"

    # Writes whose end is not known

    def test_a_lost_answer_to_a_write_is_unknown_or_sent_again(
        self, crm: Connector, fallible: Fallible, ids: list[str]
    ) -> None:
        crm.read("account", ids[:1], ["tier"])  # whatever is asked only once
        strike(fallible, "reset_after_write")
        outcomes, _ = _as_far_as_it_comes(crm, ids[:3])
        assert len(outcomes) == 3, f"3 changes in flight had {len(outcomes)} outcomes"
        states = {outcome.state for outcome in outcomes}
        assert states <= {"unknown", "written"}, (
            f"it was written, and is called {states}"
        )

    def test_no_answer_is_never_called_written(
        self, crm: Connector, fallible: Fallible, ids: list[str]
    ) -> None:
        crm.read("account", ids[:1], ["tier"])
        strike(fallible, "gone")
        outcomes, failed = _as_far_as_it_comes(crm, ids[:3])
        states = {outcome.state for outcome in outcomes}
        assert states <= {"unknown"}, (
            f"nobody answered, and changes are called {states}"
        )
        assert failed, "a CRM out of reach: yield `unknown`, then raise TransientError"

    def test_errors_survive_the_way_to_another_process(
        self, opened: Opened, fallible: Fallible
    ) -> None:
        for kind in ("unavailable", "over_quota", "elsewhere"):
            strike(fallible, kind, calls=50)
            with pytest.raises(ConnectorError) as caught:
                list(opened().pull("account"))
            error = caught.value
            again = pickle.loads(pickle.dumps(error))  # noqa: S301 our own bytes
            assert type(again) is type(error), "an error must pickle"
            assert str(again) == str(error), "keep every argument of an error in `args`"


def _as_far_as_it_comes(crm: Connector, ids: list[str]) -> tuple[list[Outcome], bool]:
    outcomes: list[Outcome] = []
    changes = [Change(record, "tier", None, "A") for record in ids]
    try:
        for outcome in crm.write("account", changes):
            outcomes.append(outcome)  # noqa: PERF402 what came before the error counts
    except TransientError:
        return outcomes, True
    return outcomes, False
