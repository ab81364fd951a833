"""The members of a bundle against the entries that name them: objects, statements, proofs and keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from phasegate.ledger.errors import NoteError, ProofError
from phasegate.ledger.merkle import check_inclusion, leaf_hash
from phasegate.ledger.note_keys import VerifierKey, parse_verifier_key
from phasegate.ledger.offline.bundle_format import (
    CHECKPOINT,
    CHECKPOINT_KEY,
    ENGINE_KEY,
    PROCESSES,
    PROOFS,
    STATEMENTS,
    VKEY,
    addressed,
    key_members,
)
from phasegate.ledger.offline.envelopes import read_envelope
from phasegate.ledger.offline.found import Found
from phasegate.ledger.offline.ledger_keys import LedgerKeys
from phasegate.ledger.tlog_proof import PROOF_SUFFIX, parse_proof
from phasegate.ledger.verify import Verification

REGISTERED: Final = b'"type":"key.registered"'
_DIGESTS: Final = re.compile(rb'"([0-9a-f]{64})"')
_SHOWN: Final = 3


class Entries(NamedTuple):
    """The entries of a bundle.

    Attributes:
        datas: Their bytes, in order.
        task: The task that the bundle is about; empty for all of them.
    """

    datas: Sequence[bytes]
    task: str

    def own(self) -> Iterator[dict[str, Any]]:
        """The entries whose evidence the bundle has, as read."""
        mark = b'"task":' + orjson.dumps(self.task)
        for data in self.datas:
            if not self.task or mark in data:
                value = orjson.loads(data)
                if not self.task or value["task"] == self.task:
                    yield value


def check_named(members: Mapping[str, bytes], entries: Entries) -> None:
    """Check that an entry, or a definition it names, names every object, state and statement there is.

    Raises:
        Found: ``surplus_member``.
    """
    named = {digest for data in entries.datas for digest in _DIGESTS.findall(data)}
    # A definition names its policy packs.
    for name, digest in addressed(members).items():
        if name.startswith(PROCESSES) and digest.encode() in named:
            named.update(_DIGESTS.findall(members[name]))
    for name, digest in addressed(members).items():
        if digest.encode() not in named:
            raise Found("surplus_member", f"no entry names `{name}`; fetch the bundle again")


def missing_words(members: Mapping[str, bytes], entries: Entries) -> tuple[str, ...]:
    """Tell what the entries name and the bundle lacks: what was erased, or kept back."""
    there = set(addressed(members).values())
    missing = sorted(_named(entries) - there)
    if not missing:
        return ()
    more = " and more" if len(missing) > _SHOWN else ""
    shown = f"{', '.join(missing[:_SHOWN])}{more}"
    return (f"{len(missing)} object(s) that entries name and that are not here: {shown}",)


def check_proofs(
    members: Mapping[str, bytes], entries: Entries, chain: Verification, size: int
) -> tuple[str, ...]:
    """Check each proof against the entries, and tell how many there are.

    Args:
        members: The bundle.
        entries: Its entries.
        chain: What was found of them, with the root at the size of the checkpoint.
        size: The size of the checkpoint.

    Raises:
        Found: ``bad_proof``.
    """
    root = dict(chain.roots).get(size, b"")
    proven = set[int]()
    for name in members:
        if name.startswith(PROOFS):
            seq = int(name.removeprefix(PROOFS).removesuffix(PROOF_SUFFIX))
            _check_proof(members, name, seq, entries, size, root)
            proven.add(seq)
    wanted = [value["seq"] for value in entries.own() if value["seq"] <= size]
    lacking = len(set(wanted) - proven)
    whose = f"the entries of `{entries.task}`" if entries.task else "all entries"
    words = f"proofs of single entries: {len(proven)}, against the root that the checkpoint states"
    return (f"{words}; {whose} have one, but for {lacking}" if lacking else f"{words}; {whose} have one",)


def _check_proof(
    members: Mapping[str, bytes], name: str, seq: int, entries: Entries, size: int, root: bytes
) -> None:
    try:
        proof = parse_proof(members[name])
        leaf = leaf_hash(entries.datas[seq - 1]) if seq <= len(entries.datas) else b""
        check_inclusion(leaf, proof.leaf, size, proof.hashes, root)
    except ProofError as error:
        raise Found("bad_proof", f"`{name}`: {error}", seq) from None
    if proof.leaf != seq - 1 or proof.checkpoint != members[CHECKPOINT]:
        raise Found("bad_proof", f"`{name}` is about another entry, or under another checkpoint", seq)


def check_statements(
    members: Mapping[str, bytes], entries: Entries, keys: LedgerKeys
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Check the signatures on the statements; return what was checked and what was not, in words.

    Raises:
        Found: ``bad_statement`` or ``bad_signature``.
    """
    names = [name for name in members if name.startswith(STATEMENTS)]
    own = {key.key_id: key for key in keys.every}
    # Keys of people count as far as the entries do that register them.
    people = dict(_registered(entries.datas)) if keys.chains else {}
    signed = others = 0
    for name in names:
        envelope = read_envelope(members[name], f"`{name}`", "bad_statement")
        signers = set(envelope.signers({**people, **own}, f"`{name}`"))
        signed += bool(signers & own.keys())
        others += bool(signers) and not signers & own.keys()
    strange = len(names) - signed - others
    checked = f"statements: the signatures on {signed} by the ledger's key, on {others} by registered keys"
    unchecked = f"who signed {strange} statement(s): no key that was given, or that an entry registers"
    return (checked,) if signed or others else (), (unchecked,) if strange else ()


