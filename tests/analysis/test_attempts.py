"""Do the scans of what came after a loss count as one does by hand?"""

from __future__ import annotations

import random
import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_portfolio import _frames
from crm_portfolio._frames import from_arrow, from_parquet, kept, numbered, nw
from crm_portfolio.analysis import _facts
from crm_portfolio.analysis._facts import _attempts
from crm_portfolio.portfolio import Calendar, Period, Portfolio

AS_OF = date(2026, 6, 30)
ZONE = "Europe/Paris"
TEXT, DAY, NUMBER = pa.string(), pa.date32(), pa.float64()
MOMENT = pa.timestamp("us", "UTC")
ENGINES = {
    "pandas": lambda table: from_arrow(table, "pandas"),
    "polars": lambda table: from_arrow(table, "polars"),
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "pyarrow": lambda table: table,
    "duckdb": lambda table: from_arrow(table, "duckdb"),
}


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request):
    return request.param


def table(kinds, rows) -> pa.Table:
    return pa.table(
        {
            name: pa.array([row[at] for row in rows], kind)
            for at, (name, kind) in enumerate(kinds.items())
        }
    )


def opportunities(count: int = 40) -> pa.Table:
    draw = random.Random(11)
    first = date(2026, 1, 1)
    rows = [
        (
            f"O{at:02}",
            draw.choice(["lost", "lost", "won", "open"]),
            first + timedelta(days=draw.randrange(180)),
            draw.choice(["A", "B", None]),
            draw.choice(["price", None]),
        )
        for at in range(count)
    ]
    rows = [(*row[:2], None if row[1] == "open" else row[2], *row[3:]) for row in rows]
    kinds = {"opportunity_id": TEXT, "status": TEXT, "closed_on": DAY}
    return table(kinds | {"account_id": TEXT, "loss_reason": TEXT}, rows)


def activities(count: int = 900) -> pa.Table:
    draw = random.Random(12)
    first = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        (
            f"T{at}",
            draw.choice([*(f"O{at:02}" for at in range(40)), None]),
            first + timedelta(minutes=draw.randrange(181 * 24 * 60)),
            draw.choice(["in", "out", "out", None]),
            draw.choice(["held", None, "open", "cancelled"]),
            draw.choice([None, draw.randrange(900) / 10]),
            draw.choice(["call", "meeting", "auto_reply", None]),
        )
        for at in range(count)
    ]
    kinds = {"activity_id": TEXT, "opportunity_id": TEXT, "occurred_at": MOMENT}
    return table(
        kinds | {"direction": TEXT, "status": TEXT, "minutes": NUMBER, "kind": TEXT},
        rows,
    )


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(ZONE)).astimezone(UTC)


WHICH = _facts.Contacts(automatic_kinds=("auto_reply",))


def goes_out(row):
    return row["kind"] == "meeting" or row["direction"] != "in"


def comes_in(row):
    return row["kind"] == "meeting" or row["direction"] == "in"


def by_hand(sold, done):
    found = {}
    for row in sold.to_pylist():
        if row["status"] != "lost" or row["closed_on"] is None:
            continue
        since = midnight(row["closed_on"] + timedelta(days=1))
        own = [
            each
            for each in done.to_pylist()
            if each["opportunity_id"] == row["opportunity_id"]
            and each["status"] in {"held", None}
            and each["kind"] != "auto_reply"
            and each["occurred_at"] < midnight(AS_OF + timedelta(days=1))
        ]
        after = [each for each in own if each["occurred_at"] >= since]
        before = [each for each in own if each["occurred_at"] < since]
        outs = [e["occurred_at"] for e in after if goes_out(e)]
        ins = [e["occurred_at"] for e in after if comes_in(e)]
        if not outs and not ins:
            continue
        found[row["opportunity_id"]] = {
            "attempts": len(outs),
            "answers": len(ins),
            "outs_before": sum(goes_out(e) for e in before),
            "ins_before": sum(comes_in(e) for e in before),
            "seconds_before": sum(round((e["minutes"] or 0) * 60) for e in before),
            "seconds_after": sum(round((e["minutes"] or 0) * 60) for e in after),
            "first_at": min(outs, default=None),
            "last_at": max(outs, default=None),
            "answered_at": max(ins, default=None),
        }
    return found


def after(done, spans):
    found = _attempts.contacts(_attempts.about(done, WHICH), spans)
    return found.sort_by("opportunity_id").to_pylist()


def test_contacts_after_a_loss_are_those_one_counts_by_hand(engine):
    sold, done = opportunities(), activities()
    end = AS_OF + timedelta(days=1)
    spans = _attempts.spans_of_losses(engine(sold), ZONE, until=end)
    rows = after(engine(done), spans)
    found = {row.pop("opportunity_id"): row for row in rows}
    expected = by_hand(sold, done)
    assert len(expected) > 10
    assert found == expected


