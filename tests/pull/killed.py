"""Pulls in processes that die at the n-th thing they do; run as a script.

    killed.py FOLDER whole|since STEP     die at the first, and at each STEP-th after it
    killed.py FOLDER save STEP            the same, saving one portfolio over another
    killed.py FOLDER shot 0               shot from outside, later and later

Each line of output tells, as JSON, of one death: how many calls it and the run after it
made, what could be read in between, and a checksum of what came of it. The first line
tells of a pull that nothing happened to.
"""

from __future__ import annotations

import gc
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import sys
import time
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

from crm_portfolio._pull import PullSettings, pull
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Portfolio

AS_OF = date(2026, 6, 30)
_CHANGES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}
_DIED = 9


def _loaded(name: str) -> ModuleType:
    """The module beside this one, which is no package."""
    spec = importlib.util.spec_from_file_location(
        name, Path(__file__).with_name(f"{name}.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


LEDGERS = _loaded("conftest")  # once, before the first child


def ledger(*, changed: bool) -> Any:
    crm = LEDGERS.small()
    crm.hidden = {"exchange_rate", "stage"}
    crm.currency = "EUR"
    for id_ in list(crm.records["opportunity"]):
        crm.touch("opportunity", id_, currency="EUR")
    if changed:
        crm.put("opportunity", "o3", amount=77.0, status="won", closed_on="2026-06-01")
        crm.delete("opportunity", "o4")
        crm.merge("a1", "a5")
        crm.forget("owner", "u1")
        crm.touch("account", "a0", activity_count=99)
    return crm


class Deaths:
    """Counts calls and changes in a folder, and ends the process at one of them."""

    def __init__(self, folder: Path, at: int) -> None:
        self.folder, self.at, self.count = str(folder), at, 0

    def step(self) -> None:
        self.count += 1
        if self.count == self.at:
            os._exit(_DIED)  # as kill -9: nothing is flushed, nothing is tidied up

    def heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _CHANGES or not str(arguments[0]).startswith(self.folder):
            return
        writes = event != "open" or any(mark in str(arguments[1]) for mark in "wax")
        if writes:
            self.step()


def in_a_process(work: Any) -> tuple[int, dict[str, Any]]:
    """Do it in a child; its exit code and what it had to say."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            said = work()
            os.write(writing, json.dumps(said).encode())
        except BaseException as error:
            os.write(writing, json.dumps({"error": repr(error)}).encode())
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, json.loads(said or b"{}")


def pulled(folder: Path, *, since: bool, at: int = 0) -> dict[str, Any]:
    crm = ledger(changed=since)
    deaths = Deaths(folder, at)
    calls = folder.with_name("calls")

    def called(number: int) -> None:
        with calls.open("a") as file:
            file.write(".")
        deaths.step()

    crm.at_call = called
    if at:
        sys.addaudithook(deaths.heard)
    one_by_one = PullSettings(at_once=1, rows_per_file=5)
    pull(crm, as_of=AS_OF, into=folder, since_last=since, settings=one_by_one)
    return {"calls": calls.stat().st_size}


def saved(folder: Path, *, at: int = 0) -> dict[str, Any]:
    calls = folder.with_name("calls")
    calls.touch()
    book = pull(ledger(changed=True), as_of=AS_OF).only(["a0", "a2"])
    if at:
        sys.addaudithook(Deaths(folder, at).heard)
    book.save(folder)
    return {}


def looked_at(folder: Path) -> dict[str, Any]:
    """What a reader finds."""
    try:
        book = Portfolio.load(folder, backend="pyarrow")
        rows = {name: len(book[name]) for name in book.tables}
    except SettingsError as error:
        return {"found": None, "said": str(error)}
    return {"found": rows, "id": book.id}


def checksum(folder: Path) -> str:
    hasher = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file():
            hasher.update(path.name.encode() + path.read_bytes())
    return hasher.hexdigest()


def slowly(folder: Path) -> dict[str, Any]:
    crm = ledger(changed=False)
    crm.rows_at_once = 1
    crm.at_call = lambda number: time.sleep(0.01)
    pull(crm, as_of=AS_OF, into=folder)
    return {}


def shot(place: Path) -> None:
    """Four tables at once, killed by another process, wherever that may be."""
    pull(ledger(changed=False), as_of=AS_OF, into=place / "whole")
    print(json.dumps({"at": 0, "ended": 0, "sum": checksum(place / "whole")}))
    delay, code = 0.0, -signal.SIGKILL
    folder = place / "book"
    while code != 0:
        delay += 0.03
        child = os.fork()
        if child == 0:
            slowly(folder)
            os._exit(0)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        told = {"at": delay, "ended": code, "sum": ""}
        if code == 0:
            told["sum"] = checksum(folder)
        print(json.dumps(told), flush=True)


def main(place: Path, *, what: str, step: int) -> None:
    base = place / "base"
    base.mkdir(parents=True)
    since = what == "since"

    def do(folder: Path, at: int = 0) -> dict[str, Any]:
        if what == "save":
            return saved(folder, at=at)
        return pulled(folder, since=since, at=at)

    # What is imported late is imported here, once, and not by every child.
    (place / "first").mkdir()
    pulled(place / "first" / "book", since=False)
    looked_at(place / "first" / "book")
    # Who is killed loses nothing that was written: only a power cut would.
    os.fsync = lambda _: None  # type: ignore[assignment]
    gc.freeze()
    if what != "whole":
        in_a_process(lambda: pulled(base / "book", since=False))
        (base / "calls").unlink()
    at = 0
    while True:
        here = place / "here"
        shutil.rmtree(here, ignore_errors=True)
        shutil.copytree(base, here)
        folder = here / "book"
        code, _ = in_a_process(lambda: do(folder, at))
        between = in_a_process(lambda: looked_at(folder))[1] if code else {}
        ended, said = in_a_process(lambda: do(folder)) if code else (0, {})
        calls = (here / "calls").stat().st_size
        told = {"at": at, "code": code, "ended": ended, "error": said.get("error")}
        told |= {"calls": calls, "between": between, "sum": checksum(folder)}
        print(json.dumps(told), flush=True)
        if at and code == 0:
            return
        at += 1 if at == 0 else step


if __name__ == "__main__":
    if sys.argv[2] == "shot":
        shot(Path(sys.argv[1]))
    else:
        main(Path(sys.argv[1]), what=sys.argv[2], step=int(sys.argv[3]))
