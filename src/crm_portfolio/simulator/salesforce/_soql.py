"""What does a SOQL statement ask for?

A strict recursive-descent parser of the grammar in the vendor docs: AND and OR mix only
with parentheses, NOT stands before one simple expression, dates stand unquoted. What the
service knows but the simulator does not is refused as such, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

import attrs

from crm_portfolio.simulator.salesforce._refusal import Refusal, not_imitated
from crm_portfolio.simulator.salesforce._relative import RELATIVE
from crm_portfolio.simulator.salesforce._statement import (
    AGGREGATES,
    Call,
    Child,
    Comparison,
    Condition,
    Junction,
    Literal_,
    Negation,
    Ordering,
    Path,
    Statement,
    complaint,
)

__all__ = ["parse"]

Item = TypeVar("Item")

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
_FUNCTIONS: Final = (*AGGREGATES, "CONVERTCURRENCY", "FIELDS")
_OPERATORS: Final = ("=", "!=", "<>", "<", "<=", ">", ">=")
_FOREIGN: Final = ("USING", "WITH", "FOR", "TYPEOF", "UPDATE")
_MAX_CHARACTERS: Final = 100_000
_MAX_DIGITS: Final = 9


def parse(soql: str) -> Statement:
    """The statement, or the refusal MALFORMED_QUERY."""
    if len(soql) > _MAX_CHARACTERS:  # unverified: the limit's number
        raise Refusal("QUERY_TOO_COMPLICATED", "SOQL statement is too long")
    return _Parser(soql).whole()


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

    def whole(self) -> Statement:
        """The statement, up to the last character."""
        statement = self._statement()
        if self._here.word in _FOREIGN:
            raise not_imitated(f"{self._here.word} in SOQL")
        if self._here.kind != "end":
            raise self._unexpected()
        return statement

    def _statement(self, *, is_child: bool = False) -> Statement:
        first = self._here
        self._expect("SELECT")
        select = self._list(lambda: self._selected(is_child=is_child))
        self._expect("FROM")
        entity = self._name()
        if self._here.kind == "name" and self._here.word not in {*_RESERVED, "ALL"}:
            raise not_imitated("aliases of objects")
        where = self._condition(self._subject) if self._take("WHERE") else None
        group_by = self._grouping()
        statement = Statement(
            soql=self._soql,
            select=tuple(select),
            entity=entity.text,
            entity_at=entity.at,
            where=where,
            group_by=group_by,
            having=self._condition(self._measured) if self._take("HAVING") else None,
            order_by=self._orderings(),
            limit=self._whole_number() if self._take("LIMIT") else None,
            offset=self._whole_number() if self._take("OFFSET") else 0,
            wants_all_rows=self._all_rows(),
        )
        if statement.is_count and (len(select) > 1 or group_by):
            raise self._unexpected(self._tokens[self._tokens.index(first) + 1])
        return statement

    def _all_rows(self) -> bool:
        if not self._take("ALL"):
            return False
        self._expect("ROWS")
        return True

    def _selected(self, *, is_child: bool) -> Path | Call | Child:
        at = self._here.at
        if not is_child and self._here.text == "(":
            self._next += 1
            child = self._statement(is_child=True)
            self._expect(")")
            return Child(child, at)
        if self._here.word == "TYPEOF":
            raise not_imitated("TYPEOF")
        subject = self._measured()
        if isinstance(subject, Path):
            return subject
        is_alias = self._here.kind == "name" and self._here.word not in _RESERVED
        if is_alias and subject.path:
            return attrs.evolve(subject, alias=self._name().text)
        return subject

    def _measured(self) -> Path | Call:
        """A field, or a function of one."""
        name = self._name()
        if not self._take("("):
            return _path(name)
        function = name.text.upper()
        if function not in _FUNCTIONS:
            raise not_imitated(f"the function {function}")
        path = None if self._here.text == ")" else _path(self._name())
        if path is None and function != "COUNT":
            raise self._unexpected()
        self._expect(")")
        return Call(function, path, None, name.at)

    def _subject(self) -> Path:
        return self._plain_path("WHERE")

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
        subject = self._measured()
        is_descending = self._take("DESC") or (self._take("ASC") and False)
        nulls_last = False
        if self._take("NULLS"):
            nulls_last = self._take("LAST")
            if not nulls_last:
                self._expect("FIRST")
        return Ordering(subject, is_descending, nulls_last)

    def _plain_path(self, clause: str) -> Path:
        name = self._name()
        if self._here.text == "(":
            raise not_imitated(f"functions in {clause}")
        return _path(name)

    def _condition(self, subject: Callable[[], Path | Call]) -> Condition:
        if self._take("NOT"):
            return Negation(self._simple(subject))
        parts = [self._simple(subject)]
        word = self._here.word
        while self._here.word in ("AND", "OR"):
            if self._here.word != word:
                raise self._unexpected()
            self._next += 1
            parts.append(self._simple(subject))
        if len(parts) == 1:
            return parts[0]
        return Junction("AND" if word == "AND" else "OR", tuple(parts))

    def _simple(self, subject: Callable[[], Path | Call]) -> Condition:
        if self._take("("):
            inner = self._condition(subject)
            self._expect(")")
            return inner
        return self._compared(subject())

    def _compared(self, subject: Path | Call) -> Comparison:
        token = self._here
        if token.text in _OPERATORS:
            self._next += 1
            operator = "!=" if token.text == "<>" else token.text
            return Comparison(subject, operator, (self._literal(),))
        if self._take("LIKE"):
            return Comparison(subject, "LIKE", (self._literal(),))
        operator = "NOT IN" if self._take("NOT") else "IN"
        if self._take("IN"):
            return self._among(subject, operator)
        if token.word in ("INCLUDES", "EXCLUDES"):
            raise not_imitated(token.word)
        raise self._unexpected()

    def _among(self, subject: Path | Call, operator: str) -> Comparison:
        self._expect("(")
        if self._here.word == "SELECT":
            compared = Comparison(subject, operator, within=self._statement())
        else:
            compared = Comparison(subject, operator, tuple(self._list(self._literal)))
        self._expect(")")
        return compared

    def _literal(self) -> Literal_:
        token = self._here
        self._next += token.kind != "end"
        if token.kind == "text":
            return Literal_("text", token.text[1:-1])
        if token.kind in ("number", "date", "moment"):
            return Literal_(token.kind, token.text)  # type: ignore[arg-type]
        if token.word in ("TRUE", "FALSE"):
            return Literal_("boolean", token.word)
        if token.word == "NULL":
            return Literal_("null", "")
        if token.kind == "name" and token.word not in _RESERVED:
            return self._relative(token)
        raise self._unexpected(token)

    def _relative(self, token: _Token) -> Literal_:
        """``TODAY``, ``LAST_N_DAYS:7`` and their like."""
        if token.word not in RELATIVE:
            raise self._unexpected(token)
        if not RELATIVE[token.word].takes_number:
            return Literal_("relative", token.word)
        self._expect(":")
        return Literal_("relative", f"{token.word}:{self._whole_number()}")

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
