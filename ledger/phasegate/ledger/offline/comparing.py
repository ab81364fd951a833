"""What was read against what the auditor brings along: checkpoints, keys, witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from phasegate.ledger.errors import ExportError
from phasegate.ledger.offline.doubts import Covered
from phasegate.ledger.offline.found import Content
from phasegate.ledger.offline.ledger_keys import LedgerKeys
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


class Stated(NamedTuple):
    """The signed checkpoints there are.

    Attributes:
        candidates: The one given and the export's own; the first counts, all must hold.
        previous: Those kept from earlier.
        held: Those that lie beside the ledger.
    """

    candidates: tuple[Signed, ...] = ()
    previous: tuple[Signed, ...] = ()
    held: tuple[Signed, ...] = ()

    @property
    def own(self) -> Signed | None:
        """The checkpoint the export is held against; None without one."""
        return next(iter(self.candidates), None)

    @property
    def latest(self) -> Signed | None:
        """The one that witnesses must have cosigned: it, else the newest that was kept."""
        return self.own or max(self.previous, key=lambda one: one.checkpoint.size, default=None)


class Compared(NamedTuple):
    """What a comparison found to hold.

    Attributes:
        covered: How many entries are covered by what.
        checked: What was checked and holds, in words.
        not_checked: What is there but was not checked, in words.
        not_evaluated: What was demanded and could not be checked, in words.
        doubts: What is not ruled out beside what is covered by nothing, in words.
        checkpoint: The checkpoint of the export, or the one given instead.
        signed_by: Names of the keys given that signed it.
        cosigned: The witnesses given that cosigned.
    """

    covered: Covered
    checked: tuple[str, ...]
    not_checked: tuple[str, ...]
    not_evaluated: tuple[str, ...]
    doubts: tuple[str, ...]
    checkpoint: Signed | None
    signed_by: tuple[str, ...]
    cosigned: tuple[Cosigned, ...]


def compare(content: Content, terms: Terms, keys: LedgerKeys, stated: Stated) -> Compared:
    """Compare an export that was found good with the terms.

    Args:
        content: The export as read, with the root at the size of every checkpoint.
        terms: Keys and witnesses.
        keys: The keys given, with those that rotations lead to.
        stated: The checkpoints.

    Raises:
        Found: Something signed is not about these entries, or not signed as demanded.
        ExportError: ``same_key``: a witness is the ledger itself, by a key that a rotation leads to.
    """
    _check_apart(terms, keys)
    own, latest = stated.own, stated.latest
    if own is not None:
        check_content(own, content.chain)
    for one in (*stated.candidates[1:], *stated.previous, *stated.held):
        check_content(one, content.chain, earlier=own)
        check_keys(one, keys)
    signed_by = check_keys(own, keys) if own is not None else ()
    cosigned: tuple[Cosigned, ...] = ()
    if latest is not None and terms.witnesses:
        cosigned = check_witnesses(latest, terms.witnesses, terms.quorum)
    is_witnessed = latest is not None and bool(cosigned)
    return Compared(
        _covered(content, terms, stated, is_witnessed=is_witnessed),
        (
            *_key_words(terms, keys),
            *_held_words(stated.held),
            *_own_words(own, signed_by),
            *_kept_words(stated.previous),
            *_witness_words(latest, cosigned, terms),
        ),
        _not_checked(own, terms, keys),
        _not_evaluated(content, terms, stated),
        _strange_key(terms, stated),
        own,
        signed_by,
        cosigned,
    )


def _check_apart(terms: Terms, keys: LedgerKeys) -> None:
    """Refuse witnesses that are the ledger under a second name; of the keys given, `terms_of` did."""
    own = {key.public for key in keys.every}
    for witness in terms.witnesses:
        if witness.public in own:
            message = f"the witness `{witness.name}` has a key of the ledger"
            raise ExportError("same_key", f"{message}; a quorum counts different parties")


def _covered(content: Content, terms: Terms, stated: Stated, *, is_witnessed: bool) -> Covered:
    signed = (*stated.candidates[:1], *stated.previous, *stated.held)
    counts = bool(terms.keys) and not terms.are_own
    return Covered(
        signed=max((content.signed, *(one.checkpoint.size for one in signed))) if counts else 0,
        kept=max((one.checkpoint.size for one in stated.previous), default=0),
        witnessed=stated.latest.checkpoint.size if stated.latest is not None and is_witnessed else 0,
        is_majority=2 * terms.quorum > len(terms.witnesses),
        by_own_key=terms.are_own,
    )


def _key_words(terms: Terms, keys: LedgerKeys) -> tuple[str, ...]:
    whose = "the ledger's own key" if terms.are_own else "the key given"
    return tuple(
        f"{len(chain.spans) - 1} key rotation(s), from {whose} `{key.key_id}`"
        for key, chain in zip(terms.keys, keys.chains, strict=True)
    )


def _held_words(held: Sequence[Signed]) -> tuple[str, ...]:
    recorded = sum(one.seq is not None for one in held)
    beside = tuple(
        f"{one.what}: of the first {one.checkpoint.size} entries" for one in held if one.seq is None
    )
    count = (f"{recorded} recorded checkpoint(s): note, signature and root of each",) if recorded else ()
    return (*count, *beside)


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


def _not_checked(own: Signed | None, terms: Terms, keys: LedgerKeys) -> tuple[str, ...]:
    if own is None:
        return ()
    known = {(key.name, key.key_hash) for key in (*keys.every, *terms.witnesses)}
    strange = [one.name for one in own.note.signatures if one[:2] not in known]
    bare = () if terms.keys else (f"who signed {own.what}: no key was given",)
    if terms.keys and strange:
        return (f"{len(strange)} more signatures on {own.what}, by keys that were not given",)
    return bare


def _not_evaluated(content: Content, terms: Terms, stated: Stated) -> tuple[str, ...]:
    missing = []
    # A folder of tiles brings its checkpoint: one without it is not verified by an older one.
    kept = stated.previous and content.kind != "tiles"
    has_signed = stated.own is not None or content.signed or kept
    if terms.keys and not has_signed and terms.held is None:
        missing.append(f"the key: {_GET_ONE}")
    if terms.witnesses and stated.latest is None:
        missing.append(f"the witnesses: {_GET_ONE}")
    if not content.chain.entries and stated.own is None and content.kind not in {"sqlite", "postgres"}:
        missing.append("the entries: there are none, and no checkpoint says that there are none")
    return tuple(missing)


def _strange_key(terms: Terms, stated: Stated) -> tuple[str, ...]:
    """A key that signed nothing of what lies beside the ledger may be another ledger's."""
    looked = terms.held is not None and not terms.are_own
    if not looked or stated.held or stated.latest is not None:
        return ()
    return tuple(f"another ledger's key: nothing was found that `{key.key_id}` signed" for key in terms.keys)