def test_contacts_meet_their_own_losses_and_not_each_night_before_them(
    tmp_path, monkeypatch
):
    """Of a large book that would be as many as all contacts by all days of losses.

    What is kept of contacts is short in memory, and opportunities lie in a file: from
    there DuckDB would take the few nights first.
    """
    count, first = 40_000, date(2025, 1, 1)
    ordinal = np.arange(count)
    sold = pa.table(
        {
            "opportunity_id": pa.array([f"O{at:05}" for at in ordinal]),
            "status": pa.array(np.where(ordinal % 5, "won", "lost")),
            "closed_on": pa.array(
                [first + timedelta(days=int(at % 430)) for at in ordinal]
            ),
        }
    )
    pq.write_table(sold, tmp_path / "sold.parquet")
    there = numbered(
        from_parquet([tmp_path / "sold.parquet"], "duckdb"), "ordinal", "id"
    )
    at = np.datetime64("2025-06-01", "us") + (ordinal % 9_000).astype("timedelta64[h]")
    done = pa.table(
        {
            "ordinal": pa.array(ordinal, pa.int32()),
            "occurred_at": pa.array(at, pa.timestamp("us")).cast(MOMENT),
            "is_out": pa.array(ordinal % 3 == 0),
            "is_in": pa.array(ordinal % 3 == 1),
            "seconds": pa.array(ordinal * 0),
        }
    )
    log = kept(nw.from_native(from_arrow(done, "duckdb")).lazy())
    log = log.filter(nw.col("is_out") | nw.col("is_in"))
    plans: list[str] = []

    def planned(frame, real=_frames.backend_of):
        if hasattr(frame, "explain"):
            plans.append(frame.explain())
        return real(frame)

    monkeypatch.setattr(_frames, "backend_of", planned)
    spans = _attempts.spans_of_losses(there, ZONE, until=AS_OF, key="ordinal")
    found = _attempts.contacts(log, spans, key="ordinal")
    assert found.num_rows > 100
    joins = re.findall(r"\w+[ _]join\b", " ".join(plans), re.IGNORECASE)
    assert {each.replace("_", " ").title() for each in joins} == {"Hash Join"}


def test_the_evening_of_the_day_of_the_loss_is_before_it(engine):
    """Where the clocks stand: 22:30 UTC of a summer day is the next day in Paris."""
    sold = table(
        {"opportunity_id": TEXT, "status": TEXT, "closed_on": DAY},
        [("O", "lost", date(2026, 6, 10))],
    )
    at = [datetime(2026, 6, 10, hour, 30, tzinfo=UTC) for hour in (20, 21, 22)]
    done = table(
        {"opportunity_id": TEXT, "occurred_at": MOMENT, "direction": TEXT},
        [("O", each, "out") for each in at],
    )
    spans = _attempts.spans_of_losses(engine(sold), ZONE, until=AS_OF)
    [row] = after(engine(done), spans)
    assert (row["outs_before"], row["attempts"], row["first_at"]) == (2, 1, at[2])


def test_what_lies_between_two_moments_is_counted_without_its_ends(engine):
    start = datetime(2026, 3, 1, tzinfo=UTC)
    days = [start + timedelta(days=each) for each in range(5)]
    done = table(
        {"opportunity_id": TEXT, "occurred_at": MOMENT, "direction": TEXT},
        [("O", each, "out") for each in days] + [("O", days[2], "in")],
    )
    marks = table(
        {"opportunity_id": TEXT, "from_at": MOMENT, "to_at": MOMENT},
        [("O", days[0], days[4]), ("P", days[0], days[4])],
    )
    rows = _attempts.outbound_between(engine(done), marks, WHICH).to_pylist()
    assert rows == [{"opportunity_id": "O", "n": 3}]


def test_an_account_is_written_to_whatever_it_is_about(engine):
    sold, done = opportunities(), activities()
    draw = random.Random(14)
    accounts = pa.array([draw.choice(["A", "B", "C", None]) for _ in range(900)], TEXT)
    done = done.append_column("account_id", accounts)
    since = midnight(AS_OF - timedelta(days=60))
    ids = pa.table({"account_id": [*"ABC"]})
    tables = {"account": ids, "opportunity": sold, "activity": done}
    book = Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        calendar=Calendar(ZONE),
        **{name: engine(each) for name, each in tables.items()},
    )
    whose = {row["opportunity_id"]: row["account_id"] for row in sold.to_pylist()}
    expected = {}
    for row in done.to_pylist():
        about = row["account_id"] or whose.get(row["opportunity_id"])
        is_held = row["status"] in {"held", None} and row["kind"] != "auto_reply"
        is_late = since <= row["occurred_at"] < midnight(AS_OF + timedelta(days=1))
        if about and is_held and is_late and goes_out(row):
            n, last = expected.get(about, (0, since))
            expected[about] = (n + 1, max(last, row["occurred_at"]))
    rows = _attempts.outbound_since(book, since, WHICH).to_pylist()
    found = {row["account_id"]: (row["n"], row["last_at"]) for row in rows}
    assert found == expected
    assert all(n > 20 for n, _ in expected.values())


