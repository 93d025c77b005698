"""Changes that nobody works at are put aside, and stand there as they would in memory."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio.archive import (
    Entry,
    Heard,
    Key,
    Segment,
    Standing,
    Told,
    _heard,
    _standing,
    _told,
    key_of,
)
from crm_portfolio.protocols import Change, WritableTable

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
    "edited": [],
    "change_count": 99,
}
TABLES: tuple[WritableTable, ...] = ("account", "opportunity")
PLACES = list(itertools.product(TABLES, ("a", "b", "ç")))
ANSWERS = ("written", "rejected", "unknown", "not_sent", "gone")


def columns(table: str) -> tuple[str, str]:
    is_account = table == "account"
    return ("tier", "portfolio_rank") if is_account else ("lost_class", "win_back_rank")


def told(table: str, one: str) -> list[list[Any]]:
    code, number = columns(table)
    return [[one, code, None, "A"], [one, number, 3, 4]]


@st.composite
def runs(draw: st.DrawFn) -> list[Segment]:
    """The segments of a run that was cut off now and then, and gone on with."""
    found: list[tuple[str, dict[str, Any]]] = [("begin", BEGIN)]
    unseen: set[tuple[str, str]] = (
        set()
    )  # what was written and not looked at goes no more
    for _ in range(draw(st.integers(1, 6))):
        table = draw(st.sampled_from(("account", "opportunity")))
        ids = draw(st.lists(st.sampled_from("abç"), unique=True, max_size=3))
        send = [
            each
            for one in ids
            if (table, one) not in unseen
            for each in told(table, one)
        ]
        other = draw(
            st.sampled_from("abç").filter(lambda one: one not in ids) | st.none()
        )
        left = (
            [[*each, "stale", "", "x"] for each in told(table, other)] if other else []
        )
        content = {"table": table, "send": send, "left": left}
        found.append(("intent", content))
        number, how_far = len(found), draw(st.sampled_from(("all", "answer", "none")))
        if send and how_far != "none":
            states = st.lists(
                st.sampled_from(ANSWERS), min_size=len(send), max_size=len(send)
            )
            results = [[state, "", ""] for state in draw(states)]
            found.append(("outcome", {"intent": number, "results": results}))
        if send and how_far == "all":
            seen = [[*each, "overwritten_in_window", "", "B"] for each in send[:1]]
            is_seen = draw(st.booleans())
            seen = (
                seen if is_seen and found[-1][1]["results"][0][0] == "written" else []
            )
            found.append(("check", {"table": table, "intent": number, "seen": seen}))
        elif send:
            unseen |= {(table, each[0]) for each in send if how_far == "answer"}
            found.append(("begin", BEGIN))
    return [
        Segment(number, kind, content, "")  # type: ignore[arg-type]
        for number, (kind, content) in enumerate(found, 1)
    ]


@attrs.define
class Model:
    """The same in the fewest words: what was last told of each change, by its key."""

    states: dict[Key, tuple[str, object]] = attrs.field(factory=dict)
    touched: set[Key] = attrs.field(factory=set)
    unchecked: set[Key] = attrs.field(factory=set)
    overwritten: dict[Key, object] = attrs.field(factory=dict)

    @classmethod
    def of(cls, segments: list[Segment]) -> Model:
        model, sent = cls(), dict[int, list[Key]]()
        answered = {s.content["intent"] for s in segments if s.kind == "outcome"}
        for segment in segments:
            content, number = segment.content, segment.number
            if segment.kind == "intent":
                sent[number] = keys = keys_of(content, "send")
                if number not in answered:
                    model.tell(keys, [("unknown", None)] * len(keys))
                model.tell(keys_of(content, "left"), found_in(content, "left"))
            elif segment.kind == "outcome":
                keys = sent[content["intent"]]
                states = [state for state, *_ in content["results"]]
                model.tell(keys, [(state, None) for state in states])
                both = zip(keys, states, strict=True)
                model.unchecked |= {key for key, state in both if state == "written"}
            elif segment.kind == "check":
                model.unchecked -= set(sent[content["intent"]])
                model.tell(keys_of(content, "seen"), found_in(content, "seen"))
        return model

    def tell(self, keys: list[Key], told: list[tuple[str, object]]) -> None:
        for key, (state, found) in zip(keys, told, strict=True):
            self.states[key] = state, found
            self.unchecked.discard(key)
            if state in ("written", "unknown", "overwritten_in_window"):
                self.touched.add(key)
            if state == "overwritten_in_window":
                self.overwritten[key] = found

    def is_settled(self, key: Key) -> bool:
        state, _ = self.states.get(key, ("not_sent", None))
        return state not in ("not_sent", "unknown") and key not in self.unchecked


def keys_of(content: Mapping[str, Any], name: str) -> list[Key]:
    return [(content["table"], one, column) for one, column, *_ in content[name]]


def found_in(content: Mapping[str, Any], name: str) -> list[tuple[str, object]]:
    return [(state, found) for *_, state, _, found in content[name]]


def assert_is_as_in(told: Told, model: Model) -> None:
    """Asked in every way, it says what the model does."""
    found = list(told.entries())
    assert [entry.key for entry in found] == sorted(model.states)
    assert {e.key: (e.state, e.found) for e in found} == model.states
    assert list(told.keys_touched()) == sorted(model.touched)
    assert [key_of(change) for change in told.touched()] == sorted(model.touched)
    assert told.states() == Counter(state for state, _ in model.states.values())
    fine = ("written", "unchanged", "not_sent")
    failed = [key for key in sorted(model.states) if model.states[key][0] not in fine]
    assert [entry.key for entry in told.entries().failed()] == failed
    assert len(told.entries().failed()) == len(failed)
    assert told.overwritten == model.overwritten
    for table, one in PLACES:
        known = list(told.between(table, one, one))
        assert known == list(told.of(table, [one]))
        mine = [key for key in sorted(model.states) if key[:2] == (table, one)]
        assert [each.entry.key for each in known] == mine
        assert [each.is_touched for each in known] == [k in model.touched for k in mine]
        unchecked = [key in model.unchecked for key in mine]
        assert [each.is_unchecked for each in known] == unchecked
    for table in TABLES:
        assert list(told.settled(table)) == list(settled(model, table))


def settled(model: Model, table: str) -> Iterator[tuple[str, int, bool]]:
    for one in "abç":
        keys = [key for key in model.states if key[:2] == (table, one)]
        if keys:
            states = [model.states[key][0] for key in keys]
            half_done = "unknown" in states or bool(model.unchecked.intersection(keys))
            yield one, sum(map(model.is_settled, keys)), half_done


ANY_RUN = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@given(segments=runs())
@ANY_RUN
@pytest.mark.parametrize("in_memory", [0, 10_000])
def test_what_segments_tell_is_known_wherever_it_was_put(
    segments: list[Segment], in_memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_heard, "_IN_MEMORY", in_memory)
    assert_is_as_in(Heard.of(segments), Model.of(segments))


@given(segments=runs())
@ANY_RUN
@pytest.mark.parametrize("in_memory", [0, 10_000])
def test_who_works_at_a_run_knows_what_its_segments_tell(
    segments: list[Segment], in_memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a recorder has it: each batch begins with what is known of its records."""
    monkeypatch.setattr(_standing, "_IN_MEMORY", in_memory)
    monkeypatch.setattr(_told, "_AT_ONCE", 1)
    standing = Standing()
    for place, segment in enumerate(segments):
        content, number = segment.content, segment.number
        if segment.kind == "begin":  # another process: it knows what is on disk
            standing = Standing(aside=Heard.of(segments[:place]))
        elif segment.kind == "intent":
            table = content["table"]
            ids = {one for name in ("send", "left") for one, *_ in content[name]}
            standing.rest()
            standing.recall(table, sorted(ids))
            model = Model.of(segments[:place])
            for key in [
                key for key in model.states if key[0] == table and key[1] in ids
            ]:
                assert standing.is_settled(key) is model.is_settled(key)
                assert standing.is_in_doubt(key) is (model.states[key][0] == "unknown")
            sent = [Change(*each, table) for each in content["send"]]
            standing.intended(number, sent, entries(content, "left"))
            assert all(standing.is_in_doubt(key_of(change)) for change in sent)
        elif segment.kind == "outcome":
            intended = segments[content["intent"] - 1].content
            sent = [Change(*each, intended["table"]) for each in intended["send"]]
            both = zip(sent, content["results"], strict=True)
            standing.answered(content["intent"], [Entry(c, r[0]) for c, r in both])
        elif segment.kind == "check":
            standing.checked(content["intent"], entries(content, "seen"))
    assert_is_as_in(standing.told(), Model.of(segments))


