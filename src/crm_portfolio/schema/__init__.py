"""Which tables does a portfolio have, and what may stand in them?

Tables, managed fields and faults are data: validation, the reference documentation and
the file format come from here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from crm_portfolio.errors import did_you_mean
from crm_portfolio.schema._book_tables import (
    CAPACITY,
    CONTRACT,
    COST,
    DECISION,
    EFFORT,
    EVENT,
    EXCHANGE_RATE,
    INVOICE,
    PRODUCT,
    PROJECT,
    RATING,
    REVENUE_LINE,
)
from crm_portfolio.schema._cast import local_day
from crm_portfolio.schema._crm_tables import (
    ACCOUNT,
    ACTIVITY,
    ENQUIRY,
    OPPORTUNITY,
    OPPORTUNITY_CHANGE,
    OWNER,
    STAGE,
    TICKET,
)
from crm_portfolio.schema._currencies import MINOR_DIGITS, minor_digits
from crm_portfolio.schema._faults import (
    FAULT_COLUMNS,
    FAULTS,
    Effect,
    FaultKind,
    fault_table,
    faults_of,
    join_faults,
    stopping,
)
from crm_portfolio.schema._fields import HUMAN, MANAGED
from crm_portfolio.schema._reference import markdown
from crm_portfolio.schema._validate import (
    header_faults,
    key_faults,
    read_rows,
    read_table,
)
from crm_portfolio.schema._vocabulary import (
    Column,
    ColumnType,
    ManagedField,
    ManagedType,
    OptIn,
    Table,
    TableName,
    When,
    WritableTable,
    arrow_type,
)

__all__ = [
    "ACCOUNT",
    "ACTIVITY",
    "CAPACITY",
    "CONTRACT",
    "COST",
    "DECISION",
    "EFFORT",
    "ENQUIRY",
    "EVENT",
    "EXCHANGE_RATE",
    "FAULTS",
    "FAULT_COLUMNS",
    "HUMAN",
    "INVOICE",
    "MANAGED",
    "MINOR_DIGITS",
    "OPPORTUNITY",
    "OPPORTUNITY_CHANGE",
    "OWNER",
    "PRODUCT",
    "PROJECT",
    "RATING",
    "REVENUE_LINE",
    "STAGE",
    "TABLES",
    "TICKET",
    "Column",
    "ColumnType",
    "Effect",
    "FaultKind",
    "ManagedField",
    "ManagedType",
    "OptIn",
    "Table",
    "TableName",
    "When",
    "WritableTable",
    "arrow_type",
    "fault_table",
    "faults_of",
    "header_faults",
    "join_faults",
    "key_faults",
    "local_day",
    "minor_digits",
    "read",
    "read_rows",
    "reference_markdown",
    "stopping",
    "validate",
]

TABLES: Mapping[TableName, Table] = {
    table.name: table
    for table in (
        ACCOUNT,
        OPPORTUNITY,
        OPPORTUNITY_CHANGE,
        STAGE,
        ENQUIRY,
        ACTIVITY,
        TICKET,
        REVENUE_LINE,
        INVOICE,
        CONTRACT,
        EFFORT,
        COST,
        CAPACITY,
        PRODUCT,
        PROJECT,
        RATING,
        EVENT,
        DECISION,
        EXCHANGE_RATE,
        OWNER,
    )
}


def read(
    tables: Mapping[TableName, pa.Table], *, time_zone: str = "UTC"
) -> tuple[dict[TableName, pa.Table], pa.Table]:
    """Raw tables with the schema's types, and every fault that a table has by itself."""
    typed: dict[TableName, pa.Table] = {}
    faults = [] if "account" in tables else [faults_of("account", "", "missing_table")]
    for name, raw in tables.items():
        if name in TABLES:
            typed[name], found = read_table(TABLES[name], raw, time_zone)
            faults += found
        else:
            hint = FAULTS["unknown_table"].hint + did_you_mean(name, TABLES)
            faults.append(faults_of(name, "", "unknown_table", hint=hint))
    return typed, join_faults(faults)


def validate(
    tables: Mapping[TableName, pa.Table], *, time_zone: str = "UTC"
) -> pa.Table:
    """Every fault that a table has by itself; its columns are ``FAULT_COLUMNS``."""
    return read(tables, time_zone=time_zone)[1]


def reference_markdown() -> str:
    """The reference page of the tables."""
    return markdown(TABLES)
