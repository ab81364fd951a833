"""What the attacks of `ledger_attacks` do to a ledger, each answered with what came of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from attacked_places import KEPT_AT, SIZE, Place, rows_of
from exported_ledgers import (
    AT,
    LEDGER,
    LOG,
    SEEN_S,
    THIEF,
    WITNESSES,
    Signer,
    datas_of,
    draft,
    ledger_of,
    note_over,
    rechained,
)
from valid_statements import ENGINE, KEYS, STATEMENTS, WITNESS, wrapped

from phasegate.engine.app.checkpoints.proofs import consistency, inclusion
from phasegate.engine.core.errors import BadInput
from phasegate.engine.statements import StatementError, sign, verify
from phasegate.ledger.checkpoint import Checkpoint
from phasegate.ledger.entry import Draft, parse, seal
from phasegate.ledger.errors import LeaseLost, NoteError, ProofError, WitnessRefused
from phasegate.ledger.merkle import check_consistency, check_inclusion
from phasegate.ledger.note_keys import signed_note
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.offline.report import Report
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.rotation import key_chain, rotation_note
from phasegate.ledger.witness import Witness as LogWitness

Answer: TypeAlias = "Report | str"
"""What verification found, or what stood in the way."""

NOT_CAUGHT = "not caught"
REFUSED = "refused"
NONE = "-"
"""There is nothing of the kind in that store."""


def in_rows(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Place], Answer]:
    """Other bytes in the rows; the recorded end stays."""

    def do(place: Place) -> Answer:
        rows = place.rows()
        place.put(rows_of(change([row.bytes for row in rows]), rows))
        return place.verify(Terms())

    return do


def fitted(
    change: Callable[[list[bytes]], list[bytes]], terms: Callable[[list[bytes]], Terms] | None = None
) -> Callable[[Place], Answer]:
    """Other bytes, and all that is kept beside them made to fit; verified under terms made of them."""

    def do(place: Place) -> Answer:
        rows = place.rows()
        datas = change([row.bytes for row in rows])
        place.fit(rows_of(datas, rows))
        return place.verify(terms(datas) if terms else Terms())

    return do


def under(make: Callable[[list[bytes]], Terms]) -> Callable[[Place], Answer]:
    """The ledger as it is, against what somebody shows of it."""
    return lambda place: place.verify(make([row.bytes for row in place.rows()]))


# -- what is done to the entries ----------------------------------------------------------------------


def relinked(datas: list[bytes], at: int, change: Callable[[Draft], Draft] = lambda one: one) -> list[bytes]:
    """The entry at a place changed, and all from there sealed anew."""
    made = datas[: at - 1]
    for seq in range(at, len(datas) + 1):
        entry = parse(datas[seq - 1])
        one = Draft(**{item.name: getattr(entry, item.name) for item in fields(Draft)})
        before = parse(made[-1]) if made else None
        prev = before.hash if before else "0" * 64
        made.append(seal(change(one) if seq == at else one, seq, prev, entry.at, LEDGER).bytes)
    return made


def last(datas: list[bytes], data: bytes) -> list[bytes]:
    """Another last entry."""
    return [*datas[:-1], data]


def linked_last(datas: list[bytes], *, ledger: str = LEDGER, at: str = AT, seq: int = SIZE) -> list[bytes]:
    """Another last entry that follows the one before."""
    return last(datas, seal(draft(SIZE), seq, parse(datas[-2]).hash, at, ledger).bytes)


def edited(datas: list[bytes]) -> list[bytes]:
    return [*datas[:20], datas[20].replace(b"tester", b"teaser"), *datas[21:]]


def one_more(datas: list[bytes]) -> list[bytes]:
    before = parse(datas[-1])
    return [*datas, seal(draft(99), SIZE + 1, before.hash, AT, LEDGER).bytes]


def double_key(datas: list[bytes]) -> list[bytes]:
    return last(datas, datas[-1].replace(b'{"actor":"tester"', b'{"actor":"tester","actor":"tester"'))


def spaced(datas: list[bytes]) -> list[bytes]:
    return last(datas, datas[-1].replace(b'"actor":', b'"actor": '))


def escaped(datas: list[bytes]) -> list[bytes]:
    return last(datas, datas[-1].replace("é".encode(), b"\\u00e9"))


def rewritten(_datas: list[bytes]) -> list[bytes]:
    return rechained([draft(n, word="other") for n in range(1, SIZE + 1)])


def forked(datas: list[bytes]) -> list[bytes]:
    return relinked(datas, KEPT_AT + 1, lambda one: replace(one, payload={"note": "another end"}))


def of_another_task(one: Draft) -> Draft:
    return replace(one, task="T-9")


def of_another_attempt(one: Draft) -> Draft:
    return replace(one, attempt=one.attempt + 1)


def other_ledger() -> list[bytes]:
    return datas_of(ledger_of(SIZE, "example.com/other"))


def moved_column(place: Place) -> Answer:
    rows = place.rows()
    rows[19] = rows[19]._replace(task="T-9")
    place.put(rows)
    return place.verify(Terms())


def put_back(place: Place) -> Answer:
    place.put_back(KEPT_AT)
    return place.verify(Terms())


def gap(place: Place) -> Answer:
    rows = place.rows()
    place.put([*rows[:20], *rows[21:]])
    return place.verify(Terms())


def number_left_out(place: Place) -> Answer:
    """The last entry carries the next but one number, in its bytes and its row."""
    rows = place.rows()
    (data,) = linked_last([row.bytes for row in rows], seq=SIZE + 1)[-1:]
    place.fit([*rows[:-1], rows[-1]._replace(seq=SIZE + 1, bytes=data)])
    return place.verify(Terms())


def restored(place: Place) -> Answer:
    place.restore_log(place.rows()[:KEPT_AT])
    return place.verify(Terms())


def guard_dropped(place: Place) -> Answer:
    if place.drop_guard():
        return NONE
    return place.verify(Terms())


def row_replaced(place: Place) -> Answer:
    answer = place.replace_row()
    return answer if answer == REFUSED else NONE if answer else place.verify(Terms())


def clock_back(place: Place) -> str:
    """Not an attack but a clock: the entry is dated like the one before it."""
    with closing(place.store()) as store:
        (entry,) = store.append([draft(99)], at="2020-01-01T00:00:00.000000Z")
    return "dated like the one before" if entry.at == AT else NOT_CAUGHT


def clock_back_under_a_lease(place: Place) -> str:
    """A lease once seen expired does not live again."""
    with closing(place.store()) as store:
        lease = store.lease_acquire("T-1", "SPEC", "a", now_ms=1_000, ttl_ms=100)
        for now_ms in (2_000, 1_050):
            try:
                store.lease_renew("T-1", "SPEC", "a", lease.epoch, now_ms=now_ms, ttl_ms=100, window_ms=100)
            except LeaseLost as lost:
                answer = f"refused ({lost.reason})"
            else:
                return NOT_CAUGHT
    return answer


# -- what is shown of it ------------------------------------------------------------------------------


def signed(
    datas: list[bytes], signer: Signer = LOG, *, origin: str = LEDGER, previous: list[bytes] | None = None
) -> Terms:
    kept = () if previous is None else (note_over(previous),)
    return Terms(keys=(LOG.key,), checkpoint=note_over(datas, signer, origin=origin), previous=kept)


def too_large(datas: list[bytes]) -> Terms:
    text = Checkpoint(LEDGER, len(datas) + 1, bytes(32)).text()
    return Terms(keys=(LOG.key,), checkpoint=Note(text, (signed_note(text, LOG),)).encoded().encode())


def two_heads(datas: list[bytes]) -> Terms:
    return Terms(keys=(LOG.key,), checkpoint=note_over(datas), previous=(note_over(rewritten(datas)),))


def stale_cosignature(datas: list[bytes]) -> Terms:
    old = parse_note(note_over(datas[:-1], witnesses=WITNESSES[:1]))
    note = parse_note(note_over(datas)).signed(old.signatures[1:]).encoded().encode()
    return Terms(keys=(LOG.key,), checkpoint=note, witnesses=(WITNESSES[0].key,), quorum=1)


def too_few(datas: list[bytes]) -> Terms:
    note = note_over(datas, witnesses=WITNESSES[:1])
    return Terms(checkpoint=note, witnesses=tuple(one.key for one in WITNESSES), quorum=2)


def witnessed_twice(place: Place) -> str:
    """A witness is handed the second of two heads at one size."""
    datas = [row.bytes for row in place.rows()]
    with TemporaryDirectory() as folder:
        witness = LogWitness(Path(folder), WITNESSES[0], clock=lambda: SEEN_S)
        witness.trust(LEDGER, LOG.key)
        witness.cosign(parse_note(note_over(datas)))
        try:
            witness.cosign(parse_note(note_over(rewritten(datas))))
        except WitnessRefused as refused:
            return f"refused ({refused.fault})"
    return NOT_CAUGHT


def rotated_key(place: Place) -> str:
    """A checkpoint of today by a key that was rotated yesterday."""
    old, new = LOG, Signer(LEDGER, 7)
    note = rotation_note(LEDGER, old, new).encoded()
    payload = {"before": old.public_vkey, "after": new.public_vkey, "note": note}
    with closing(place.store()) as store:
        store.append([Draft("ledger", "", 0, "key.rotated", "tester", "", payload)], at=AT)
        chain = key_chain(LEDGER, store.entries(type="key.rotated"), old.key)
        datas = [row.bytes for row in store.raw()]
    chain.check(parse_note(note_over(datas, new)), LEDGER)
    try:
        chain.check(parse_note(note_over(datas, old)), LEDGER)
    except NoteError:
        return REFUSED
    return NOT_CAUGHT


def forged_rotation(place: Place) -> str:
    """A rotation to the thief's key that the ledger's key did not sign."""
    note = rotation_note(LEDGER, THIEF, THIEF).encoded()
    payload = {"before": LOG.public_vkey, "after": THIEF.public_vkey, "note": note}
    with closing(place.store()) as store:
        store.append([Draft("ledger", "", 0, "key.rotated", "tester", "", payload)], at=AT)
        try:
            key_chain(LEDGER, store.entries(type="key.rotated"), LOG.key)
        except NoteError:
            return REFUSED
    return NOT_CAUGHT


def proof_size_0(place: Place) -> str:
    with closing(place.store()) as store:
        return refused(
            lambda: consistency(store, 0), lambda: check_consistency(0, b"", SIZE, root(place), ())
        )


def proof_beyond(place: Place) -> str:
    with closing(place.store()) as store:
        proof = inclusion(store, SIZE)
        return refused(
            lambda: inclusion(store, SIZE + 1),
            lambda: inclusion(store, 1, SIZE + 1),
            *(
                lambda index=index: check_inclusion(proof.leaf, index, SIZE, proof.hashes, proof.root)
                for index in (SIZE, SIZE + 1, -1)
            ),
        )


def proof_between_two_roots(place: Place) -> str:
    return refused(lambda: check_consistency(SIZE, root(place), SIZE, bytes(32), ()))


def root(place: Place) -> bytes:
    with closing(place.store()) as store:
        return store.frontier().root()


def refused(*calls: Callable[[], object]) -> str:
    """Whether every one of these is refused."""
    for call in calls:
        try:
            call()
        except (BadInput, ProofError):
            continue
        return NOT_CAUGHT
    return REFUSED


def statement(change: Callable[[dict], None]) -> Callable[[Place], Answer]:
    """A signed statement that lies beside the ledger, changed there."""

    def do(place: Place) -> Answer:
        value = json.loads(sign(STATEMENTS["witness"], ENGINE))
        change(value)
        place.statement("digest", json.dumps(value).encode())
        with closing(place.store()) as store:
            row = store.projection("statement", "digest")
        assert row is not None
        try:
            verify(row.body, KEYS, expected_type=type(WITNESS))
        except StatementError as error:
            return str(error.fault)
        return NOT_CAUGHT

    return do


def other_type(value: dict) -> None:
    value["payloadType"] = "application/json"


def signed_as(value: dict) -> None:
    """The same payload, truly signed under another type."""
    value.update(wrapped(base64.b64decode(value["payload"]), ENGINE, payload_type="application/json"))


def unsigned(value: dict) -> None:
    value["signatures"] = []


def of_unknown_key(value: dict) -> None:
    value["signatures"][0]["keyid"] = "0" * 64


def with_false_signature(value: dict) -> None:
    value["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
