"""What the segments of a run make of each of its changes, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pytest

from crm_portfolio.archive import CANARY, Entry, Heard, Journal, Key, Segment
from crm_portfolio.archive import Told as Kept
from crm_portfolio.protocols import Change, Org

RUN = "0a1b2c3d4e5f"
BEGIN: dict[str, Any] = {
    "org": {
        "vendor": "hubspot",
        "org_id": "77",
        "is_sandbox": False,
        "currency": "EUR",
        "time_zone": "UTC",
    },
    "as_of": "2026-06-30",
    "portfolio_id": "p1",
    "settings_digest": "s1",
    "library_version": "1",
    "population": 10,
    "undoes": "",
    "edited": [["account", "001B", ["tier"]], ["opportunity", "001C", []]],
    "change_count": 3,
}
A, B, SINCE = (
    ["001A", "tier", None, "A"],
    ["001B", "tier", "A", "B"],
    ["001B", "tier_since_on", "2026-01-31", "2026-06-30"],
)
TIER_A = Change("001A", "tier", None, "A")
TIER_B = Change("001B", "tier", "A", "B")
SINCE_B = Change("001B", "tier_since_on", date(2026, 1, 31), date(2026, 6, 30))
KEY_A, KEY_B, KEY_SINCE = (
    ("account", "001A", "tier"),
    ("account", "001B", "tier"),
    ("account", "001B", "tier_since_on"),
)
Told = tuple[str, Mapping[str, Any]]


def segments(*told: Told) -> list[Segment]:
    return [
        Segment(number, kind, content, f"digest {number}")  # type: ignore[arg-type]
        for number, (kind, content) in enumerate(told, 1)
    ]


@attrs.frozen
class Found:
    """What a run is known by, each change by its key."""

    entries: dict[Key, Entry]
    touched: set[Key]
    unchecked: set[Key]
    told: Kept


def found_in(*told: Told) -> Found:
    kept = Heard.of(segments(*told))
    known = list(kept.between("account", "0", "z"))
    return Found(
        {each.entry.key: each.entry for each in known},
        {each.entry.key for each in known if each.is_touched},
        {each.entry.key for each in known if each.is_unchecked},
        kept,
    )


def intent(*send: list[Any], left: tuple[list[Any], ...] = ()) -> Told:
    return "intent", {"send": list(send), "left": list(left)}


def outcome(number: int, *results: list[str]) -> Told:
    return "outcome", {"intent": number, "results": list(results)}


def check(number: int, *seen: list[Any]) -> Told:
    return "check", {"intent": number, "seen": list(seen)}


BEGUN: Told = ("begin", BEGIN)


def test_what_is_sent_is_unknown_and_may_have_arrived_until_an_answer() -> None:
    found = found_in(BEGUN, intent(A, B), outcome(2, ["written", ""], ["gone", "G"]))
    assert found.entries == {KEY_A: Entry(TIER_A, "written"), KEY_B: entry_b("gone")}
    assert found.touched == {KEY_A}
    cut_off = found_in(BEGUN, intent(A, B))
    assert {e.state for e in cut_off.entries.values()} == {"unknown"}
    assert cut_off.touched == {KEY_A, KEY_B}
    assert cut_off.unchecked == set()


def entry_b(state: Any) -> Entry:
    return Entry(TIER_B, state, "G")


def test_an_answer_settles_its_own_intent_only() -> None:
    found = found_in(
        BEGUN, intent(A), intent(B, SINCE), outcome(2, ["rejected", "R", "Tier__c"])
    )
    assert found.entries[KEY_A] == Entry(TIER_A, "rejected", "R", field="Tier__c")
    assert found.entries[KEY_B].state == "unknown"
    assert found.touched == {KEY_B, KEY_SINCE}


def test_an_answer_that_lacks_a_change_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        found_in(BEGUN, intent(A, B), outcome(2, ["written", ""]))


def test_what_was_not_sent_has_its_state_its_code_and_what_stood_there() -> None:
    stale = [*B, "stale", "PIN", "C"]
    found = found_in(BEGUN, intent(A, left=(stale, [*SINCE, "stale", "", "soon"])))
    assert found.entries[KEY_B] == Entry(TIER_B, "stale", "PIN", "C")
    # A person may have typed anything into a field of days.
    assert found.entries[KEY_SINCE].found == "soon"
    assert found.touched == {KEY_A}


def test_written_is_unchecked_until_it_was_looked_at() -> None:
    told = (
        BEGUN,
        intent(A, B),
        outcome(2, ["written", ""], ["written", ""]),
        intent(SINCE),
        outcome(4, ["written", ""]),
    )
    assert found_in(*told).unchecked == {KEY_A, KEY_B, KEY_SINCE}
    looked = found_in(*told, check(2))
    assert looked.unchecked == {KEY_SINCE}
    assert looked.entries[KEY_A].state == "written"


def test_what_was_found_at_the_look_stands_for_the_answer() -> None:
    found = found_in(
        BEGUN,
        intent(A, SINCE),
        outcome(2, ["written", ""], ["written", ""]),
        check(
            2,
            [*A, "overwritten_in_window", "", "D"],
            [*SINCE, "overwritten_in_window", "", "2026-05-31T00:00:00Z"],
        ),
    )
    assert found.entries[KEY_A] == Entry(TIER_A, "overwritten_in_window", found="D")
    assert found.told.overwritten == {KEY_A: "D", KEY_SINCE: date(2026, 5, 31)}
    assert found.touched == {KEY_A, KEY_SINCE}
    assert found.unchecked == set()


def test_what_was_found_without_a_look_at_the_rest_is_checked_too() -> None:
    """A later batch meets it where it went: it need not be looked for again."""
    found = found_in(
        BEGUN,
        intent(A, B),
        outcome(2, ["written", ""], ["written", ""]),
        intent(SINCE, left=([*A, "written", "", None],)),
    )
    assert found.unchecked == {KEY_B}


@pytest.mark.parametrize("state", ["written", "unknown", "overwritten_in_window"])
def test_what_may_have_arrived_counts_as_touched_for_good(state: str) -> None:
    found = found_in(
        BEGUN,
        intent(A),
        outcome(2, [state, ""]),
        intent(left=([*A, "stale", "", "Z"],)),
    )
    assert found.entries[KEY_A].state == "stale"
    assert found.touched == {KEY_A}


@pytest.mark.parametrize("state", ["rejected", "gone", "invalid", "not_sent"])
def test_what_was_refused_is_not_touched(state: str) -> None:
    assert found_in(BEGUN, intent(A), outcome(2, [state, ""])).touched == set()


def test_a_slice_is_judged_by_its_last_word() -> None:
    moved = {"unexpected": [["001A", "segment"], ["001B", "tier"]]}
    assert found_in(BEGUN).told.moved == {}
    found = found_in(BEGUN, ("canary", moved)).told
    assert found.unexpected == (("account", "001A", "segment"), KEY_B)
    again = found_in(BEGUN, ("canary", moved), ("canary", {"unexpected": []})).told
    assert again.unexpected == ()


def journal(*told: Told) -> Journal:
    return Journal.of(RUN, segments(*told))


ENDED: Told = ("end", {"interrupted": ""})


def test_a_journal_has_what_its_run_began_with() -> None:
    found = journal(BEGUN, ENDED)
    org = Org("hubspot", "77", False, "EUR", "UTC")
    assert (found.run_id, found.org, found.as_of) == (RUN, org, date(2026, 6, 30))
    assert (found.portfolio_id, found.settings_digest) == ("p1", "s1")
    assert (found.population, found.change_count) == (10, 3)
    assert found.edited == {
        ("account", "001B"): ("tier",),
        ("opportunity", "001C"): (),
    }
    assert (found.unexpected, found.overwritten, found.touched) == ((), {}, ())
    told = {key: value for key, value in BEGIN.items() if key != "edited"}
    assert journal(("begin", told), ENDED).edited == {}


def test_a_journal_of_several_begins_has_the_words_of_the_last() -> None:
    again = ("begin", {**BEGIN, "population": 12, "as_of": "2026-07-01"})
    found = journal(
        BEGUN, intent(A), ("end", {"interrupted": "gone"}), again, intent(B)
    )
    assert (found.population, found.as_of) == (12, date(2026, 7, 1))
    assert found.interrupted == "stopped"
    assert found.counts == {"not_sent": 1, "unknown": 2}


def test_what_it_tells_is_sorted_by_account_and_column() -> None:
    found = journal(
        BEGUN,
        intent(SINCE),
        outcome(2, ["written", ""]),
        intent(B, A),
        outcome(4, ["written", ""], ["written", ""]),
        ENDED,
    )
    assert found.touched == (TIER_A, TIER_B, SINCE_B)
    assert [entry.key for entry in found.entries] == [KEY_A, KEY_B, KEY_SINCE]


@pytest.mark.parametrize(
    ("state", "why", "code", "failed"),
    [
        ("written", "", 0, 0),
        ("unchanged", "", 0, 0),
        ("not_sent", "", 0, 0),
        ("rejected", "", 3, 1),
        ("stale", "", 3, 1),
        ("unknown", "", 3, 1),
        ("overwritten_in_window", "", 3, 1),
        ("written", "stopped", 5, 0),
        ("rejected", "gone", 5, 1),
        ("written", CANARY, 4, 0),
    ],
)
def test_its_exit_code_says_what_a_person_must_see_to(
    state: str, why: str, code: int, failed: int
) -> None:
    left = [*A, state, "", None]
    found = journal(BEGUN, intent(left=(left,)), ("end", {"interrupted": why}))
    assert (found.exit_code, len(found.failed), found.interrupted) == (
        code,
        failed,
        why,
    )
    assert found.counts == (
        {"not_sent": 3} if state == "not_sent" else {state: 1, "not_sent": 2}
    )


def test_it_is_told_in_one_line() -> None:
    nothing = {**BEGIN, "change_count": 0}
    head = f"Run {RUN} on hubspot org 77: "
    assert str(journal(("begin", nothing), ENDED)) == f"{head}nothing to do"
    cut_off = journal(BEGUN, intent(A), ("end", {"interrupted": "QUOTA"}))
    told = "2 not_sent, 1 unknown; interrupted (QUOTA)"
    assert str(cut_off) == head + told


def test_what_the_slice_moved_and_people_set_is_in_it() -> None:
    found = journal(
        BEGUN,
        intent(A),
        outcome(2, ["written", ""]),
        check(2, [*A, "overwritten_in_window", "", "D"]),
        ("canary", {"unexpected": [["001A", "segment"]]}),
        ("end", {"interrupted": CANARY}),
    )
    assert found.unexpected == (("account", "001A", "segment"),)
    assert found.overwritten == {KEY_A: "D"}


def test_what_failed_for_good_is_saved_under_its_run(tmp_path: Path) -> None:
    found = journal(
        BEGUN,
        intent(A, B),
        outcome(2, ["rejected", "BAD", "Tier__c"], ["written", ""]),
        ENDED,
    )
    file = tmp_path / "failed.csv"
    assert found.save_failed(file) == 1
    assert f'"{RUN}","account","001A","tier","","A"' in file.read_text(encoding="utf-8")


def test_a_field_that_the_crm_minds_without_a_code_is_told() -> None:
    found = found_in(BEGUN, intent(A), outcome(2, ["rejected", "", "Tier__c"]))
    assert found.entries[KEY_A] == Entry(TIER_A, "rejected", field="Tier__c")


def test_records_are_told_apart_and_sorted_as_python_sorts_texts() -> None:
    ids = ["", "a", "\ud800", "\ud801", "\uffff", "\U0001f600"]
    sent = [[one, "tier", None, "A"] for one in reversed(ids)]
    told = Heard.of(segments(BEGUN, intent(*sent)))
    assert [change.record_id for change in told.touched()] == ids
    assert [known.entry.change.record_id for known in told.of("account", ids)] == ids
