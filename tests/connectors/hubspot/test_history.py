"""Is what an opportunity said before told once, in the model's own words?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from crm_portfolio import schema
from crm_portfolio.connectors.hubspot import HubSpot
from crm_portfolio.connectors.hubspot._columns import Layout
from crm_portfolio.connectors.hubspot._history import changes
from crm_portfolio.errors import ConnectorError, SettingsError
from crm_portfolio.protocols import Batch
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator.hubspot import Assumptions
from crm_portfolio.simulator.hubspot import HubSpot as Simulator

TABLE = "opportunity_change"
COUNT = 130
Row = tuple[str, str, str | None, str | None]


def tables() -> dict[str, pa.Table]:
    places = range(COUNT)
    return {
        "opportunity": pa.table(
            {
                "opportunity_id": [f"O{place}" for place in places],
                "status": [("open", "won", "lost")[place % 3] for place in places],
                "stage": [("Talk", "Won", "Lost")[place % 3] for place in places],
                "amount": [place + 0.25 for place in places],
            }
        )
    }


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(
        tables(), currency="EUR", time_zone="Europe/Paris", limits_by="nothing"
    ) as org:
        yield org


@pytest.fixture
def org(running: Simulator) -> Simulator:
    running.reset()
    return running


def rows(batches: list[Batch]) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for b in batches for row in b.rows.to_pylist()]


def told(batches: list[Batch], deal: str) -> list[Row]:
    """Hour, field, old and new of what changed after it was loaded."""
    found = [row for row in rows(batches) if row[0] == deal and row[1].year > 2000]
    return [(f"{at:%H}", *rest) for _, at, *rest in found]


def work(org: Simulator) -> str:
    """A deal that was changed hour by hour."""
    deal = org.ids("opportunity")["O0"]
    for values in (
        {"amount": "7.50"},
        {"amount": "1500", "closedate": "2024-05-31T22:30:00Z"},
        {"amount": "1500.0"},  # the same
        {"amount": ""},
        {"hubspot_owner_id": "", "dealtype": "newbusiness"},
    ):
        org.clock.advance(3600)
        org.edit("deals", deal, values)
    return deal


def test_changes_are_told_in_the_words_of_the_model(org, connected) -> None:
    deal = work(org)
    assert told(list(connected(org).pull(TABLE)), deal) == [
        ("03", "amount", "0.25", "7.5"),
        ("04", "amount", "7.5", "1500"),
        ("04", "expected_close_on", None, "2024-06-01"),  # the portal's own day
        ("06", "amount", "1500", None),
        ("07", "kind", None, "new"),
    ]


def test_the_first_value_is_a_change_from_nothing(org, connected) -> None:
    deal = org.ids("opportunity")["O1"]
    found = [row for row in rows(list(connected(org).pull(TABLE))) if row[0] == deal]
    assert [row[2:] for row in found] == [
        ("pipeline", None, "default"),
        ("stage", None, "Won"),
        ("amount", None, "1.25"),
        ("probability", None, "1"),
    ]


def test_a_table_of_the_model_comes_out(org, connected) -> None:
    work(org)
    batches = list(connected(org).pull(TABLE))
    raw = pa.concat_tables([batch.rows for batch in batches])
    _, faults = schema.read({TABLE: raw}, time_zone="Europe/Paris")
    assert TABLE not in faults["table"].to_pylist()


@pytest.mark.parametrize("history_batch", [50, 100])
def test_pages_hold_fifty_and_no_change_comes_twice(connected, history_batch) -> None:
    known = Assumptions(history_batch=history_batch)
    with Simulator(tables(), assumptions=known, limits_by="nothing") as org:
        crm = connected(org)
        batches = list(crm.pull(TABLE))
        assert org.calls["GET objects/{kind}"] == 3  # of 130
        found = rows(batches)
        assert len(found) == len(set(found)) == COUNT * 4
        assert [batch.is_last for batch in batches] == [False, False, True]


def test_it_goes_on_behind_every_batch(org, connected) -> None:
    work(org)
    unbroken = list(connected(org).pull(TABLE))
    for place, batch in enumerate(unbroken):
        rest = list(connected(org).pull(TABLE, resume=batch.cursor))
        assert rows([*unbroken[: place + 1], *rest]) == rows(unbroken)


def test_an_increment_tells_what_came_since(org, connected) -> None:
    deal = work(org)
    since = list(connected(org).pull(TABLE))[-1].cursor
    org.clock.advance(3600)
    org.edit("deals", deal, {"amount": "9"})
    batches = list(connected(org).pull(TABLE, since=since))
    assert told(batches, deal)[-1] == ("08", "amount", None, "9")
    org.clock.advance(3600)
    org.edit("deals", deal, {"amount": "10"})
    # What an overlap tells again it tells in the same words.
    again = told(list(connected(org).pull(TABLE, since=batches[-1].cursor)), deal)
    assert again == [("08", "amount", None, "9"), ("09", "amount", "9", "10")]
    assert org.calls["POST objects/{kind}/batch/read"] == 2
    assert batches[-1].is_last


def test_whole_and_increments_give_what_a_new_pull_gives(org, connected) -> None:
    ids = list(org.ids("opportunity").values())
    batches = list(connected(org).pull(TABLE))
    for hour in range(3):
        org.clock.advance(3600)
        for one in ids[hour::7]:
            org.edit("deals", one, {"amount": str(hour)})
        since = batches[-1].cursor
        more = list(connected(org).pull(TABLE, since=since))
        assert len(rows(more)) == len(set(rows(more)))
        batches += more
    assert set(rows(batches)) == set(rows(list(connected(org).pull(TABLE))))


def test_an_increment_goes_on_behind_every_batch(org, connected) -> None:
    since = list(connected(org).pull(TABLE))[-1].cursor
    org.clock.advance(3600)
    for one in list(org.ids("opportunity").values())[:5]:
        org.edit("deals", one, {"amount": "5"})
    unbroken = list(connected(org).pull(TABLE, since=since))
    for place, batch in enumerate(unbroken):
        rest = list(connected(org).pull(TABLE, resume=batch.cursor))
        assert set(rows([*unbroken[: place + 1], *rest])) == set(rows(unbroken))


def test_a_call_that_fails_once_costs_no_change(org, connected) -> None:
    work(org)
    expected = rows(list(connected(org).pull(TABLE)))
    for kind in ("unavailable", "reset", "empty"):
        org.fault(Fault(at_call=2, kind=kind, route="GET objects"))
        assert rows(list(connected(org).pull(TABLE))) == expected


def test_amounts_are_in_the_deal_s_currency_where_there_are_several(connected) -> None:
    rates = pa.table(
        {"currency": ["USD"], "base": ["EUR"], "from_on": ["2024-01-01"], "rate": [0.9]}
    )
    deals = tables()["opportunity"].append_column(
        "currency", pa.repeat(pa.scalar("USD"), COUNT)
    )
    data = {"opportunity": deals, "exchange_rate": rates}
    with Simulator(data, currency="EUR", limits_by="nothing") as org:
        fields = {row[2] for row in rows(list(connected(org).pull(TABLE)))}
        assert "original_amount" in fields
        assert "amount" not in fields


def test_only_the_columns_asked_for_come(org, connected) -> None:
    (first, *_) = connected(org).pull(TABLE, columns=["field", "new"])
    assert first.rows.column_names == ["field", "new"]


def test_it_is_a_table_among_the_others(org, connected) -> None:
    crm = connected(org, tables=("opportunity", TABLE))
    assert crm.tables()[TABLE] == (
        "opportunity_id",
        "changed_at",
        "field",
        "old",
        "new",
    )
    said = crm.forecast(list(crm.tables()))
    for table in crm.tables():
        list(crm.pull(table))
    assert abs(said.calls - crm.calls) <= 1  # names of stages: asked for once, or twice


# Stages of several pipelines

STAGES = {
    "here": ["a\n1", "a\n2", "b\n1", "b\n3"],
    "pipeline": ["Sales", "Sales", "Renewals", "Renewals"],
    "stage": ["First", "Second", "Ask", "Sign"],
    "status": ["open", "won", "open", "won"],
}


@pytest.fixture
def layout(org: Simulator, connected: Callable[..., HubSpot]) -> Layout:
    import attrs

    part = connected(org)._layouts("opportunity")[0]
    return attrs.evolve(
        changes(part, has_currencies=False), stages=lambda _: pa.table(STAGES)
    )


def record(one: str, **said: list[tuple[str, str]]) -> dict[str, object]:
    past = {
        name: [{"value": value, "timestamp": at} for value, at in entries]
        for name, entries in said.items()
    }
    return {"id": one, "propertiesWithHistory": past}


def at(minute: int) -> str:
    return f"2026-03-01T10:{minute:02}:00.000Z"


def test_a_stage_has_its_name_in_the_pipeline_of_that_time(layout) -> None:
    found = layout.plan("UTC").of_records(
        [
            record(
                "7",
                pipeline=[("b", at(5)), ("a", at(1))],
                dealstage=[("3", at(9)), ("1", at(5)), ("2", at(3)), ("1", at(1))],
            ),
            record("8", dealstage=[("1", at(2))]),  # of no pipeline that is known
            record("9", dealstage=[("77", at(2))]),  # deleted since
        ]
    )
    told = [tuple(r.values()) for r in found.drop_columns("changed_at").to_pylist()]
    assert told == [
        ("7", "pipeline", None, "Sales"),
        ("7", "stage", None, "First"),
        ("7", "stage", "First", "Second"),
        ("7", "pipeline", "Sales", "Renewals"),
        ("7", "stage", "Second", "Ask"),
        ("7", "stage", "Ask", "Sign"),
        ("8", "stage", None, "1"),
        ("9", "stage", None, "77"),
    ]


def test_order_is_by_time_whatever_the_order_of_the_answer(layout) -> None:
    entries = [("2", at(2)), ("3", at(3)), ("1", at(1))]
    found = layout.plan("UTC").of_records([record("7", amount=entries)])
    assert found["new"].to_pylist() == ["1", "2", "3"]
    assert found["old"].to_pylist() == [None, "1", "2"]


def test_a_record_without_a_past_has_none(layout) -> None:
    plan = layout.plan("UTC")
    assert len(plan.of_records([{"id": "1"}, record("2", amount=[])])) == 0
    assert plan.of_records([]).schema == plan.of_records([{"id": "1"}]).schema


def test_a_past_that_is_no_number_is_a_clear_error(layout) -> None:
    with pytest.raises(SettingsError, match="amount"):
        layout.plan("UTC").of_records([record("7", amount=[("1,5", at(1))])])
    with pytest.raises(ConnectorError, match="not of its property's type"):
        layout.plan("UTC").of_records([{"id": 7, "propertiesWithHistory": 3}])
