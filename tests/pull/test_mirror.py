"""Is a file of the mirror known by its first and its last key?"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from crm_portfolio._normalise import Memory
from crm_portfolio._pull._mirror import Mirror


def test_rows_that_came_in_empty_and_full_pieces_have_their_edges(
    tmp_path: Path,
) -> None:
    parts = [[], ["a", "b"], [], ["c"], []]
    rows = pa.table({"owner_id": pa.chunked_array(parts, pa.string())})
    mirror = Mirror(tmp_path, "owner", Memory())
    folder = mirror.begin(beside=[])
    mirror.store(folder, 0, rows)
    (file,) = mirror.files(folder)
    (run,) = file.ordered("owner_id", lambda: iter(()))
    assert (run.first, run.last) == ((False, "a"), (False, "c"))
    (stored,) = [table for table in mirror.stream(folder).walk(None) if len(table)]
    assert stored["owner_id"].to_pylist() == ["a", "b", "c"]
