"""What went wrong, sorted by what the caller does next.

    CrmPortfolioError                   1  unexpected
    ├── SettingsError                   2  mend the settings
    │   ├── FieldNotFoundError          2  a mapped field the CRM does not have
    │   └── MissingExtraError           2  install an optional package
    ├── ConnectorError                  1  a CRM or a folder said no
    │   ├── CursorLostError             1  the place of a cursor is gone: begin anew
    │   ├── LoginError                  2  log in again, or mend the login
    │   ├── RightMissingError           2  ask an administrator for the right it names
    │   └── TransientError              5  wait, then do the same again
    ├── DataError                       7  mend the data
    │   ├── SchemaError                 7  every fault at once, as a frame
    │   ├── MissingTableError           7  pull or supply the table it names
    │   ├── MendedFileError             7  every faulty line of a mended file at once
    │   └── DamagedFileError            7  a file of ours that was cut or altered
    ├── LockHeldError                   6  another run is at this org: wait for it
    └── RefusedError                    4  look at the plan
        ├── LimitExceededError          4  it touches too much
        ├── PlanAlteredError            4  the file is not what `plan` wrote
        ├── PlanTooOldError             4  make a new plan
        ├── UnexpectedChangeError       4  what was written first moved something else
        └── WrongOrgError               4  the plan, or the portfolio, is of another org

The number is the exit code of the command line. Every error pickles, because jobs
cross processes: all arguments are positional and are kept in ``args``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "ConnectorError",
    "CrmPortfolioError",
    "CursorLostError",
    "DamagedFileError",
    "DataError",
    "FieldNotFoundError",
    "LimitExceededError",
    "LockHeldError",
    "LoginError",
    "MendedFileError",
    "MissingExtraError",
    "MissingTableError",
    "PlanAlteredError",
    "PlanTooOldError",
    "RefusedError",
    "RightMissingError",
    "SchemaError",
    "SettingsError",
    "TransientError",
    "UnexpectedChangeError",
    "WrongOrgError",
    "did_you_mean",
]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that names the nearest known word, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


class CrmPortfolioError(Exception):
    """Anything this library raises on purpose."""

    exit_code: ClassVar[int] = 1


class SettingsError(CrmPortfolioError):
    """Mend the settings, then run again."""

    exit_code = 2


class FieldNotFoundError(SettingsError):
    """A mapped field that the source does not have, or hides from this login."""

    def __init__(
        self,
        source: str,
        table: str,
        field: str,
        available: tuple[str, ...] = (),
        hint: str = "",
    ) -> None:
        super().__init__(source, table, field, available, hint)
        self.source, self.table, self.field = source, table, field
        self.available, self.hint = available, hint

    def __str__(self) -> str:
        said = f"{self.source} has no {self.table} field {self.field!r}"
        return (
            said
            + (did_you_mean(self.field, self.available) or ".")
            + (f" {self.hint}" if self.hint else "")
        )


class MissingExtraError(SettingsError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, extra)
        self.package, self.extra = package, extra

    def __str__(self) -> str:
        return (
            f"this needs the package {self.package!r}: "
            f"pip install 'crm-portfolio[{self.extra}]'"
        )


class ConnectorError(CrmPortfolioError):
    """A CRM or a folder refused, for a reason that waiting will not change."""

    def __init__(self, source: str, message: str, code: str = "") -> None:
        super().__init__(source, message, code)
        self.source, self.message, self.code = source, message, code

    def __str__(self) -> str:
        return f"{self.source}: {self.message}" + (
            f" ({self.code})" if self.code else ""
        )


class CursorLostError(ConnectorError):
    """The CRM no longer knows the place a cursor stands for: begin that pull anew."""


class LoginError(ConnectorError):
    """The login was refused or has expired: mend it, or log in again."""

    exit_code = 2


class RightMissingError(ConnectorError):
    """The login works but lacks a right, which the message names."""

    exit_code = 2


class TransientError(ConnectorError):
    """Wait, then do the same again."""

    exit_code = 5


class DataError(CrmPortfolioError):
    """Mend the data, then run again."""

    exit_code = 7


class SchemaError(DataError):
    """Faults that stop the run, all of them.

    Attributes:
        faults: Arrow table with the columns ``table``, ``column``, ``row`` (from 0, null
            for a whole column), ``value``, ``fault``, ``effect`` and ``hint``.
    """

    SHOWN: ClassVar[int] = 12

    def __init__(self, faults: pa.Table) -> None:
        super().__init__(faults)
        self.faults = faults

    def __str__(self) -> str:
        rows = self.faults.to_pylist()
        tables = {row["table"] for row in rows}
        head = f"{len(rows)} fault(s) in {len(tables)} table(s):"
        lines = [
            f"  {row['table']}"
            + (f".{row['column']}" if row["column"] else "")
            + ("" if row["row"] is None else f" row {row['row']}")
            + f": {row['fault']}. {row['hint']}"
            for row in rows[: self.SHOWN]
        ]
        more = len(rows) - self.SHOWN
        return "\n".join(
            [head, *lines, *([f"  … and {more} more"] if more > 0 else [])]
        )


class MissingTableError(DataError):
    """An analysis needs a table that was not pulled.

    Attributes:
        rather: Another table that would do, and says more; None where none does.
    """

    def __init__(self, table: str, needed_by: str, rather: str | None = None) -> None:
        super().__init__(table, needed_by, rather)
        self.table, self.needed_by, self.rather = table, needed_by, rather

    def __str__(self) -> str:
        wanted, lacks = repr(self.table), "which this portfolio does not hold"
        if self.rather is not None:
            wanted = f"{self.rather!r} or {wanted}"
            lacks = "and this portfolio holds neither"
        first = self.rather or self.table
        return (
            f"{self.needed_by} needs the table {wanted}, {lacks}: pull it, or add it "
            f"with portfolio.with_tables({first}=…)"
        )


class MendedFileError(DataError):
    """A file of failed changes with lines that cannot be sent, all of them.

    Attributes:
        faults: What is wrong, each with the number of its line.
    """

    SHOWN: ClassVar[int] = 20

    def __init__(self, file: str, faults: tuple[str, ...]) -> None:
        super().__init__(file, faults)
        self.file, self.faults = file, faults

    def __str__(self) -> str:
        shown = [f"  {fault}" for fault in self.faults[: self.SHOWN]]
        more = len(self.faults) - self.SHOWN
        return "\n".join(
            [
                f"{len(self.faults)} fault(s) in {self.file}, nothing was planned:",
                *shown,
                *([f"  … and {more} more"] if more > 0 else []),
            ]
        )


class DamagedFileError(DataError):
    """A file of ours that was cut, altered, or written by a newer version."""

    def __init__(self, file: str, problem: str, hint: str) -> None:
        super().__init__(file, problem, hint)
        self.file, self.problem, self.hint = file, problem, hint

    def __str__(self) -> str:
        return f"{self.file}: {self.problem}. {self.hint}"


class LockHeldError(CrmPortfolioError):
    """Another run holds the lock: wait for its end, then do the same again.

    Attributes:
        has_begun: This run held it before, and wrote.
    """

    exit_code = 6

    def __init__(self, what: str, holder: str, has_begun: bool = False) -> None:  # noqa: FBT001, FBT002 - errors pickle by position
        super().__init__(what, holder, has_begun)
        self.what, self.holder, self.has_begun = what, holder, has_begun

    def __str__(self) -> str:
        done = (
            "This one stood still for too long; what it wrote is in its journal, and it "
            "writes nothing more"
            if self.has_begun
            else "Nothing was changed by this one"
        )
        return (
            f"{self.what} is in the hands of another run: {self.holder}. {done}; wait for "
            "the other, then do the same again."
        )


class RefusedError(CrmPortfolioError):
    """Nothing was written: look at the plan."""

    exit_code = 4


class LimitExceededError(RefusedError):
    """The plan touches more than its limits allow."""

    def __init__(self, refusals: tuple[str, ...], change_count: int) -> None:
        super().__init__(refusals, change_count)
        self.refusals, self.change_count = refusals, change_count

    def __str__(self) -> str:
        lines = "\n".join(f"  {refusal}" for refusal in self.refusals)
        return (
            f"the plan exceeds its limits, nothing was written:\n{lines}\n"
            f"Look at it; to accept all of it: accept_changes={self.change_count} "
            f"(--accept-changes {self.change_count})."
        )


class PlanAlteredError(RefusedError):
    """The plan's checksum does not match its content."""


class PlanTooOldError(RefusedError):
    """The plan is older than its own maximum age."""


class UnexpectedChangeError(RefusedError):
    """Writing the first accounts changed what nobody planned; the rest was not written.

    Attributes:
        columns: What moved, in how many accounts.
    """

    def __init__(self, run_id: str, columns: tuple[tuple[str, int], ...]) -> None:
        super().__init__(run_id, columns)
        self.run_id, self.columns = run_id, columns

    def __str__(self) -> str:
        moved = ", ".join(f"{column} on {count}" for column, count in self.columns)
        return (
            f"run {self.run_id} was stopped by its first accounts: after they were "
            f"written, something else changed ({moved}). The rest was not written. Look "
            "at the CRM's own automation. What it may change belongs into "
            "limits.expected_changes, for a new plan; `undo` takes this run back."
        )


class WrongOrgError(RefusedError):
    """The plan, or the portfolio behind it, is of another org than the one reached."""

    def __init__(self, planned: str, given: str) -> None:
        super().__init__(planned, given)
        self.planned, self.given = planned, given

    def __str__(self) -> str:
        return (
            f"this was made for {self.planned}, the login reaches {self.given}: nothing "
            "was written. Pull and plan for this org, or log in to the other."
        )
