"""The keys an auditor brings along, followed through the rotations that the entries tell of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from phasegate.ledger.entry import parse
from phasegate.ledger.errors import NoteError
from phasegate.ledger.note_keys import VerifierKey
from phasegate.ledger.offline.found import Found
from phasegate.ledger.rotation import KeyChain, key_chain
from phasegate.ledger.verify import Verification


class LedgerKeys(NamedTuple):
    """Each key given, with its predecessors and successors."""

    chains: tuple[KeyChain, ...] = ()

    def at(self, size: int) -> tuple[VerifierKey, ...]:
        """Return the keys of which one must have signed a checkpoint of that size."""
        return tuple(dict.fromkeys(chain.at(size) for chain in self.chains))

    @property
    def every(self) -> tuple[VerifierKey, ...]:
        """All of them, whenever they are in force."""
        return tuple(dict.fromkeys(key for chain in self.chains for key in chain.keys))


def follow_keys(chain: Verification, given: Sequence[VerifierKey]) -> LedgerKeys:
    """Follow keys through the rotations of a chain that was found good.

    Raises:
        Found: ``bad_rotation``: an entry tells of one that was not signed so, or was rotated before.
    """
    entries = [parse(data) for data in chain.kept]
    try:
        return LedgerKeys(tuple(key_chain(chain.ledger, entries, key) for key in given))
    except NoteError as error:
        raise Found(
            "bad_rotation", f"{error}; compare the ledger's keys with the one you were given"
        ) from None
