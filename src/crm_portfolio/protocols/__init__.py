"""What the layers exchange: who can be read, who can be written, and in what terms?

A source is anything that yields whole tables; a connector can also read and write a few
fields of a few records. Further abilities are further protocols, never flags.
"""

from __future__ import annotations

from crm_portfolio.protocols._abilities import (
    Batching,
    Careful,
    Connector,
    Describing,
    Fitting,
    Inspectable,
    Metered,
    OfOrg,
    Provisioner,
    Reconciling,
    Rereading,
    Shaped,
    Source,
    Tracing,
)
from crm_portfolio.protocols._exchanged import (
    Batch,
    Change,
    Cursor,
    Finding,
    FindingState,
    Forecast,
    Org,
    Outcome,
    OutcomeState,
    Progress,
    ProvisionStep,
    Quota,
    Value,
    VendorField,
    WritableTable,
    edits_schema,
    gone_schema,
)

__all__ = [
    "Batch",
    "Batching",
    "Careful",
    "Change",
    "Connector",
    "Cursor",
    "Describing",
    "Finding",
    "FindingState",
    "Fitting",
    "Forecast",
    "Inspectable",
    "Metered",
    "OfOrg",
    "Org",
    "Outcome",
    "OutcomeState",
    "Progress",
    "ProvisionStep",
    "Provisioner",
    "Quota",
    "Reconciling",
    "Rereading",
    "Shaped",
    "Source",
    "Tracing",
    "Value",
    "VendorField",
    "WritableTable",
    "edits_schema",
    "gone_schema",
]
