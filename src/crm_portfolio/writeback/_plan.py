"""What would be written, where, and why?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from crm_portfolio._managed import STAMP, VALUES, run_of
from crm_portfolio.archive import read_file, write_file
from crm_portfolio.errors import PlanAlteredError, SettingsError
from crm_portfolio.writeback import _pages, _summary
from crm_portfolio.writeback._document import (
    VERSION,
    Line,
    covered,
    header_line,
    read_header,
    read_lines,
    seal,
    to_line,
    unseal,
)
from crm_portfolio.writeback._limits import (
    Ground,
    Refusal,
    refused_changes,
    refused_input,
)
from crm_portfolio.writeback._planned import (
    Bordering,
    Draft,
    Edited,
    Ended,
    Header,
    Missing,
    Pinned,
    PlannedChange,
    PlannedRecord,
    identify,
)

if TYPE_CHECKING:
    from crm_portfolio._wording import Lang
    from crm_portfolio.portfolio import Portfolio
    from crm_portfolio.protocols import WritableTable

__all__ = ["Plan"]

# Stands in new stamps while the id, which covers them, is made; no id is like it.
_UNNAMED: Final = "new"


@attrs.frozen(slots=False)
class Plan:
    """A sorted diff of managed fields, bound to one org: all that `apply` writes.

    Attributes:
        id: Names the plan and the run that applies it; stands in the stamps it writes.
        records: Records to change, sorted by table and id.
        pinned: Accounts whose tier a person holds fast.
        edited: Records a person edited; the policy says what is planned for them. In a
            plan of `undo`, the columns named are left alone.
        missing: Records of the results that the CRM does not have.
        ended: Accounts whose pin has ended since the last run, told once.
        borders: Accounts near a border between two groups.
        version: Of its form on file; one that an older version made stays as it is.
    """

    id: str
    header: Header
    records: tuple[PlannedRecord, ...]
    pinned: tuple[Pinned, ...] = ()
    edited: tuple[Edited, ...] = ()
    missing: tuple[Missing, ...] = ()
    ended: tuple[Ended, ...] = ()
    borders: tuple[Bordering, ...] = ()
    version: int = attrs.field(default=VERSION, repr=False)

    @classmethod
    def of(
        cls,
        header: Header,
        drafts: Iterable[Draft],
        *,
        pinned: Iterable[Pinned] = (),
        edited: Iterable[Edited] = (),
        missing: Iterable[Missing] = (),
        ended: Iterable[Ended] = (),
        borders: Iterable[Bordering] = (),
    ) -> Plan:
        """The plan of these drafts, stamped with its id."""
        drafts = sorted(drafts, key=lambda d: (d.record.table, d.record.record_id))
        bare = cls(
            _UNNAMED,
            header,
            tuple(draft.stamped(_UNNAMED) for draft in drafts),
            tuple(pinned),
            tuple(edited),
            tuple(missing),
            tuple(ended),
            tuple(borders),
        )
        plan_id = bare._content_id
        records = tuple(draft.stamped(plan_id) for draft in drafts)
        return attrs.evolve(bare, id=plan_id, records=records)

    def of_table(self, table: WritableTable) -> tuple[PlannedRecord, ...]:
        """The records of one table."""
        return tuple(record for record in self.records if record.table == table)

    @cached_property
    def changes(self) -> tuple[PlannedChange, ...]:
        """Every planned change, sorted by table, record and column."""
        return tuple(change for record in self.records for change in record.changes)

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Changes per field, first fills left out."""
        return _counted(c for c in self.changes if not c.is_first_fill)

    @cached_property
    def first_fills(self) -> Mapping[str, int]:
        """First fills per field."""
        return _counted(c for c in self.changes if c.is_first_fill)

    @cached_property
    def refusals(self) -> tuple[Refusal, ...]:
        """The limits this plan exceeds; `apply` then wants the exact count of changes."""
        header = self.header
        changes = refused_changes(
            (c.change for c in self.changes if not c.is_first_fill),
            population=header.population_of,
            filled=header.filled,
            tiers=header.tiers,
            limits=header.limits,
            accepted=header.accepted,
        )
        # Accounts deleted since a run only leave less of it to take back.
        is_input_ours = not header.undoes
        ground = refused_input(self._ground, header.limits) if is_input_ours else ()
        return (*ground, *changes)

    @property
    def _ground(self) -> Ground:
        header = self.header
        newest = header.previous_as_of or header.as_of
        missing = Counter(each.table for each in self.missing)
        return Ground(
            header.population,
            missing["account"],
            header.previous,
            header.unknown,
            {table: (n, missing[table]) for table, n in header.others.items()},
            {
                column: (header.compared[column], before)
                for column, before in sorted(header.compared_before.items())
            },
            older_by=(newest - header.as_of).days,
            has_moved=bool(header.stopped_by),
        )

    @property
    def call_estimate(self) -> int:
        """API calls that `apply` should take: to read again, write and read back."""
        return self.header.call_estimate

    def verify(self) -> None:
        """Check that the plan is what it was when it got its id.

        Raises:
            PlanAlteredError: Something in it was replaced, or is no field of ours.
        """
        is_ours = self._has_sound_stamps and all(
            planned.change.column in (*VALUES[planned.change.table], STAMP)
            for planned in self.changes
        )
        if not is_ours or self.id != self._content_id:
            raise PlanAlteredError(
                f"plan {self.id} was altered after it was made; nothing was written. "
                "Make a new plan."
            )

    @property
    def _has_sound_stamps(self) -> bool:
        """Whether what it writes as stamps are some, or stood there before."""
        if self.header.undoes:
            return True
        marks = [c.change.after for c in self.changes if c.change.column == STAMP]
        return all(mark is None or run_of(str(mark)) for mark in marks)

    @property
    def _content_id(self) -> str:
        records = (covered(record, self.id) for record in self.records)
        # What counts as a first fill depends on it; version 1 left it out.
        version = ({"version": self.version},) if self.version > 1 else ()
        lines = (*version, *map(to_line, self._reported), *records)
        return identify(header_line(self.header, self.version), lines)

    @property
    def _reported(self) -> tuple[Line, ...]:
        """What is told beside the changes."""
        return (
            *self.pinned,
            *self.ended,
            *self.edited,
            *self.missing,
            *self.borders,
        )

    def save(self, path: Path | str) -> None:
        """Write the plan to a file that tells when it was altered.

        Args:
            path: Of this machine, or an address in a store.
        """
        try:
            write_file(path, self.to_bytes())
        except OSError as error:
            raise SettingsError(
                f"the plan cannot be saved as {str(path)!r}: {error.strerror}. Name a "
                "file in a folder that is there and that this user may write."
            ) from error

    @classmethod
    def load(cls, path: Path | str) -> Plan:
        """The plan of a file.

        Args:
            path: Of this machine, or an address in a store.

        Raises:
            PlanAlteredError: It is not what was saved.
            DamagedFileError: It is no plan, or one of a newer version.
        """
        name = Path(path).name
        try:
            return cls.from_bytes(read_file(path), name)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            folder = str(path).removesuffix(name).rstrip("/\\") or "."
            raise SettingsError(f"there is no plan {name!r} in {folder!r}") from error
        except OSError as error:
            raise SettingsError(
                f"the plan {str(path)!r} cannot be read: {error.strerror}"
            ) from error

    def to_bytes(self) -> bytes:
        """The plan as JSON Lines with a checksum."""
        head = {
            **header_line(self.header, self.version),
            "id": self.id,
            "counts": self.counts,
            "first_fills": self.first_fills,
        }
        lines = map(to_line, (*self._reported, *self.records))
        return seal(head, lines, self.version)

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Plan:
        """The plan of a file's content; the file's name is for messages."""
        head, lines = unseal(content, name)
        try:
            version = int(head["version"])
            parts = list(read_lines(lines, version))
            plan = cls(
                head["id"],
                read_header(head),
                records=tuple(p for p in parts if isinstance(p, PlannedRecord)),
                pinned=tuple(p for p in parts if isinstance(p, Pinned)),
                edited=tuple(p for p in parts if isinstance(p, Edited)),
                missing=tuple(p for p in parts if isinstance(p, Missing)),
                ended=tuple(p for p in parts if isinstance(p, Ended)),
                borders=tuple(p for p in parts if isinstance(p, Bordering)),
                version=version,
            )
        except (LookupError, TypeError, ValueError) as error:
            raise PlanAlteredError(
                f"{name} holds what no plan holds; nothing was written. Make a new plan."
            ) from error
        plan.verify()
        # Counts that disagree, keys nobody knows, values in another spelling.
        if plan.to_bytes().rstrip() != content.rstrip():
            raise PlanAlteredError(
                f"{name} tells more than its plan, or otherwise; nothing was written. Make "
                "a new plan."
            )
        return plan

    def __str__(self) -> str:
        return _summary.text(self)

    def __repr__(self) -> str:
        org = self.header.org
        return f"<Plan {self.id}: {len(self.changes)} changes for {org}>"

    def to_markdown(self, names: Portfolio | None = None, *, lang: Lang = "en") -> str:
        """The plan as a document for a chat or a ticket, without its single changes.

        Args:
            names: Adds account names from this portfolio; without it, ids only.
            lang: The language of the reasons.
        """
        return _pages.markdown(self, names, lang)

    def to_html(self, names: Portfolio | None = None, *, lang: Lang = "en") -> str:
        """The plan as a page that opens anywhere, with its first thousand changes.

        Args:
            names: Adds account names from this portfolio; without it, ids only.
            lang: The language of the reasons.
        """
        return _pages.html(self, names, lang)


def _counted(changes: Iterable[PlannedChange]) -> Mapping[str, int]:
    return dict(sorted(Counter(c.change.column for c in changes).items()))
