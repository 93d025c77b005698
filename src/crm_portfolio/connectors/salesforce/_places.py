"""Where does a pull stand, as text that another process can go on from?

A place holds ids, moments, a job's number and fingerprints: no secret and no name.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import attrs

from crm_portfolio.connectors.salesforce._bulk import BulkPlace
from crm_portfolio.errors import CursorLostError

__all__ = ["EVERYTHING", "Place", "Range", "Seen", "Spot", "fingerprint"]

_VERSION: Final = 1
_DIGEST_BYTES: Final = 8

Range = tuple[str | None, str | None]  # ids above the first, up to the second
EVERYTHING: Final[Range] = (None, None)


def fingerprint(record_id: str, stamp: int) -> bytes:
    """What a version of a record is known by."""
    said = f"{record_id} {stamp}".encode()
    return hashlib.blake2b(said, digest_size=_DIGEST_BYTES).digest()


@attrs.frozen
class Seen:
    """The versions of records given with a stamp that the next pull will ask for again.

    Attributes:
        most: Above this many nothing is remembered, and rows come a second time.
    """

    most: int
    prints: frozenset[bytes] = frozenset()
    is_overfull: bool = False

    def __contains__(self, version: bytes) -> bool:
        return version in self.prints

    def and_also(self, versions: Iterable[bytes]) -> Seen:
        prints = self.prints | frozenset(versions)
        if self.is_overfull or len(prints) > self.most:
            return attrs.evolve(self, prints=frozenset(), is_overfull=True)
        return attrs.evolve(self, prints=prints)

    def as_json(self) -> list[Any]:
        packed = base64.b64encode(b"".join(sorted(self.prints))).decode()
        return [self.most, packed, self.is_overfull]

    @classmethod
    def from_json(cls, said: list[Any]) -> Seen:
        most, packed, is_overfull = said
        raw = base64.b64decode(packed)
        steps = range(0, len(raw), _DIGEST_BYTES)
        prints = frozenset(raw[start : start + _DIGEST_BYTES] for start in steps)
        return cls(int(most), prints, bool(is_overfull))


@attrs.frozen
class Spot:
    """Where one select goes on: the ranges still to be read, and the page of a job."""

    ranges: tuple[Range, ...] = (EVERYTHING,)
    bulk: BulkPlace | None = None


@attrs.frozen
class Place:
    """Where the pull of a table stands.

    Attributes:
        since: From when on records are asked for; None: all of them.
        begun_at: The server's clock when this pull began; None: it did not tell.
        newest: The latest stamp that was given.
        known: What the pull before gave of the time both look at.
        seen: What this one has given of the time the next will look at.
        leg: Which of the table's queries; `is_done` behind the last.
        spot: Where in that query; None: at its start.
    """

    since: datetime | None
    known: Seen
    seen: Seen
    begun_at: datetime | None = None
    newest: datetime | None = None
    leg: int = 0
    spot: Spot | None = None
    is_done: bool = False

    @property
    def as_of(self) -> datetime | None:
        """Up to when the org has been seen, by its own clock."""
        return self.begun_at or self.newest or self.since

    def token(self) -> str:
        spot = self.spot
        said = {
            "v": _VERSION,
            "since": _text(self.since),
            "begun": _text(self.begun_at),
            "newest": _text(self.newest),
            "known": [] if self.is_done else self.known.as_json(),
            "seen": self.seen.as_json(),
            "leg": self.leg,
            "ranges": None if spot is None else spot.ranges,
            "bulk": None
            if spot is None or spot.bulk is None
            else attrs.asdict(spot.bulk),
            "done": self.is_done,
        }
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def of(cls, token: str) -> Place:
        """The place a token tells of.

        Raises:
            CursorLostError: It is no token of ours, or of another version.
        """
        try:
            return cls._of(json.loads(token))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise CursorLostError(
                "salesforce",
                "the cursor is not one of ours, or of another version: pull the table "
                "whole",
            ) from None

    @classmethod
    def _of(cls, said: dict[str, Any]) -> Place:
        if said["v"] != _VERSION:
            raise ValueError
        seen = Seen.from_json(said["seen"])
        ranges = said["ranges"]
        bulk = _job(BulkPlace(**said["bulk"])) if said["bulk"] else None
        spot = None
        if ranges is not None:
            spot = Spot(tuple((_id(low), _id(high)) for low, high in ranges), bulk)
        return cls(
            since=_moment(said["since"]),
            known=Seen.from_json(said["known"]) if said["known"] else Seen(seen.most),
            seen=seen,
            begun_at=_moment(said["begun"]),
            newest=_moment(said["newest"]),
            leg=int(said["leg"]),
            spot=spot,
            is_done=bool(said["done"]),
        )


def _id(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[A-Za-z0-9]{15,18}", text):
        raise ValueError
    return text


def _job(place: BulkPlace) -> BulkPlace:
    """The place, of which two parts stand in an address."""
    is_plain = place.job_id.isalnum() and re.fullmatch(r"\d+\.\d", place.api_version)
    if not is_plain:
        raise ValueError
    return place


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    moment = None if text is None else datetime.fromisoformat(text)
    if moment is not None and moment.tzinfo is None:
        raise ValueError
    return moment
