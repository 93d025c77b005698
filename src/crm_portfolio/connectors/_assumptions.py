"""What do we believe of the vendors that nobody has verified?

Each such belief is one constant, so that a surprise is mended in one place.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "ASSOCIATIONS_MAX",
    "COLLECTION_READ_MAX",
    "DUPLICATE_FIELD_CODES",
    "EDITS_REACH_SECONDS",
    "EXISTING_PROPERTY_CODES",
    "EXPORT_FILE_HOSTS",
    "EXPORT_ID_HEADERS",
    "EXPORT_LINKED_HEADER",
    "HISTORY_AUTHORS",
    "INGEST_ERROR",
    "INVOICE_PROPERTIES",
    "JOB_ROWS_PER_SECOND",
    "JOB_START_SECONDS",
    "LEAD_PROPERTIES",
    "LEAST_SHARE_IN_SIGHT",
    "LIST_QUERY_MAX",
    "NO_HISTORY_CODES",
    "ORG_CURRENCY_FIELD",
    "RATE_IS_FOREIGN_PER_CORPORATE",
    "RATE_KEYS",
    "RECORD_COUNT_IS_OF_ALL",
    "REPLICA_LATE_SECONDS",
    "REQUEST_ID_HEADERS",
    "SALESFORCE_LATE_COMMIT_SECONDS",
    "SEARCH_LAG_SECONDS",
    "TICKET_PROPERTIES",
    "TOO_LARGE_JOB",
    "UNKNOWN_COLUMN",
    "UNTRACKABLE_CODES",
]

# Records that one POST to composite/sobjects/{Object} reads.
COLLECTION_READ_MAX: Final = 2_000

# What the Tooling API says when a custom field's name is taken.
DUPLICATE_FIELD_CODES: Final = frozenset(
    {"DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE"}
)

# How far back by the CRM's own clock its history is always asked, where ours is ahead.
EDITS_REACH_SECONDS: Final = 3_600

# What a query says of a history that the org does not keep, or keeps otherwise.
NO_HISTORY_CODES: Final = frozenset(
    {"INVALID_FIELD", "INVALID_TYPE", "MALFORMED_QUERY"}
)

# What the Tooling API says of a new field whose history the object cannot track: it has
# none, or twenty fields have it already.
UNTRACKABLE_CODES: Final = frozenset(
    {"FIELD_INTEGRITY_EXCEPTION", "INVALID_FIELD", "LIMIT_EXCEEDED"}
)

# An ingest job's reason for a row: code, text, then the fields with or without a colon.
INGEST_ERROR: Final = re.compile(
    r"\A\s*(?P<code>[A-Z][A-Z_]+)\s*"
    r"(?::(?P<text>.*?)(?::(?P<fields>[^:]*?))?)?(?:\s*--)?\s*\Z",
    re.DOTALL,
)

# Recorded orgs with one currency lack it; it is asked for only where describe has it.
ORG_CURRENCY_FIELD: Final = "DefaultCurrencyIsoCode"

# limits/recordCount tells of all records, shared with whoever asks or not.
RECORD_COUNT_IS_OF_ALL: Final = True

# It is out of date by some: a login that counts fewer than this share of them does not
# see them all.
LEAST_SHARE_IN_SIGHT: Final = 0.9

# CurrencyType and DatedConversionRate: units of the currency for one of the corporate.
RATE_IS_FOREIGN_PER_CORPORATE: Final = True

# How long a Bulk job takes, for the forecast of how often it is looked at: so long at
# least, and a second more for each so many rows.
JOB_START_SECONDS: Final = 2.0
JOB_ROWS_PER_SECOND: Final = 20_000

# Where a reply carries the number of its request.
REQUEST_ID_HEADERS: Final = ("x-sfdc-request-id", "x-request-id")

# How much later than its stamp a change may come to light.
SALESFORCE_LATE_COMMIT_SECONDS: Final = 600

# What a failed query job says when a smaller one would do.
TOO_LARGE_JOB: Final = re.compile(
    r"QUERY_TIMEOUT|OPERATION_TOO_LARGE|running for too long|retried more than",
    re.IGNORECASE,
)

# What an ingest job that failed whole says of a column that is gone or hidden.
UNKNOWN_COLUMN: Final = re.compile(
    r"field name not found\s*:\s*(?P<name>\w+)", re.IGNORECASE
)

# HubSpot: records whose links one POST to associations/…/batch/read gives, dated or not.
ASSOCIATIONS_MAX: Final = 1_000

# HubSpot: characters of a list's query before an address is refused (414 from about 8 KB).
LIST_QUERY_MAX: Final = 7_500

# HubSpot: how much later than its stamp a change may reach the search index.
SEARCH_LAG_SECONDS: Final = 600

# HubSpot: what it says, under 409 or 400, when a property's or group's name is taken.
EXISTING_PROPERTY_CODES: Final = frozenset(
    {"CONFLICT", "OBJECT_ALREADY_EXISTS", "PROPERTY_EXISTS"}
)

# HubSpot: the hosts on which the file of an export may lie; nothing is fetched elsewhere.
EXPORT_FILE_HOSTS: Final = re.compile(
    r"([a-z0-9-]+\.)*"
    r"(hubspot\.com|hubapi\.com|hubspot\.net|hubspotusercontent(-(na|eu|ap)\d)?\.net)"
)

# HubSpot: what an export with internal names calls the record's own id.
EXPORT_ID_HEADERS: Final = ("Record ID", "hs_object_id")

# HubSpot: what an export calls the ids of linked records, and those that are primary.
EXPORT_LINKED_HEADER: Final = re.compile(
    r"associated[ _](?P<kind>[a-z]+)[ _]ids?(?P<first>[ _]\(?primary\)?)?",
    re.IGNORECASE,
)

# HubSpot: who set a property, as its history names them, the surest first.
HISTORY_AUTHORS: Final = ("updatedByUserId", "sourceId", "sourceType")

# HubSpot: the properties of invoices, by the column that each feeds.
INVOICE_PROPERTIES: Final = {
    "issued_on": "hs_invoice_date",
    "due_on": "hs_due_date",
    "paid_on": "hs_payment_date",
    "amount": "hs_amount_billed",
    "currency": "hs_currency",
    "open_amount": "hs_balance_due",
    "is_cancelled": "hs_invoice_status",
}

# HubSpot: the properties of leads; pipeline and stage are where it stands.
LEAD_PROPERTIES: Final = {
    "created_at": "hs_createdate",
    "source": "hs_lead_source",
    "pipeline": "hs_pipeline",
    "status": "hs_pipeline_stage",
}

# HubSpot: how an exchange rate says from what, to what, since when (or made when), how much.
RATE_KEYS: Final = {
    "currency": "fromCurrencyCode",
    "base": "toCurrencyCode",
    "from": "effectiveAt",
    "made": "createdAt",
    "rate": "conversionRate",
}

# HubSpot: the properties of tickets.
TICKET_PROPERTIES: Final = {
    "opened_at": "createdate",
    "closed_at": "closed_date",
    "priority": "hs_ticket_priority",
    "first_response_at": "first_agent_reply_date",
}

# By how much a loader may lay a row down with a stamp older than the newest that is there.
REPLICA_LATE_SECONDS: Final = 3_600
