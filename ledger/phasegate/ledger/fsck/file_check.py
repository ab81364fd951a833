"""A ledger file checked from its bytes: log, pages, and then what is stored in it."""

from __future__ import annotations

from pathlib import Path

from phasegate.ledger.fsck.finding import damage
from phasegate.ledger.fsck.layout import log_findings, structure_findings
from phasegate.ledger.fsck.raw_file import RawFile
from phasegate.ledger.fsck.store_check import StoreCheck, WatchersOf, check_stored
from phasegate.ledger.fsck.stored import Unreadable


def check_file(path: Path, mark: bytes, watchers: WatchersOf) -> StoreCheck:
    """Check a ledger file, read-only, in one snapshot.

    Args:
        path: The file; it is there.
        mark: Content of the file beside it.
        watchers: Given the rows, gives those that are told of every entry that can be read.
    """
    found = StoreCheck()
    found.findings += log_findings(Path(f"{path}-wal"))
    try:
        file = RawFile(path)
    except Unreadable as error:
        found.findings.append(damage("structure", path.name, "a SQLite database", str(error)))
        return found
    try:
        found.findings += structure_findings(file)
        check_stored(file, mark, watchers, found)
    except Unreadable as error:
        found.findings.append(damage("structure", path.name, "rows that can be read", str(error)))
    finally:
        file.close()
    return found
