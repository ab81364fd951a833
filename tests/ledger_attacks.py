"""Every attack on a ledger that is tried on every store, by name, with what comes of it.

`ATTACKS` is the one list: the suite runs it, and the table in docs/threat-model.md is `table()`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ledger_attack_deeds as deeds
from attacked_places import Place
from exported_ledgers import LEDGER, LOG, THIEF, Signer, note_over
from ledger_attack_deeds import KEPT_AT, NONE, NOT_CAUGHT, REFUSED, Answer

from phasegate.ledger.offline.terms import Terms

STORES = ("memory", "SQLite", "PostgreSQL")


@dataclass(frozen=True)
class Attack:
    """An attack and what comes of it.

    Attributes:
        name: what is done, in the table's words.
        do: does it to a place; answers with the report of who verifies it, or with what stood in the way.
        comes_to: the answer, in all stores; or in memory, in SQLite and in PostgreSQL.
        doubt: where it is not caught: what the report must not rule out.
        kept: where it is not caught: the code that a checkpoint of the whole, kept elsewhere, comes to.
        narrowed: where it is not caught: by what it is narrowed, in words.
    """

    name: str
    do: Callable[[Place], Answer]
    comes_to: str | tuple[str, str, str]
    doubt: str = ""
    kept: str = ""
    narrowed: str = ""

    def expected(self, store: str) -> str:
        """The answer in a store."""
        return self.comes_to if isinstance(self.comes_to, str) else self.comes_to[STORES.index(store)]


def _entry(name: str, change: Callable[[list[bytes]], list[bytes]], comes_to: str) -> Attack:
    return Attack(name, deeds.in_rows(change), comes_to)


def _fitted(name: str, change: Callable[[list[bytes]], list[bytes]], comes_to: str) -> Attack:
    return Attack(f"{name}, all else made to fit", deeds.fitted(change), comes_to)


def _open(
    name: str,
    change: Callable[[list[bytes]], list[bytes]],
    doubt: str,
    kept: str,
    narrowed: str,
    terms: Callable[[list[bytes]], Terms] | None = None,
) -> Attack:
    return Attack(name, deeds.fitted(change, terms), NOT_CAUGHT, doubt, kept, narrowed)


_KEPT = "a checkpoint kept elsewhere, up to its size"
_SIGNED = f"{_KEPT}; signed statements, which name task, phase and attempt (`validate_checkpoint`)"
_HELD = "a kept checkpoint of the other one; witnesses, of whom most would have to be deceived"

ATTACKS: tuple[Attack, ...] = (
    _entry("an entry edited", deeds.edited, "hash_mismatch"),
    _entry("an entry inserted", lambda d: [*d[:20], d[19], *d[20:]], "sequence_gap"),
    _entry("an entry deleted, the others numbered anew", lambda d: [*d[:20], *d[21:]], "sequence_gap"),
    Attack("an entry deleted, the gap left", deeds.gap, "sequence_gap"),
    _entry("the first entry deleted", lambda d: d[1:], "sequence_gap"),
    _entry("two entries exchanged", lambda d: [*d[:20], d[21], d[20], *d[22:]], "sequence_gap"),
    _entry("the last entry said twice", lambda d: [*d, d[-1]], "sequence_gap"),
    Attack("a number left out, all else made to fit", deeds.number_left_out, "sequence_gap"),
    _entry("an entry added behind the end", deeds.one_more, "head_mismatch"),
    _entry("the tail cut", lambda d: d[:KEPT_AT], "truncated"),
    _open("the tail cut, all else made to fit", lambda d: d[:KEPT_AT], "truncation", "truncated", _KEPT),
    Attack(
        "the whole put back to an earlier state: file, log and mark, or all tables",
        deeds.put_back,
        NOT_CAUGHT,
        "truncation",
        "truncated",
        _KEPT,
    ),
    Attack("a log or backup put back, and what lies beside it left", deeds.restored, "truncated"),
    _entry("the chain written anew", deeds.rewritten, "head_mismatch"),
    _open(
        "the chain written anew, all else made to fit",
        deeds.rewritten,
        "rewrite",
        "checkpoint_mismatch",
        _KEPT,
    ),
    _open(
        "the same, and signed with the stolen key",
        deeds.rewritten,
        "rewrite",
        "checkpoint_mismatch",
        f"{_KEPT}; witnesses",
        deeds.signed,
    ),
    _open(
        "a fork after a checkpoint, signed with the ledger's own key",
        deeds.forked,
        "fork",
        "checkpoint_mismatch",
        _HELD,
        lambda d: deeds.signed(d, previous=d[:KEPT_AT]),
    ),
    Attack("two heads at one size, both shown", deeds.under(deeds.two_heads), "two_roots"),
    Attack("two heads at one size, shown to a witness", deeds.witnessed_twice, "refused (fork)"),
    _entry(
        "an event replayed from another ledger",
        lambda d: deeds.last(d, deeds.other_ledger()[-1]),
        "hash_mismatch",
    ),
    _fitted(
        "an event of another ledger, linked",
        lambda d: deeds.linked_last(d, ledger="example.com/other"),
        "foreign_ledger",
    ),
    Attack("an event shown under another task", deeds.moved_column, "column_mismatch"),
    _open(
        "an event replayed for another task, all else made to fit",
        lambda d: deeds.relinked(d, 20, deeds.of_another_task),
        "rewrite",
        "checkpoint_mismatch",
        _SIGNED,
    ),
    _open(
        "an event replayed for another attempt, all else made to fit",
        lambda d: deeds.relinked(d, 20, deeds.of_another_attempt),
        "rewrite",
        "checkpoint_mismatch",
        _SIGNED,
    ),
    Attack("a checkpoint by an unknown key", deeds.under(lambda d: deeds.signed(d, THIEF)), "wrong_key"),
    Attack(
        "verification with another ledger's key",
        deeds.under(lambda d: Terms(keys=(Signer("example.com/other", 3).key,), checkpoint=note_over(d))),
        "wrong_key",
    ),
    Attack("a checkpoint by a rotated key", deeds.rotated_key, REFUSED),
    Attack("a rotation that the old key did not sign", deeds.forged_rotation, REFUSED),
    Attack("a stale cosignature", deeds.under(deeds.stale_cosignature), "bad_cosignature"),
    Attack("fewer witnesses than the quorum", deeds.under(deeds.too_few), "no_quorum"),
    Attack("a checkpoint larger than the ledger", deeds.under(deeds.too_large), "truncated"),
    Attack(
        "a checkpoint of a look-alike name",
        deeds.under(lambda d: deeds.signed(d, origin=LEDGER.replace("a", "\u0430"))),
        "foreign_checkpoint",
    ),
    Attack("a proof from or to size 0", deeds.proof_size_0, REFUSED),
    Attack("a proof of an index that is the size or beyond", deeds.proof_beyond, REFUSED),
    Attack("a proof between equal sizes with different roots", deeds.proof_between_two_roots, REFUSED),
    _fitted("a JSON key given twice", deeds.double_key, "not_canonical"),
    _fitted("bytes with a blank that canonical JSON has not", deeds.spaced, "not_canonical"),
    _fitted("a letter escaped that canonical JSON does not escape", deeds.escaped, "not_canonical"),
    _fitted("no JSON object", lambda d: deeds.last(d, b"[]"), "not_canonical"),
    _fitted(
        "the ledger's name in look-alike letters",
        lambda d: deeds.linked_last(d, ledger=LEDGER.replace("a", "\u0430")),
        "foreign_ledger",
    ),
    _fitted(
        "an entry dated before the one before it",
        lambda d: deeds.linked_last(d, at="2020-01-01T00:00:00.000000Z"),
        "time_backward",
    ),
    Attack(
        "the clock runs backward while entries are appended", deeds.clock_back, "dated like the one before"
    ),
    Attack(
        "the clock runs backward under a lease that expired",
        deeds.clock_back_under_a_lease,
        "refused (expired)",
    ),
    Attack(
        "a statement whose `payloadType` was exchanged",
        deeds.statement(deeds.other_type),
        "bad_signature",
    ),
    Attack(
        "a statement signed as another `payloadType`", deeds.statement(deeds.signed_as), "wrong_payload_type"
    ),
    Attack("a statement without a signature", deeds.statement(deeds.unsigned), "no_signatures"),
    Attack(
        "a statement whose only signature is of an unknown key",
        deeds.statement(deeds.of_unknown_key),
        "unknown_key",
    ),
    Attack(
        "a statement whose only signature is false",
        deeds.statement(deeds.with_false_signature),
        "bad_signature",
    ),
    Attack("a trigger dropped", deeds.guard_dropped, (NONE, "schema_changed", "schema_changed")),
    Attack(
        "`REPLACE INTO`, or `INSERT ... ON CONFLICT DO UPDATE`", deeds.row_replaced, (NONE, REFUSED, REFUSED)
    ),
)


def terms_of_the_whole(datas: list[bytes]) -> Terms:
    """What somebody brings along who kept a checkpoint of the whole ledger."""
    return Terms(keys=(LOG.key,), previous=(note_over(datas),))


def table() -> str:
    """The table of docs/threat-model.md."""
    lines = [
        "| attack | in memory | SQLite | PostgreSQL | if not caught: narrowed by |",
        "|---|---|---|---|---|",
    ]
    for attack in ATTACKS:
        cells = [attack.name, *(_cell(attack.expected(store)) for store in STORES), attack.narrowed]
        lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def _cell(answer: str) -> str:
    is_code = answer not in {NONE, NOT_CAUGHT} and " " not in answer and answer != REFUSED
    return f"`{answer}`" if is_code else f"**{answer}**" if answer == NOT_CAUGHT else answer
