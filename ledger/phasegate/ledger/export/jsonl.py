"""A ledger as JSON lines: each entry's very bytes and a newline, so that any line can be hashed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from phasegate.ledger.export.placing import new_file
from phasegate.ledger.export.reading import read_verified

if TYPE_CHECKING:
    from phasegate.ledger.store import RawEntry, Store
    from phasegate.ledger.verify import Verification


def export_jsonl(store: Store, target: Path) -> Verification:
    """Write all entries present now into a new file.

    Returns:
        What was written: its size, head and root.

    Raises:
        ExportError: The file exists or cannot be written, or the ledger does not hold.
        StoreError: The ledger cannot be read.
    """
    with new_file(target) as draft, draft.open("xb") as file:

        def take(batch: list[RawEntry]) -> None:
            file.writelines(row.bytes + b"\n" for row in batch)

        chain, _ = read_verified(store, take)
    return chain
