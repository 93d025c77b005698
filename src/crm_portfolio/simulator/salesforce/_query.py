"""What is a SOQL statement in DuckDB's SQL?

The statement is checked against the fields that the running user sees and becomes one
statement with bound values. Its rows are put aside in a table of their own, so that a page
is a slice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from crm_portfolio.simulator._store import quoted
from crm_portfolio.simulator.salesforce._compiled import Column, Compiled
from crm_portfolio.simulator.salesforce._conditions import (
    Conditions,
    Subject,
    is_folded,
)
from crm_portfolio.simulator.salesforce._currency import converted
from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._refusal import not_imitated
from crm_portfolio.simulator.salesforce._scope import (
    Found,
    Parameters,
    Scope,
    World,
    column_sql,
)
from crm_portfolio.simulator.salesforce._statement import Call, Child, Path, Statement

__all__ = ["World", "compile_query"]

# vendor docs: 18 months in the pages, 24 through the API.
_HISTORY_KEPT: Final = timedelta(days=730)
_FORGETFUL: Final = ("AccountHistory", "OpportunityFieldHistory")
_FIELDS_MAX: Final = 200
_INT: Final = Field("", "", "int")


def compile_query(
    statement: Statement, world: World, *, with_deleted: bool
) -> Compiled:
    scope = Scope.of(world, statement)
    return _Compiler(scope, Parameters()).compiled(with_deleted=with_deleted)


class _Compiler:
    def __init__(self, scope: Scope, parameters: Parameters) -> None:
        self._scope, self._parameters = scope, parameters
        self._statement = scope.statement
        self._columns: list[Column] = []
        self._selected: list[str] = []

    def compiled(self, *, with_deleted: bool) -> Compiled:
        statement, scope = self._statement, self._scope
        where = self.where(with_deleted=with_deleted)
        # The source is read again below: selecting may join more parents to it.
        most = "count(*)"
        if statement.limit is not None and not statement.is_aggregate:
            most = f"least(count(*), {statement.limit})"  # it ends early
        counting = f"SELECT {most} FROM {scope.source}{where}"  # noqa: S608
        counted = len(self._parameters.values)
        if statement.is_count:
            self._add(("expr0",), "count(*)", "int")
        elif statement.is_aggregate:
            self._select_aggregates()
        else:
            self.select_fields()
        tail = self._grouped() + self._having() + self._ordered()
        if not statement.is_count and statement.limit is not None:
            tail += f" LIMIT {statement.limit}"
        if statement.offset:
            tail += f" OFFSET {statement.offset}"
        selected = ", ".join(self._selected)
        sql = f"SELECT {selected} FROM {scope.source}{where}{tail}"  # noqa: S608
        return Compiled(
            sql=sql,
            parameters=tuple(self._parameters.values),
            columns=tuple(self._columns),
            is_aggregate=statement.is_aggregate,
            entity=scope.entity.name,
            is_count=statement.is_count,
            counting=counting,
            counted=counted,
        )

    # The rows

    def where(self, *, with_deleted: bool, also: str = "") -> str:
        scope, entity = self._scope, self._scope.entity
        if self._statement.wants_all_rows and not scope.world.assumptions.all_rows:
            text = "ALL ROWS not allowed in this context"
            raise scope.refused("MALFORMED_QUERY", self._statement.entity_at, text)
        tests = [also] if also else []
        if not (with_deleted or self._statement.wants_all_rows):
            # vendor docs: deleted and archived rows come only through queryAll.
            tests += [f'NOT {scope.alias}."IsDeleted"'] * entity.has_deleted
            tests += [f'NOT {scope.alias}."IsArchived"'] * entity.has_archived
        if entity.name in _FORGETFUL:
            oldest = self._parameters.bind(
                scope.world.now.replace(tzinfo=None) - _HISTORY_KEPT
            )
            tests.append(f'{scope.alias}."CreatedDate" >= {oldest}')
        if own := scope.world.only_own(entity):
            tests.append(f'{scope.alias}."OwnerId" = {self._parameters.bind(own)}')
        if self._statement.where:
            tests.append(self._conditions(self._plain).sql(self._statement.where))
        return f" WHERE {' AND '.join(tests)}" if tests else ""

    def _conditions(self, subject: Callable[[Path | Call], Subject]) -> Conditions:
        return Conditions(
            self._scope, self._parameters, subject=subject, within=self._within
        )

    def _plain(self, path: Path | Call) -> Subject:
        assert isinstance(path, Path)
        found = self._scope.find(path)
        return Subject(found.sql, found.field, path.at)

    def _within(self, statement: Statement, field: Field) -> str:
        """A semi-join: one id of another object, among the same parameters."""
        path = statement.select[0]
        if len(statement.select) > 1 or not isinstance(path, Path):
            text = "only one field may be selected in a semi join sub-select"
            raise self._scope.refused("MALFORMED_QUERY", statement.entity_at, text)
        alias = f"s{len(self._parameters.values)}_"
        scope = Scope.of(self._scope.world, statement, alias=alias)
        found = scope.find(path)
        if not (field.is_link and found.field.is_link):
            text = "The inner and outer selects of a semi join must be ids"
            raise self._scope.refused("MALFORMED_QUERY", path.at, text)
        where = _Compiler(scope, self._parameters).where(with_deleted=False)
        return f"SELECT {found.sql} FROM {scope.source}{where}"  # noqa: S608

    # What is shown of them

    def _add(
        self, names: tuple[str, ...], sql: str, kind: str, entity: str = ""
    ) -> None:
        name = f"c{len(self._columns)}"
        self._columns.append(Column(names, name, kind, entity))
        self._selected.append(f"{sql} AS {name}")

    def select_fields(self) -> tuple[list[Column], list[str]]:
        """The columns of plain records, the id of each record first."""
        scope = self._scope
        self._add(("",), f'{scope.alias}."Id"', "id", scope.entity.name)
        seen: set[tuple[str, ...]] = set()
        for item in self._statement.select:
            if isinstance(item, Child):
                self._add_children(item, seen)
                continue
            for found, names, at in self._found(item):
                if names in seen:
                    text = f"duplicate field selected: {names[-1]}"
                    raise scope.refused("MALFORMED_QUERY", at, text)
                seen.add(names)
                self._add_parents(found, seen)
                self._add(names, found.sql, found.field.type)
        return self._columns, self._selected

    def _found(self, item: Path | Call) -> list[tuple[Found, tuple[str, ...], int]]:
        scope = self._scope
        if isinstance(item, Path):
            found = scope.find(item)
            return [(found, (*found.chain, found.field.name), item.at)]
        assert item.path is not None
        if item.function == "FIELDS":
            return [
                (found, (found.field.name,), item.at)
                for found in self._all_fields(item)
            ]
        found = scope.find(item.path)
        changed = converted(scope, found, item.at)
        named = (item.alias,) if item.alias else (*found.chain, found.field.name)
        return [(changed, named, item.at)]

    def _all_fields(self, item: Call) -> list[Found]:
        """Vendor docs: FIELDS(ALL) and FIELDS(CUSTOM) need a LIMIT of at most 200."""
        assert item.path is not None
        which = item.path.parts[0].upper()
        if which not in ("ALL", "STANDARD", "CUSTOM"):
            text = f"unexpected token: '{item.path.parts[0]}'"
            raise self._scope.refused("MALFORMED_QUERY", item.path.at, text)
        limit = self._statement.limit
        if which != "STANDARD" and (limit is None or limit > _FIELDS_MAX):
            text = "The SOQL FIELDS function must have a LIMIT of at most 200"
            raise self._scope.refused("MALFORMED_QUERY", item.at, text)
        return [
            Found((), field, column_sql(self._scope.alias, field))
            for field in self._scope.fields().values()
            if which == "ALL" or field.is_custom is (which == "CUSTOM")
        ]

    def _add_parents(self, found: Found, seen: set[tuple[str, ...]]) -> None:
        for depth in range(1, len(found.chain) + 1):
            chain = found.chain[:depth]
            if chain not in seen:
                seen.add(chain)
                alias, entity = self._scope.table(chain)
                self._add((*chain, ""), f'{alias}."Id"', "id", entity)

    def _add_children(self, child: Child, seen: set[tuple[str, ...]]) -> None:
        """A subquery: the records below, as a list in the row."""
        scope, statement = self._scope, child.statement
        entity, link = self._way_down(child)
        if (link.children,) in seen or statement.is_aggregate or statement.offset:
            text = f"unexpected subquery on '{link.children}'"
            raise scope.refused("MALFORMED_QUERY", child.at, text)
        seen.add((link.children,))
        alias = f"k{len(self._columns)}_"
        below = Scope(scope.world, statement, entity, alias=alias)
        inner = _Compiler(below, self._parameters)
        mine = f'{below.alias}.{quoted(link.name)} = {scope.alias}."Id"'
        where = inner.where(with_deleted=False, also=mine)
        columns, selected = inner.select_fields()
        record = ", ".join(
            f"'{column.sql_name}': {sql.rpartition(' AS ')[0]}"
            for column, sql in zip(columns, selected, strict=True)
        )
        listed = f"list({{{record}}}{inner._ordered()})"
        if statement.limit is not None:
            listed += f"[1:{statement.limit}]"
        name = f"c{len(self._columns)}"
        self._columns.append(
            Column((link.children,), name, "children", below=tuple(columns))
        )
        self._selected.append(
            f"(SELECT {listed} FROM {below.source}{where}) AS {name}"  # noqa: S608
        )

    def _way_down(self, child: Child) -> tuple[SObject, Field]:
        scope, name = self._scope, child.statement.entity
        for entity, link in scope.world.children(scope.entity.name):
            if link.children.lower() == name.lower():
                fields = scope.world.visible(entity.name)
                if fields is not None and link.name.lower() in fields:
                    return entity, link
        text = (
            f"Didn't understand relationship '{name}' in FROM part of query call. If you are "
            "attempting to use a custom relationship, be sure to append the '__r' after the "
            "custom relationship name."
        )
        raise scope.refused("INVALID_TYPE", child.statement.entity_at, text)

    # Groups

    def _select_aggregates(self) -> None:
        grouped = [self._scope.find(path) for path in self._statement.group_by]
        unnamed = 0
        for item in self._statement.select:
            if isinstance(item, Child):
                raise not_imitated("subqueries beside aggregates")
            if isinstance(item, Path):
                found = self._scope.find(item)
                if found not in grouped:
                    text = f"Field must be grouped or aggregated: {found.field.name}"
                    raise self._scope.refused("MALFORMED_QUERY", item.at, text)
                self._add((found.field.name,), found.sql, found.field.type)
                continue
            name = item.alias or f"expr{unnamed}"
            unnamed += item.alias is None
            subject = self._measured(item)
            self._add((name,), subject.sql, subject.field.type)

    def _measured(self, item: Path | Call) -> Subject:
        """A grouped field or an aggregate, as SQL."""
        if isinstance(item, Path):
            found = self._scope.find(item)
            return Subject(found.sql, found.field, item.at)
        if not item.is_aggregate:
            raise not_imitated(f"{item.function} beside aggregates")
        if item.path is None:
            return Subject("count(*)", _INT, item.at)
        found = self._scope.find(item.path)
        field = found.field
        if item.function == "COUNT":
            return Subject(f"count({found.sql})", _INT, item.at)
        if item.function == "COUNT_DISTINCT":
            return Subject(f"count(DISTINCT {found.sql})", _INT, item.at)
        is_fit = field.is_number or (
            item.function in ("MIN", "MAX") and field.type != "boolean"
        )
        if not is_fit or not field.may_aggregate:
            text = f"field {field.name} does not support aggregate operator {item.function}"
            raise self._scope.refused("MALFORMED_QUERY", item.at, text)
        if field.type == "currency" and "currencyisocode" in self._scope.fields():
            # vendor docs: aggregates come in the org's own currency.
            found = converted(self._scope, found, item.at)
        return Subject(f"{item.function.lower()}({found.sql})", field, item.at)

    def _grouped(self) -> str:
        paths = []
        for path in self._statement.group_by:
            found = self._scope.find(path)
            if not found.field.may_group:
                text = f"field '{found.field.name}' can not be grouped in a query call"
                raise self._scope.refused("MALFORMED_QUERY", path.at, text)
            paths.append(found.sql)
        return f" GROUP BY {', '.join(paths)}" if paths else ""

    def _having(self) -> str:
        having = self._statement.having
        if having is None:
            return ""
        if not self._statement.group_by:
            text = "HAVING needs a GROUP BY"
            raise self._scope.refused("MALFORMED_QUERY", 0, text)
        return " HAVING " + self._conditions(self._in_group).sql(having)

    def _in_group(self, item: Path | Call) -> Subject:
        if isinstance(item, Path):
            self._must_be_grouped(self._scope.find(item), item.at)
        return self._measured(item)

    def _must_be_grouped(self, found: Found, at: int) -> None:
        grouped = [self._scope.find(path) for path in self._statement.group_by]
        if found not in grouped:
            text = f"Ordered field must be grouped or aggregated: {found.field.name}"
            raise self._scope.refused("MALFORMED_QUERY", at, text)

    # Order

    def _ordered(self) -> str:
        statement = self._statement
        orders = []
        for ordering in statement.order_by:
            subject = self._order_subject(ordering.subject)
            direction = "DESC" if ordering.is_descending else "ASC"
            nulls = "LAST" if ordering.nulls_last else "FIRST"
            folded = is_folded(subject.field)
            sql = f"lower({subject.sql})" if folded else subject.sql
            orders.append(f"{sql} {direction} NULLS {nulls}")
        if not statement.is_aggregate:
            orders.append(f'{self._scope.alias}."Id"')  # the same pages every time
        return f" ORDER BY {', '.join(orders)}" if orders else ""

    def _order_subject(self, item: Path | Call) -> Subject:
        if isinstance(item, Call) and not (
            item.is_aggregate and self._statement.is_aggregate
        ):
            # vendor docs: convertCurrency() not with ORDER BY.
            text = f"unexpected function in ORDER BY: {item.function}"
            raise self._scope.refused("MALFORMED_QUERY", item.at, text)
        if isinstance(item, Call):
            return self._measured(item)
        found = self._scope.find(item)
        if self._statement.is_aggregate:
            self._must_be_grouped(found, item.at)
        if not found.field.may_filter:
            text = f"field '{found.field.name}' can not be sorted in a query call"
            raise self._scope.refused("MALFORMED_QUERY", item.at, text)
        return Subject(found.sql, found.field, item.at)
