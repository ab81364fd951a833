"""What a verification could not rule out, told as narrowly as what was checked allows, and no narrower."""

from __future__ import annotations

from typing import NamedTuple

from phasegate.ledger.verify import NOT_RULED_OUT

_TRUNCATION, _REWRITE, _FORK = NOT_RULED_OUT


class Covered(NamedTuple):
    """How many entries, from the first, are covered by what.

    Attributes:
        signed: By a checkpoint or statement that a key given signed.
        kept: By a checkpoint that the auditor kept from earlier.
        witnessed: By a checkpoint that a quorum of witnesses cosigned.
        is_majority: Any two such quorums have a witness in common.
        by_own_key: Signatures were checked with a key that lies beside the ledger, and cover nothing.
    """

    signed: int = 0
    kept: int = 0
    witnessed: int = 0
    is_majority: bool = False
    by_own_key: bool = False


def not_ruled_out(entries: int, covered: Covered) -> tuple[str, ...]:
    """Return what could still have been done to a ledger of so many entries, in words."""
    return tuple(
        doubt
        for doubt in (_truncation(covered), _rewrite(entries, covered), _fork(entries, covered))
        if doubt
    )


def _truncation(covered: Covered) -> str:
    # Whatever was signed, cosigned or kept may not have been the last: what came after is never ruled out.
    known = max(covered.signed, covered.kept, covered.witnessed)
    return f"truncation: entries removed that came after entry {known}" if known else _TRUNCATION


def _rewrite(entries: int, covered: Covered) -> str:
    pinned = max(covered.kept, covered.witnessed)
    if pinned >= entries > 0:
        return ""
    parts = []
    start = f"what follows entry {pinned}" if pinned else "the whole chain"
    if covered.signed > pinned:
        parts.append(f"{start} up to entry {covered.signed} written anew by who holds the key")
    if covered.signed < entries:
        after = max(covered.signed, pinned)
        parts.append(f"{f'what follows entry {after}' if after else start} written anew")
    doubt = f"rewrite: {'; '.join(parts)}" if parts else _REWRITE
    return f"{doubt}, and signed anew: no key from elsewhere was given" if covered.by_own_key else doubt


def _fork(entries: int, covered: Covered) -> str:
    if not covered.witnessed or not covered.is_majority:
        return _FORK
    if covered.witnessed >= entries:
        return ""
    return f"fork: after entry {covered.witnessed}, another continuation shown to somebody else"
