"""What does a SOQL statement ask for?

A strict recursive-descent parser of the grammar in the vendor docs: AND and OR mix only
with parentheses, NOT stands before one simple expression, dates stand unquoted. What the
service knows but the simulator does not is refused as such, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal, TypeVar

import attrs

from crm_portfolio.simulator.salesforce._refusal import Refusal, not_imitated

__all__ = [
    "Call",
    "Comparison",
    "Condition",
    "Junction",
    "Literal_",
    "Negation",
    "Ordering",
    "Path",
    "Statement",
    "complaint",
    "parse",
]

Item = TypeVar("Item")
LiteralKind = Literal["text", "number", "boolean", "null", "date", "moment"]


@attrs.frozen
class Path:
    """A field, through parents where dotted. ``at`` is where it stands, from 0."""

    parts: tuple[str, ...]
    at: int


@attrs.frozen
class Call:
    """An aggregate. ``COUNT()`` has no path."""

    function: str
    path: Path | None
    alias: str | None
    at: int


@attrs.frozen
class Literal_:  # noqa: N801 - typing owns the plain name
    kind: LiteralKind
    text: str


@attrs.frozen
class Comparison:
    path: Path
    operator: str
    values: tuple[Literal_, ...]


@attrs.frozen
class Junction:
    word: Literal["AND", "OR"]
    parts: tuple[Condition, ...]


@attrs.frozen
class Negation:
    part: Condition


Condition = Comparison | Junction | Negation


@attrs.frozen
class Ordering:
    path: Path
    is_descending: bool
    nulls_last: bool


@attrs.frozen
class Statement:
    soql: str
    select: tuple[Path | Call, ...]
    entity: str
    entity_at: int
    where: Condition | None = None
    group_by: tuple[Path, ...] = ()
    order_by: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int = 0

    @property
    def is_count(self) -> bool:
        """Is it the bare ``SELECT COUNT()``, whose answer is ``totalSize``?"""
        first = self.select[0]
        return isinstance(first, Call) and first.path is None

    @property
    def is_aggregate(self) -> bool:
        return bool(self.group_by) or any(isinstance(s, Call) for s in self.select)


_TOKEN: Final = re.compile(
    r"""(?P<blank>\s+)
      | (?P<text>'(?:[^'\\]|\\.)*')
      | (?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
      | (?P<date>\d{4}-\d\d-\d\d(?![\dT]))
      | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?![\w.]))
      | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
      | (?P<sign><=|>=|!=|<>|[=<>(),:])
    """,
    re.VERBOSE | re.DOTALL,
)
_RESERVED: Final = frozenset((
    "AND", "ASC", "DESC", "FROM", "GROUP", "HAVING", "IN", "LIKE", "LIMIT", "NOT",
    "NULL", "NULLS", "OFFSET", "OR", "ORDER", "SELECT", "USING", "WHERE", "WITH",
    "FALSE", "TRUE", "INCLUDES", "EXCLUDES", "FOR", "UPDATE", "TYPEOF",
))  # fmt: skip
_AGGREGATES: Final = ("COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX")
_OPERATORS: Final = ("=", "!=", "<>", "<", "<=", ">", ">=")
_FOREIGN: Final = ("HAVING", "USING", "WITH", "FOR", "TYPEOF", "UPDATE")
_MAX_CHARACTERS: Final = 100_000
_MAX_DIGITS: Final = 9


def complaint(soql: str, at: int, text: str) -> str:
    """The message with the statement, a pointer and a position, as the service writes."""
    start = max(0, at - 40)
    shown = soql[start : at + 40]
    return f"\n{shown}\n{' ' * (at - start)}^\nERROR at Row:1:Column:{at + 1}\n{text}"


def parse(soql: str) -> Statement:
    """The statement, or the refusal MALFORMED_QUERY."""
    if len(soql) > _MAX_CHARACTERS:  # unverified: the limit's number
        raise Refusal("QUERY_TOO_COMPLICATED", "SOQL statement is too long")
    return _Parser(soql).statement()


@attrs.frozen
class _Token:
    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "name" else ""


def _tokens(soql: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(soql):
        matched = _TOKEN.match(soql, at)
        if matched is None:
            text = f"line 1:{at} no viable alternative at character '{soql[at]}'"
            raise Refusal("MALFORMED_QUERY", complaint(soql, at, text))
        if matched.lastgroup != "blank":
            found.append(_Token(str(matched.lastgroup), matched[0], at))
        at = matched.end()
    return [*found, _Token("end", "<EOF>", len(soql))]


class _Parser:
    def __init__(self, soql: str) -> None:
        self._soql = soql
        self._tokens = _tokens(soql)
        self._next = 0

    @property
    def _here(self) -> _Token:
        return self._tokens[self._next]

    def statement(self) -> Statement:
        self._expect("SELECT")
        select = self._list(self._selected)
        self._expect("FROM")
        entity = self._name()
        if self._here.kind == "name" and self._here.word not in _RESERVED:
            raise not_imitated("aliases of objects")
        where = self._condition() if self._take("WHERE") else None
        group_by = self._grouping()
        order_by = self._orderings()
        limit = self._whole_number() if self._take("LIMIT") else None
        offset = self._whole_number() if self._take("OFFSET") else 0
        if self._here.word in _FOREIGN:
            raise not_imitated(f"{self._here.word} in SOQL")
        if self._here.kind != "end":
            raise self._unexpected()
        statement = Statement(
            soql=self._soql,
            select=tuple(select),
            entity=entity.text,
            entity_at=entity.at,
            where=where,
            group_by=group_by,
            order_by=order_by,
            limit=limit,
            offset=offset,
        )
        if statement.is_count and (len(select) > 1 or group_by):
            raise self._unexpected(self._tokens[1])
        return statement

    def _selected(self) -> Path | Call:
        if self._here.text == "(":
            raise not_imitated("child subqueries")
        if self._here.word == "TYPEOF":
            raise not_imitated("TYPEOF")
        name = self._name()
        if not self._take("("):
            return _path(name)
        function = name.text.upper()
        if function not in _AGGREGATES:
            raise not_imitated(f"the function {function}")
        path = None if self._here.text == ")" else _path(self._name())
        if path is None and function != "COUNT":
            raise self._unexpected()
        self._expect(")")
        is_alias = self._here.kind == "name" and self._here.word not in _RESERVED
        alias = self._name().text if is_alias and path else None
        return Call(function, path, alias, name.at)

    def _grouping(self) -> tuple[Path, ...]:
        if not self._take("GROUP"):
            return ()
        self._expect("BY")
        return tuple(self._list(lambda: self._plain_path("GROUP BY")))

    def _orderings(self) -> tuple[Ordering, ...]:
        if not self._take("ORDER"):
            return ()
        self._expect("BY")
        return tuple(self._list(self._ordering))

    def _ordering(self) -> Ordering:
        path = self._plain_path("ORDER BY")
        is_descending = self._take("DESC") or (self._take("ASC") and False)
        nulls_last = False
        if self._take("NULLS"):
            nulls_last = self._take("LAST")
            if not nulls_last:
                self._expect("FIRST")
        return Ordering(path, is_descending, nulls_last)

    def _plain_path(self, clause: str) -> Path:
        name = self._name()
        if self._here.text == "(":
            raise not_imitated(f"functions in {clause}")
        return _path(name)

    def _condition(self) -> Condition:
        if self._take("NOT"):
            return Negation(self._simple())
        parts = [self._simple()]
        word = self._here.word
        while self._here.word in ("AND", "OR"):
            if self._here.word != word:
                raise self._unexpected()
            self._next += 1
            parts.append(self._simple())
        if len(parts) == 1:
            return parts[0]
        return Junction("AND" if word == "AND" else "OR", tuple(parts))

    def _simple(self) -> Condition:
        if self._take("("):
            inner = self._condition()
            self._expect(")")
            return inner
        return self._compared(self._plain_path("WHERE"))

    def _compared(self, path: Path) -> Comparison:
        token = self._here
        if token.text in _OPERATORS:
            self._next += 1
            operator = "!=" if token.text == "<>" else token.text
            return Comparison(path, operator, (self._literal(),))
        if self._take("LIKE"):
            return Comparison(path, "LIKE", (self._literal(),))
        negated = self._take("NOT")
        if self._take("IN"):
            self._expect("(")
            if self._here.word == "SELECT":
                raise not_imitated("subqueries in WHERE")
            values = tuple(self._list(self._literal))
            self._expect(")")
            return Comparison(path, "NOT IN" if negated else "IN", values)
        if token.word in ("INCLUDES", "EXCLUDES"):
            raise not_imitated(token.word)
        raise self._unexpected()

    def _literal(self) -> Literal_:
        token = self._here
        self._next += 1
        if token.kind == "text":
            return Literal_("text", token.text[1:-1])
        if token.kind in ("number", "date", "moment"):
            return Literal_(token.kind, token.text)  # type: ignore[arg-type]
        if token.word in ("TRUE", "FALSE"):
            return Literal_("boolean", token.word)
        if token.word == "NULL":
            return Literal_("null", "")
        if token.kind == "name" and token.word not in _RESERVED:
            raise not_imitated(f"the relative date {token.word}")
        raise self._unexpected(token)

    def _list(self, item: Callable[[], Item]) -> list[Item]:
        found = [item()]
        while self._take(","):
            found.append(item())
        return found

    def _name(self) -> _Token:
        token = self._here
        if token.kind != "name" or token.word in _RESERVED:
            raise self._unexpected()
        self._next += 1
        return token

    def _whole_number(self) -> int:
        token = self._here
        is_whole = token.kind == "number" and token.text.isdecimal()
        if not is_whole or len(token.text) > _MAX_DIGITS:
            raise self._unexpected()
        self._next += 1
        return int(token.text)

    def _take(self, text: str) -> bool:
        is_here = (
            text in (self._here.word, self._here.text) and self._here.kind != "text"
        )
        self._next += is_here
        return is_here

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected()

    def _unexpected(self, token: _Token | None = None) -> Refusal:
        found = token or self._here
        message = complaint(self._soql, found.at, f"unexpected token: '{found.text}'")
        return Refusal("MALFORMED_QUERY", message)


def _path(token: _Token) -> Path:
    return Path(tuple(token.text.split(".")), token.at)
