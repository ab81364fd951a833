"""The signed statement of where a ledger ends that a task's bundle brings: DSSE over an in-toto statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from phasegate.ledger.note_keys import VerifierKey
from phasegate.ledger.offline.envelopes import read_envelope
from phasegate.ledger.offline.found import Found
from phasegate.ledger.verify import Verification

PREDICATE_TYPE: Final = "https://phasegate.dev/predicates/head/v1"
_WHAT: Final = "the signed head of the ledger"
_REMEDY: Final = "fetch the bundle again, or check whose key it is"


def check_head(data: bytes, chain: Verification, keys: Sequence[VerifierKey], task: str) -> int:
    """Check that one of the keys signed where this chain ends; return how many entries that are.

    Args:
        data: The envelope.
        chain: The chain, found good.
        keys: The ledger's keys.
        task: The task it must have been made for.

    Raises:
        Found: ``bad_head`` (no such statement), ``wrong_key`` (none of the keys signed it),
            ``bad_signature`` (a signature that names one does not hold), ``head_mismatch`` (it is about
            another chain or task).
    """
    envelope = read_envelope(data, _WHAT, "bad_head")
    # No entry has the digest of this envelope, so there is one way to write it.
    if envelope.encoded() != data or len(envelope.signatures) != 1:
        raise Found("bad_head", f"{_WHAT} is not in its one form; {_REMEDY}")
    if not envelope.signers({key.key_id: key for key in keys}, _WHAT):
        raise Found("wrong_key", f"none of the keys given has signed the head of the ledger; {_REMEDY}")
    try:
        value: Any = orjson.loads(envelope.payload)
        said = value["predicate"]
        about = (value["predicateType"], said["ledger"], said["task"], said["chain"])
    except (ValueError, KeyError, TypeError):
        raise Found("bad_head", f"{_WHAT} cannot be read: its payload is no statement; {_REMEDY}") from None
    if about != (PREDICATE_TYPE, chain.ledger, task, {"size": chain.entries, "hash": chain.head.hash}):
        raise Found("head_mismatch", f"the signed head is not the end of these entries; {_REMEDY}")
    return chain.entries
