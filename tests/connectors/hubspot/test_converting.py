"""Whatever a record lacks, the quick way to columns gives what the careful one gives."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio.connectors._mapping import Field
from crm_portfolio.connectors.hubspot._columns import Layout
from crm_portfolio.connectors.hubspot._converting import ID, strings
from crm_portfolio.connectors.hubspot._fields import RecordSource
from crm_portfolio.errors import ConnectorError

NAMES = ("name", "domain", "city")
WHOLE = {"id": "1", "properties": {"name": "é", "domain": None, "city": ""}}


def plan_for(names: tuple[str, ...] = NAMES) -> Any:
    fields = (Field("account_id", (ID,), "id"), Field("name", names, "text"))
    source = RecordSource("companies", fields)
    kinds = dict.fromkeys(names, "string")
    return Layout("account", source, fields, kinds, lambda _: pa.table({})).plan("UTC")


def both(records: list[Any], names: tuple[str, ...] = NAMES) -> tuple[Any, Any]:
    plan = plan_for(names)
    careful = strings(records, plan._shape, names, "account")
    return plan._strings(records), careful


@pytest.mark.parametrize(
    "odd",
    [
        WHOLE,
        {"id": "2", "properties": {"name": "a", "city": "b"}},
        {"id": "2", "properties": {}},
        {"id": "2", "properties": None},
        {"id": "2"},
        {"properties": {"name": "a", "domain": "b", "city": "c"}},
        {"id": "2", "properties": {**dict.fromkeys(NAMES, "x"), "more": 1}},
    ],
    ids=["nothing", "a property", "each property", "null", "all", "the id", "not one"],
)
@pytest.mark.parametrize("names", [NAMES, NAMES[:1]], ids=["three", "one"])
def test_what_a_record_lacks_is_null_and_shifts_nothing(
    odd: dict[str, Any], names: tuple[str, ...]
) -> None:
    found, careful = both([WHOLE, odd, WHOLE], names)
    assert list(found) == [ID, *names]
    assert found == careful
    assert {name: found[name][2].as_py() for name in names} == {
        name: WHOLE["properties"][name] for name in names
    }
    plan = plan_for(names)
    rows = plan.of_records([WHOLE, odd, WHOLE])
    assert rows["account_id"].to_pylist()[::2] == ["1", "1"]
    assert rows["account_id"][1].as_py() == odd.get("id")


@pytest.mark.parametrize(
    "odd",
    [
        {"id": "2", "properties": {"name": 7, "domain": "secret", "city": None}},
        {"id": "2", "properties": {"name": "\ud800", "domain": "secret", "city": None}},
        {"id": "2", "properties": ["secret"]},
        {"id": 2, "properties": dict.fromkeys(NAMES)},
    ],
    ids=["a number", "half a letter", "a list", "an id that is a number"],
)
def test_what_is_no_text_is_one_and_the_same_error(odd: dict[str, Any]) -> None:
    plan, said = plan_for(), []
    for way in (
        lambda: plan._strings([WHOLE, odd]),
        lambda: strings([WHOLE, odd], plan._shape, NAMES, "account"),
        lambda: plan.of_records([WHOLE, odd]),
    ):
        with pytest.raises(ConnectorError) as caught:
            way()
        said.append(str(caught.value))
    assert len(set(said)) == 1
    assert "account" in said[0]
    assert "secret" not in said[0]
    assert caught.value.__cause__ is None
