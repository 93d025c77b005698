"""A plan on file is the plan that was made, or it is refused."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio._managed import FIELDS, VALUES, canonical, is_own, stamp
from crm_portfolio._storage import canonical_json, digest
from crm_portfolio._wording import Reason
from crm_portfolio.errors import DamagedFileError, PlanAlteredError, SettingsError
from crm_portfolio.protocols import Change
from crm_portfolio.writeback import (
    Bordering,
    Edited,
    Ended,
    Header,
    Limits,
    Pinned,
    Plan,
    PlannedChange,
    PlannedRecord,
    Policy,
)
from crm_portfolio.writeback._held import COLUMNS
from crm_portfolio.writeback._planned import Draft, Missing

MakePlan = Callable[..., Plan]

OF_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "day": st.dates(),
    "integer": st.integers(0, 10**9),
    "share": st.floats(-1, 2),
    "code": st.text(max_size=5),
    "text": st.text(max_size=5),
}


def values(columns: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            c: (st.none() | OF_TYPE[FIELDS[c].type]).map(lambda v, c=c: canonical(c, v))
            for c in columns
        },
    )


ROWS = st.dictionaries(
    st.text(min_size=1, max_size=5),
    st.tuples(values(COLUMNS["account"]), values(VALUES["account"])),
    max_size=4,
)


@pytest.fixture
def saved(plan_of: MakePlan, tmp_path: Path) -> Path:
    rows = {
        "001A": (
            {"tier": "A", "portfolio_stamp": stamp("r", {"tier": "A"})},
            {"tier": "B"},
        ),
        "001B": ({}, {"tier": "C", "tier_since_on": date(2026, 6, 30)}),
    }
    path = tmp_path / "plan.jsonl"
    plan_of(rows).save(path)
    return path


def resealed(path: Path, old: str, new: str) -> None:
    """Edit by someone who mends the checksum too."""
    *lines, _ = path.read_text().splitlines(keepends=True)
    body = "".join(lines).replace(old, new).encode()
    assert body.decode() != "".join(lines)
    path.write_bytes(body + canonical_json({"sha256": digest(body)}) + b"\n")


@given(rows=ROWS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_saved_plan_loads_as_it_was(plan_of: MakePlan, rows: Any) -> None:
    plan = plan_of(
        rows,
        pinned=[
            Pinned("001A", "A", date(2026, 12, 31), "005X"),
            Pinned("1", "B", None, None),
        ],
        edited=[Edited("001B", ("tier",), ("tier",)), Edited("001C", ())],
        missing=[Missing("001Z")],
        ended=[Ended("001D", "A", date(2026, 6, 1), "005X")],
        borders=[Bordering("001E", Reason("young", {"first_on": date(2026, 6, 1)}))],
    )
    content = plan.to_bytes()
    loaded = Plan.from_bytes(content, "plan")
    assert loaded == plan
    assert loaded.to_bytes() == content


@given(rows=ROWS)
@settings(deadline=None)
def test_changes_are_sorted_and_every_written_account_ends_stamped(
    plan_of: MakePlan, rows: Any
) -> None:
    plan = plan_of(rows)
    assert all(c.change.before != c.change.after for c in plan.changes)
    keys = [(c.change.record_id, c.change.column) for c in plan.changes]
    assert keys == sorted(keys)
    for record in plan.records:
        held, _ = rows[record.record_id]
        after = held | {c.change.column: c.change.after for c in record.changes}
        is_empty = all(after.get(column) is None for column in VALUES["account"])
        mark = after.get("portfolio_stamp")
        assert mark is None if is_empty else is_own(mark, after)


def test_a_stamp_carries_the_plans_id(plan_of: MakePlan) -> None:
    plan = plan_of({"001A": ({}, {"tier": "A"})})
    (mark,) = [
        c.change.after for c in plan.changes if c.change.column == "portfolio_stamp"
    ]
    assert mark == stamp(plan.id, {"tier": "A"})
    assert len(plan.id) == 12


def test_the_same_diff_made_at_another_time_is_another_plan(
    plan_of: MakePlan, header: Header
) -> None:
    rows = {"001A": ({}, {"tier": "A"})}
    later = attrs.evolve(header, made_at=header.made_at.replace(hour=22))
    assert plan_of(rows).id == plan_of(rows).id
    assert plan_of(rows).id != plan_of(rows, header=later).id


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_plan_file_is_private(saved: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600


@given(data=st.data())
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_changed_byte_is_found(plan_of: MakePlan, data: st.DataObject) -> None:
    content = bytearray(plan_of({"001A": ({}, {"tier": "A"})}).to_bytes())
    at = data.draw(st.integers(0, len(content) - 2))
    content[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises((PlanAlteredError, DamagedFileError)):
        Plan.from_bytes(bytes(content), "plan")


def test_a_plan_edited_by_hand_says_what_to_do(saved: Path) -> None:
    saved.write_text(saved.read_text().replace('"B"', '"A"'))
    with pytest.raises(
        PlanAlteredError, match=r"plan\.jsonl .* edited by hand.* new plan"
    ):
        Plan.load(saved)


def test_a_plan_edited_with_its_checksum_is_found_by_its_id(saved: Path) -> None:
    resealed(saved, '["tier","A","B",', '["tier","A","C",')
    with pytest.raises(PlanAlteredError, match="altered after it was made"):
        Plan.load(saved)


HAND = "v1:0a1b2c3d4e5f:0123456789abcdef"


@pytest.fixture
def line(plan_of: MakePlan, tmp_path: Path) -> Callable[[Callable[[Any], None]], Path]:
    """A saved plan whose account line, or header, was edited with its checksum."""
    row = {"tier": "A", "portfolio_stamp": stamp("r", {"tier": "A"})}
    path = tmp_path / "plan.jsonl"
    plan_of({"001A": (row, {"tier": "B"})}).save(path)

    def edited(edit: Callable[[Any], None]) -> Path:
        *lines, _ = map(json.loads, path.read_text().splitlines())
        edit(lines)
        body = b"".join(canonical_json(each) + b"\n" for each in lines)
        path.write_bytes(body + canonical_json({"sha256": digest(body)}) + b"\n")
        return path

    assert Plan.load(edited(lambda _lines: None))
    return edited


def set_stamp(value: object, at: int = 2) -> Callable[[Any], None]:
    def edit(lines: Any) -> None:
        (change,) = (c for c in lines[1]["changes"] if c[0] == "portfolio_stamp")
        change[at] = value

    return edit


EDITS: dict[str, Callable[[Any], Any]] = {
    "stamp of words": set_stamp("a rude word"),
    "stamp of another run": set_stamp(HAND),
    "stamp without a run": set_stamp("v1:new:0123456789abcdef"),
    "no stamp": set_stamp(None),
    "stamp before": set_stamp(HAND, at=1),
    "stamp left out": lambda lines: lines[1]["changes"].pop(0),
    "rank": lambda lines: lines[1].update(rank=1),
    "code of a reason": lambda lines: lines[1]["reasons"][-1][0].update(code="dormant"),
    "value in a reason": lambda lines: lines[1]["reasons"][-1][0]["values"].update(
        revenue=9.5
    ),
    "reasons left out": lambda lines: lines[1].update(reasons=[[], []]),
    "counts": lambda lines: lines[0]["counts"].update(tier=0),
    "first fills": lambda lines: lines[0]["first_fills"].update(tier=1),
    "key of the header": lambda lines: lines[0].update(note="mine"),
    "key of an account": lambda lines: lines[1].update(name="Secret Name"),
    "version": lambda lines: lines[0].update(version=1),
    "version in another spelling": lambda lines: lines[0].update(version=3.0),
    "older results": lambda lines: lines[0].update(previous_as_of="2026-01-01"),
}


@pytest.mark.parametrize("what", EDITS)
def test_no_part_of_a_plan_can_be_edited_with_its_checksum(
    line: Callable[..., Path], what: str
) -> None:
    with pytest.raises(PlanAlteredError):
        Plan.load(line(EDITS[what]))


def test_the_hash_in_a_new_stamp_is_covered_too(line: Callable[..., Path]) -> None:
    def edit(lines: Any) -> None:
        set_stamp(f"v1:{lines[0]['id']}:0123456789abcdef")(lines)

    with pytest.raises(PlanAlteredError, match="altered after it was made"):
        Plan.load(line(edit))


def test_what_is_no_stamp_is_written_only_where_it_stood(header: Header) -> None:
    record = PlannedRecord("001A", HAND, (None, None, None), 1, ())
    draft = Draft(record, {}, restores=("mine",))
    with pytest.raises(PlanAlteredError):
        Plan.of(header, [draft]).verify()
    Plan.of(attrs.evolve(header, undoes="0a1b"), [draft]).verify()


def test_what_is_reported_cannot_be_taken_out(
    plan_of: MakePlan, tmp_path: Path
) -> None:
    path = tmp_path / "plan.jsonl"
    plan_of({}, missing=[Missing("001Y"), Missing("001Z")]).save(path)
    resealed(path, '{"kind":"missing","record_id":"001Z"}\n', "")
    with pytest.raises(PlanAlteredError, match="altered after it was made"):
        Plan.load(path)


def test_limits_widened_by_hand_are_found(saved: Path) -> None:
    resealed(saved, '"max_share":0.2', '"max_share":1.0')
    with pytest.raises(PlanAlteredError):
        Plan.load(saved)


def test_a_plan_that_holds_nonsense_under_a_good_checksum_is_refused(
    saved: Path,
) -> None:
    resealed(saved, '"kind":"account"', '"kind":"accounts"')
    with pytest.raises(PlanAlteredError, match="holds what no plan holds"):
        Plan.load(saved)


@pytest.mark.parametrize("length", [1, 50, -1, -2, -70])
def test_a_plan_that_was_cut_is_refused(saved: Path, length: int) -> None:
    content = saved.read_bytes()[:length]
    if length == -1:  # the last line feed carries nothing
        assert Plan.from_bytes(content, "plan")
        return
    with pytest.raises((PlanAlteredError, DamagedFileError)):
        Plan.from_bytes(content, "plan")


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"PK\x03\x04", b"[1]", b'{"format":"x"}']
)
def test_what_is_no_plan_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.jsonl"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"any\.jsonl: this is no plan"):
        Plan.load(path)


def test_a_plan_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no plan 'plam\.jsonl' in"):
        Plan.load(tmp_path / "plam.jsonl")


def test_a_plan_of_fields_that_are_not_ours_is_refused(header: Header) -> None:
    change = PlannedChange(Change("001A", "tier_pinned", None, "A"), True)
    record = PlannedRecord("001A", None, (None, None, None), 1, (change,))
    foreign = Plan.of(header, [Draft(record, {})])
    with pytest.raises(PlanAlteredError):
        foreign.verify()
    with pytest.raises(PlanAlteredError):
        Plan.from_bytes(foreign.to_bytes(), "plan.jsonl")


def test_a_plan_that_cannot_be_saved_says_what_to_do(
    plan_of: MakePlan, tmp_path: Path
) -> None:
    for path in (tmp_path / "no folder" / "plan.jsonl", tmp_path):
        with pytest.raises(SettingsError, match=r"cannot be saved as .* Name a file"):
            plan_of({}).save(path)


def test_a_plan_of_a_newer_version_asks_for_an_upgrade(saved: Path) -> None:
    resealed(saved, '"version":3', '"version":4')
    with pytest.raises(DamagedFileError, match="Upgrade"):
        Plan.load(saved)


@pytest.mark.parametrize("version", [0, "2", None, [2]])
def test_a_plan_of_no_version_is_refused(saved: Path, version: object) -> None:
    resealed(saved, '"version":3', f'"version":{json.dumps(version)}')
    with pytest.raises(DamagedFileError, match="reads up to 3"):
        Plan.load(saved)


def test_a_plan_of_version_1_is_read_by_its_own_rule() -> None:
    # A person had taken the stamp away; what was empty counted as a first fill.
    written = (Path(__file__).parent / "plan_version_1.jsonl").read_bytes()
    plan = Plan.from_bytes(written, "plan.jsonl")
    assert plan.edited[0].edited == ("portfolio_rank", "portfolio_stamp", "tier")
    assert plan.first_fills == {"portfolio_rank": 1, "portfolio_stamp": 1}
    assert plan.counts == {"tier": 1}
    # Its run can be gone on with: the archive takes no other plan under its id.
    assert plan.to_bytes() == written


def test_a_plan_replaced_in_memory_is_found(plan_of: MakePlan, header: Header) -> None:
    plan = plan_of({"001A": ({}, {"tier": "A"})})
    plan.verify()
    wider = attrs.evolve(plan.header, limits=Limits(max_share=1))
    with pytest.raises(PlanAlteredError):
        attrs.evolve(plan, header=wider).verify()


def test_the_header_of_the_file_tells_what_a_person_wants_to_know(saved: Path) -> None:
    head = json.loads(saved.read_text().splitlines()[0])
    assert head["counts"] == {"portfolio_stamp": 1, "tier": 1}
    assert head["first_fills"] == {"portfolio_stamp": 1, "tier": 1, "tier_since_on": 1}
    assert head["call_estimate"] == 6
    assert head["org"]["org_id"] == "00D000000000001"
    assert head["limits"]["max_age_hours"] == 24


def test_settings_that_nest_come_back(plan_of: MakePlan, header: Header) -> None:
    own = attrs.evolve(
        header,
        limits=Limits(
            max_share_by_field={"tier": 0.1},
            max_changes=7,
            expected_changes=("last_activity_on",),
        ),
        policy=Policy("report", {"tier": "overwrite"}),
        previous=3,
        previous_as_of=date(2026, 6, 29),
        stopped_by="0a1b2c3d4e5f",
        resends="0a1b2c3d4e5e",
        unknown={"tier": 1},
        tiers=("A", "none"),
    )
    plan = plan_of({"001A": ({}, {"tier": "A"})}, header=own)
    assert Plan.from_bytes(plan.to_bytes(), "plan").header == plan.header


def test_the_repr_of_a_plan_is_short(plan_of: MakePlan) -> None:
    assert repr(plan_of({}, missing=[Missing("001Z")] * 100)).endswith(
        "0 changes for salesforce org 00D000000000001 (sandbox)>"
    )