def test_what_may_have_arrived_is_touched_though_it_was_refused_when_sent_again() -> (
    None
):
    standing, change = Standing(), Change("001A", "tier", None, "A")
    for number, state in ((2, "unknown"), (5, "rejected")):
        standing.intended(number, [change], [])
        standing.answered(number, [Entry(change, state)])  # type: ignore[arg-type]
        standing.checked(number, [])
    assert tuple(standing.told().touched()) == (change,)


def test_those_beside_the_first_outlive_it() -> None:
    first = Told()
    beside = Told(first)
    del first
    gc.collect()
    beside.put("account", [("a", "b", ("tier", None, "A"))])
    assert len(beside.entries()) == 1


def entries(content: Mapping[str, Any], name: str) -> list[Entry]:
    return [
        Entry(Change(*change, content["table"]), state, code, found)
        for *change, state, code, found in content[name]
    ]


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("tier_since_on", date(2026, 6, 30), date(2026, 7, 1)),
        ("tier_since_on", None, "soon"),
        ("portfolio_rank", 10**30, 7),
        ("revenue_share", 0.123457, None),
        ("risk_reasons", "ça et là", "\ud800 alone"),
    ],
)
def test_a_value_put_aside_comes_back_as_it_was(
    column: str, value: Any, found: Any
) -> None:
    standing = Standing()
    entry = Entry(Change("001A", column, value, None), "stale", "C", found, "F__c")
    standing.entries[entry.key] = entry
    (back,) = standing.told().entries()
    assert back == entry
    assert type(back.change.before) is type(value)


