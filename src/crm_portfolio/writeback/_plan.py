"""What would be written, where, and why?"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from crm_portfolio.archive import Lines, read_file, write_file
from crm_portfolio.errors import PlanAlteredError, SettingsError
from crm_portfolio.writeback import _pages, _summary
from crm_portfolio.writeback._document import (
    VERSION,
    Identity,
    covered,
    header_line,
    read_header,
    read_record,
    sealed,
    unsealed,
)
from crm_portfolio.writeback._limits import (
    Ground,
    Refusal,
    refused_counts,
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
    PlannedChanges,
    PlannedRecord,
)
from crm_portfolio.writeback._sheet import Reading, Reported, Sheet
from crm_portfolio.writeback._tally import Tally

if TYPE_CHECKING:
    from crm_portfolio._wording import Lang
    from crm_portfolio.portfolio import Portfolio
    from crm_portfolio.protocols import WritableTable

__all__ = ["Plan"]


@attrs.frozen(slots=False)
class Plan:
    """A sorted diff of managed fields, bound to one org: all that `apply` writes.

    What it holds is put aside on disk where it is much, and read again each time it is
    asked for; its sums are known.

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
    records: Lines[PlannedRecord] = attrs.field(hash=False)
    pinned: Lines[Pinned] = attrs.field(hash=False)
    edited: Lines[Edited] = attrs.field(hash=False)
    missing: Lines[Missing] = attrs.field(hash=False)
    ended: Lines[Ended] = attrs.field(hash=False)
    borders: Lines[Bordering] = attrs.field(hash=False)
    version: int = attrs.field(default=VERSION, repr=False)
    # None: it was not counted as it was made.
    _counted: Tally | None = attrs.field(default=None, repr=False, eq=False)

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
        sheet = Sheet()
        reported: tuple[Iterable[Reported], ...] = (
            *(pinned, ended, edited),
            *(missing, borders),
        )
        for part in chain.from_iterable(reported):
            sheet.tell(part)
        for draft in sorted(drafts, key=lambda d: (d.record.table, d.record.record_id)):
            sheet.add(draft)
        return cls.on(sheet, header)

    @classmethod
    def on(cls, sheet: Sheet, header: Header) -> Plan:
        """The plan of what a sheet holds, stamped with its id; the sheet is done with."""
        identity = Identity(header_line(header, VERSION), VERSION)
        for line in sheet.lines():
            identity.take(line)
        parts = sheet.named(str(identity))
        return cls(str(identity), header, counted=sheet.tally, **parts)

    def of_table(
        self, table: WritableTable, *, is_bare: bool = False
    ) -> Lines[PlannedRecord]:
        """The records of one table.

        Args:
            is_bare: Without the reasons, which take longer to read than all else.
        """
        count = self.tally.records
        before = sum(n for name, n in count.items() if name < table)
        found = self.records[before : before + count[table]]
        return found.read_as(partial(read_record, is_bare=True)) if is_bare else found

    def record(self, table: WritableTable, record_id: str) -> PlannedRecord | None:
        """What it changes in one record, if anything."""
        ref = table, record_id
        at = bisect_left(self.records, ref, key=lambda one: (one.table, one.record_id))
        found = self.records[at] if at < len(self.records) else None
        is_it = found is not None and (found.table, found.record_id) == ref
        return found if is_it else None

    @cached_property
    def tally(self) -> Tally:
        """What its records come to."""
        return self._counted or Tally.of(self.records)

    @property
    def changes(self) -> PlannedChanges:
        """Every planned change, sorted by table, record and column."""
        return PlannedChanges(self.records, self.tally.changes)

    @property
    def counts(self) -> Mapping[str, int]:
        """Changes per field, first fills left out."""
        return self.tally.counts

    @property
    def first_fills(self) -> Mapping[str, int]:
        """First fills per field."""
        return self.tally.first_fills

    @cached_property
    def refusals(self) -> tuple[Refusal, ...]:
        """The limits this plan exceeds; `apply` then wants the exact count of changes."""
        header = self.header
        changes = refused_counts(
            self.tally.counted,
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
        tally = self.tally
        is_sound = tally.is_ours and (tally.is_sound or bool(self.header.undoes))
        if not is_sound or self.id != self._content_id:
            raise PlanAlteredError(
                f"plan {self.id} was altered after it was made; nothing was written. "
                "Make a new plan."
            )

    @property
    def _content_id(self) -> str:
        identity = Identity(header_line(self.header, self.version), self.version)
        for lines in self._reported:
            for line in lines.raw():
                identity.take(line)
        for line in self.records.raw():
            identity.take(covered(line, self.id))
        return str(identity)

    @property
    def _reported(self) -> tuple[Lines[Any], ...]:
        """What is told beside the changes."""
        return self.pinned, self.ended, self.edited, self.missing, self.borders

    def save(self, path: Path | str) -> None:
        """Write the plan to a file that tells when it was altered.

        Args:
            path: Of this machine, or an address in a store.
        """
        try:
            write_file(path, self.content)
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
            return cls.read(read_file(path), name)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            folder = str(path).removesuffix(name).rstrip("/\\") or "."
            raise SettingsError(f"there is no plan {name!r} in {folder!r}") from error
        except OSError as error:
            raise SettingsError(
                f"the plan {str(path)!r} cannot be read: {error.strerror}"
            ) from error

    def _written(self) -> Iterator[bytes]:
        groups = (*self._reported, self.records)
        lines = chain.from_iterable(group.raw() for group in groups)
        return sealed(self._head, lines, self.version)

    @property
    def content(self) -> PlanContent:
        """The plan as JSON Lines with a checksum, in pieces."""
        return PlanContent(self)

    def to_bytes(self) -> bytes:
        """The plan as JSON Lines with a checksum."""
        return b"".join(self.content)

    @property
    def _head(self) -> Mapping[str, Any]:
        return {
            **header_line(self.header, self.version),
            "id": self.id,
            "counts": self.counts,
            "first_fills": self.first_fills,
        }

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Plan:
        """The plan of a file's content; the file's name is for messages."""
        return cls.read((content,), name)

    @classmethod
    def read(cls, parts: Iterable[bytes], name: str) -> Plan:
        """The plan of a file's content, which comes in pieces."""
        first, head, aside = unsealed(parts, name)
        try:
            found = Reading.of(aside, int(head["version"]))
            plan = cls(
                head["id"],
                read_header(head),
                version=int(head["version"]),
                counted=found.tally,
                **found.parts(),
            )
        except (LookupError, TypeError, ValueError) as error:
            raise PlanAlteredError(
                f"{name} holds what no plan holds; nothing was written. Make a new plan."
            ) from error
        plan.verify()
        # Counts that disagree, keys nobody knows, values in another spelling.
        if not found.is_as_written or next(iter(plan.content)) != first + b"\n":
            raise PlanAlteredError(
                f"{name} tells more than its plan, or otherwise; nothing was written. Make "
                "a new plan."
            )
        return plan

    def __reduce__(self) -> tuple[Callable[[bytes, str], Plan], tuple[bytes, str]]:
        """To another process it goes as it stands on file."""
        return type(self).from_bytes, (self.to_bytes(), f"plan {self.id}")

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


class PlanContent:
    """A plan as it stands on file, in pieces, as often as it is asked for."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def __iter__(self) -> Iterator[bytes]:
        return self._plan._written()  # noqa: SLF001 - its own
