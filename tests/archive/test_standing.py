"""Changes that nobody works at are put aside, and stand there as they would in memory."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio.archive import Entry, Journal, Segment, Standing, _standing
from crm_portfolio.protocols import Change

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
PLACES = list(itertools.product(("account", "opportunity"), ("a", "b", "ç")))
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


@given(segments=runs())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_run_is_told_alike_whether_or_not_its_changes_were_put_aside(
    segments: list[Segment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_standing, "_IN_MEMORY", 10_000)
    in_memory, kept = Journal.of("r", segments), Standing.of(segments)
    monkeypatch.setattr(_standing, "_IN_MEMORY", 0)
    aside, put = Journal.of("r", segments), Standing.of(segments)
    assert aside == in_memory
    assert aside.counts == in_memory.counts
    assert {e.key: e for e in aside.entries} == kept.entries
    assert set(aside.touched) == set(kept.touched.values())
    for table, one in PLACES:
        put.recall(table, [one])  # type: ignore[arg-type]
    assert put.entries == kept.entries
    assert (put.touched, put.unchecked) == (kept.touched, kept.unchecked)
    for table in ("account", "opportunity"):
        done = {
            one: sum(is_settled(kept, table, one, name) for name in columns(table))
            for one in "abç"
            if any((table, one, name) in kept.entries for name in columns(table))
        }
        said = put.told().settled(table)  # type: ignore[arg-type]
        assert {one: count for one, count, _ in said} == done


def is_settled(standing: Standing, table: Any, one: str, column: str) -> bool:
    key = table, one, column
    entry = standing.entries.get(key)
    if entry is None or entry.state in ("not_sent", "unknown"):
        return False
    return key not in standing.unchecked


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
    monkeypatch.setattr(_standing, "_IN_MEMORY", 500)

    def segments(count: int) -> Iterator[Segment]:
        yield Segment(1, "begin", BEGIN, "")
        for number in range(count // 100):
            ids = [f"{number * 100 + at:018}" for at in range(100)]
            sent = [[one, "tier", None, "A"] for one in ids]
            told = {"send": sent, "left": []}
            results = [["written", "", ""]] * len(sent)
            intent = 2 + 3 * number
            yield Segment(intent, "intent", told, "")
            yield Segment(
                intent + 1, "outcome", {"intent": intent, "results": results}, ""
            )
            yield Segment(intent + 2, "check", {"intent": intent, "seen": []}, "")

    def peak(count: int) -> int:
        tracemalloc.start()
        standing = Standing.of(segments(count))
        assert sum(1 for _ in standing.told().touched()) == count
        (_, most), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()
        return most

    peak(1_500)  # what is made on first use is no part of it
    assert peak(8_000) - peak(2_000) < 6_000 * 20
