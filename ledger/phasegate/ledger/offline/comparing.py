"""What was read against what the auditor brings along: checkpoints, keys, witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from phasegate.ledger.offline.doubts import Covered
from phasegate.ledger.offline.found import Content
from phasegate.ledger.offline.report import cosigned_words
from phasegate.ledger.offline.signed import (
    Cosigned,
    Signed,
    check_content,
    check_keys,
    check_witnesses,
)
from phasegate.ledger.offline.terms import Terms

_GET_ONE: Final = "there is no checkpoint; name one with `--checkpoint`, or get an export that has one"


class Compared(NamedTuple):
    """What a comparison found to hold.

    Attributes:
        covered: How many entries are covered by what.
        checked: What was checked and holds, in words.
        not_checked: What is there but was not checked, in words.
        not_evaluated: What was demanded and could not be checked, in words.
        checkpoint: The checkpoint of the export, or the one given instead.
        signed_by: Names of the keys given that signed it.
        cosigned: The witnesses given that cosigned.
    """

    covered: Covered
    checked: tuple[str, ...]
    not_checked: tuple[str, ...]
    not_evaluated: tuple[str, ...]
    checkpoint: Signed | None
    signed_by: tuple[str, ...]
    cosigned: tuple[Cosigned, ...]


def compare(
    content: Content, terms: Terms, candidates: Sequence[Signed | None], previous: Sequence[Signed]
) -> Compared:
    """Compare an export that was found good with the terms.

    Args:
        content: The export as read, with the root at the size of every checkpoint.
        terms: Keys and witnesses.
        candidates: The checkpoint given and the export's own; the first there is counts, both must hold.
        previous: Checkpoints kept from earlier.

    Raises:
        Found: Something signed is not about these entries, or not signed as demanded.
    """
    stated = [one for one in candidates if one is not None]
    own = stated[0] if stated else None
    if own is not None:
        check_content(own, content.chain)
    for one in (*stated[1:], *previous):
        check_content(one, content.chain, earlier=own)
        check_keys(one, terms.keys)
    signed_by = check_keys(own, terms.keys) if own is not None else ()
    latest = own or max(previous, key=lambda one: one.checkpoint.size, default=None)
    cosigned: tuple[Cosigned, ...] = ()
    if latest is not None and terms.witnesses:
        cosigned = check_witnesses(latest, terms.witnesses, terms.quorum)
    signed = [one for one in (own, *previous) if one is not None] if terms.keys else []
    return Compared(
        Covered(
            signed=max((content.signed, *(one.checkpoint.size for one in signed))),
            kept=max((one.checkpoint.size for one in previous), default=0),
            witnessed=latest.checkpoint.size if latest is not None and cosigned else 0,
            is_majority=2 * terms.quorum > len(terms.witnesses),
        ),
        (*_own_words(own, signed_by), *_kept_words(previous), *_witness_words(latest, cosigned, terms)),
        _not_checked(own, terms),
        _not_evaluated(content, terms, own, previous),
        own,
        signed_by,
        cosigned,
    )


def _own_words(own: Signed | None, signed_by: Sequence[str]) -> tuple[str, ...]:
    if own is None:
        return ()
    names = ", ".join(f"`{name}`" for name in signed_by)
    signed = f", and the signature of {names} holds" if names else ""
    return (f"{own.what}: its root is that of the first {own.checkpoint.size} entries{signed}",)


def _kept_words(previous: Sequence[Signed]) -> tuple[str, ...]:
    return tuple(
        f"{one.what}: the first {one.checkpoint.size} entries are those it states" for one in previous
    )


def _witness_words(latest: Signed | None, cosigned: tuple[Cosigned, ...], terms: Terms) -> tuple[str, ...]:
    if latest is None or not cosigned:
        return ()
    count = f"{len(cosigned)} of {len(terms.witnesses)} witnesses"
    size = latest.checkpoint.size
    return (f"{latest.what}, of {size} entries: cosigned by {count}, {cosigned_words(cosigned)}",)


def _not_checked(own: Signed | None, terms: Terms) -> tuple[str, ...]:
    if own is None:
        return ()
    known = {(key.name, key.key_hash) for key in (*terms.keys, *terms.witnesses)}
    strange = [one.name for one in own.note.signatures if one[:2] not in known]
    bare = () if terms.keys else (f"who signed {own.what}: no key was given",)
    if terms.keys and strange:
        return (f"{len(strange)} more signatures on {own.what}, by keys that were not given",)
    return bare


def _not_evaluated(
    content: Content, terms: Terms, own: Signed | None, previous: Sequence[Signed]
) -> tuple[str, ...]:
    missing = []
    # A folder of tiles brings its checkpoint: one without it is not verified by an older one.
    has_signed = own is not None or content.signed or (previous and content.kind != "tiles")
    if terms.keys and not has_signed:
        missing.append(f"the key: {_GET_ONE}")
    if terms.witnesses and own is None and not previous:
        missing.append(f"the witnesses: {_GET_ONE}")
    if not content.chain.entries and own is None and content.kind not in {"sqlite", "postgres"}:
        missing.append("the entries: there are none, and no checkpoint says that there are none")
    return tuple(missing)
