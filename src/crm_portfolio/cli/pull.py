"""What does the CRM, or a folder of exports, hold today?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast, get_args

import attrs
import typer

from crm_portfolio.cli import _complete
from crm_portfolio.cli._options import (
    AsOf,
    SettingsFile,
    as_of_or_today,
    must_have_begun,
    read_settings,
)
from crm_portfolio.cli._print import complain, counted, say, then
from crm_portfolio.cli._progress import progress
from crm_portfolio.connectors.files import Dialect
from crm_portfolio.connectors.warehouse import LayoutName
from crm_portfolio.errors import TransientError, did_you_mean

if TYPE_CHECKING:
    from crm_portfolio.protocols import Source
    from crm_portfolio.settings import Settings

__all__ = ["pull"]

_PLAIN: Final = ("files", "warehouse")


def pull(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="salesforce, hubspot, files, or warehouse.",
            autocompletion=_complete.sources,
        ),
    ],
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="PLACE",
            help="With files: the folder to read; with warehouse: the replica, a "
            "DuckDB file or a folder of Parquet files.",
        ),
    ] = None,
    *,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to write.")],
    as_of: AsOf = None,
    since_last: Annotated[
        bool,
        typer.Option(
            "--since-last", help="Ask only for what changed since the last pull."
        ),
    ] = False,
    tables: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME|all",
            help="Which tables; without it, as in the settings.",
            autocompletion=_complete.tables,
        ),
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="Such as EUR; without it, the org's own."),
    ] = None,
    dialect: Annotated[
        Dialect | None,
        typer.Option(help="With files: whose headers; without it, guessed and told."),
    ] = None,
    layout: Annotated[
        LayoutName | None,
        typer.Option(
            help="With warehouse: who laid the replica down; without it, as in the "
            "settings."
        ),
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Read a CRM, its replica, or exported files into a folder; no CRM is written to.

    A pull that was cut off goes on where it stopped when it is run again.

    crm-portfolio pull salesforce --to book --as-of 2026-06-30

    crm-portfolio pull salesforce --to book --since-last

    crm-portfolio pull files exports/ --to exported --as-of 2026-06-30 --currency EUR

    crm-portfolio pull warehouse replica/ --layout dlt-hubspot --to copy --currency EUR
    """
    from crm_portfolio._pull import metering, pull_into

    chosen = read_settings(settings)
    day = as_of_or_today(as_of)
    crm = _source(source, folder, dialect or layout, tables, chosen)
    is_crm = source not in _PLAIN
    if since_last and not is_crm:
        raise typer.BadParameter(
            "--since-last is for a CRM; files are read whole, and so is a replica"
        )
    if as_of is not None:
        must_have_begun(as_of, lambda: _zone(crm, chosen))
    with (
        _metered(crm, to, since_last=since_last) as expected,
        _kept_on_the_way_out(to, is_crm),
        progress() as bar,
        metering(bar, crm, expected) as tell,
    ):
        pulled = pull_into(
            crm,
            to,
            as_of=day,
            currency=currency or chosen.currency,
            calendar=chosen.calendar,
            since_last=since_last,
            settings=chosen.pull,
            progress=tell,
        )
    portfolio = pulled.portfolio
    rows = counted({str(name): n for name, n in portfolio.row_counts.items()})
    say(f"{to}: {rows}, in {portfolio.currency}, as of {portfolio.as_of}.")
    for note in pulled.notes:
        say(f"  {note}")
    _tell_faults(pulled.faults)
    then("To see who matters", "analyse", to)
    if is_crm:
        then("To compare with the CRM", *("plan", to, "--crm", source, "-o", "PLAN"))


