"""A plan that touches too much is refused, per field: at a limit not yet, above it always."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import LimitExceededError, RefusedError, SettingsError
from crm_portfolio.protocols import Change, Value
from crm_portfolio.settings import Settings
from crm_portfolio.writeback import Header, Limits, Plan, Policy, Refusal, apply
from crm_portfolio.writeback._limits import (
    Ground,
    ladder,
    refused_changes,
    refused_input,
)
from crm_portfolio.writeback._planned import Missing

Told = list[tuple[str, str, int, int, int]]
PATIENT = Limits(max_age_hours=1e12, settle_seconds=0)
TIERS = ("A", "B", "C", "D", "none")


def tiers(count: int, before: Value = "A", after: Value = "B") -> list[Change]:
    return [Change(f"{n:04}", "tier", before, after) for n in range(count)]


def told(refusals: Iterable[Refusal]) -> Told:
    return [(r.rule, r.column, r.count, r.limit, r.population) for r in refusals]


def refused(
    changes: list[Change],
    *,
    population: int = 100,
    limits: Limits | None = None,
    accepted: dict[str, int] | None = None,
) -> Told:
    return told(
        refused_changes(
            changes,
            population=lambda _: population,
            tiers=TIERS,
            limits=limits or Limits(),
            accepted=accepted or {},
        )
    )


def about(population: int, limits: Limits | None = None, **ground: Any) -> Told:
    """The rules that the ground breaks."""
    return told(refused_input(Ground(population, **ground), limits or Limits()))


class TestTheAccountsOnWhichAFieldChanges:
    def test_a_fifth_may_and_not_one_more(self) -> None:
        assert refused(tiers(19)) == []
        assert refused(tiers(20)) == []
        assert refused(tiers(21)) == [("changed", "tier", 21, 20, 100)]

    def test_a_small_portfolio_may_always_change_ten(self) -> None:
        assert refused(tiers(9), population=11) == []
        assert refused(tiers(10), population=11) == []
        assert refused(tiers(11), population=11) == [("changed", "tier", 11, 10, 11)]

    def test_the_floor_ends_where_the_share_reaches_it(self) -> None:
        assert refused(tiers(11), population=54) == [("changed", "tier", 11, 10, 54)]
        assert refused(tiers(11), population=55) == []

    def test_a_number_may_be_set_beside_the_share(self) -> None:
        limits = Limits(max_changes=15)
        assert refused(tiers(15), limits=limits) == []
        assert refused(tiers(16), limits=limits) == [("changed", "tier", 16, 15, 100)]
        assert refused(tiers(21), limits=Limits(max_changes=30)) == [
            ("changed", "tier", 21, 20, 100)
        ]

    def test_a_number_below_the_floor_holds(self) -> None:
        limits = Limits(max_changes=0)
        assert refused(tiers(1), limits=limits) == [("changed", "tier", 1, 0, 100)]

    def test_each_field_is_counted_for_itself(self) -> None:
        since = [Change(f"{n:04}", "tier_since_on", None, None) for n in range(5)]
        assert refused([*tiers(20), *since]) == []

    def test_each_field_that_is_beyond_is_told(self) -> None:
        other = [Change(f"{n:04}", "dependence", "none", "major") for n in range(22)]
        assert refused([*tiers(21), *other]) == [
            ("changed", "dependence", 22, 20, 100),
            ("changed", "tier", 21, 20, 100),
        ]

    def test_a_field_may_have_its_own_share(self) -> None:
        limits = Limits(max_share_by_field={"tier": 0.3})
        assert refused(tiers(30), limits=limits) == []
        assert refused(tiers(31), limits=limits) == [("changed", "tier", 31, 30, 100)]

    @pytest.mark.parametrize("column", ["portfolio_rank", "revenue_share"])
    def test_measures_that_move_everywhere_are_free_unless_named(
        self, column: str
    ) -> None:
        moved = [Change(f"{n:04}", column, 1, 2) for n in range(100)]
        assert refused(moved) == []
        assert Limits().changes_of(column, 100) == 100
        named = Limits(max_share_by_field={column: 0.5})
        assert refused(moved, limits=named) == [("changed", column, 100, 50, 100)]

    def test_a_stamp_is_not_counted(self) -> None:
        stamps = [Change(f"{n}", "portfolio_stamp", "v", "w") for n in range(99)]
        assert refused([*stamps, *tiers(20)]) == []

    def test_a_share_of_a_share_is_not_lost_to_rounding(self) -> None:
        assert refused(tiers(29), limits=Limits(max_share=0.29)) == []
        assert refused(tiers(30), limits=Limits(max_share=0.29)) != []

    @given(st.integers(0, 60), st.integers(0, 300))
    @settings(deadline=None)
    def test_more_changes_are_never_more_allowed(
        self, count: int, population: int
    ) -> None:
        if refused(tiers(count), population=population):
            assert refused(tiers(count + 1), population=population)


class TestJumpsOfTwoTiers:
    def test_one_in_fifty_may_jump(self) -> None:
        jumps = [*tiers(20, "A", "C")]
        assert refused(jumps, population=1000) == []
        assert refused(tiers(21, "A", "C"), population=1000) == [
            ("jumped", "tier", 21, 20, 1000)
        ]

    def test_ten_may_in_a_small_portfolio(self) -> None:
        assert refused(tiers(10, "D", "B")) == []
        assert refused(tiers(11, "D", "B")) == [("jumped", "tier", 11, 10, 100)]

    def test_a_number_that_is_set_holds(self) -> None:
        limits = Limits(max_two_tier_jumps=2)
        assert refused(tiers(2, "A", "D"), limits=limits) == []
        assert refused(tiers(3, "A", "D"), limits=limits) == [
            ("jumped", "tier", 3, 2, 100)
        ]

    @pytest.mark.parametrize(
        ("before", "after", "is_jump"),
        [
            ("A", "B", False),
            ("B", "A", False),
            ("A", "C", True),
            ("C", "A", True),
            ("A", "D", True),
            ("D", "none", False),
            ("C", "none", True),
            ("none", "A", True),
            ("new", "D", False),
            ("A", "new", False),
            ("gold", "A", False),
            (None, "A", False),
            ("A", None, False),
        ],
    )
    def test_what_a_jump_is(self, before: str, after: str, is_jump: bool) -> None:
        limits = Limits(max_two_tier_jumps=0, max_emptied=1)
        found = refused(tiers(1, before, after), limits=limits)
        assert [each[0] for each in found] == ["jumped"] * is_jump

    def test_only_the_tier_is_counted(self) -> None:
        other = [Change("1", "dependence", "A", "D")]
        assert refused(other, limits=Limits(max_two_tier_jumps=0)) == []

    def test_the_rungs_are_the_tiers_that_occur(self) -> None:
        seen = ["C", None, "A", "new", "none", "gold", "b", "Ä", 3, "A"]
        assert ladder(seen) == ("A", "C", "Ä", "none")
        assert ladder([]) == ("none",)


class TestFieldsThatLoseTheirValue:
    def test_five_may(self) -> None:
        assert refused(tiers(4, after=None)) == []
        assert refused(tiers(5, after=None)) == []
        assert refused(tiers(6, after=None)) == [("emptied", "tier", 6, 5, 100)]

    def test_another_number_may_be_set(self) -> None:
        limits = Limits(max_emptied=0)
        assert refused(tiers(1, after=None), limits=limits) == [
            ("emptied", "tier", 1, 0, 100)
        ]

    def test_those_that_only_change_are_not_counted(self) -> None:
        mixed = [*tiers(5, after=None), *tiers(15)]
        assert refused(mixed) == []


class TestWhatWentIn:
    def test_empty_input_is_refused(self) -> None:
        assert about(0) == [("empty", "", 0, 0, 0)]
        assert about(1) == []

    def test_results_about_accounts_the_crm_lacks(self) -> None:
        assert about(80, missing_count=19) == []
        assert about(80, missing_count=20) == []
        assert about(80, missing_count=21) == [("missing", "", 21, 20, 101)]

    def test_ten_accounts_may_be_lacking_unless_they_are_most_of_all(self) -> None:
        assert about(10, missing_count=10) == []
        assert about(10, missing_count=11) == [("missing", "", 11, 10, 21)]
        assert about(1, missing_count=10) == [("missing", "", 10, 6, 11)]

    def test_another_share_may_be_lacking(self) -> None:
        limits = Limits(max_missing_share=0.5)
        assert about(50, limits, missing_count=50) == []
        assert about(50, limits, missing_count=51) == [("missing", "", 51, 50, 101)]

    def test_a_tenth_of_the_accounts_may_have_gone(self) -> None:
        assert about(181, previous=200) == []
        assert about(180, previous=200) == []
        assert about(179, previous=200) == [("shrunk", "", 21, 20, 200)]

    def test_ten_accounts_may_have_gone_unless_they_were_most_of_all(self) -> None:
        assert about(10, previous=20) == []
        assert about(9, previous=20) == [("shrunk", "", 11, 10, 20)]
        assert about(6, previous=12) == []
        assert about(2, previous=12) == [("shrunk", "", 10, 6, 12)]

    def test_growth_is_never_refused(self) -> None:
        assert about(10_000, previous=1) == []
        assert about(10_000, Limits(0, max_shrunk_share=0), previous=0) == []

    def test_half_of_the_values_may_be_unknown(self) -> None:
        assert about(100, unknown={"tier": 49}) == []
        assert about(100, unknown={"tier": 50}) == []
        assert about(100, unknown={"tier": 51, "dependence": 50}) == [
            ("unknown", "tier", 51, 50, 100)
        ]

    def test_nothing_needs_to_be_known_of_the_risk_of_who_never_bought(self) -> None:
        assert about(100, unknown={"risk_level": 100}) == []

    def test_what_a_young_book_cannot_know_may_be_unknown_of_all(self) -> None:
        assert about(100, unknown={"rising": 100}) == []

    def test_ten_values_may_always_be_unknown(self) -> None:
        assert about(11, unknown={"tier": 10}) == []
        assert about(11, unknown={"tier": 11}) == [("unknown", "tier", 11, 10, 11)]

    def test_results_that_know_less_than_the_last_run_did(self) -> None:
        assert about(10, older_by=0) == about(10, older_by=-1) == []
        assert about(10, older_by=1) == [("older", "", 1, 0, 10)]

    def test_a_run_that_its_first_slice_ended(self) -> None:
        assert about(10, has_moved=True) == [("canary", "", 0, 0, 10)]

    def test_all_that_is_wrong_is_told(self) -> None:
        found = about(
            20, previous=100, missing_count=30, unknown={"tier": 20, "dependence": 12}
        )
        assert found == [
            ("shrunk", "", 80, 10, 100),
            ("missing", "", 30, 10, 50),
            ("unknown", "dependence", 12, 10, 20),
            ("unknown", "tier", 20, 10, 20),
        ]

    def test_a_floor_of_none_leaves_the_shares(self) -> None:
        strict = Limits(min_changes=0)
        assert about(9, strict, previous=10) == []
        assert about(8, strict, previous=10) == [("shrunk", "", 2, 1, 10)]
        assert about(8, strict, missing_count=2) == []
        assert about(8, strict, missing_count=3) == [("missing", "", 3, 2, 11)]
        assert about(2, strict, unknown={"tier": 1}) == []
        assert about(2, strict, unknown={"tier": 2}) == [("unknown", "tier", 2, 1, 2)]


class TestTakingBack:
    def test_what_a_run_changed_may_be_taken_back_whole(self) -> None:
        assert refused(tiers(90, "A", None), accepted={"tier": 90}) == []
        assert refused(tiers(90, "A", "D"), accepted={"tier": 90}) == []

    def test_beyond_it_the_limits_hold(self) -> None:
        assert refused(tiers(91, "A", None), accepted={"tier": 90}) == [
            ("changed", "tier", 91, 90, 100),
            ("emptied", "tier", 91, 90, 100),
        ]
        assert refused(tiers(91, "A", "D"), accepted={"tier": 90, "rank": 95}) == [
            ("changed", "tier", 91, 90, 100),
            ("jumped", "tier", 91, 90, 100),
        ]

    def test_less_than_the_limits_allow_takes_nothing_away(self) -> None:
        assert refused(tiers(20), accepted={"tier": 1}) == []

    def test_the_ground_of_the_run_is_not_asked_again(
        self, plan_of: Callable[..., Plan], header: Header
    ) -> None:
        broken = attrs.evolve(
            header, population=20, previous=1000, unknown={"tier": 20}
        )
        gone = [f"{n}" for n in range(50)]
        assert len(plan_of({}, header=broken, missing=map(Missing, gone)).refusals) == 3
        back = attrs.evolve(broken, undoes="0a1b")
        assert plan_of({}, header=back, missing=map(Missing, gone)).refusals == ()


class TestInAPlan:
    @pytest.fixture
    def moved(self, plan_of: Callable[..., Plan]) -> Callable[..., Plan]:
        def make(count: int, after: str = "B", **header: Any) -> Plan:
            held = {"tier": "A", "portfolio_stamp": "v1:0:0"}
            rows = {f"{n:03}": (held, {"tier": after}) for n in range(count)}
            return plan_of(rows, **header)

        return make

    def test_first_fills_are_not_counted(self, plan_of: Callable[..., Plan]) -> None:
        rows = {f"{n:03}": ({}, {"tier": "A"}) for n in range(100)}
        assert plan_of(rows).refusals == ()

    def test_changes_are(self, moved: Callable[..., Plan]) -> None:
        assert told(moved(21).refusals) == [("changed", "tier", 21, 20, 100)]

    def test_jumps_are_counted_on_the_tiers_of_the_header(
        self, moved: Callable[..., Plan], header: Header
    ) -> None:
        of_four = attrs.evolve(header, tiers=TIERS)
        assert told(moved(11, "C", header=of_four).refusals) == [
            ("jumped", "tier", 11, 10, 100)
        ]
        of_two = attrs.evolve(header, tiers=("A", "C", "none"))
        assert moved(11, "C", header=of_two).refusals == ()

    def test_what_is_wrong_with_the_input_comes_first(
        self, moved: Callable[..., Plan], header: Header
    ) -> None:
        shrunk = attrs.evolve(header, previous=1000, unknown={"tier": 51})
        assert [r.rule for r in moved(21, header=shrunk, missing=()).refusals] == [
            "shrunk",
            "unknown",
            "changed",
        ]

    @pytest.mark.parametrize("count", [-1, 0, 41, 43])
    def test_only_the_exact_count_releases_it(
        self,
        plan_of: Callable[..., Plan],
        header: Header,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        count: int,
    ) -> None:
        own = attrs.evolve(header, org=crm.org(), limits=PATIENT)
        held = {"tier": "A", "portfolio_stamp": "v1:0:0"}
        proposal = plan_of({i: (held, {"tier": "B"}) for i in ids[:21]}, header=own)
        assert len(proposal.changes) == 42
        with pytest.raises(LimitExceededError, match="accept-changes 42") as refusal:
            apply(proposal, crm, archive=archive)
        assert refusal.value.exit_code == 4
        with pytest.raises(RefusedError, match=f"42 changes, not {count}"):
            apply(proposal, crm, archive=archive, accept_changes=count)
        assert archive.runs() == ()
        journal = apply(proposal, crm, archive=archive, accept_changes=42)
        assert journal.change_count == 42


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (
            Refusal("empty", "", 0, 0, 0),
            "no account of the results is in the CRM: the input is empty.",
        ),
        (
            Refusal("shrunk", "", 1200, 500, 5000),
            "1,200 accounts fewer than at the last run; the limit is 500 of 5,000.",
        ),
        (
            Refusal("missing", "", 1200, 500, 5000),
            "1,200 records of the results are not in the CRM; the limit is 500 of 5,000.",
        ),
        (
            Refusal("unknown", "tier", 1200, 500, 5000),
            "tier is unknown on 1,200 accounts; the limit is 500 of 5,000.",
        ),
        (
            Refusal("changed", "tier", 1200, 500, 5000),
            "tier would change on 1,200 accounts; the limit is 500 of 5,000.",
        ),
        (
            Refusal("jumped", "tier", 1200, 500, 5000),
            "tier would jump two tiers on 1,200 accounts; the limit is 500 of 5,000.",
        ),
        (
            Refusal("emptied", "tier", 1200, 5, 5000),
            "tier would be emptied on 1,200 accounts; the limit is 5 of 5,000.",
        ),
    ],
)
def test_a_refusal_is_a_sentence(refusal: Refusal, sentence: str) -> None:
    assert str(refusal) == sentence


SHARES = (
    "max_share",
    "max_unknown_share",
    "max_shrunk_share",
    "max_missing_share",
    "canary_share",
)
COUNTS = (
    "max_changes",
    "min_changes",
    "max_two_tier_jumps",
    "max_emptied",
    "max_age_hours",
    "canary_count",
    "settle_seconds",
)


def loaded(folder: Path, text: str) -> Settings:
    file = folder / "portfolio.toml"
    file.write_text(text, encoding="utf-8")
    return Settings.load(file)


class TestSettings:
    @pytest.mark.parametrize("name", SHARES)
    @pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), 20])
    def test_a_share_is_from_0_to_1(self, name: str, value: float) -> None:
        with pytest.raises(SettingsError) as refusal:
            Limits(**{name: value})  # type: ignore[arg-type]
        assert str(refusal.value) == (
            f"limits.{name} is a share from 0 to 1, not {value}"
        )

    @pytest.mark.parametrize("name", SHARES)
    @pytest.mark.parametrize("value", [0, 1])
    def test_the_ends_are_shares_too(self, name: str, value: float) -> None:
        assert getattr(Limits(**{name: value}), name) == value  # type: ignore[arg-type]

    @pytest.mark.parametrize("name", COUNTS)
    @pytest.mark.parametrize("value", [-1, float("inf"), float("nan")])
    def test_a_count_is_from_0_on(self, name: str, value: float) -> None:
        with pytest.raises(SettingsError) as refusal:
            Limits(**{name: value})  # type: ignore[arg-type]
        assert str(refusal.value) == (
            f"limits.{name} is a number from 0 on, not {value}"
        )

    @pytest.mark.parametrize("name", COUNTS)
    def test_nothing_is_a_count_too(self, name: str) -> None:
        assert getattr(Limits(**{name: 0}), name) == 0  # type: ignore[arg-type]

    def test_a_share_of_a_field_is_checked_like_any(self) -> None:
        with pytest.raises(SettingsError, match="max_share_by_field is a share"):
            Limits(max_share_by_field={"tier": 20})

    def test_fields_and_columns_are_known_ones(self) -> None:
        with pytest.raises(SettingsError) as refusal:
            Limits(max_share_by_field={"tiers": 0.2})
        assert str(refusal.value) == (
            "limits.max_share_by_field names 'tiers', which is no managed field"
            "; did you mean 'tier'?"
        )
        with pytest.raises(SettingsError) as refusal:
            Limits(expected_changes=("last_activity_on", "nme"))
        assert str(refusal.value) == (
            "limits.expected_changes names 'nme', which is no column besides ours of a record that we write"
            "; did you mean 'name'?"
        )

    def test_columns_from_a_file_become_a_tuple(self) -> None:
        limits = Limits(expected_changes=["name", "segment"])  # type: ignore[arg-type]
        assert limits.expected_changes == ("name", "segment")
        assert hash(limits) == hash(Limits(expected_changes=("name", "segment")))

    @pytest.mark.parametrize("column", ["tier", "portfolio_stamp", "tier_pinned"])
    def test_a_field_of_ours_is_not_expected_to_move(self, column: str) -> None:
        with pytest.raises(
            SettingsError, match=f"names '{column}', which is no column"
        ):
            Limits(expected_changes=(column,))

    def test_the_defaults_are_those_the_documentation_tells(self) -> None:
        assert attrs.asdict(Limits()) == {
            "max_share": 0.2,
            "max_share_by_field": {},
            "max_changes": None,
            "min_changes": 10,
            "max_two_tier_jumps": None,
            "max_emptied": 5,
            "max_unknown_share": 0.5,
            "max_shrunk_share": 0.1,
            "max_missing_share": 0.2,
            "max_age_hours": 24,
            "canary_share": 0.01,
            "canary_count": 10,
            "settle_seconds": 1,
            "expected_changes": (),
        }

    def test_what_was_handed_in_may_change_and_the_limits_do_not(self) -> None:
        shares, treatments = {"tier": 0.1}, {"tier": "keep"}
        limits = Limits(max_share_by_field=shares)
        policy = Policy(by_field=treatments)  # type: ignore[arg-type]
        shares["tier"], treatments["tier"] = 1.0, "overwrite"
        assert limits.share_of("tier") == 0.1
        assert policy.of("tier") == "keep"

    def test_a_settings_file_fills_them(self, tmp_path: Path) -> None:
        settings = loaded(
            tmp_path,
            """
            [limits]
            max_changes = 100
            max_two_tier_jumps = 3
            max_unknown_share = 0.4
            max_shrunk_share = 0
            expected_changes = ["last_activity_on"]
            max_share_by_field = { tier = 0.1 }
            [policy]
            edited = "report"
            by_field = { portfolio_rank = "overwrite" }
            """,
        )
        assert settings.limits == Limits(
            max_changes=100,
            max_two_tier_jumps=3,
            max_unknown_share=0.4,
            max_shrunk_share=0.0,
            expected_changes=("last_activity_on",),
            max_share_by_field={"tier": 0.1},
        )
        assert settings.policy == Policy("report", {"portfolio_rank": "overwrite"})

    def test_a_settings_file_with_mistakes_is_told_all_of_them(
        self, tmp_path: Path
    ) -> None:
        with pytest.raises(SettingsError) as refusal:
            loaded(
                tmp_path,
                """
                [limits]
                max_two_tier_jump = 3
                max_changes = 1.5
                [policy]
                editd = "report"
                by_field = { portfolio_rank = "ask" }
                """,
            )
        said = str(refusal.value).splitlines()
        assert said[0] == "portfolio.toml has 4 fault(s):"
        assert {line.strip() for line in said[1:]} == {
            (
                "line 3: [limits] max_two_tier_jump is no setting; "
                "did you mean 'max_two_tier_jumps'?"
            ),
            "line 4: [limits] max_changes: this must be a whole number, not a number",
            "line 6: [policy] editd is no setting; did you mean 'edited'?",
            (
                "line 7: [policy.by_field] portfolio_rank: this must be 'keep' or 'report' or "
                "'overwrite', not 'ask'"
            ),
        }

    def test_a_settings_file_names_known_fields_only(self, tmp_path: Path) -> None:
        for text, said in (
            ('[policy.by_field]\nportfolio_rnk = "keep"', "mean 'portfolio_rank'"),
            ('[limits]\nexpected_changes = ["last_activty_on"]', "'last_activity_on'"),
            ("[limits.max_share_by_field]\ntiers = 1", "did you mean 'tier'"),
        ):
            with pytest.raises(SettingsError, match=said):
                loaded(tmp_path, text)

    def test_an_unknown_policy_is_refused(self) -> None:
        with pytest.raises(SettingsError) as refusal:
            Policy(edited="ignore")  # type: ignore[arg-type]
        assert str(refusal.value) == (
            "policy.edited is 'keep', 'report' or 'overwrite', not 'ignore'"
        )
        with pytest.raises(SettingsError) as refusal:
            Policy(by_field={"tier": "ignore"})  # type: ignore[dict-item]
        assert str(refusal.value) == (
            "policy.by_field.tier is 'keep', 'report' or 'overwrite', not 'ignore'"
        )

    @pytest.mark.parametrize("column", ["tiers", "portfolio_stamp", "tier_pinned"])
    def test_a_policy_is_of_a_field_we_write(self, column: str) -> None:
        with pytest.raises(
            SettingsError,
            match=rf"policy\.by_field names '{column}', which is no field",
        ):
            Policy(by_field={column: "keep"})

    @pytest.mark.parametrize("treatment", ["keep", "report", "overwrite"])
    def test_a_field_has_its_own_policy_before_the_common_one(
        self, treatment: Any
    ) -> None:
        other = "keep" if treatment == "overwrite" else "overwrite"
        policy = Policy(treatment, {"tier": other})  # type: ignore[dict-item]
        assert policy.of("tier") == other
        assert policy.of("dependence") == treatment
        assert Policy().of("tier") == "keep"
        assert hash(policy) == hash(Policy(treatment))


def test_a_plan_may_be_allowed_to_grow_as_old_as_one_likes(
    plan_of: Callable[..., Plan],
    crm: Salesforce,
    archive: Archive,
    header: Header,
) -> None:
    proposal = plan_of({}, header=attrs.evolve(header, org=crm.org(), limits=PATIENT))
    assert apply(proposal, crm, archive=archive).exit_code == 0


def test_a_danger_that_was_known_is_a_value_to_lose() -> None:
    lost = [Change(f"A{n}", "risk_level", "critical", "unknown") for n in range(6)]
    never = [Change(f"B{n}", "risk_level", None, "unknown") for n in range(50)]
    found = [
        (refusal.rule, refusal.count)
        for refusal in refused_changes(
            [*lost, *never],
            population=lambda _: 1_000,
            tiers=(),
            limits=Limits(),
            accepted={},
        )
    ]
    assert found == [("emptied", 6)]
