"""Does a portfolio show what was known on an earlier day, and nothing of what came later?

`CRM_PORTFOLIO_EXAMPLES=100` tries so many firms and histories.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from crm_portfolio import Calendar, Portfolio, analysis, schema
from crm_portfolio._analyse import analyse
from crm_portfolio.settings import Settings

AS_OF = date(2026, 6, 30)
DAYS = (date(2024, 2, 29), date(2025, 3, 30), date(2025, 12, 31), date(2026, 2, 28))
ZONES = ("UTC", "Pacific/Auckland", "America/New_York", "Europe/Paris")
UNTRACKED: tuple[tuple[str, ...], ...] = ((), ("owner_id",), ("amount", "stage"))
QUICK = Settings(
    freed_capacity=analysis.FreedCapacitySettings(draws=50),
    loss_scenario=analysis.LossScenarioSettings(
        fixed_costs=9_000, variable_cost_share=0.55, draws=50
    ),
    revenue_at_risk=analysis.RevenueAtRiskSettings(draws=50),
)
# A seed does not become simpler by being smaller.
DRAWN = (Phase.explicit, Phase.reuse, Phase.generate)
Tables = dict[str, pa.Table]
EXAMPLES = int(os.environ.get("CRM_PORTFOLIO_EXAMPLES", "0"))
Firm = Callable[..., Tables]


def held(tables: Tables, zone: str = "UTC", as_of: date = AS_OF) -> Portfolio:
    return Portfolio.from_frames(
        as_of=as_of,
        currency="EUR",
        calendar=Calendar(zone),
        backend="pyarrow",
        **tables,
    )


def said(portfolio: Portfolio) -> dict[str, str]:
    """Every analysis, as the bytes it would be stored in."""
    findings = analyse(portfolio, QUICK)
    made = {name: json.dumps(result.to_dict()) for name, result in findings.items()}
    return made | {"skipped": str(findings.skipped)}


# --- nothing of what came later ----------------------------------------------------


futures = given(
    seed=st.integers(0, 10**6),
    fates=st.lists(st.integers(0, 10**6), min_size=2, max_size=2, unique=True),
    day=st.sampled_from(DAYS),
    zone=st.sampled_from(ZONES),
    untracked=st.sampled_from(UNTRACKED),
)


def looked_back(
    firm: Firm, fates: list[int], day: date, zone: str, **how: Any
) -> list[Portfolio]:
    """What two firms knew at the end of the day, which had the same past until then."""
    return [
        held(firm(fate=fate, day=day, zone=zone, **how), zone, as_of).at(day)
        for fate, as_of in zip(fates, (AS_OF, date(2026, 9, 15)), strict=True)
    ]


@settings(max_examples=EXAMPLES or 20, phases=DRAWN)
@futures
def test_whatever_comes_later_leaves_no_trace_in_any_table(
    firm: Firm, fates: list[int], day: date, zone: str, **how: Any
) -> None:
    one, other = looked_back(firm, fates, day, zone, **how)
    for name in one.tables:
        assert one.arrow(name).equals(other.arrow(name)), name
    assert one.id == other.id
    assert one.faults.equals(other.faults)
    assert one.balance.equals(other.balance)


@settings(max_examples=EXAMPLES or 2, phases=DRAWN)
@futures
def test_whatever_comes_later_leaves_no_trace_in_any_analysis(
    firm: Firm, fates: list[int], day: date, zone: str, **how: Any
) -> None:
    one, other = looked_back(firm, fates, day, zone, **how)
    assert said(one) == said(other)


def test_the_firms_have_something_to_say_on_an_earlier_day(firm: Firm) -> None:
    """So that what is compared above is not two empty tables."""
    day = date(2025, 12, 31)
    tables = firm(7, 1, day, "UTC")
    now = held(tables)
    then = now.at(day)
    assert set(then.tables) == set(now.tables) == set(tables)
    assert all(
        0 < then.row_counts[name] <= now.row_counts[name] for name in then.tables
    )
    later = {name for name in then.tables if then.row_counts[name] < len(tables[name])}
    assert len(later) > len(tables) / 2
    assert not analyse(then, QUICK).skipped
    won = pc.sum(then.arrow("opportunity")["amount"]).as_py()
    assert won not in (None, 0)


# --- the same as if one had looked then ---------------------------------------------

Event = tuple[
    datetime, str, dict[str, Any]
]  # when, which opportunity, what it says now
FIELDS = ("stage", "amount", "owner_id", "expected_close_on", "probability")


def moments(day: date, zone: str) -> st.SearchStrategy[datetime]:
    """Any moment; many near the end of the day in its zone."""
    after = day + timedelta(days=1)
    midnight = datetime.combine(after, time.min, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    near = [midnight + timedelta(microseconds=us) for us in (-1, 0, 1)]
    near += [midnight + timedelta(hours=h) for h in (-24, -13, -1, 1, 13, 24)]
    far = st.datetimes(
        datetime(2023, 1, 1), datetime(2026, 6, 1), timezones=st.just(UTC)
    )
    return st.one_of(st.sampled_from(near), far)


def histories(day: date, zone: str) -> st.SearchStrategy[list[Event]]:
    """What happened to each opportunity, in the order of time."""
    edit = st.fixed_dictionaries(
        {},
        optional={
            "stage": st.sampled_from(["Talk", "Offer", "Sign"]),
            "amount": st.sampled_from([None, 100.0, 1.015, 99_999.99, 7.125]),
            "owner_id": st.sampled_from(["U1", "U2", None]),
            "expected_close_on": st.dates(date(2024, 1, 1), date(2027, 1, 1)),
            "probability": st.sampled_from([0.1, 0.25, 1.0, None]),
        },
    )
    whole = st.tuples(
        st.lists(moments(day, zone), min_size=2, max_size=6, unique=True).map(sorted),
        st.lists(edit, min_size=6, max_size=6),
        st.sampled_from(["won", "lost", None]),
    )
    return st.lists(whole, min_size=1, max_size=6).map(in_order)


def in_order(wholes: list[Any]) -> list[Event]:
    events: list[Event] = []
    for number, (all_at, edits, ends) in enumerate(wholes):
        name = f"O{number}"
        # What is said in the first minute counts as entered with the record.
        entered = all_at[0] + timedelta(minutes=1)
        at = [all_at[0], *(moment for moment in all_at[1:] if moment > entered)]
        said = dict.fromkeys(FIELDS) | edits[0]
        events.append((at[0], name, said | {"created_at": at[0], "status": "open"}))
        events += zip(at[1:], [name] * len(at), edits[1:], strict=False)
        if ends is not None:  # with the last edit but one; the last is a correction
            ends_as = {
                "status": ends,
                "loss_reason": "price" if ends == "lost" else None,
            }
            events.append((at[-2] if len(at) > 2 else at[-1], name, ends_as))
    return sorted(events, key=lambda event: event[:2])


def replayed(events: list[Event], zone: str) -> Tables:
    """A CRM in which these things happened, one after the other."""
    rows: dict[str, dict[str, Any]] = {}
    changes: list[tuple[Any, ...]] = []
    for at, name, said in events:
        row = rows.setdefault(name, {"opportunity_id": name, "account_id": "A"})
        for field, value in said.items():
            before = row.get(field)
            if field in FIELDS and value != before:
                old, new = (
                    None if each is None else str(each) for each in (before, value)
                )
                changes.append((name, at, field, old, new))
            row[field] = value
        if said.get("status", "open") != "open":
            row["closed_on"] = at.astimezone(ZoneInfo(zone)).date()
    columns = (
        "opportunity_id",
        "account_id",
        "created_at",
        "status",
        "closed_on",
        "loss_reason",
    )
    opportunity = pa.table(
        {
            each: pa.array(
                [row.get(each) for row in rows.values()],
                schema.arrow_type(schema.OPPORTUNITY[each]),
            )
            for each in (*columns, *FIELDS, "original_amount", "currency")
        }
    ).set_column(12, "currency", pa.array(["USD"] * len(rows), pa.string()))
    names = ("opportunity_id", "changed_at", "field", "old", "new")
    told = {
        each: pa.array(
            [change[at] for change in changes],
            schema.arrow_type(schema.OPPORTUNITY_CHANGE[each]),
        )
        for at, each in enumerate(names)
    }
    rates = [
        ("USD", "EUR", date(2020, 1, 1), 0.9),
        ("USD", "EUR", date(2025, 6, 1), 0.8),
    ]
    return {
        "account": pa.table({"account_id": ["A"], "created_on": [date(2020, 1, 1)]}),
        "opportunity": opportunity,
        "opportunity_change": pa.table(told),
        "exchange_rate": pa.table(
            dict(
                zip(
                    ("currency", "base", "from_on", "rate"),
                    map(list, zip(*rates)),
                    strict=True,
                )
            )
        ),
    }


@settings(max_examples=EXAMPLES or 60)
@given(data=st.data(), day=st.sampled_from(DAYS), zone=st.sampled_from(ZONES))
def test_replaying_all_that_happened_up_to_the_day_gives_the_same_tables(
    data: st.DataObject, day: date, zone: str
) -> None:
    events = data.draw(histories(day, zone))
    end = datetime.combine(day + timedelta(days=1), time.min, tzinfo=ZoneInfo(zone))
    had_been = [event for event in events if event[0] < end]
    assume(all(any(each in said for _, _, said in had_been) for each in FIELDS))
    looked_back = held(replayed(events, zone), zone).at(day)
    looked_then = held(replayed(had_been, zone), zone, as_of=day)
    for name in ("opportunity", "opportunity_change", "exchange_rate"):
        assert (
            looked_back.arrow(name).to_pylist() == looked_then.arrow(name).to_pylist()
        )
    assert looked_back.id == looked_then.id


# --- looking back from an earlier day ------------------------------------------------


@settings(max_examples=8, phases=DRAWN)
@given(
    seed=st.integers(0, 10**6),
    days=st.lists(st.dates(date(2024, 1, 1), AS_OF), min_size=2, max_size=2).map(
        sorted
    ),
    zone=st.sampled_from(ZONES),
    untracked=st.sampled_from(UNTRACKED),
)
def test_looking_back_twice_is_looking_back_once(
    firm: Firm, seed: int, days: list[date], zone: str, untracked: tuple[str, ...]
) -> None:
    earlier, later = days
    now = held(firm(seed, 0, date(2025, 3, 30), zone, untracked), zone)
    once, twice = now.at(earlier), now.at(later).at(earlier)
    for name in once.tables:
        assert twice.arrow(name).equals(once.arrow(name)), name
    assert twice.id == once.id
    assert now.at(AS_OF) is now
