"""What a verification says: for programs as plain data, for people as lines."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from phasegate.ledger.offline.signed import Cosigned, Signed
from phasegate.ledger.verify import Verification

EXIT_OK: Final = 0
EXIT_NOT_EVALUATED: Final = 3
EXIT_INTEGRITY: Final = 4


class Report(NamedTuple):
    """What was checked, what was found, and what could not be ruled out.

    Attributes:
        path: What was verified.
        kind: ``tiles``, ``jsonl``, ``sqlite`` or ``bundle``.
        chain: What was found of its chain; its problem is the first one found anywhere.
        checked: What was checked and holds, in words; empty beside a problem.
        not_checked: What is there but was not checked, in words.
        not_evaluated: What was demanded and could not be checked, in words.
        not_ruled_out: What could still have been done to the ledger, in words.
        checkpoint: The checkpoint that was compared, if any.
        signed_by: Names of the keys given that signed it.
        cosigned: The witnesses given that cosigned it.
    """

    path: str
    kind: str
    chain: Verification
    checked: tuple[str, ...]
    not_checked: tuple[str, ...]
    not_evaluated: tuple[str, ...]
    not_ruled_out: tuple[str, ...]
    checkpoint: Signed | None = None
    signed_by: tuple[str, ...] = ()
    cosigned: tuple[Cosigned, ...] = ()

    @property
    def ok(self) -> bool:
        """No problem was found, and all that was demanded could be checked."""
        return self.chain.ok and not self.not_evaluated

    @property
    def exit_code(self) -> int:
        """0 nothing found, 3 something demanded could not be checked, 4 a problem was found."""
        if not self.chain.ok:
            return EXIT_INTEGRITY
        return EXIT_NOT_EVALUATED if self.not_evaluated else EXIT_OK

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        chain = self.chain
        return {
            "ok": self.ok,
            "path": os.fsencode(self.path).decode(errors="backslashreplace"),
            "kind": self.kind,
            "ledger": chain.ledger,
            "entries": chain.entries,
            "head": chain.head.hash,
            "root": chain.root.hex() if chain.root is not None else None,
            "problem": chain.problem._asdict() if chain.problem else None,
            "checkpoint": self._checkpoint_json(),
            "checked": list(self.checked),
            "not_checked": list(self.not_checked),
            "not_evaluated": list(self.not_evaluated),
            "not_ruled_out": list(self.not_ruled_out),
        }

    def _checkpoint_json(self) -> dict[str, Any] | None:
        if self.checkpoint is None:
            return None
        origin, size, root, _ = self.checkpoint.checkpoint
        cosigned = dict(self.cosigned)
        signed_by = list(self.signed_by)
        return {
            "origin": origin,
            "size": size,
            "root": root.hex(),
            "signed_by": signed_by,
            "cosigned": cosigned,
        }

    def lines(self) -> list[str]:
        """The report as lines for people, each of one line whatever the export was named or held."""
        chain = self.chain
        lines = [f"entries  {chain.entries} good", f"head     {chain.head.hash}"]
        if chain.root is not None:
            lines.append(f"root     {chain.root.hex()}")
        if chain.problem is not None:
            place = "" if chain.problem.seq is None else f" at entry {chain.problem.seq}"
            lines.append(f"problem  {chain.problem.code}{place}: {chain.problem.message}")
        else:
            lines.append("problem  none found")
        lines.extend(f"checked  {item}" for item in self.checked)
        lines.extend(f"not checked    {item}" for item in self.not_checked)
        lines.extend(f"not evaluated  {item}" for item in self.not_evaluated)
        lines.extend(f"not ruled out  {item}" for item in self.not_ruled_out)
        return [one_line(line) for line in lines]


def one_line(text: str) -> str:
    """Return text with what does not print as escapes: no name in an export adds a line, or hides one."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def cosigned_words(cosigned: tuple[Cosigned, ...]) -> str:
    """The witnesses that cosigned and when, in words."""
    return ", ".join(f"`{name}` at {_time(time_s)}" for name, time_s in cosigned)


def _time(time_s: int) -> str:
    try:
        return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"second {time_s}"
