"""What a redaction did."""

from __future__ import annotations

from pathlib import Path

from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document
from phasegate.engine.cli.session import session


def redact(home: Path | None, format_: Format, digest: str, reason: str, key: Path) -> None:
    """Erase an object; exit 2 when there is none, it is still needed, or the key is no operator's."""
    with session(home) as engine:
        erased = engine.redacting.redact(digest, reason, key)
    entry = erased.entry
    if format_ is not Format.TABLE:
        said = {"object": digest, "entry": entry.seq, "new": erased.new, "removed": list(erased.removed)}
        print_document(format_, said)
        return
    word = "redacted" if erased.new else "was redacted before"
    lines = [f"object {digest} {word}: entry {entry.seq}"]
    lines += [f"  erased {place}" for place in erased.removed]
    lines.append("  not reached: its source, backups, bundles and exports")
    console().print("\n".join(lines), soft_wrap=True, markup=False)
