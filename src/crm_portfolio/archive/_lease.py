"""Who is at an org, and is that run still alive?

Two things guard an org. A lock of the operating system says at once whether a process of
this machine lives; a store has none. A lease, numbered and renewed by a thread of its
holder, says so to other machines, and when the holder is stopped. A run takes the next
number, which can be had once; whoever finds a higher number than its own has lost the org.

A lease counts as dead when nothing renews it while another run watches, by a clock that
cannot jump: wall clocks differ and are set back. They only spare the watching where a
lease was renewed a moment ago.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from crm_portfolio import _storage
from crm_portfolio._inert import inert
from crm_portfolio.archive._os_lock import OsLock, host, kernel
from crm_portfolio.archive._place import Place
from crm_portfolio.archive._usable import usable
from crm_portfolio.errors import DamagedFileError, LockHeldError
from crm_portfolio.protocols import Org

__all__ = ["LEASE_SECONDS", "Lease", "folder_name", "take"]

LEASE_SECONDS: Final = 60.0
VERSION: Final = 1
_LEASE: Final = re.compile(r"(\d{6})\.(?:json|lock)")
_ATTEMPTS: Final = 5
# Of the lease's length: how often it is renewed, and how long it is watched in vain.
_RENEWED, _WATCHED = 1 / 4, 1 / 2
_LOOKS_PER_WATCH: Final = 20

Clock = Callable[[], datetime]


@attrs.frozen
class _Holder:
    """What a lease says of its run; nothing in it is secret."""

    number: int
    run_id: str
    host: str
    kernel: str
    pid: int
    since: datetime
    renewed_at: datetime
    seconds: float
    beat: int
    is_released: bool = False

    def __str__(self) -> str:
        name = f"run {self.run_id}" if self.run_id else "a run without an id"
        return (
            f"{name} (process {self.pid} on {inert(self.host)}, "
            f"since {self.since:%Y-%m-%d %H:%M:%S} UTC)"
        )


@attrs.define(eq=False)
class Lease:
    """One org, held for one run until `Archive.lock` is left."""

    org: Org
    _folder: Place
    _holder: _Holder
    _os_lock: OsLock | None
    _clock: Clock
    _renewed: float = attrs.field(factory=time.monotonic)
    _guard: threading.Lock = attrs.field(factory=threading.Lock)
    _is_over: threading.Event = attrs.field(factory=threading.Event)

    @property
    def run_id(self) -> str:
        return self._holder.run_id

    def check(self) -> None:
        """Go on holding the org; asked before each batch.

        Raises:
            LockHeldError: Another run took the org over, because this one stood still.
            SettingsError: The lease cannot be stored.
            TransientError: The store cannot be reached.
        """
        with usable(self._folder), self._guard:
            number = _latest(self._folder)
            if number != self._holder.number:
                taker = _read(self._folder, number)
                said = str(taker) if taker else "unknown, its lease was removed"
                raise LockHeldError(str(self.org), said, has_begun=True)
            if time.monotonic() - self._renewed >= self._holder.seconds * _RENEWED:
                self._renew()

    def _renew(self, *, is_released: bool = False) -> None:
        held = self._holder
        self._holder = attrs.evolve(
            held,
            renewed_at=self._clock(),
            beat=held.beat + 1,
            is_released=is_released,
        )
        self._folder.replace(_name(held.number), _sealed(self.org, self._holder))
        self._renewed = time.monotonic()

    @contextmanager
    def kept(self) -> Iterator[Lease]:
        """Renew the lease until this is left, so that a long batch does not lose it."""
        beating = threading.Thread(target=self._beat, name="lease", daemon=True)
        beating.start()
        try:
            yield self
        finally:
            self._is_over.set()
            beating.join()
            self._release()

    def _beat(self) -> None:
        while not self._is_over.wait(self._holder.seconds * _RENEWED):
            # What the place refuses here, the next check says.
            with suppress(OSError), self._guard:
                if _latest(self._folder) != self._holder.number:
                    return
                self._renew()

    def _release(self) -> None:
        with suppress(OSError):
            if _latest(self._folder) == self._holder.number:
                self._renew(is_released=True)
        _close(self._os_lock)


def folder_name(org: Org) -> str:
    """A name for the org that any file system takes, whatever its id holds."""
    key = _storage.canonical_json([org.vendor, org.org_id, org.is_sandbox])
    readable = re.sub(r"[^0-9A-Za-z-]", "_", f"{org.vendor}-{org.org_id}")[:48]
    return f"{readable}-{_storage.digest(key)[:8]}"


def take(
    folder: Place,
    org: Org,
    run_id: str,
    *,
    seconds: float,
    clock: Clock = _storage.now,
) -> Lease:
    """The lease of an org; the folder is that of all its leases.

    Raises:
        LockHeldError: Another run holds it.
        DamagedFileError: The lease of another run cannot be read.
    """
    folder.make()
    for _ in range(_ATTEMPTS):
        number = _latest(folder)
        holder = _read(folder, number)
        if holder and not _is_gone(folder, holder, clock):
            raise LockHeldError(str(org), str(holder))
        lease = _next(folder, org, number + 1, _Claim(run_id, seconds, clock))
        if lease:
            return lease
    raise LockHeldError(str(org), "one that is just beginning")


@attrs.frozen
class _Claim:
    run_id: str
    seconds: float
    clock: Clock

    def holder(self, number: int) -> _Holder:
        now = self.clock()
        return _Holder(
            number,
            self.run_id,
            host=host(),
            kernel=kernel(),
            pid=os.getpid(),
            since=now,
            renewed_at=now,
            seconds=self.seconds,
            beat=0,
        )


def _next(folder: Place, org: Org, number: int, claim: _Claim) -> Lease | None:
    """The lease with this number; None: another run was quicker."""
    lock = folder.os_lock(f"{number:06d}.lock")
    if lock == "held":
        return None
    handle = lock if isinstance(lock, int) else None
    holder = claim.holder(number)
    try:
        folder.create(_name(number), _sealed(org, holder))
        is_latest = _latest(folder) == number
    except FileExistsError:
        is_latest = False
    except BaseException:
        _close(handle)
        raise
    if not is_latest:
        _close(handle)
        return None
    for old in folder.files():
        found = _LEASE.fullmatch(old)
        if found and int(found[1]) < number:
            with suppress(OSError):
                folder.remove(old)
    return Lease(org, folder, holder, handle, claim.clock)


def _close(handle: OsLock | None) -> None:
    if handle is not None:
        os.close(handle)


def _is_gone(folder: Place, holder: _Holder, clock: Clock) -> bool:
    """Whether the run behind a lease ended, died, or stands still for too long."""
    if holder.is_released:
        return True
    if holder.kernel == kernel():
        lock = folder.os_lock(f"{holder.number:06d}.lock")
        if isinstance(lock, int):
            os.close(lock)
            return True
    age = clock() - holder.renewed_at
    if timedelta(0) <= age < timedelta(seconds=holder.seconds):
        return False
    return _stands_still(folder, holder)


def _stands_still(folder: Place, holder: _Holder) -> bool:
    """Whether nothing renews a lease for so long that a living holder would have."""
    end = time.monotonic() + holder.seconds * _WATCHED
    while time.monotonic() < end:
        time.sleep(holder.seconds * _WATCHED / _LOOKS_PER_WATCH)
        number = _latest(folder)
        now = _read(folder, number)
        if now is None or now.number != holder.number:
            return False
        if now.beat != holder.beat:
            return now.is_released
    return True


def _name(number: int) -> str:
    return f"{number:06d}.json"


def _latest(folder: Place) -> int:
    """The highest number taken so far."""
    found = (_LEASE.fullmatch(name) for name in folder.files())
    taken = [int(m[1]) for m in found if m and m[0].endswith("json")]
    latest = max(taken, default=0)
    # What a store lists may be a moment old: who came next is looked for by name.
    while taken and folder.holds(_name(latest + 1)):
        latest += 1
    return latest


def _sealed(org: Org, holder: _Holder) -> bytes:
    body = {
        "format": "crm-portfolio lease",
        "version": VERSION,
        "org": str(org),
        **attrs.asdict(holder),
    }
    digest = _storage.digest(_storage.canonical_json(body))
    return _storage.canonical_json({**body, "sha256": digest}) + b"\n"


def _read(folder: Place, number: int) -> _Holder | None:
    """What the lease with this number says; None: there is none."""
    try:
        raw = folder.read(_name(number))
    except FileNotFoundError:
        return None
    try:
        body: dict[str, Any] = dict(json.loads(raw))
        digest = body.pop("sha256", "")
        is_whole = digest == _storage.digest(_storage.canonical_json(body))
    except (TypeError, ValueError):
        body, is_whole = {}, False
    version = body.get("version")
    if not is_whole or version != VERSION:
        is_newer = isinstance(version, int) and version > VERSION
        problem = "a newer version wrote this lease" if is_newer else "was changed"
        raise DamagedFileError(
            f"{folder.name}/{_name(number)}",
            problem if is_newer else f"this lease {problem}",
            "Make sure that no run is at this org, then delete this file.",
        )
    told = {name: body[name] for name in attrs.fields_dict(_Holder)}
    moments = {n: datetime.fromisoformat(body[n]) for n in ("since", "renewed_at")}
    return _Holder(**{**told, **moments})
