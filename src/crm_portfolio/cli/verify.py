"""Is the archive as it was written?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from crm_portfolio._inert import inert
from crm_portfolio.cli._options import ArchiveFolder, OutputOption
from crm_portfolio.cli._print import show_csv, show_json, then

if TYPE_CHECKING:
    from crm_portfolio.archive import Verification

__all__ = ["verify"]

_COLUMNS: Final = (
    "run_id",
    "at",
    "segments",
    "state",
    "file",
    "problem",
    "hint",
)


def verify(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Only this run; without it, all of them."),
    ] = None,
    *,
    archive: ArchiveFolder,
    output: OutputOption = "table",
) -> int:
    """Check that no file of the archive was changed, dropped or swapped. Asks no CRM.

    The first such file of each run is named, and the exit code is then 7.

    crm-portfolio verify --archive runs
    """
    from crm_portfolio.archive import Archive

    report = Archive(archive).verify(run)
    if output == "json":
        runs = [attrs.asdict(each) for each in report.runs]
        show_json({"exit_code": report.exit_code, "runs": runs})
    elif output == "csv":
        _show_as_csv(report)
    else:
        for line in str(report).splitlines():
            typer.echo(inert(line))
    if run is not None:
        then("What it wrote", "history", run, "--archive", archive)
    else:
        then("What a run wrote", "history", "RUN", "--archive", archive)
    return report.exit_code


def _show_as_csv(report: Verification) -> None:
    import pyarrow as pa

    columns = {name: [getattr(run, name) for run in report.runs] for name in _COLUMNS}
    types = {name: pa.string() for name in _COLUMNS} | {"segments": pa.int64()}
    show_csv(pa.table(columns, pa.schema(list(types.items()))))
