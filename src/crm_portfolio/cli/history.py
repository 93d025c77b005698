"""Who wrote what, when, and why?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from crm_portfolio._inert import inert
from crm_portfolio.cli._options import (
    ArchiveFolder,
    LangOption,
    OutputOption,
    SettingsFile,
    read_settings,
)
from crm_portfolio.cli._print import pasted, say, show_csv, show_json, then

if TYPE_CHECKING:
    from crm_portfolio._wording import Lang
    from crm_portfolio.writeback import Step

__all__ = ["history"]

_COLUMNS: Final = (
    "run_id",
    "org",
    "undoes",
    "at",
    "table",
    "record_id",
    "column",
    "before",
    "after",
    "state",
    "code",
    "found",
)
_SHOWN: Final = 200  # changes that a person may want to read


def history(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="RECORD|RUN", help="The id of an account, an opportunity, or a run."
        ),
    ],
    *,
    archive: ArchiveFolder,
    failed: Annotated[
        Path | None,
        typer.Option(
            "--failed",
            metavar="FILE",
            help="Of a run: write what failed for good into a file to mend.",
        ),
    ] = None,
    lang: LangOption = None,
    output: OutputOption = "table",
    settings: SettingsFile = None,
) -> None:
    """Tell which run wrote what, when, what came of it, and why. Asks no CRM.

    crm-portfolio history 001A --archive runs

    crm-portfolio history RUN --archive runs --failed failed.csv
    """
    from crm_portfolio.archive import Archive
    from crm_portfolio.writeback import history as steps_of

    chosen = read_settings(settings)
    steps = steps_of(Archive(archive), subject)
    if failed is not None:
        _save_failed(archive, subject, failed)
    if output == "json":
        show_json({"subject": subject, "steps": [_facts(step) for step in steps]})
    elif output == "csv":
        _show_as_csv(steps)
    else:
        _show(steps[:_SHOWN], lang or chosen.language)
        if steps[_SHOWN:]:
            say(f"… and {len(steps) - _SHOWN:,} more; --output csv has all of them.")
    for run in dict.fromkeys(step.run_id for step in steps[-1:]):
        then("To take it back", "undo", run, "--archive", archive, "-o", "PLAN")


def _save_failed(archive: str, run: str, file: Path) -> None:
    from crm_portfolio.archive import Archive

    count = Archive(archive).journal(run).save_failed(file)
    say(
        f"{file}: {count:,} change(s) that failed for good. Mend the column `after`, then: "
        + pasted("resend", file, "--archive", archive, "-o", "PLAN")
        if count
        else f"{file}: no change of this run failed for good."
    )


def _show(steps: Iterable[Step], lang: Lang) -> None:
    from crm_portfolio._wording import sentence

    for (run, table, record_id), several in groupby(
        steps, lambda s: (s.run_id, s.table, s.record_id)
    ):
        fields = list(several)
        back = f", takes back run {fields[0].undoes}" if fields[0].undoes else ""
        typer.echo(
            f"{_moment(fields[0].at)}  run {run}{back}, {inert(fields[0].org)}, "
            f"{table} {inert(record_id)}"
        )
        told: tuple[object, ...] = ()
        for step in fields:
            found = "" if step.found is None else f", found {_value(step.found)}"
            code = f" ({inert(step.code)})" if step.code else ""
            typer.echo(
                f"  {step.column}: {_value(step.before)} → {_value(step.after)}, "
                f"{step.state}{code}{found}"
            )
            if step.reasons and step.reasons != told:
                for reason in step.reasons:
                    typer.echo(f"    {inert(sentence(reason, lang))}")
                told = step.reasons


def _moment(at: str) -> str:
    return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M:%S} UTC"


def _value(value: object) -> str:
    return "empty" if value is None else inert(str(value))


def _facts(step: Step) -> dict[str, object]:
    told = attrs.asdict(step, recurse=False)
    return {**told, "reasons": [reason.to_dict() for reason in step.reasons]}


def _show_as_csv(steps: Sequence[Step]) -> None:
    import pyarrow as pa

    def text(value: object) -> str | None:
        return None if value is None else str(value)

    columns = {c: [text(getattr(step, c)) for step in steps] for c in _COLUMNS}
    show_csv(pa.table(columns, pa.schema([(c, pa.string()) for c in _COLUMNS])))
