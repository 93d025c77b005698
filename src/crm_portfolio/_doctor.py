"""What does this set-up lack, before a night finds it out?"""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import attrs

from crm_portfolio.connectors import connect
from crm_portfolio.errors import (
    CrmPortfolioError,
    LoginError,
    RightMissingError,
    SettingsError,
)
from crm_portfolio.protocols import (
    Connector,
    Finding,
    FindingState,
    Inspectable,
    Source,
)
from crm_portfolio.settings import Settings

__all__ = ["Diagnosis", "doctor"]

_PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("crm-portfolio", "pyarrow", "pandas"),
    "salesforce": ("simple-salesforce", "requests"),
    "hubspot": ("hubspot-api-client", "urllib3"),
}
_MARKS: Final[Mapping[FindingState, str]] = {
    "good": "ok",
    "warning": "note",
    "missing": "LACKS",
}


@attrs.frozen
class Diagnosis:
    """What was looked at and what was found; it holds no secret and no customer's name.

    Attributes:
        stopped: Why not all could be looked at, or nothing.
    """

    crm: str
    findings: tuple[Finding, ...]
    stopped: CrmPortfolioError | None = None

    @property
    def is_good(self) -> bool:
        """Whether nothing lacks; warnings may be left."""
        return not any(finding.state == "missing" for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """As the command line ends: 0, or what the caller must do next."""
        if self.stopped is not None:
            return self.stopped.exit_code
        return 0 if self.is_good else RightMissingError.exit_code

    def __str__(self) -> str:
        lines = [f"{self.crm}: {_summed(self.findings)}"]
        for finding in self.findings:
            lines.append(f"  {_MARKS[finding.state]:<5} {finding.what}")
            if finding.mend:
                lines.append(f"        {finding.mend}")
        return "\n".join(lines)


def doctor(name: str, *, settings: Settings | None = None) -> Diagnosis:
    """Look at the machine, the log-in, the rights, the fields, and what retires soon.

    Nothing is written anywhere, and every problem is a finding, not an error.

    Args:
        name: As in ``connect(name)``.
        settings: None: the defaults.
    """
    chosen = settings or Settings()
    findings = [*_machine(name), *_variables(name, os.environ)]
    stopped: CrmPortfolioError | None = None
    try:
        findings += _looked_at(connect(name, settings=chosen.of_connector(name)))
    except CrmPortfolioError as error:
        stopped = error
        findings.append(Finding(_subject(error), "missing", str(error)))
    return Diagnosis(name, tuple(findings), stopped)


def _looked_at(crm: Source) -> Iterator[Finding]:
    if isinstance(crm, Connector):
        org = crm.org()
        yield Finding(f"log-in: {org}, {org.time_zone}", "good")
        yield _currency(org.currency)
    if isinstance(crm, Inspectable):
        yield from crm.inspect()
    if isinstance(crm, Connector):
        quota = crm.quota()
        if quota is not None:
            left = f"{quota.remaining:,} of {quota.limit:,} API calls left"
            is_short = quota.remaining * 10 < quota.limit
            mend = "Under a tenth: a large pull may have to wait." if is_short else ""
            yield Finding(left, "warning" if is_short else "good", mend)


def _currency(code: str | None) -> Finding:
    if code:
        return Finding(f"currency: {code}", "good")
    return Finding(
        "currency: the CRM does not tell",
        "warning",
        "Say it in the settings (currency) or with --currency.",
    )


def _machine(name: str) -> Iterator[Finding]:
    yield Finding(f"Python {platform.python_version()}", "good")
    for package in (*_PACKAGES[""], *_PACKAGES.get(name, ())):
        try:
            yield Finding(f"{package} {version(package)}", "good")
        except PackageNotFoundError:
            mend = f"Install it with: pip install {package}"
            yield Finding(f"{package}: not installed", "missing", mend)


def _variables(name: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Which variables of the log-in are set; never what they say."""
    prefix = f"{name.upper()}_"
    named = sorted(key for key in environment if key.startswith(prefix))
    if named:
        yield Finding(f"environment: {', '.join(named)}", "good")
        empty = [key for key in named if not environment[key].strip()]
        if empty:
            told = f"environment: {', '.join(empty)} set, but empty"
            yield Finding(told, "warning", "Unset it, or give it a value.")
    elif name != "files":
        yield Finding(f"environment: nothing that begins with {prefix}", "warning")


def _subject(error: CrmPortfolioError) -> str:
    match error:
        case LoginError():
            return "log-in"
        case RightMissingError():
            return "right"
        case SettingsError():
            return "settings"
        case _:
            return "connection"


def _summed(findings: tuple[Finding, ...]) -> str:
    counts = Counter(finding.state for finding in findings)
    if not counts["missing"]:
        noted = f", {counts['warning']} to note" if counts["warning"] else ""
        return f"nothing lacks{noted}"
    return f"{counts['missing']} lacking, {counts['warning']} to note"
