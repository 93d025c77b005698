"""What is known of the org while its first records come in?

Who its people are, which ids records get, which features its data call for, and the marks
that every record carries. All of it is columns: a million records take seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.schema import TableName
from crm_portfolio.simulator.salesforce._custom import CustomObject, custom_field_of
from crm_portfolio.simulator.salesforce._ids import MADE_HERE, new_ids
from crm_portfolio.simulator.salesforce._metadata import Feature, Field
from crm_portfolio.simulator.salesforce._model import Given, Keys, Tables
from crm_portfolio.simulator.salesforce._org import CLOCK_START

__all__ = [
    "BORN",
    "LOADED_AT",
    "ORG_ID",
    "READ",
    "SOMEONE_ID",
    "USER_ID",
    "Arriving",
    "Switches",
    "always",
    "moments",
]

ORG_ID: Final[str] = new_ids("00D", MADE_HERE, first=1, count=1)[0].as_py()
USER_ID: Final[str] = new_ids("005", MADE_HERE, first=1, count=1)[0].as_py()
# Who edits by hand in an org without owners: a user whom no query shows.
SOMEONE_ID: Final[str] = new_ids("005", MADE_HERE, first=2, count=1)[0].as_py()
# Before any sale, so that no as-of date cuts a record off whose birth nobody told.
BORN: Final = datetime(2000, 1, 1, 12)  # noqa: DTZ001 - stored without a zone
# One load stamped all records, an hour before the clock starts: an increment that looks
# back some minutes does not see them again.
LOADED_AT: Final = (CLOCK_START - timedelta(hours=1)).replace(tzinfo=None)
READ: Final[Mapping[TableName, str]] = {
    "account": "001",
    "opportunity": "006",
    "stage": "01J",
    "owner": "005",
    "activity": "",
    "ticket": "500",
    "enquiry": "00Q",
    "contract": "800",
    "opportunity_change": "",
    "exchange_rate": "",
}
_KEYED: Final = ("account", "opportunity", "ticket", "enquiry", "contract")


@attrs.frozen
class Switches:
    """What an org may have besides its data; None: as the data call for.

    Attributes:
        person_accounts: Are private persons accounts?
        several_currencies: Has each amount a currency of its own?
        dated_rates: Advanced currency management: do rates have days?
        objects: Custom objects, by their API names.
        without: Standard objects that the org does not have.
        tracked: Fields of Opportunity whose changes the field history keeps; those that
            the table ``opportunity_change`` tells are tracked anyway.
        archive_after_days: Activities that lie further back are archived.
    """

    person_accounts: bool | None = None
    several_currencies: bool | None = None
    dated_rates: bool | None = None
    objects: Mapping[str, CustomObject] = attrs.field(factory=dict)
    without: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    tracked: tuple[str, ...] = attrs.field(
        default=("StageName", "Amount", "CloseDate", "Probability", "OwnerId"),
        converter=tuple,
    )
    archive_after_days: int = 365


class Arriving:
    """The tables on their way in, and the custom fields they turn out to need."""

    def __init__(
        self, tables: Tables, *, currency: str, time_zone: str, switches: Switches
    ) -> None:
        self.given = {name: Given(name, tables.get(name)) for name in READ}
        self.has = frozenset(tables)
        self.currency, self.time_zone, self.switches = currency, time_zone, switches
        self.fields: list[tuple[str, Field]] = []
        owners = pa.concat_arrays(
            [self.given["owner"].keys(),
             *(self.given[name].get("owner_id") for name in
               ("account", "opportunity", "activity", "enquiry"))]
        )  # fmt: skip
        self.owner_ids = pc.unique(owners.drop_null())
        self.keys: dict[str, Keys] = {
            "owner": Keys(self.owner_ids, "005"),
            **{name: Keys(self.given[name].keys(), READ[name]) for name in _KEYED},
        }
        self.features = self._features()

    def _features(self) -> frozenset[Feature]:
        switches, given = self.switches, self.given
        said = pc.unique(given["opportunity"].get("currency").drop_null()).to_pylist()
        has_rates = given["exchange_rate"].count > 0
        wanted: dict[Feature, tuple[bool | None, bool]] = {
            "M": (
                switches.several_currencies,
                bool(set(said) - {self.currency}) or has_rates,
            ),
            "P": (switches.person_accounts, "is_person" in given["account"]),
            "D": (switches.dated_rates, has_rates),
        }
        found = {
            feature
            for feature, (chosen, called_for) in wanted.items()
            if (called_for if chosen is None else chosen)
        }
        return frozenset(found if "M" in found else found - {"D"})

    def marks(self, count: int) -> dict[str, pa.Array]:
        """Who wrote a record last, and when."""
        return {
            "CreatedById": pa.repeat(USER_ID, count),
            "LastModifiedDate": moments(LOADED_AT, count),
            "LastModifiedById": pa.repeat(USER_ID, count),
            "SystemModstamp": moments(LOADED_AT, count),
        }

    def owned(self, given: Given, born: pa.Array) -> dict[str, pa.Array]:
        """The marks, the owner, and since when the record is there."""
        owners = self.keys["owner"].of(given.get("owner_id"))
        return {
            "OwnerId": pc.coalesce(owners, USER_ID),
            **self.there(given.count, born),
        }

    def there(self, count: int, born: pa.Array) -> dict[str, pa.Array]:
        """The marks of records that are not deleted, and since when they are there."""
        born = pc.coalesce(self.stored(born), pa.scalar(BORN, pa.timestamp("us")))
        return {
            "CreatedDate": born,
            "IsDeleted": always(False, count),  # noqa: FBT003
            **self.marks(count),
        }

    def stored(self, moment: pa.Array) -> pa.Array:
        """Moments as the tables hold them: in UTC, without fractions of a second."""
        utc = moment.cast(pa.timestamp("us", "UTC"))
        return pc.floor_temporal(utc, unit="second").cast(pa.timestamp("us"))

    def midnight(self, day: pa.Array) -> pa.Array:
        """When a day begins in the org's time zone."""
        return pc.assume_timezone(
            day.cast(pa.timestamp("us")),
            self.time_zone,
            ambiguous="earliest",
            nonexistent="latest",
        )

    def day(self, moment: pa.Array) -> pa.Array:
        """The day it was in the org's time zone."""
        there = moment.cast(pa.timestamp("us", self.time_zone))
        return pc.local_timestamp(there).cast(pa.date32(), safe=False)

    def code(self, given: Given) -> dict[str, pa.Array]:
        """The currency of each record, in an org that has several."""
        if "M" not in self.features:
            return {}
        said = given.get("currency") if given.name == "opportunity" else None
        home = pa.repeat(self.currency, given.count)
        codes = home if said is None else pc.coalesce(said, self.currency)
        return {"CurrencyIsoCode": codes}

    def custom(
        self, given: Given, used: frozenset[str], *entities: str
    ) -> dict[str, pa.Array]:
        """The columns with no standard field, as custom fields of these objects."""
        columns = {}
        for column, array in given.others(used):
            field, stored = custom_field_of(column, array, given.choices(column))
            self.fields += [(entity, field) for entity in entities]
            columns[field.name] = stored
        return columns


def moments(moment: datetime, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(moment, pa.timestamp("us")), count)


def always(value: Any, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)
