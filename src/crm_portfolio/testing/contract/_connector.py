"""Is a connector idempotent, honest about failures, patient, thrifty and deaf to strangers?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias, cast

import pytest

from crm_portfolio.errors import ConnectorError, LoginError, TransientError
from crm_portfolio.protocols import Change, Connector, Outcome, Source, Value
from crm_portfolio.schema import MANAGED
from crm_portfolio.testing.contract._pretend import Pretend, Trouble
from crm_portfolio.testing.contract._source import (
    Opened,
    SourceContract,
    in_order,
    typed,
    whole,
)

__all__ = ["ConnectorContract"]

Thrifty: TypeAlias = Callable[[int], Source]

# What a connector outlasts while it reads, one call or a few long.
_PASSING: tuple[Trouble, ...] = ("unavailable", "reset", "cut_body", "empty", "busy")


class ConnectorContract(SourceContract):
    """What every connector keeps beyond `SourceContract`.

    Two more fixtures: ``pretend``, the CRM behind `opened`, with the managed fields and at
    least five accounts; and ``thrifty``, a function that makes a connector which may make
    so many calls and no more. Give the connectors short waits.
    """

    renews: bool = True  # the log-in can be renewed without a person

    @pytest.fixture
    def pretend(self) -> Pretend:
        raise NotImplementedError("give the fixture `pretend`: the CRM behind `opened`")

    @pytest.fixture
    def thrifty(self) -> Thrifty:
        raise NotImplementedError("give the fixture `thrifty`: calls -> Connector")

    @pytest.fixture
    def crm(self, opened: Opened) -> Connector:
        connector = opened()
        assert isinstance(connector, Connector)
        return connector

    @pytest.fixture
    def ids(self, crm: Connector) -> list[str]:
        """Ids of accounts, sorted."""
        found = whole(list(crm.pull("account", columns=["account_id"])))
        ids = sorted(cast("list[str]", found["account_id"].to_pylist()))
        assert len(ids) >= 5, "give the pretend CRM five accounts or more"
        return ids

    # Which org

    def test_it_names_one_org(self, opened: Opened) -> None:
        first, second = (cast("Connector", opened()).org() for _ in range(2))
        assert first == second
        assert first.org_id
        assert first.time_zone

    # Read a few, write a few

    def test_reading_keeps_the_order_and_leaves_out_who_is_not_there(
        self, crm: Connector, pretend: Pretend, ids: list[str]
    ) -> None:
        pretend.delete(ids[1])
        asked = [ids[2], ids[1], ids[0]]
        rows = crm.read("account", asked, ["tier"])
        assert rows["account_id"].to_pylist() == [ids[2], ids[0]]
        assert rows.column_names == ["account_id", "tier"]

    @pytest.mark.parametrize("field", MANAGED, ids=lambda field: field.column)
    def test_what_is_written_is_read_and_can_be_cleared(
        self, crm: Connector, ids: list[str], field: object
    ) -> None:
        column = field.column  # type: ignore[attr-defined]
        before: Value = None
        for value in (*_samples(column), None):
            (outcome,) = crm.write("account", [Change(ids[0], column, before, value)])
            assert outcome.state == "written", outcome
            rows = crm.read("account", [ids[0]], [column])
            assert rows[column].to_pylist() == [value]
            before = value

    def test_every_change_has_one_outcome(self, crm: Connector, ids: list[str]) -> None:
        changes = [
            Change(record, column, None, value)
            for record in ids
            for column, value in (("tier", "A"), ("portfolio_rank", 7))
        ]
        outcomes = list(crm.write("account", changes))
        assert _keys(outcomes) == sorted((c.record_id, c.column) for c in changes)
        assert {outcome.state for outcome in outcomes} == {"written"}

    def test_writing_twice_is_writing_once(
        self, crm: Connector, pretend: Pretend, ids: list[str]
    ) -> None:
        changes = [Change(record, "tier", None, "B") for record in ids]
        list(crm.write("account", changes))
        once = pretend.state()
        list(crm.write("account", changes))
        assert pretend.state() == once

    def test_only_the_fields_named_are_touched(
        self, crm: Connector, ids: list[str]
    ) -> None:
        list(crm.write("account", [Change(ids[0], "portfolio_rank", None, 3)]))
        list(crm.write("account", [Change(ids[0], "tier", None, "C")]))
        rows = crm.read("account", [ids[0]], ["tier", "portfolio_rank"])
        assert rows.to_pylist() == [
            {"account_id": ids[0], "tier": "C", "portfolio_rank": 3}
        ]

    def test_a_record_that_is_gone_is_told_and_the_others_are_written(
        self, crm: Connector, pretend: Pretend, ids: list[str]
    ) -> None:
        pretend.delete(ids[2])
        outcomes = _written(crm, ids[:4], "tier", "A")
        assert outcomes.pop(ids[2]).state == "gone"
        assert {outcome.state for outcome in outcomes.values()} == {"written"}

    def test_a_value_that_is_refused_stops_no_other(
        self, crm: Connector, ids: list[str]
    ) -> None:
        changes = [
            Change(record, "tier", None, "A" if record != ids[1] else "Purple")
            for record in ids[:4]
        ]
        found = {o.change.record_id: o for o in crm.write("account", changes)}
        refused = found.pop(ids[1])
        assert refused.state == "rejected"
        assert refused.code
        assert {outcome.state for outcome in found.values()} == {"written"}
        assert crm.read("account", [ids[1]], ["tier"])["tier"].to_pylist() == [None]

    def test_the_loser_of_a_merge_is_gone(
        self, crm: Connector, pretend: Pretend, ids: list[str]
    ) -> None:
        pretend.merge(ids[3], ids[0])
        outcomes = _written(crm, [ids[0], ids[3]], "tier", "A")
        assert outcomes[ids[3]].state == "gone"

    # When things go wrong

    @pytest.mark.parametrize("kind", _PASSING)
    def test_a_pull_outlasts_passing_trouble_at_any_call(
        self, opened: Opened, pretend: Pretend, kind: Trouble
    ) -> None:
        expected = in_order("account", whole(list(opened().pull("account"))))
        before = pretend.api_calls
        list(opened().pull("account"))
        for at_call in range(1, pretend.api_calls - before + 1):
            pretend.trouble(kind, at_call=at_call)
            found = whole(list(opened().pull("account")))
            assert in_order("account", found).equals(expected), at_call

    def test_lasting_trouble_ends_in_an_error_that_says_wait(
        self, opened: Opened, pretend: Pretend
    ) -> None:
        pretend.trouble("unavailable", at_call=1, calls=10_000)
        before = pretend.api_calls
        with pytest.raises(TransientError):
            list(opened().pull("account"))
        assert pretend.api_calls - before < 20

    def test_a_session_is_renewed_once_at_any_call(
        self, opened: Opened, pretend: Pretend
    ) -> None:
        if not self.renews:
            pytest.skip("this log-in cannot be renewed")
        expected = in_order("account", whole(list(opened().pull("account"))))
        before = pretend.api_calls
        list(opened().pull("account"))
        for at_call in range(1, pretend.api_calls - before + 1):
            pretend.trouble("expired", at_call=at_call)
            found = whole(list(opened().pull("account")))
            assert in_order("account", found).equals(expected), at_call

    def test_a_session_that_is_always_refused_ends_in_an_error(
        self, opened: Opened, pretend: Pretend, ids: list[str]
    ) -> None:
        crm = cast("Connector", opened())
        crm.org()
        pretend.trouble("expired", at_call=1, calls=10_000)
        before = pretend.api_calls
        with pytest.raises(LoginError):
            list(crm.pull("account"))
        with pytest.raises(LoginError):
            crm.read("account", ids[:2], ["tier"])
        assert pretend.api_calls - before < 10

    def test_a_spent_quota_stops_at_once(
        self, opened: Opened, pretend: Pretend
    ) -> None:
        pretend.trouble("over_quota", at_call=1, calls=10_000)
        before = pretend.api_calls
        with pytest.raises(TransientError):
            list(opened().pull("account"))
        assert pretend.api_calls - before == 1

    def test_a_ceiling_on_calls_is_never_crossed(
        self, thrifty: Thrifty, pretend: Pretend
    ) -> None:
        for most in (1, 2, 3):
            before = pretend.api_calls
            with pytest.raises(TransientError):
                list(thrifty(most).pull("account"))
            assert pretend.api_calls - before <= most

    def test_a_lost_answer_to_a_write_is_unknown_or_sent_again(
        self, crm: Connector, pretend: Pretend, ids: list[str]
    ) -> None:
        crm.read("account", ids[:1], ["tier"])  # whatever is asked only once
        pretend.trouble("reset_after_write", at_call=1)
        outcomes, _ = _as_far_as_it_comes(crm, ids[:3], "A")
        assert len(outcomes) == 3
        assert {outcome.state for outcome in outcomes} <= {"unknown", "written"}

    def test_no_answer_is_never_called_written(
        self, crm: Connector, pretend: Pretend, ids: list[str]
    ) -> None:
        crm.read("account", ids[:1], ["tier"])
        pretend.trouble("gone", at_call=1)
        outcomes, failed = _as_far_as_it_comes(crm, ids[:3], "A")
        assert failed
        assert {outcome.state for outcome in outcomes} <= {"unknown"}

    def test_it_never_follows_to_another_host(
        self, opened: Opened, pretend: Pretend
    ) -> None:
        for at_call in (1, 2):
            pretend.trouble("elsewhere", at_call=at_call)
            with pytest.raises(ConnectorError):
                list(opened().pull("account"))
        assert pretend.calls_elsewhere == 0

    def test_errors_show_no_secret(self, opened: Opened, pretend: Pretend) -> None:
        for kind in ("unavailable", "expired", "over_quota", "reset", "elsewhere"):
            pretend.trouble(kind, at_call=1, calls=50)
            with pytest.raises(ConnectorError) as caught:
                list(opened().pull("account"))
            shown = "".join(_told(caught.value))
            assert not any(secret in shown for secret in self.secrets)

    # What has changed

    def test_an_increment_gives_what_changed_and_who_left(
        self, opened: Opened, pretend: Pretend, ids: list[str]
    ) -> None:
        if not self.increments:
            pytest.skip("this connector is read whole each time")
        since = list(opened().pull("account"))[-1].cursor
        pretend.rename(ids[0], "Another Name")
        pretend.delete(ids[1])
        pretend.merge(ids[2], ids[3])
        batches = list(opened().pull("account", since=since))
        rows = typed("account", batches, self.time_zone).to_pylist()
        names = {row["account_id"]: row.get("name") for row in rows if row.get("name")}
        assert names[ids[0]] == "Another Name"
        gone = {
            row["id"]: (row["reason"], row["merged_into"])
            for batch in batches
            if batch.gone is not None
            for row in batch.gone.to_pylist()
        }
        assert gone[ids[1]][0] in ("deleted", "archived")
        assert gone[ids[2]] == ("merged", ids[3])

    def test_tables_can_be_pulled_side_by_side(self, crm: Connector) -> None:
        names = list(crm.tables())[:4]
        with ThreadPoolExecutor(len(names)) as pool:
            together = list(pool.map(lambda name: whole(list(crm.pull(name))), names))
        for name, found in zip(names, together, strict=True):
            alone = whole(list(crm.pull(name)))
            assert in_order(name, found).equals(in_order(name, alone))


def _samples(column: str) -> tuple[Value, ...]:
    from datetime import date

    samples: dict[str, tuple[Value, ...]] = {
        "tier": ("A", "none"),
        "portfolio_rank": (1, 123_456),
        "revenue_share": (0.0, 0.123456, 1.0),
        "tier_since_on": (date(2024, 2, 29),),
        "dependence": ("major",),
        "portfolio_stamp": ("v1:run-1:0a1b2c",),
    }
    return samples.get(column, ("yes",))


def _keys(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    return sorted((o.change.record_id, o.change.column) for o in outcomes)


def _written(
    crm: Connector, ids: list[str], column: str, value: Value
) -> dict[str, Outcome]:
    changes = [Change(record, column, None, value) for record in ids]
    return {o.change.record_id: o for o in crm.write("account", changes)}


def _as_far_as_it_comes(
    crm: Connector, ids: list[str], tier: str
) -> tuple[list[Outcome], bool]:
    outcomes: list[Outcome] = []
    try:
        for outcome in crm.write(
            "account", [Change(record, "tier", None, tier) for record in ids]
        ):
            outcomes.append(outcome)  # noqa: PERF402 what came before the error counts
    except TransientError:
        return outcomes, True
    return outcomes, False


def _told(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error!r} {error} {error.args} {vars(error)}"
        error = error.__cause__ or error.__context__
