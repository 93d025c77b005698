"""No value can end its own literal: whatever it is, the query keeps its shape."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio.connectors import salesforce
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.connectors.salesforce._rest import Query
from crm_portfolio.connectors.salesforce._soql import listed, literal
from crm_portfolio.errors import SettingsError
from crm_portfolio.simulator.salesforce._conditions import _ESCAPE, _unescaped
from crm_portfolio.simulator.salesforce._soql import parse

TEXTS = st.one_of(
    st.text(),
    st.text(st.sampled_from("'\\\"\n\r\t\0 %_(),=-x\u2028")),
    st.sampled_from(["' OR Name != '", "\\", "\\'", "'; --", "\\u0027 OR 1", "NULL"]),
)
MOMENTS = st.datetimes(
    datetime(1700, 1, 1), datetime(4000, 1, 1), timezones=st.just(UTC)
)
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.one_of(
    TEXTS, NUMBERS, MOMENTS, st.dates(date(1700, 1, 1), date(4000, 1, 1)),
    st.booleans(), st.none(),
)  # fmt: skip
KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "boolean"), (str, "text"), (datetime, "moment"), (date, "date"),
    (int, "number"), (float, "number"), (type(None), "null"),
)  # fmt: skip


def kind_of(value: object) -> str:
    return next(kind for type_, kind in KINDS if isinstance(value, type_))


def read_back(kind: str, text: str) -> object:
    """What the service takes the literal for."""
    match kind:
        case "text":
            return _ESCAPE.sub(_unescaped, text)
        case "number":
            return float(text)
        case "moment":
            return datetime.fromisoformat(text)
        case "date":
            return date.fromisoformat(text)
        case "boolean":
            return text == "TRUE"
        case _:
            return None


@given(values=st.lists(VALUES, min_size=1, max_size=4), other=VALUES)
def test_whatever_the_value_the_query_keeps_its_shape(
    values: list[Any], other: Any
) -> None:
    where = f"A IN {listed(values)} AND B != {literal(other)}"
    query = Query("Account", ("Id", "Name"), where)
    found = parse(query.soql())
    plain = parse(Query("Account", ("Id", "Name"), "A IN ('x') AND B != 'y'").soql())
    shape = [(p.parts, p.at) for p in found.select], found.entity, found.limit
    assert shape == ([(p.parts, p.at) for p in plain.select], plain.entity, plain.limit)
    assert [order.subject.parts for order in found.order_by] == [("Id",)]
    assert (found.group_by, found.having, found.wants_all_rows) == ((), None, False)
    where_of: Any = found.where
    assert where_of.word == "AND"
    of_list, of_one = where_of.parts
    assert [(p.subject.parts, p.operator) for p in where_of.parts] == [
        (("A",), "IN"),
        (("B",), "!="),
    ]
    said = [
        (v.kind, read_back(v.kind, v.text)) for v in (*of_list.values, *of_one.values)
    ]
    assert said == [(kind_of(v), _whole(v)) for v in (*values, other)]


def _whole(value: Any) -> Any:
    """A query knows seconds, and numbers of double precision."""
    if isinstance(value, datetime):
        return value.replace(microsecond=0)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return value


def test_a_moment_is_said_in_utc() -> None:
    summer = timezone(timedelta(hours=2))
    moment = datetime(2026, 7, 1, 0, 30, tzinfo=summer)
    assert literal(moment) == "2026-06-30T22:30:00Z"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_in_no_query(number: float) -> None:
    with pytest.raises(SettingsError, match="finite"):
        literal(number)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=TEXTS.filter(lambda text: "\0" not in text and text.strip() == text))
def test_the_service_finds_the_record_that_is_called_so(
    org: Any, connected: Callable[..., Salesforce], name: str
) -> None:
    if not 0 < len(name) <= 255:
        return
    one = next(iter(org.ids("account").values()))
    org.edit("Account", one, {"Name": name})
    rest = connected(org)._rest
    query = Query("Account", ("Id", "Name"), f"Name = {literal(name)}")
    found = [row for page in rest.pages(query) for row in page]
    assert one in [row["Id"] for row in found]


def test_no_other_module_puts_quotes_around_a_value() -> None:
    """An f-string with a value right behind a quote is a literal made by hand."""
    folder = Path(str(salesforce.__file__)).parent
    by_hand = []
    for file in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                text = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "\0"
                    for part in node.values
                )
                if re.search(r"(=|IN|\(|>|<)\s*'\0", text):
                    by_hand.append((file.name, node.lineno))
    assert by_hand == []
