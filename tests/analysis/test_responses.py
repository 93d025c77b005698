"""Do the scans of reasons, answers and open work find what a walk along the rows finds?"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from crm_portfolio._frames import BACKENDS, from_arrow, nw
from crm_portfolio._methods._working_hours import working_time
from crm_portfolio.analysis import _facts
from crm_portfolio.portfolio import Calendar, Period, Portfolio

AS_OF = date(2026, 6, 30)
PARIS = ZoneInfo("Europe/Paris")
MOMENT = pa.timestamp("us", "UTC")
NOTHING = _facts.Contacts(automatic_kinds=("auto_reply",))
WORKED = working_time(date(2024, 1, 1), date(2026, 7, 2), zone="Europe/Paris")
END = int(datetime(2026, 7, 1, tzinfo=PARIS).timestamp())


def moment(chance, days):
    last = datetime(2026, 6, 30, 20, tzinfo=UTC)
    return last - timedelta(minutes=chance.randrange(days * 1440))


def opportunities(chance, count):
    rows = []
    for at in range(count):
        status = chance.choice(["open", "open", "lost", "won"])
        created = moment(chance, 500)
        closed = min(created.date() + timedelta(days=chance.randrange(60)), AS_OF)
        reason = chance.choice(["price", "no budget", None])
        rows.append(
            {
                "opportunity_id": f"O{at:03}",
                "account_id": chance.choice(["A", "B", None]),
                "owner_id": chance.choice(["u1", "u2", None]),
                "status": status,
                "source": chance.choice(["web", None]),
                "created_at": created,
                "closed_on": None if status == "open" else closed,
                "amount": chance.choice([None, chance.randrange(1, 10**7) / 100]),
                "loss_reason": reason if status == "lost" else None,
                "loss_reason_by": chance.choice(["client", "seller", None]),
                "next_step": chance.choice(["call", "", None]),
            }
        )
    return rows


def activities(chance, count, opportunity_count):
    return [
        {
            "activity_id": f"T{at}",
            "occurred_at": moment(chance, 500),
            "opportunity_id": chance.choice(
                [f"O{chance.randrange(opportunity_count):03}", None]
            ),
            "direction": chance.choice(["in", "out"]),
            "kind": chance.choice(["mail", "auto_reply"]),
        }
        for at in range(count)
    ]


def enquiries(chance, count, opportunity_count):
    rows = []
    for at in range(count):
        created = moment(chance, 500)
        answered = created + timedelta(minutes=chance.randrange(9000))
        last = datetime(2026, 6, 30, 20, tzinfo=UTC)
        rows.append(
            {
                "enquiry_id": f"E{at}",
                "created_at": created,
                "opportunity_id": chance.choice(
                    [f"O{chance.randrange(opportunity_count):03}", None]
                ),
                "first_response_at": chance.choice([None, min(answered, last)]),
            }
        )
    return rows


KINDS = {
    "created_at": MOMENT,
    "occurred_at": MOMENT,
    "first_response_at": MOMENT,
    "closed_on": pa.date32(),
    "amount": pa.float64(),
}


def table(rows):
    return pa.table(
        {
            name: pa.array([row[name] for row in rows], KINDS.get(name, pa.string()))
            for name in rows[0]
        }
    )


class Book:
    """A small book in one engine, and the rows it was made of."""

    def __init__(self, backend, seed=1):
        chance = random.Random(seed)
        self.opportunities = opportunities(chance, 60)
        self.activities = activities(chance, 150, 60)
        self.enquiries = enquiries(chance, 40, 60)
        accounts = pa.table(
            {"account_id": ["A", "B"], "segment": pa.array(["dairy", None])}
        )
        tables = {
            "account": accounts,
            "opportunity": table(self.opportunities),
            "activity": table(self.activities),
            "enquiry": table(self.enquiries),
        }
        self.portfolio = Portfolio.from_frames(
            as_of=AS_OF,
            currency="EUR",
            calendar=Calendar(time_zone="Europe/Paris"),
            **{name: from_arrow(each, backend) for name, each in tables.items()},
        )
        self.span = Period.last_months(12).at(AS_OF)
        self.clock = _facts.Clock.of(
            date(2024, 1, 1), AS_OF, zone="Europe/Paris", backend=backend
        )

    def held(self, opportunity_id, direction=None):
        return sorted(
            each["occurred_at"]
            for each in self.activities
            if each["opportunity_id"] == opportunity_id
            and each["kind"] != "auto_reply"
            and direction in (None, each["direction"])
        )


@pytest.fixture(scope="module", params=BACKENDS)
def book(request):
    return Book(request.param)


def minor(row):
    return None if row["amount"] is None else round(row["amount"] * 100)


def local(at):
    return at.astimezone(PARIS).date()


def worked(start, end):
    ends = [
        int(each.timestamp()) if hasattr(each, "timestamp") else each
        for each in (start, end)
    ]
    return int(WORKED.until([ends[1]])[0] - WORKED.until([ends[0]])[0])


def test_reasons_add_up_as_they_do_by_hand(book):
    rows = _facts.closed(book.portfolio, "lost", book.span, book.clock)
    found = defaultdict(lambda: [0, 0, 0])
    for row in _facts.lost_reasons(rows).to_pylist():
        of = found[row["loss_reason"], row["loss_reason_by"]]
        of[0] += row["count"]
        of[1] += row["count"] * row["is_priced"]
        of[2] += row["minor"]
        assert row["is_priced"] or not row["cell"]
        assert str(row["cell"])[2:].strip("0") == ""
    expected = defaultdict(lambda: [0, 0, 0])
    for row in book.opportunities:
        if row["status"] == "lost" and date(2025, 7, 1) <= row["closed_on"]:
            of = expected[row["loss_reason"] or "", row["loss_reason_by"] or ""]
            of[0] += 1
            of[1] += row["amount"] is not None
            of[2] += minor(row) or 0
    assert found == expected


def test_amounts_that_begin_alike_share_a_cell_with_their_exact_sum(book):
    """So that ten million come back as a few thousand rows."""
    amounts = pa.table(
        {
            "minor": pa.array([5, 99, 100, 1_234, 1_299, 1_300, None], pa.int64()),
            "loss_reason": pa.array(["price"] * 7),
            "loss_reason_by": pa.array(["client"] * 7),
        }
    )
    rows = nw.from_native(from_arrow(amounts, book.portfolio.backend)).lazy()
    found = _facts.lost_reasons(rows).to_pylist()
    told = [(r["cell"], r["is_priced"], r["count"], r["minor"]) for r in found]
    assert told == [
        (0, 0, 1, 0),
        (5, 1, 1, 5),
        (99, 1, 1, 99),
        (100, 1, 1, 100),
        (1_200, 1, 2, 2_533),
        (1_300, 1, 1, 1_300),
    ]


def test_open_opportunities_stand_as_a_walk_finds_them(book):
    rows = _facts.open_pursuits(book.portfolio, book.clock, NOTHING)
    found = {row["record_id"]: row for row in _facts.collected(rows).to_pylist()}
    is_open = [row for row in book.opportunities if row["status"] == "open"]
    assert sorted(found) == [row["opportunity_id"] for row in is_open]
    for row in is_open:
        own, held = found[row["opportunity_id"]], book.held(row["opportunity_id"])
        out = book.held(row["opportunity_id"], "out")
        last = max([local(row["created_at"]), *map(local, held)])
        assert own["silent_days"] == (AS_OF - last).days
        assert own["touches"] == len(held)
        assert own["minor"] == minor(row)
        assert own["has_next_step"] == bool(row["next_step"])
        assert own["waited_s"] == worked(row["created_at"], END)
        if not out:
            assert own["answered_s"] is None
        elif out[0] <= row["created_at"]:
            assert own["response_s"] == 0
        else:
            assert own["response_s"] == worked(row["created_at"], out[0])


def test_a_scan_counts_by_several_columns_at_once(book):
    rows = _facts.open_pursuits(book.portfolio, book.clock, NOTHING)
    rows = _facts.with_segment(rows, book.portfolio)
    found = {
        (row["by"], row["group"], row["has_next_step"]): (
            row["count"],
            row["minor"],
            row["priced_count"],
        )
        for row in _facts.tallied(
            rows, ["source", "segment"], ["has_next_step"]
        ).to_pylist()
    }
    expected = defaultdict(lambda: [0, 0, 0])
    for row in book.opportunities:
        if row["status"] != "open":
            continue
        groups = {
            "source": row["source"],
            "segment": "dairy" if row["account_id"] == "A" else None,
        }
        for by, group in groups.items():
            of = expected[by, group or "", str(int(bool(row["next_step"])))]
            of[0] += 1
            of[1] += minor(row) or 0
            of[2] += row["amount"] is not None
    assert found == {key: tuple(of) for key, of in expected.items()}


def test_answers_to_enquiries_are_timed_by_the_working_minute(book):
    """Those that became an opportunity, and those that did not; an automatic reply is no
    answer."""
    given = (book.portfolio, book.span, book.clock, NOTHING)
    for scan, became in [(_facts.enquired, False), (_facts.became_opportunities, True)]:
        found = Counter()
        for row in _facts.answers(scan(*given)).to_pylist():
            found[row["is_answered"], row["minutes"]] += row["count"]
        expected = Counter()
        for row in book.enquiries:
            is_in = local(row["created_at"]) >= date(2025, 7, 1)
            if not is_in or (row["opportunity_id"] is not None) != became:
                continue
            out = [
                at
                for at in book.held(row["opportunity_id"], "out")
                if at >= row["created_at"]
            ]
            answered = row["first_response_at"] or next(
                iter(out if became else []), None
            )
            seconds = worked(row["created_at"], answered or END)
            expected[int(answered is not None), -(-seconds // 60)] += 1
        assert found == expected


def test_without_activities_the_last_one_the_crm_knows_of_is_held_against_silence():
    opportunity = pa.table(
        {
            "opportunity_id": ["1", "2"],
            "account_id": ["A", "A"],
            "status": ["open", "open"],
            "created_at": pa.array([datetime(2026, 1, 5, 9, tzinfo=UTC)] * 2, MOMENT),
            "last_activity_on": pa.array([date(2026, 6, 1), None], pa.date32()),
        }
    )
    account = pa.table({"account_id": ["A"]})
    portfolio = Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", account=account, opportunity=opportunity
    )
    clock = _facts.Clock.of(date(2024, 1, 1), AS_OF, zone="UTC", backend="pyarrow")
    rows = _facts.open_pursuits(portfolio, clock, NOTHING).sort("record_id")
    assert _facts.collected(rows)["silent_days"].to_pylist() == [29, 176]
