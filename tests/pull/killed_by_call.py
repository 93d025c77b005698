"""Pulls of a pretend CRM that are killed while the n-th call is under way, for every n.

    killed_by_call.py CRM FOLDER SETTINGS

The CRM runs elsewhere and is steered by its control routes. Each line of output tells, as
JSON, of one death: how the pull before and the pull after it ended, how often they called
each route, and a checksum of the tables. The first line is of a pull that nobody killed.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
import urllib.request
from datetime import date
from pathlib import Path
from typing import Any

from crm_portfolio import connect
from crm_portfolio._pull import PullSettings, pull
from crm_portfolio.connectors.hubspot import HubSpotSettings
from crm_portfolio.connectors.salesforce import SalesforceSettings

AS_OF = date(2026, 6, 30)
KINDS = {"salesforce": SalesforceSettings, "hubspot": HubSpotSettings}
URLS = {"salesforce": "SALESFORCE_INSTANCE_URL", "hubspot": "HUBSPOT_API_URL"}


def steered(crm: str, route: str, body: object = None) -> Any:
    method, data = (
        ("GET", None) if body is None else ("POST", json.dumps(body).encode())
    )
    url = f"{os.environ[URLS[crm]]}/__sim__/{route}"
    request = urllib.request.Request(url, data, method=method)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


def pulled(crm: str, folder: Path, settings: dict[str, Any]) -> None:
    """A pull of one table after the other."""
    source = connect(crm, settings=KINDS[crm](**settings))
    pull(source, as_of=AS_OF, into=folder, settings=PullSettings(at_once=1))


def begun(crm: str, folder: Path, settings: dict[str, Any]) -> int:
    """A pull in a process of its own."""
    child = os.fork()
    if child == 0:
        try:
            pulled(crm, folder, settings)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(crm: str, child: int, call: int) -> int:
    """Kill it when that call has arrived; its exit code."""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if steered(crm, "calls")["api_calls"] >= call:
            os.kill(child, signal.SIGKILL)
            return ended(child)
        time.sleep(0.02)


def checksum(folder: Path) -> str:
    hasher = hashlib.sha256()
    for path in sorted(folder.glob("*.*")):
        hasher.update(path.name.encode() + path.read_bytes())
    return hasher.hexdigest()


def told(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def main(crm: str, place: Path, settings: dict[str, Any]) -> None:
    # What is imported late is imported here, once, and not by every child.
    pulled(crm, place / "first", settings)
    gc.freeze()
    steered(crm, "reset", {})
    code = ended(begun(crm, place / "whole", settings))
    calls = steered(crm, "calls")["calls"]
    told(at=0, codes=[code], calls=calls, sum=checksum(place / "whole"))
    at = 0
    while True:
        at += 1
        folder = place / "book"
        shutil.rmtree(folder, ignore_errors=True)
        steered(crm, "reset", {})
        steered(crm, "fault", {"at_call": at, "kind": "slow", "seconds": 2})
        code = killed_at(crm, begun(crm, folder, settings), at)
        if code == 0:
            return
        again = ended(begun(crm, folder, settings))
        calls = steered(crm, "calls")["calls"]
        told(at=at, codes=[code, again], calls=calls, sum=checksum(folder))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]))