def check_keys_named(members: Mapping[str, bytes], keys: LedgerKeys) -> tuple[str, ...]:
    """Check that each key reads the same in both of its forms; return those nobody vouches for, in words.

    Raises:
        Found: ``bad_key``.
    """
    strange = []
    for name in (ENGINE_KEY, CHECKPOINT_KEY):
        if f"{name}{VKEY}" not in members:
            continue
        try:
            key = parse_verifier_key(members[f"{name}{VKEY}"].decode("ascii", "replace").rstrip("\n"))
        except NoteError as error:
            raise Found("bad_key", f"`{name}{VKEY}` is no key: {error}") from None
        if any(members.get(member) != text for member, text in key_members(name, key).items()):
            raise Found("bad_key", f"`{name}` is not one key in two forms; fetch the bundle again")
        strange += [] if key in keys.every else [f"`{name}`"]
    return (f"whose keys {' and '.join(strange)} are: they were not given",) if strange else ()


def is_engine_known(members: Mapping[str, bytes], keys: LedgerKeys) -> bool:
    """Tell whether what the engine signs can be checked: not with the key of checkpoints alone."""
    known = {f"{key.text}\n".encode() for key in keys.every}
    engine, signer = (members.get(f"{name}{VKEY}") for name in (ENGINE_KEY, CHECKPOINT_KEY))
    return engine in known or signer not in known


def _named(entries: Entries) -> set[str]:
    """Digests of what the bundle should have."""
    named, states = set[str](), dict[str, Any]()
    for value in entries.own():
        payload = value["payload"]
        found = [payload.get("statement"), payload.get("process_digest")]
        found += [payload.get("digest")] if value["type"] == "evidence.added" else []
        named.update(text for text in found if type(text) is str and text)
        states[value["task"]] = payload.get("state")
    return named | {digest for digest in states.values() if type(digest) is str and digest}


def _registered(datas: Sequence[bytes]) -> Iterator[tuple[str, VerifierKey]]:
    for data in datas:
        if REGISTERED in data:
            value = orjson.loads(data)
            try:
                key = parse_verifier_key(str(value["payload"].get("vkey")))
            except NoteError:
                continue
            yield key.key_id, key