def _source(
    name: str,
    folder: Path | None,
    form: Dialect | LayoutName | None,
    tables: str | None,
    chosen: Settings,
) -> Source:
    from crm_portfolio.connectors import connect

    if form is not None and (form in get_args(LayoutName)) != (name == "warehouse"):
        raise typer.BadParameter("--dialect is for files, and --layout for warehouse")
    if name == "files":
        if folder is None:
            raise typer.BadParameter("pull files needs the folder to read")
        if tables is not None:
            raise typer.BadParameter("--tables is for a CRM; files hold what they hold")
        return _files(folder, cast("Dialect | None", form), chosen)
    settings: Any = chosen.of_connector(name)
    if tables is not None:
        settings = _with_tables(name, settings, tables)
    if name == "warehouse":
        return _replica(folder, cast("LayoutName | None", form), settings, chosen)
    if folder is not None or form is not None:
        raise typer.BadParameter(
            f"only `pull files` takes a folder or a dialect, not {name}"
        )
    crm: Source = connect(name, settings=settings)
    return crm


def _zone(source: Source, chosen: Settings) -> str:
    """Where its days begin: as the settings say, else as the org does."""
    from crm_portfolio.portfolio import Calendar

    if chosen.calendar is None and hasattr(source, "org"):
        return str(source.org().time_zone)
    return (chosen.calendar or Calendar()).time_zone


def _with_tables(name: str, settings: Any, tables: str) -> Any:
    """The connector's settings, for these tables only."""
    from crm_portfolio.schema import TABLES

    if settings is None or not hasattr(settings, "tables"):
        raise typer.BadParameter(f"{name} does not let you choose its tables")
    if tables == "all":
        return attrs.evolve(settings, tables="all")
    wanted = tuple(table.strip() for table in tables.split(","))
    for table in wanted:
        if table not in TABLES:
            hint = did_you_mean(table, TABLES)
            raise typer.BadParameter(f"--tables: there is no table {table!r}{hint}")
    return attrs.evolve(settings, tables=wanted)


@contextmanager
def _metered(crm: Source, to: Path, *, since_last: bool) -> Iterator[int]:
    """The calls it should take before, those it took after, however it ends."""
    from crm_portfolio._pull import forecast
    from crm_portfolio.protocols import Metered

    expected = forecast(crm, to, since_last=since_last)
    if expected is not None:
        steps = ", ".join(f"{count:,} {what}" for what, count in expected.steps.items())
        say(f"About {expected.calls:,} calls: {steps}.")
    try:
        yield expected.calls if expected else 0
    finally:
        if isinstance(crm, Metered):
            say(f"{crm.calls:,} calls were made.")


@contextmanager
def _kept_on_the_way_out(to: Path, is_crm: bool) -> Iterator[None]:
    """Say that nothing is lost, where something is kept."""
    try:
        yield
    except BaseException as error:
        may_go_on = isinstance(error, TransientError) or not isinstance(
            error, Exception
        )
        if is_crm and may_go_on and (to / "source").is_dir():
            complain(
                f"What has been read is kept in {to}: run again: it goes on where it "
                "stopped."
            )
        raise


def _files(folder: Path, dialect: Dialect | None, settings: Settings) -> Source:
    """The folder as a source, after saying how its files were understood."""
    from crm_portfolio.connectors.files import Files

    source = Files(folder, dialect=dialect, settings=settings.files)
    say(str(source.proposal()))
    return source


def _replica(
    place: Path | None, layout: LayoutName | None, settings: Any, chosen: Settings
) -> Source:
    """The replica as a source; what is not said of it is as for the CRM that it is of."""
    from crm_portfolio.connectors import connect
    from crm_portfolio.connectors.warehouse import vendor_of

    if place is None:
        raise typer.BadParameter("pull warehouse needs the replica to read")
    if layout is not None:
        settings = attrs.evolve(settings, layout=layout)
    if settings.layout is not None:
        of_crm: Any = chosen.of_connector(vendor_of(settings.layout))
        for name in ("fields", "loss_reason"):
            if not getattr(settings, name):
                settings = attrs.evolve(settings, **{name: getattr(of_crm, name)})
    if chosen.calendar is not None and settings.time_zone == "UTC":
        settings = attrs.evolve(settings, time_zone=chosen.calendar.time_zone)
    replica: Source = connect("warehouse", place, settings=settings)
    return replica


def _tell_faults(faults: Mapping[tuple[str, str], int]) -> None:
    """How many rows were odd, by kind; what stops a pull never comes here."""
    for (fault, effect), count in sorted(faults.items()):
        say(f"  {count} {fault.replace('_', ' ')} ({effect.replace('_', ' ')})")
