"""What does a person say about a folder of files?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

__all__ = ["DateOrder", "Decimal", "Dialect", "FilesSettings", "Status"]

Dialect = Literal["tables", "salesforce-report", "hubspot-export"]
Decimal = Literal[",", "."]
DateOrder = Literal["dmy", "mdy"]
Status = Literal["open", "won", "lost"]


@attrs.frozen
class FilesSettings:
    """What the files do not tell; whatever their cells decide needs no setting.

    Attributes:
        fields: Table → column → header, beyond the headers that are known, such as
            ``{"opportunity": {"product_id": "Product name"}}``.
        files: File name → table, or ``"ignore"`` for a file to leave alone.
        decimal: The decimal mark of columns whose cells leave it open (only ``1,234``).
        date_order: The order of columns whose cells leave it open (only ``03/04/2026``).
        time_zone: Where the clocks stand that times in the files were read from.
        stages: Stage as the file writes it → open, won or lost.
        symbols: Currency sign → ISO code, such as ``{"$": "CAD"}``.
        encoding: Of files that are neither UTF-8, UTF-16 nor Windows-1252.
    """

    fields: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    files: Mapping[str, str] = attrs.field(factory=dict)
    decimal: Decimal | None = None
    date_order: DateOrder | None = None
    time_zone: str = "UTC"
    stages: Mapping[str, Status] = attrs.field(factory=dict)
    symbols: Mapping[str, str] = attrs.field(factory=dict)
    encoding: str | None = None
