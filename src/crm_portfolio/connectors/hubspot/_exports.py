"""How is a whole object exported to a file, and how does the file get here?

HubSpot writes the file in its own time and tells a link that lives five minutes and needs
no token. So none is shown to it, it must lie on a host we know, and what arrived broken is
fetched again from the start, by a new link.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import closing
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._origin import is_this_machine
from crm_portfolio.connectors._retry import TimedError, persistent
from crm_portfolio.connectors.hubspot import _paths
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._refusals import (
    RefusedRequestError,
    unreachable,
    unreadable,
)
from crm_portfolio.connectors.hubspot._settings import EXPORTS
from crm_portfolio.errors import ConnectorError, RightMissingError, TransientError

if TYPE_CHECKING:
    from crm_portfolio.connectors.hubspot._columns import Layout

__all__ = ["EXPORTED", "EXPORT_SCOPE", "NoExportError", "begun", "fetched"]

# What an export calls the objects that it can be asked for.
EXPORTED: Final[Mapping[str, str]] = {
    "companies": "COMPANY",
    "deals": "DEAL",
    "tickets": "TICKET",
}
_PIECE: Final = 1 << 20
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 60.0
_PATIENCE: Final = 3 * 3600.0
EXPORT_SCOPE: Final = "crm.export"


class NoExportError(Exception):
    """There is no export to be had; pages give the same.

    Attributes:
        can_be_mended: Somebody could do something about it.
    """

    def __init__(self, error: ConnectorError, *, can_be_mended: bool = True) -> None:
        super().__init__()
        self.error, self.can_be_mended = error, can_be_mended


def begun(client: Client, wanted: Layout) -> str:
    """Ask for an export of all records; its number.

    Raises:
        NoExportError: Not allowed, not today, or not of these objects.
    """
    where = f"exporting {wanted.source.kind}"
    try:
        answer = client.post(
            _paths.EXPORT,
            _wish(wanted),
            where=where,
            needs=EXPORT_SCOPE,
            window=EXPORTS,
        )
    except (RightMissingError, RefusedRequestError) as error:
        raise NoExportError(error) from None
    except TimedError as error:  # one at a time, 30 a day
        raise NoExportError(error, can_be_mended=False) from None
    task = str(answer.body.get("id", "")) if isinstance(answer.body, dict) else ""
    if not task.isalnum():
        raise unreadable(where)
    return task


def fetched(client: Client, task: str, kind: str) -> IO[bytes]:
    """The file of an export, once it is written; on disk, gone when it is closed.

    Raises:
        NoExportError: There is no such export any more, it failed, takes for ever, or
            its file lies where we do not go.
    """
    where = f"exporting {kind}"
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        links = [_link(client, task, where)]

        def fetch() -> None:
            _download(
                client, links.pop() if links else _link(client, task, where), file
            )

        persistent(client.settings.retry, sleep=client.wait)(fetch)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _wish(wanted: Layout) -> dict[str, Any]:
    linked = [EXPORTED[link.to] for link in wanted.links]
    return {
        "exportType": "VIEW",
        "format": "CSV",
        "exportName": f"crm-portfolio {wanted.source.kind}",
        "objectType": EXPORTED[wanted.source.kind],
        "language": "EN",
        "objectProperties": list(dict.fromkeys(("hs_object_id", *wanted.properties))),
        "associatedObjectType": linked,
        # Else headers and choices would be labels.
        "exportInternalValuesOptions": ["NAMES", "VALUES"],
        "includeLabeledAssociations": any(link.primary for link in wanted.links),
        "overrideAssociatedObjectsPerDefinitionPerRowLimit": False,
    }


def _link(client: Client, task: str, where: str) -> str:
    """Where the file lies; asked again and again, ever more slowly, until it is told."""
    wait, waited, path = _FIRST_WAIT, 0.0, _paths.export_status(task)
    while waited < _PATIENCE:
        try:
            said = client.get(path, where=where).body
        except (TransientError, RightMissingError):
            raise
        except ConnectorError as error:  # nothing is there any more
            raise NoExportError(error) from None
        state = said.get("status") if isinstance(said, dict) else None
        link = said.get("result") if state == "COMPLETE" else None
        if isinstance(link, str):
            return link
        if state not in ("PENDING", "PROCESSING", "COMPLETE"):
            break
        client.wait(wait)
        waited, wait = waited + wait, min(2 * wait, _LONGEST_WAIT)
    failed = ConnectorError("hubspot", f"{where}: HubSpot did not finish the export")
    raise NoExportError(failed, can_be_mended=False)


def _download(client: Client, link: str, file: IO[bytes]) -> None:
    """The whole file, from its first byte."""
    where = "fetching an export"
    _must_be_allowed(client, link)
    file.seek(0)
    file.truncate()
    try:
        with _pool(client, link) as pool, closing(_answer(pool, link)) as reply:
            if 300 <= reply.status < 400:
                raise NoExportError(_elsewhere())
            if reply.status != 200:  # such as a link that is too old
                raise TransientError(
                    "hubspot",
                    f"{where}: the link does not work, or no more",
                    f"HTTP {reply.status}",
                )
            is_page = "html" in reply.headers.get("Content-Type", "")
            for piece in reply.stream(_PIECE):
                file.write(piece)
    except urllib3.exceptions.HTTPError as error:
        failure: ConnectorError = unreachable(error, where)
    else:
        if file.tell() and not is_page:
            return
        # A file has a header at least; a page is what a proxy puts in its place.
        failure = unreadable(where)
    # Raised out here, so that the address, which is a key, is not attached.
    raise failure


def _answer(pool: urllib3.PoolManager, link: str) -> urllib3.BaseHTTPResponse:
    # No header of ours but these: the link is all that is needed.
    return pool.request(
        "GET",
        link,
        headers={"User-Agent": "crm-portfolio", "Accept-Encoding": "identity"},
        redirect=False,
        retries=False,
        preload_content=False,
    )


def _pool(client: Client, link: str) -> urllib3.PoolManager:
    timeout = urllib3.Timeout(*client.settings.timeout)
    host = urlsplit(link).hostname or ""
    proxy = getproxies().get("https")
    if proxy is None or is_this_machine(host) or proxy_bypass(host):
        return urllib3.PoolManager(timeout=timeout)
    return urllib3.ProxyManager(proxy, timeout=timeout)


def _must_be_allowed(client: Client, link: str) -> None:
    try:
        parts = urlsplit(link)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise NoExportError(_elsewhere()) from None
    if client.is_on_this_machine:
        is_known = is_this_machine(host)
    else:
        is_known = parts.scheme == "https" and bool(
            _assumptions.EXPORT_FILE_HOSTS.fullmatch(host)
        )
    if not is_known or "@" in parts.netloc:
        raise NoExportError(_elsewhere())


def _elsewhere() -> ConnectorError:
    return ConnectorError(
        "hubspot",
        "the file of an export lies on a host that is not known as HubSpot's, so it is "
        'not fetched; set exports = "never"',
    )
