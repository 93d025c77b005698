"""A plan is the difference between the results and the CRM, and leaves people's work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import analysis, pull, samples, simulator
from crm_portfolio._managed import is_own
from crm_portfolio._wording import Reason
from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import (
    FieldNotFoundError,
    LimitExceededError,
    SettingsError,
    WrongOrgError,
)
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.protocols import Change, Org, Quota
from crm_portfolio.writeback import (
    Bordering,
    Edited,
    Limits,
    Pinned,
    Plan,
    Policy,
    apply,
    plan,
)
from crm_portfolio.writeback._portions import calls_to_apply

Wanted = Callable[..., Any]
Edit = Callable[..., None]
Held = Callable[[str], dict[str, Any]]


def at_once(seconds: float) -> None:
    """Waits for nothing: this CRM has no automation that must settle."""


class ReadOnly:
    """A CRM through which nothing can be written: it has no such method."""

    def __init__(self, crm: Salesforce) -> None:
        self._crm = crm
        self.name = crm.name

    def org(self) -> Org:
        return self._crm.org()

    def read(self, table: Any, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        return self._crm.read(table, ids, columns)

    def quota(self) -> Quota | None:
        return self._crm.quota()


def changes(proposal: Plan) -> list[Change]:
    """The planned changes without the stamps."""
    return [c.change for c in proposal.changes if c.change.column != "portfolio_stamp"]


def test_the_first_plan_fills_empty_fields(
    crm: Salesforce, ids: list[str], wanted: Wanted
) -> None:
    since = date(2026, 6, 30)
    proposal = plan(
        [wanted({ids[1]: {"tier": "B"}, ids[0]: {"tier_since_on": since}})], crm
    )
    assert changes(proposal) == [
        Change(ids[0], "tier_since_on", None, since),
        Change(ids[1], "tier", None, "B"),
    ]
    assert proposal.first_fills == {"portfolio_stamp": 2, "tier": 1, "tier_since_on": 1}
    assert proposal.counts == {}
    assert proposal.header.population == 2
    assert proposal.header.quota is not None
    told = {c.change.column: [r.code for r in c.reasons] for c in proposal.changes}
    assert told["tier"] == ["rank_dormant"]
    assert told["portfolio_stamp"] == []


def test_an_empty_field_of_an_account_we_stamped_is_no_first_fill(
    crm: Salesforce, ids: list[str], wanted: Wanted, archive: Archive
) -> None:
    apply(
        plan([wanted({ids[0]: {"tier": "A"}})], crm),
        crm,
        archive=archive,
        sleep=at_once,
    )
    proposal = plan([wanted({ids[0]: {"tier": "A", "dependence": "none"}})], crm)
    assert proposal.counts == {"dependence": 1, "portfolio_stamp": 1}
    assert proposal.first_fills == {}


def test_the_header_says_what_is_unknown_and_which_tiers_there_are(
    crm: Salesforce, ids: list[str], wanted: Wanted, edit: Edit
) -> None:
    edit(ids[0], tier="D", dependence="unknown")
    values = {
        ids[0]: {"tier": "A", "dependence": "none"},
        ids[1]: {"tier": None, "dependence": "unknown"},
        ids[2]: {"tier": "new", "dependence": None},
    }
    header = plan([wanted(values)], crm).header
    assert header.unknown == {"dependence": 2, "tier": 1}
    assert header.tiers == ("A", "D", "none")
    assert header.call_estimate == calls_to_apply(crm, Limits(), {"account": 2}) >= 3
    assert header.previous is None
    assert header.made_at.microsecond == 0


def test_accounts_near_a_border_are_in_the_plan_as_far_as_the_crm_has_them(
    crm: Salesforce, sim: simulator.Salesforce, ids: list[str], wanted: Wanted
) -> None:
    result = wanted({i: {"tier": "A", "dependence": "none"} for i in ids[:3]})
    near = Reason("tier_none_dormant")
    told = [(ids[2], near), (ids[0], near), ("elsewhere", near)]
    object.__setattr__(result, "borders", lambda: tuple(told))
    sim.delete("Account", ids[0])
    assert plan([result], crm).borders == (Bordering(ids[2], near),)


def test_planning_needs_a_crm_that_can_only_be_read(
    crm: Salesforce, sim: simulator.Salesforce, ids: list[str], wanted: Wanted
) -> None:
    before = sim.snapshot(audit=True)
    proposal = plan([wanted({ids[0]: {"tier": "A"}})], ReadOnly(crm))
    assert proposal.changes
    assert sim.snapshot(audit=True) == before


def test_absent_null_and_a_value_are_three_things(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted, held: Held
) -> None:
    start = {"tier": "A", "dependence": "none", "portfolio_rank": 1}
    apply(plan([wanted({ids[0]: start})], crm), crm, archive=archive, sleep=at_once)
    proposal = plan([wanted({ids[0]: {"tier": None, "portfolio_rank": 2}})], crm)
    assert changes(proposal) == [
        Change(ids[0], "portfolio_rank", 1, 2),
        Change(ids[0], "tier", "A", None),
    ]
    apply(proposal, crm, archive=archive, sleep=at_once)
    left = held(ids[0])
    mark = left.pop("portfolio_stamp")
    assert left == {"dependence": "none", "portfolio_rank": 2}
    assert is_own(mark, left)


def test_our_own_writes_do_not_come_back(
    crm: Salesforce,
    archive: Archive,
    sim: simulator.Salesforce,
    ids: list[str],
    wanted: Wanted,
) -> None:
    result = wanted(
        {
            each: {
                "tier": "A  ",
                "tier_since_on": date(2026, 6, 30),
                "portfolio_rank": 1,
                "revenue_share": 1 / 3,
                "dependence": "" if each < ids[100] else "none ",
            }
            for each in ids
        }
    )
    apply(plan([result], crm), crm, archive=archive, sleep=at_once)
    again = plan([result], crm)
    assert again.changes == ()
    written = sim.calls.copy()
    journal = apply(again, crm, archive=archive, sleep=at_once)
    assert journal.counts == {}
    assert sim.calls == written


def test_an_edit_by_a_person_is_kept_and_reported(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted, edit: Edit
) -> None:
    apply(
        plan([wanted({i: {"tier": "A", "portfolio_rank": 1} for i in ids[:3]})], crm),
        crm,
        archive=archive,
        sleep=at_once,
    )
    edit(ids[0], tier="C")
    edit(ids[1], portfolio_stamp=None)
    proposal = plan(
        [wanted({i: {"tier": "B", "portfolio_rank": 1} for i in ids[:3]})], crm
    )
    assert proposal.edited == (Edited(ids[0], ("tier",)), Edited(ids[1], ("tier",)))
    assert changes(proposal) == [Change(ids[2], "tier", "A", "B")]


def test_what_somebody_else_filled_in_is_not_ours_to_change(
    crm: Salesforce, ids: list[str], wanted: Wanted, edit: Edit
) -> None:
    edit(ids[0], dependence="major")
    edit(ids[1], portfolio_stamp="mine")
    result = wanted({i: {"tier": "B"} for i in ids[:2]})
    proposal = plan([result], crm)
    assert proposal.edited == (Edited(ids[0], ("tier",)), Edited(ids[1], ("tier",)))
    assert proposal.changes == ()


def test_a_policy_may_overwrite_what_people_edited(
    crm: Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
    edit: Edit,
    held: Held,
) -> None:
    edit(ids[0], tier="C")
    result = wanted({ids[0]: {"tier": "B"}})
    proposal = plan([result], crm, policy=Policy(edited="overwrite"))
    assert proposal.edited == (Edited(ids[0], ("tier",)),)
    assert proposal.counts == {"tier": 1}
    apply(proposal, crm, archive=archive, sleep=at_once)
    assert held(ids[0])["tier"] == "B"
    assert plan([result], crm).edited == ()


def test_an_edit_back_to_what_we_wrote_is_no_edit(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted, edit: Edit
) -> None:
    apply(
        plan([wanted({ids[0]: {"tier": "A"}})], crm),
        crm,
        archive=archive,
        sleep=at_once,
    )
    edit(ids[0], tier="C")
    edit(ids[0], tier="A")
    assert plan([wanted({ids[0]: {"tier": "B"}})], crm).edited == ()


def test_pins_that_hold_on_the_day_are_reported(
    crm: Salesforce, ids: list[str], wanted: Wanted, edit: Edit
) -> None:
    edit(ids[0], tier_pinned="A", tier_pinned_by="005X")
    edit(ids[1], tier_pinned="B", tier_pinned_until_on=date(2026, 6, 30))
    edit(ids[2], tier_pinned="C", tier_pinned_until_on=date(2026, 6, 29))
    tiers = {ids[0]: "A", ids[1]: "B", ids[2]: "D"}
    proposal = plan([wanted({i: {"tier": tier} for i, tier in tiers.items()})], crm)
    assert proposal.pinned == (
        Pinned(ids[0], "A", None, "005X"),
        Pinned(ids[1], "B", date(2026, 6, 30), None),
    )
    assert {c.record_id: c.after for c in changes(proposal)} == tiers


def test_a_tier_pinned_after_the_analysis_is_not_overwritten(
    crm: Salesforce, ids: list[str], wanted: Wanted, edit: Edit
) -> None:
    edit(ids[0], tier_pinned="A")
    late = {"tier": "D", "tier_since_on": date(2026, 6, 30), "portfolio_rank": 4}
    proposal = plan([wanted({ids[0]: late})], crm)
    assert changes(proposal) == [Change(ids[0], "portfolio_rank", None, 4)]
    assert [each.tier for each in proposal.pinned] == ["A"]


def test_accounts_the_crm_lacks_are_reported(
    crm: Salesforce, sim: simulator.Salesforce, ids: list[str], wanted: Wanted
) -> None:
    sim.delete("Account", ids[0])
    proposal = plan([wanted({i: {"tier": "A"} for i in ids[:2]})], crm)
    assert [each.record_id for each in proposal.missing] == [ids[0]]
    assert proposal.header.population == 1


def test_a_portfolio_just_pulled_saves_reading(
    crm: Salesforce, sim: simulator.Salesforce, ids: list[str], wanted: Wanted
) -> None:
    columns: dict[str, Any] = {"account_id": ids[:2], "tier": ["A", None]}
    pulled = pa.table({**columns, **dict.fromkeys(_others(), pa.nulls(2, pa.string()))})
    portfolio = Portfolio.from_frames(
        as_of=date(2026, 6, 30), currency="EUR", account=pulled
    )
    crm.org()
    calls = sim.api_calls
    result = wanted({ids[0]: {"tier": "A"}, ids[1]: {"tier": "B"}})
    proposal = plan([result], crm, held=portfolio)
    assert sim.api_calls == calls
    assert changes(proposal) == [Change(ids[1], "tier", None, "B")]


def _others() -> list[str]:
    from crm_portfolio.writeback._held import COLUMNS

    return [column for column in COLUMNS["account"] if column != "tier"]


def test_fields_the_org_lacks_are_named_with_the_way_to_get_them(
    connected: Callable[..., Salesforce], wanted: Wanted
) -> None:
    tables: Any = {"account": pa.table({"account_id": ["a"], "name": ["A"]})}
    with simulator.Salesforce(tables) as bare:
        crm = connected(bare)
        result = wanted({bare.ids("account")["a"]: {"tier": "A"}})
        with pytest.raises(FieldNotFoundError, match="setup"):
            plan([result], crm)
        portfolio = Portfolio.from_frames(
            as_of=date(2026, 6, 30), currency="EUR", account=tables["account"]
        )
        with pytest.raises(
            FieldNotFoundError, match=r"'tier'.*11 more are missing.*setup"
        ):
            plan([result], crm, held=portfolio)


def test_pins_hidden_from_this_login_stop_the_plan(
    crm: Salesforce, sim: simulator.Salesforce, ids: list[str], wanted: Wanted
) -> None:
    sim.hide_field("Account", "Portfolio_Tier_Pinned__c")
    with pytest.raises(FieldNotFoundError, match="setup"):
        plan([wanted({ids[0]: {"tier": "A"}})], crm)


def test_limits_never_stop_a_plan_from_being_made(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
) -> None:
    apply(
        plan([wanted({i: {"tier": "A"} for i in ids})], crm),
        crm,
        archive=archive,
        sleep=at_once,
    )
    proposal = plan([wanted({i: {"tier": "B"} for i in ids})], crm, limits=Limits(0.1))
    assert [str(each) for each in proposal.refusals] == [
        "tier would change on 250 accounts; the limit is 25 of 250."
    ]


def test_no_account_name_is_in_a_plan_unless_asked_for(
    crm: Salesforce, ids: list[str], wanted: Wanted
) -> None:
    proposal = plan([wanted({i: {"tier": "A"} for i in ids})], crm)
    assert b"Secret" not in proposal.to_bytes()
    assert "Secret" not in f"{proposal}{proposal!r}{proposal.to_markdown()}"
    assert "Secret" not in proposal.to_html()
    table = pa.table({"account_id": ids[:2], "name": ["<b>Secret|\n", None]})
    names = Portfolio.from_frames(
        as_of=date(2026, 6, 30), currency="EUR", account=table
    )
    assert rf"| \<b\>Secret\|␊ ({ids[0]}) |" in proposal.to_markdown(names)
    assert f"&lt;b&gt;Secret|␊ ({ids[0]})" in proposal.to_html(names)


def test_the_same_settings_have_the_same_digest_on_another_day(
    crm: Salesforce, ids: list[str], wanted: Wanted
) -> None:
    values = {ids[0]: {"tier": "A"}}
    one = plan([wanted(values, slices=4)], crm).header
    two = plan(
        [wanted(values, slices=4, as_of="2026-07-31", portfolio="p2")], crm
    ).header
    other = plan([wanted(values, slices=3)], crm).header
    assert one.settings_digest == two.settings_digest != other.settings_digest
    assert two.as_of == date(2026, 7, 31)


class TestResultsThatMakeNoPlan:
    def test_one_field_from_two_results(
        self, crm: Salesforce, ids: list[str], wanted: Wanted
    ) -> None:
        result = wanted({ids[0]: {"tier": "A"}})
        with pytest.raises(SettingsError, match="both assign 'tier'"):
            plan([result, result], crm)

    def test_no_results(self, crm: Salesforce) -> None:
        with pytest.raises(SettingsError, match="none of these results"):
            plan([], crm)

    def test_results_that_assign_nothing(self, crm: Salesforce, wanted: Wanted) -> None:
        with pytest.raises(SettingsError, match="none of these results"):
            plan([wanted({"1": {}})], crm)

    def test_names_instead_of_results(self, crm: Salesforce) -> None:
        with pytest.raises(SettingsError, match=r"findings\.values\(\)"):
            plan({"tiers": None}, crm)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "column", ["portfolio_stamp", "tier_pinned", "name", "teir"]
    )
    def test_a_field_that_is_not_ours(
        self, crm: Salesforce, wanted: Wanted, column: str
    ) -> None:
        with pytest.raises(SettingsError, match=f"assigns '{column}'"):
            plan([wanted({"1": {column: "A"}})], crm)

    def test_a_value_the_field_cannot_hold(
        self, crm: Salesforce, wanted: Wanted
    ) -> None:
        result = wanted({"1": {"revenue_share": float("inf")}})
        with pytest.raises(SettingsError, match="revenue_share of 1 what that field"):
            plan([result], crm)

    def test_two_portfolios(self, crm: Salesforce, wanted: Wanted) -> None:
        one = wanted({"1": {"tier": "A"}})
        two = wanted({"1": {"portfolio_rank": 1}}, portfolio="p2")
        object.__setattr__(two, "name", "other")
        with pytest.raises(
            SettingsError, match="different portfolios: portfolio is p1 and"
        ):
            plan([one, two], crm)


def test_an_empty_portfolio_makes_an_empty_plan_that_is_refused(
    crm: Salesforce, archive: Archive, wanted: Wanted
) -> None:
    result = wanted({"1": {"tier": "A"}})
    object.__setattr__(result, "_table", result.assignments().slice(0, 0))
    proposal = plan([result], crm)
    assert (proposal.changes, proposal.header.population) == ((), 0)
    with pytest.raises(LimitExceededError, match="the input is empty"):
        apply(proposal, crm, archive=archive, sleep=at_once)
    assert (
        apply(proposal, crm, archive=archive, accept_changes=0, sleep=at_once).exit_code
        == 0
    )


@pytest.mark.parametrize("is_given", [True, False])
def test_figures_of_the_sandbox_are_not_planned_into_production(
    connected: Callable[..., Salesforce],
    tmp_path: Path,
    wanted: Wanted,
    is_given: bool,
) -> None:
    """Its full copy has the same record ids."""
    book = samples.book(accounts=40, opportunities=250)
    with simulator.Salesforce(book.tables, currency="EUR") as sandbox:
        pulled = pull(connected(sandbox), as_of=book.truths["as_of"])
    pulled.save(tmp_path / "book")
    loaded = Portfolio.load(tmp_path / "book")
    results = [analysis.tiers(loaded)]
    with simulator.Salesforce(
        book.tables, currency="EUR", is_sandbox=False
    ) as production:
        with pytest.raises(WrongOrgError, match=r"sandbox.* reaches"):
            plan(results, connected(production), held=loaded if is_given else None)
        nameless = wanted({"1": {"tier": "A"}})  # does not say where it comes from
        with pytest.raises(WrongOrgError, match=r"sandbox.* reaches"):
            plan([nameless], connected(production), held=loaded)
        assert production.calls.get("PATCH composite/sobjects", 0) == 0
