"""What does a search's filter mean in SQL?"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from crm_portfolio.simulator._store import quoted
from crm_portfolio.simulator.hubspot._portal import STAMPS, Portal
from crm_portfolio.simulator.hubspot._refusal import Refusal

if TYPE_CHECKING:
    from crm_portfolio.simulator.hubspot._definitions import Property

__all__ = ["Where", "compiled", "sortable"]

# vendor docs; a changelog of August 2024 named 10 and 25.
_GROUPS: Final = 5
_IN_A_GROUP: Final = 6
_FILTERS: Final = 18
_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")


@attrs.frozen
class Where:
    """A condition in SQL, and the values bound in it."""

    sql: str
    parameters: Sequence[Any] = ()


@attrs.frozen
class _Column:
    """A property as a thing to compare."""

    name: str
    sql: str
    read: Callable[[str], Any]


def compiled(
    portal: Portal, kind: str, groups: Sequence[Mapping[str, Any]], query: str = ""
) -> Where:
    """Groups are joined by OR, the filters of a group by AND."""
    counts = [len(group.get("filters") or ()) for group in groups]
    if len(groups) > _GROUPS:
        raise Refusal(f"Too many filter groups: {len(groups)}, at most {_GROUPS}")
    if max(counts, default=0) > _IN_A_GROUP or sum(counts) > _FILTERS:
        message = (
            f"Too many filters: at most {_IN_A_GROUP} in a group and {_FILTERS} in all"
        )
        raise Refusal(message)
    either = [
        _joined([_filter(portal, kind, f) for f in group["filters"]], "AND")
        for group in groups
        if group.get("filters")
    ]
    wheres = [_joined(either, "OR")] if either else []
    if query:
        wheres.append(_text(portal, kind, query))
    return _joined(wheres, "AND")


def sortable(portal: Portal, kind: str, name: str) -> str:
    """A property as a thing to sort by; 400 if there is none of that name."""
    return _column(portal, kind, name).sql


def _joined(wheres: Sequence[Where], word: str) -> Where:
    if not wheres:
        return Where("TRUE")
    sql = f" {word} ".join(f"({where.sql})" for where in wheres)
    return Where(f"({sql})", [p for where in wheres for p in where.parameters])


def _text(portal: Portal, kind: str, query: str) -> Where:
    """Unverified: each word begins a word of a default property."""
    names = [n for n in portal.definitions.defaults(kind) if n not in STAMPS]
    columns = ", ".join(quoted(name) for name in names)
    words = [f"(^|\\W){re.escape(word.lower())}" for word in query.split()]
    each = [
        Where(f"regexp_matches(lower(concat_ws(' ', {columns})), ?)", [word])
        for word in words
    ]
    return _joined(each, "AND") if columns else Where("FALSE")


def _filter(portal: Portal, kind: str, given: Any) -> Where:
    if not isinstance(given, Mapping) or "propertyName" not in given:
        raise Refusal(
            "There was a problem with the request: a filter needs propertyName"
        )
    column = _column(portal, kind, str(given["propertyName"]))
    operator = str(given.get("operator"))
    make = _OPERATORS.get(operator)
    if make is None:
        raise Refusal(f"Invalid operator: {operator}")
    return make(column, given)


def _column(portal: Portal, kind: str, name: str) -> _Column:
    own = STAMPS.get(name)
    prop = portal.properties(kind).get(name)
    if prop is None and name != "hs_object_id":
        # unverified: the words
        raise Refusal(f"There was a problem with the request: no property {name}")
    if own == "$id":
        return _Column(name, quoted(own), _whole)
    if own is not None:
        return _Column(name, quoted(own), _moment_reader(portal))
    assert prop is not None
    return _typed(portal, prop)


def _typed(portal: Portal, prop: Property) -> _Column:
    text = quoted(prop.name)
    if prop.type == "number":
        return _Column(prop.name, f"TRY_CAST({text} AS DOUBLE)", _decimal)
    if prop.type in ("date", "datetime"):
        cast = f"TRY_CAST(replace({text}, 'Z', '') AS TIMESTAMP)"
        return _Column(prop.name, cast, _moment_reader(portal))
    return _Column(prop.name, text, str)


def _whole(said: str) -> int:
    return int(said)


def _decimal(said: str) -> float:
    return float(said)


def _moment_reader(portal: Portal) -> Callable[[str], datetime]:
    takes_iso = portal.assumptions.iso_in_search

    def moment(said: str) -> datetime:
        if takes_iso and _ISO.fullmatch(said):
            read = datetime.fromisoformat(said)
            aware = read if read.tzinfo else read.replace(tzinfo=UTC)
            return aware.astimezone(UTC).replace(tzinfo=None)
        # vendor docs: milliseconds as text
        return datetime.fromtimestamp(int(said) / 1000, UTC).replace(tzinfo=None)

    return moment


def _value(column: _Column, given: Mapping[str, Any], key: str = "value") -> Any:
    said = given.get(key)
    if said is None or isinstance(said, list | dict):
        raise Refusal(f"There was a problem with the request: {key} is missing")
    return _read(column, said)


def _read(column: _Column, said: Any) -> Any:
    text = str(said).lower() if isinstance(said, bool) else str(said)
    try:
        return column.read(text)
    except (ValueError, OverflowError, OSError) as error:
        message = f"Invalid value for {column.name}: {text}"
        raise Refusal(message) from error


def _values(column: _Column, given: Mapping[str, Any]) -> list[Any]:
    said = given.get("values")
    if not isinstance(said, list) or not said:
        raise Refusal("There was a problem with the request: values is missing")
    return [_read(column, each) for each in said]


def _compare(operator: str) -> Callable[[_Column, Mapping[str, Any]], Where]:
    return lambda column, given: Where(
        f"{column.sql} {operator} ?", [_value(column, given)]
    )


def _between(column: _Column, given: Mapping[str, Any]) -> Where:
    ends = [_value(column, given), _value(column, given, "highValue")]
    return Where(f"{column.sql} BETWEEN ? AND ?", ends)


def _is_in(column: _Column, given: Mapping[str, Any]) -> Where:
    values = _values(column, given)
    marks = ", ".join("?" for _ in values)
    return Where(f"{column.sql} IN ({marks})", values)


def _is_not_in(column: _Column, given: Mapping[str, Any]) -> Where:
    values = _values(column, given)
    marks = ", ".join("?" for _ in values)
    return Where(f"{column.sql} NOT IN ({marks})", values)


def _token(said: str) -> str:
    """One or more words, * for any ending or beginning."""
    words = re.escape(said.lower()).replace("\\*", "\\w*")
    return f"(^|\\W){words}(\\W|$)"


def _contains(column: _Column, given: Mapping[str, Any]) -> Where:
    text = quoted(column.name)
    return Where(
        f"regexp_matches(lower({text}), ?)", [_token(str(given.get("value", "")))]
    )


def _contains_not(column: _Column, given: Mapping[str, Any]) -> Where:
    found = _contains(column, given)
    return Where(f"NOT coalesce({found.sql}, FALSE)", found.parameters)


def _known(column: _Column, _given: Mapping[str, Any]) -> Where:
    return Where(f"{column.sql} IS NOT NULL")


def _unknown(column: _Column, _given: Mapping[str, Any]) -> Where:
    return Where(f"{column.sql} IS NULL")


_OPERATORS: Final[Mapping[str, Callable[[_Column, Mapping[str, Any]], Where]]] = {
    "EQ": _compare("="),
    "NEQ": _compare("<>"),
    "LT": _compare("<"),
    "LTE": _compare("<="),
    "GT": _compare(">"),
    "GTE": _compare(">="),
    "BETWEEN": _between,
    "IN": _is_in,
    "NOT_IN": _is_not_in,
    "HAS_PROPERTY": _known,
    "NOT_HAS_PROPERTY": _unknown,
    "CONTAINS_TOKEN": _contains,
    "NOT_CONTAINS_TOKEN": _contains_not,
}
