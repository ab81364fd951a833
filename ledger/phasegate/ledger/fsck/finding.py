"""What fsck finds: a place, what was expected there, what was found, and what would put it right."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple


class Level(StrEnum):
    """How bad a finding is.

    Attributes:
        DAMAGE: of an entry, an object or what nothing else tells of; never repaired.
        DERIVED: of what is computed from the entries; repaired on request.
        LEFTOVER: something that nothing names; it harms nothing and stays.
    """

    DAMAGE = "damage"
    DERIVED = "derived"
    LEFTOVER = "leftover"


class Step(NamedTuple):
    """One statement of a repair, with its values; it touches no entry."""

    sql: str
    values: tuple[str | int | bytes, ...] = ()


class Finding(NamedTuple):
    """One difference.

    Attributes:
        level: how bad it is.
        code: what kind of difference.
        place: where, such as ``tiles 0/3``.
        expected: what should be there.
        found: what is there.
        remedy: what to do about it.
        steps: what repairs it in the ledger file; none where nothing does.
        writes: path below the home, and the path of the file to copy there; without the second it is erased.
    """

    level: Level
    code: str
    place: str
    expected: str
    found: str
    remedy: str
    steps: tuple[Step, ...] = ()
    writes: tuple[str, str] | None = None

    @property
    def repairable(self) -> bool:
        """Whether a repair would put it right."""
        return bool(self.steps or self.writes)

    def by_hand(self) -> Finding:
        """The same for a ledger that is not repaired from here: what to do says how people do it."""
        if self.level is not Level.DERIVED:
            return self
        target, source = self.writes or ("", "")
        remedy = BY_OWNER
        if target:
            remedy = f"copy `{source}` there" if source else ERASE
        return self._replace(remedy=remedy, steps=(), writes=None)

    def json(self) -> dict[str, Any]:
        """As plain data."""
        said = {"level": str(self.level), **self._asdict(), "repairable": self.repairable}
        del said["steps"], said["writes"]
        return said


RESTORE = "restore a good copy; what was signed and others hold tells which copy is good"
REPAIR = "`engine ledger fsck --repair` makes it anew from the entries"
BY_OWNER = "restore a good copy, or have the database's owner write what is expected"
ERASE = "redact it again with `engine ledger redact`, which erases what is left"
LEFT = "nothing names it; remove it if you know that it is not needed"


def damage(code: str, place: str, expected: str, found: str, remedy: str = RESTORE) -> Finding:
    """A difference that nothing here can put right."""
    return Finding(Level.DAMAGE, code, place, expected, found, remedy)


def derived(code: str, place: str, expected: str, found: str, *steps: Step) -> Finding:
    """A difference of what is computed from the entries."""
    return Finding(Level.DERIVED, code, place, expected, found, REPAIR, steps)


def leftover(code: str, place: str, found: str, remedy: str = LEFT) -> Finding:
    """Something that nothing names."""
    return Finding(Level.LEFTOVER, code, place, "nothing", found, remedy)