def effort() -> pa.Table:
    draw = random.Random(13)
    rows = [
        (
            "A",
            draw.choice([*(f"O{at:02}" for at in range(40)), None]),
            date(2026, 1, 1) + timedelta(days=draw.randrange(181)),
            draw.randrange(1, 900) / 10,
        )
        for _ in range(500)
    ]
    kinds = {"account_id": TEXT, "opportunity_id": TEXT, "worked_on": DAY}
    return table(kinds | {"minutes": NUMBER}, rows)


def test_hours_noted_after_a_loss_are_those_one_adds_by_hand(engine):
    sold, noted = opportunities(), effort()
    span = Period.between(date(2026, 4, 1), date(2026, 7, 1))
    spans = _attempts.spans_of_losses(engine(sold), ZONE, until=AS_OF)
    rows = _attempts.seconds_after_losses(engine(noted), spans, span).to_pylist()
    expected = {}
    for row in sold.to_pylist():
        own = [
            (each["worked_on"], round(each["minutes"] * 60))
            for each in noted.to_pylist()
            if each["opportunity_id"] == row["opportunity_id"]
        ]
        if row["status"] != "lost":
            continue
        after = sum(s for day, s in own if day > row["closed_on"])
        now = sum(s for d, s in own if d > row["closed_on"] and d >= span.start)
        if after:
            before = sum(s for day, s in own if day <= row["closed_on"])
            expected[row["opportunity_id"]] = (before, after, now)
    assert expected
    assert {r["opportunity_id"]: tuple(r.values())[1:] for r in rows} == expected
    whole = sum(
        round(each["minutes"] * 60)
        for each in noted.to_pylist()
        if each["worked_on"] >= span.start
    )
    assert _attempts.seconds_in(engine(noted), span) == whole


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "duckdb"])
def test_only_what_was_lost_and_opened_again_comes_back(kind):
    start = datetime(2026, 1, 5, 12, tzinfo=UTC)
    changes = [
        ("O00", start, "stage", "Offer", "Lost"),
        ("O00", start + timedelta(days=9), "stage", "Lost", "Offer"),
        ("O01", start, "stage", "Offer", "Lost"),
        ("O02", start, "status", "open", "lost"),
        ("O02", start + timedelta(days=3), "status", "lost", "open"),
        ("O02", start + timedelta(days=5), "status", "open", "lost"),
        ("O02", start + timedelta(days=8), "status", "lost", "open"),
    ]
    kinds = {"opportunity_id": TEXT, "changed_at": MOMENT, "field": TEXT}
    stages = {"pipeline": TEXT, "stage": TEXT, "position": pa.int64(), "status": TEXT}
    tables = {
        "account": pa.table({"account_id": ["A", "B"]}),
        "opportunity": opportunities(4),
        "opportunity_change": table(kinds | {"old": TEXT, "new": TEXT}, changes),
        "stage": table(stages, [("p", "Offer", 1, "open"), ("p", "Lost", 2, "lost")]),
    }
    portfolio = Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        calendar=Calendar(ZONE),
        **{name: from_arrow(each, kind) for name, each in tables.items()},
    )
    rows = _facts.reopened(portfolio).to_pylist()
    assert [
        (row["opportunity_id"], row["since_at"], row["until_at"]) for row in rows
    ] == [
        ("O00", start, start + timedelta(days=9)),
        ("O02", start + timedelta(days=5), start + timedelta(days=8)),
    ]
    said = _facts.changes_of(
        portfolio["opportunity_change"], "stage", pa.array(["O01", "O00"])
    )
    assert [(row["opportunity_id"], row["new"]) for row in said.to_pylist()] == [
        ("O00", "Lost"),
        ("O00", "Offer"),
        ("O01", "Lost"),
    ]


def test_the_newest_day_of_each_account_is_found(engine):
    rows = [("A", date(2026, 1, 1)), ("A", date(2026, 3, 1)), ("B", None)]
    frame = engine(table({"account_id": TEXT, "refused_on": DAY}, rows))
    found = _facts.newest(frame, "refused_on", is_moment=False)
    assert found.to_pylist() == [{"account_id": "A", "at": date(2026, 3, 1)}]


def test_the_scans_stay_lazy_until_they_are_asked(engine):
    spans = _attempts.spans_of_losses(engine(opportunities()), ZONE, until=AS_OF)
    assert isinstance(spans, nw.LazyFrame)


def test_half_a_second_is_the_same_in_every_engine(engine):
    """Calls are told in minutes, though the CRM counted thousandths of a second."""
    kinds = {"worked_on": DAY, "minutes": NUMBER}
    rows = [(AS_OF, each) for each in (0.175, 0.375, -0.175, 1.0)]
    span = Period.between(AS_OF, AS_OF + timedelta(days=1))
    seconds = _attempts.seconds_in(engine(table(kinds, rows)), span)
    assert seconds == 10 + 22 - 10 + 60