@given(st.slices(9))
def test_any_part_of_the_changes_is_as_of_any_sequence(part: slice) -> None:
    standing = Standing()
    for number in range(9):
        entry = Entry(Change(f"{number:018}", "tier", None, "A"), "written")
        standing.entries[entry.key] = entry
    entries = standing.told().entries()
    assert entries[part] == tuple(entries)[part]


def test_four_times_the_changes_take_no_more_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_heard, "_IN_MEMORY", 500)

    def segments(count: int) -> Iterator[Segment]:
        yield Segment(1, "begin", BEGIN, "")
        # An apply that was killed, and a batch of which nothing was sent.
        cut_off = [["a", "tier", None, "A"]]
        yield Segment(2, "intent", {"send": cut_off, "left": []}, "")
        yield Segment(3, "begin", BEGIN, "")
        stale = [["b", "tier", None, "A", "stale", "", "D"]]
        yield Segment(4, "intent", {"send": [], "left": stale}, "")
        for number in range(count // 100):
            ids = [f"{number * 100 + at:018}" for at in range(100)]
            sent = [[one, "tier", None, "A"] for one in ids]
            told = {"send": sent, "left": []}
            results = [["written", "", ""]] * len(sent)
            intent = 5 + 3 * number
            yield Segment(intent, "intent", told, "")
            yield Segment(
                intent + 1, "outcome", {"intent": intent, "results": results}, ""
            )
            yield Segment(intent + 2, "check", {"intent": intent, "seen": []}, "")

    def peak(count: int) -> int:
        tracemalloc.start()
        assert sum(1 for _ in Heard.of(segments(count)).touched()) == count + 1
        (_, most), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()
        return most

    peak(1_500)  # what is made on first use is no part of it
    assert peak(8_000) - peak(2_000) < 6_000 * 20
