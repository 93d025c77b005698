"""Which rows does a WHERE keep, and which groups a HAVING?

Logic is two-valued, as in SOQL: a comparison with null is false. Text is compared without
case, ids are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Final

import attrs

from crm_portfolio.simulator.salesforce._ids import to_18
from crm_portfolio.simulator.salesforce._metadata import Field
from crm_portfolio.simulator.salesforce._refusal import Refusal
from crm_portfolio.simulator.salesforce._relative import span
from crm_portfolio.simulator.salesforce._scope import Parameters, Scope
from crm_portfolio.simulator.salesforce._statement import (
    Call,
    Comparison,
    Condition,
    Junction,
    Literal_,
    Negation,
    Path,
    Statement,
)

__all__ = ["Conditions", "Subject", "is_folded"]

_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_WANTED: Final[Mapping[str, str]] = {
    "boolean": "boolean",
    "date": "date",
    "datetime": "moment",
}


@attrs.frozen
class Subject:
    """What is compared: its SQL and the field whose rules hold for it."""

    sql: str
    field: Field
    at: int


class Conditions:
    """The conditions of one scope.

    Args:
        subject: What a field or an aggregate is in SQL.
        within: The SQL of a subquery in WHERE.
    """

    def __init__(
        self,
        scope: Scope,
        parameters: Parameters,
        *,
        subject: Callable[[Path | Call], Subject],
        within: Callable[[Statement, Field], str],
    ) -> None:
        self._scope, self._parameters = scope, parameters
        self._subject, self._within = subject, within

    def sql(self, condition: Condition) -> str:
        if isinstance(condition, Junction):
            word = f" {condition.word} "
            return "(" + word.join(self.sql(part) for part in condition.parts) + ")"
        if isinstance(condition, Negation):
            return f"(NOT {self.sql(condition.part)})"
        return self._comparison(condition)

    def _comparison(self, comparison: Comparison) -> str:
        subject = self._subject(comparison.subject)
        field, at, operator = subject.field, subject.at, comparison.operator
        if not field.may_filter:
            text = f"field '{field.name}' can not be filtered in a query call"
            raise self._scope.refused("INVALID_FIELD", at, text)
        if comparison.within is not None:
            among = f"{subject.sql} IN ({self._within(comparison.within, field)})"
            negated = "NOT " if operator == "NOT IN" else ""
            return f"({negated}coalesce({among}, FALSE))"
        if operator == "LIKE":
            return self._like(subject, comparison)
        if any(value.kind == "relative" for value in comparison.values):
            return self._in_span(subject, comparison)
        return self._compared(subject, comparison)

    def _compared(self, subject: Subject, comparison: Comparison) -> str:
        field, operator = subject.field, comparison.operator
        values = [self._bound(field, value, subject.at) for value in comparison.values]
        if operator in ("IN", "NOT IN", "=", "!="):
            test = self._among(subject, values)
            return f"(NOT {test})" if operator in ("NOT IN", "!=") else test
        if field.type == "boolean" or values[0] is None:
            raise self._scope.refused(
                "INVALID_QUERY_FILTER_OPERATOR", subject.at, "invalid operator"
            )
        place = self._parameters.bind(values[0])
        folded = is_folded(field)
        left = f"lower({subject.sql})" if folded else subject.sql
        right = f"lower({place})" if folded else place
        return f"coalesce({left} {operator} {right}, FALSE)"

    def _among(self, subject: Subject, values: list[Any]) -> str:
        """A list of any length is one parameter, so that long lists stay fast."""
        field = subject.field
        tests = [f"{subject.sql} IS NULL"] if None in values else []
        known = [value for value in values if value is not None]
        if is_folded(field):
            known = [value.lower() for value in known]
        if known:
            left = f"lower({subject.sql})" if is_folded(field) else subject.sql
            if len(known) == 1:
                test = f"{left} = {self._parameters.bind(known[0])}"
            else:
                test = f"{left} IN (SELECT unnest({self._parameters.bind(known)}))"
            tests.append(f"coalesce({test}, FALSE)")
        return "(" + " OR ".join(tests) + ")"

    def _like(self, subject: Subject, comparison: Comparison) -> str:
        (value,) = comparison.values
        field = subject.field
        if field.sql_type != "VARCHAR" or field.is_link:
            raise self._scope.refused(
                "INVALID_QUERY_FILTER_OPERATOR", subject.at, "invalid operator"
            )
        if value.kind != "text":
            raise self._mistyped(field, subject.at, "string", quotes=True)
        # \% and \_ stay escaped: they are LIKE's own.
        pattern = re.sub(r"\\([^%_\\])", _unescaped, value.text)
        place = self._parameters.bind(pattern)
        return f"coalesce({subject.sql} ILIKE {place} ESCAPE '\\', FALSE)"

    def _in_span(self, subject: Subject, comparison: Comparison) -> str:
        value, field = comparison.values[0], subject.field
        if field.type not in ("date", "datetime") or len(comparison.values) > 1:
            name = {"boolean": "boolean"}.get(field.type, "string")
            raise self._mistyped(field, subject.at, name, quotes=name == "string")
        first, behind = span(value.text, self._scope.world.today)
        edges = {
            "<": ("<", first),
            "<=": ("<", behind),
            ">": (">=", behind),
            ">=": (">=", first),
        }
        if comparison.operator in edges:
            sign, day = edges[comparison.operator]
            edge = self._parameters.bind(self._edge(field, day))
            return f"coalesce({subject.sql} {sign} {edge}, FALSE)"
        if comparison.operator not in ("=", "!="):
            raise self._mistyped(field, subject.at, field.type, quotes=False)
        start = self._parameters.bind(self._edge(field, first))
        end = self._parameters.bind(self._edge(field, behind))
        test = f"coalesce({subject.sql} >= {start} AND {subject.sql} < {end}, FALSE)"
        return test if comparison.operator == "=" else f"(NOT {test})"

    def _edge(self, field: Field, day: date) -> date | datetime:
        if field.type == "date":
            return day
        midnight = datetime.combine(day, time(), self._scope.world.zone)
        return midnight.astimezone(UTC).replace(tzinfo=None)

    def _bound(self, field: Field, value: Literal_, at: int) -> Any:
        if value.kind == "null":
            return None
        if field.is_number:
            if value.kind != "number":
                name = "int" if field.type == "int" else "double"
                raise self._mistyped(field, at, name, quotes=False)
            return float(value.text)
        wanted = _WANTED.get(field.type, "text")
        if value.kind != wanted:
            name = {"text": "string", "moment": "dateTime"}.get(wanted, wanted)
            raise self._mistyped(field, at, name, quotes=wanted == "text")
        if wanted == "boolean":
            return value.text == "TRUE"
        if wanted != "text":
            return self._day_or_moment(value, at)
        text = _ESCAPE.sub(_unescaped, value.text)
        if not field.is_link:
            return text
        full = to_18(text)
        if full is None:
            # Seen at restforce/restforce#557 with a malformed id.
            raise self._scope.refused(
                "INVALID_QUERY_FILTER_OPERATOR", at, f"invalid ID field: {text}"
            )
        return full

    def _day_or_moment(self, value: Literal_, at: int) -> date | datetime:
        try:
            if value.kind == "date":
                return date.fromisoformat(value.text)
            moment = datetime.fromisoformat(value.text)
        except ValueError as error:
            text = f"Invalid date: {value.text}"
            raise self._scope.refused("MALFORMED_QUERY", at, text) from error
        return moment.astimezone(UTC).replace(tzinfo=None)

    def _mistyped(self, field: Field, at: int, kind: str, *, quotes: bool) -> Refusal:
        text = (
            f"value of filter criterion for field '{field.name}' must be of type {kind} "
            f"and should {'' if quotes else 'not '}be enclosed in quotes"
        )
        return self._scope.refused("INVALID_FIELD", at, text)


def is_folded(field: Field) -> bool:
    """Text is compared without case; ids are not."""
    return field.sql_type == "VARCHAR" and not field.is_link


def _unescaped(matched: re.Match[str]) -> str:
    said = matched[1]
    if len(said) > 1:  # vendor docs: \uXXXX is the character of that number
        return chr(int(said[1:], 16))
    return _ESCAPES.get(said, said)
