"""How does a whole source become a portfolio, in memory or in a folder?"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from crm_portfolio._frames import Backend
from crm_portfolio._pull._into import Into, cursors_in
from crm_portfolio._pull._memory import gathered
from crm_portfolio._pull._notes import Pulled
from crm_portfolio._pull._settings import PullSettings
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Calendar, Portfolio
from crm_portfolio.protocols import (
    Copied,
    Dated,
    Forecast,
    Metered,
    OfOrg,
    Progress,
    Shaped,
    Source,
    StaleSourceWarning,
)

__all__ = ["PullSettings", "Pulled", "forecast", "metering", "pull", "pull_into"]


def pull(
    source: Source,
    *,
    as_of: date,
    currency: str | None = None,
    calendar: Calendar | None = None,
    into: Path | str | None = None,
    since_last: bool = False,
    backend: Backend = "pandas",
    settings: PullSettings = PullSettings(),  # noqa: B008 - frozen
    progress: Progress | None = None,
) -> Portfolio:
    """Read every table the source can give, and close the books at a date.

    Args:
        source: A connector, or a folder.
        as_of: The last day known, inclusive.
        currency: None: the org's; for a plain source the only one in its tables.
        calendar: None: the org's time zone; UTC for a plain source.
        into: A folder to keep it in. Of no table is more than a batch in memory then, a
            pull that was cut off goes on when it is run again, and the portfolio reads
            a table when it is asked for.
        since_last: Ask the CRM only for what changed since the folder was last pulled.
        backend: The kind of frames the portfolio hands out.
        progress: Told of every batch.
    """
    if said := _behind(source, as_of, calendar):
        warnings.warn(said, StaleSourceWarning, stacklevel=2)
    if into is not None:
        return pull_into(
            source,
            Path(into),
            as_of=as_of,
            currency=currency,
            calendar=calendar,
            since_last=since_last,
            backend=backend,
            settings=settings,
            progress=progress,
        ).portfolio
    if since_last:
        raise SettingsError("since_last needs the folder of the last pull: into=…")
    org, currency, calendar = _of_org(source, currency, calendar)
    copied_from = _copied_from(source)
    telling = threading.Lock()

    def tell(step: str, done: int, total: int | None) -> None:
        if progress is not None:
            with telling:
                progress(step, done, total)

    raw = gathered(source, is_plain=org is None, at_once=settings.at_once, tell=tell)
    return Portfolio.from_frames(
        as_of=as_of,
        currency=currency,
        calendar=calendar,
        backend=backend,
        org=org or copied_from,
        **raw,
    )


def pull_into(
    source: Source,
    folder: Path,
    *,
    as_of: date,
    currency: str | None = None,
    calendar: Calendar | None = None,
    since_last: bool = False,
    backend: Backend = "pandas",
    settings: PullSettings = PullSettings(),  # noqa: B008 - frozen
    progress: Progress | None = None,
) -> Pulled:
    """`pull` into a folder, with all that there is to tell of it."""
    behind = _behind(source, as_of, calendar)
    org, currency, calendar = _of_org(source, currency, calendar)
    return Into(
        source=source,
        folder=folder.absolute(),
        org=org,
        copied_from=_copied_from(source),
        fingerprint=_fingerprint(source),
        as_of=as_of,
        currency=currency,
        calendar=calendar,
        settings=settings,
        progress=progress,
        notes=[behind] if behind else [],
    ).pull(since_last=since_last, backend=backend)


def forecast(source: Source, folder: Path, *, since_last: bool) -> Forecast | None:
    """The calls that pulling into the folder should take; None: the source cannot say."""
    if not isinstance(source, Metered):
        return None
    tables = list(source.tables())
    since = cursors_in(folder) if since_last else {}
    wanted = {name: cursor for name, cursor in since.items() if name in tables}
    return source.forecast(tables, since=wanted or None)


@contextmanager
def metering(
    progress: Progress | None, crm: Source, expected: int
) -> Iterator[Progress | None]:
    """The same for a pull: also how many of the expected calls were made.

    How many rows a table will have nobody knows beforehand; the calls were forecast.

    Args:
        expected: The calls; 0: none were forecast, and nothing is told of them.
    """
    if progress is None or not expected or not isinstance(crm, Metered):
        yield progress
        return
    told, meter = progress, crm

    def count(step: str, done: int, total: int | None) -> None:
        told("calls", min(meter.calls, expected), expected)
        told(step, done, total)

    yield count
    told("calls", expected, expected)  # a forecast that was too high is over, too


def _of_org(
    source: Source, currency: str | None, calendar: Calendar | None
) -> tuple[str | None, str | None, Calendar]:
    """The org as text, and what it says of currency and days unless that was chosen."""
    if not isinstance(source, OfOrg):
        return None, currency, calendar or Calendar()
    org = source.org()
    chosen = calendar or Calendar(org.time_zone)
    return str(org), currency or org.currency, chosen


def _copied_from(source: Source) -> str | None:
    """The org that a copy is of, as text: the books say so, and all else is as of files."""
    return str(source.copied_from()) if isinstance(source, Copied) else None


def _behind(source: Source, as_of: date, calendar: Calendar | None) -> str:
    """That a copy does not reach the day of the books; empty: it does, or none is kept."""
    until = source.complete_until() if isinstance(source, Dated) else None
    if until is None:
        return ""
    zone = (calendar or Calendar()).time_zone
    day = until.astimezone(ZoneInfo(zone)).date()
    if day >= as_of:
        return ""
    return (
        f"The {source.name} was last brought up to date on {day}, and the books close on "
        f"{as_of}: of the {(as_of - day).days} day(s) between it knows nothing."
    )


def _fingerprint(source: Source) -> str:
    """What shapes the tables of a source, if it tells."""
    return source.fingerprint() if isinstance(source, Shaped) else ""
