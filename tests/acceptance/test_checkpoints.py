"""Checkpoints of a home's ledger: due, signed after the commit, recorded, handed to sinks, verified."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from checkpointed_homes import git, leave, policy, recorded_checkpoints, repository, work
from engine_drivers import cli

from phasegate.engine.app.checkpoints.proofs import root_at
from phasegate.engine.app.checkpoints.rows import CHECKPOINT_ROW, DUE
from phasegate.engine.app.checkpoints.sinks import REF
from phasegate.engine.app.engine import Engine
from phasegate.engine.core.errors import BadInput, IntegrityError, NotEvaluated
from phasegate.ledger.checkpoint import parse_checkpoint
from phasegate.ledger.merkle import check_consistency, check_inclusion
from phasegate.ledger.note_keys import check_signed, parse_verifier_key
from phasegate.ledger.note_signers import SeedSigner
from phasegate.ledger.notes import parse_note


def due(engine: Engine) -> bool:
    return engine.store.projection(CHECKPOINT_ROW, DUE) is not None


def test_given_a_marked_phase_then_leaving_it_makes_a_checkpoint_of_the_ledger_as_it_is(home, tmp_path):
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1", "A")
        assert recorded_checkpoints(engine) == []

        leave(engine, "T-1", tmp_path, "B")

        (entry,) = recorded_checkpoints(engine)
        note = parse_note(engine.content(entry.payload["note"]))
        said = parse_checkpoint(note.text)
        check_signed(note, engine.keys.engine_vkey().for_notes)
        assert said.origin == engine.store.ledger == engine.keys.engine_vkey().name
        assert (said.size, said.root) == (entry.seq - 1, root_at(engine.store, entry.seq - 1))
        assert entry.payload["root"] == said.root.hex()
        assert entry.payload["key_id"] == engine.keys.engine_vkey().key_id
        assert not due(engine)
        assert not engine.checkpoints.problem


def test_given_the_command_line_then_the_same_and_the_transition_is_told_first(home, tmp_path):
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1", "A")
    (tmp_path / "b.md").write_text("By the command line.\n")
    cli("evidence", "add", "T-1", str(tmp_path / "b.md"), "--home", str(home))
    ran = cli("advance", "T-1", "--home", str(home))
    assert (ran.code, "checkpoint" in ran.err) == (0, False)
    with Engine.open(home, readonly=True) as engine:
        assert len(recorded_checkpoints(engine)) == 1


def test_given_nothing_new_then_no_further_entry_and_the_same_note(home, tmp_path):
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        first, second = engine.checkpoints.make(), engine.checkpoints.make()
        assert (first.new, second.new) == (False, False)
        assert first.note == second.note
        assert len(recorded_checkpoints(engine)) == 1


def test_given_an_empty_ledger_then_there_is_nothing_to_sign(home):
    with Engine.open(home) as engine, pytest.raises(BadInput, match="empty"):
        engine.checkpoints.make()
    assert cli("ledger", "checkpoint", "--home", str(home)).code == 2


def test_given_a_number_of_entries_then_it_is_due_by_number(home, tmp_path):
    policy(home, "every_entries: 10\n")
    with Engine.open(home) as engine:
        for number in range(30):
            engine.open_task(f"T-{number}", _plain())
            engine.checkpoints.settle()
        sizes = [entry.payload["size"] for entry in recorded_checkpoints(engine)]
    assert sizes
    assert all(10 <= after - before <= 12 for before, after in zip([0, *sizes], sizes, strict=False))


def test_given_a_time_then_it_is_due_by_time_if_entries_have_come(home):
    policy(home, "every_seconds: 60\n")
    clock = Clock()
    with Engine.open(home, clock=clock) as engine:
        engine.open_task("T-1", _plain())
        engine.checkpoints.settle()
        assert recorded_checkpoints(engine) == []
        clock.seconds += 61
        engine.checkpoints.settle()
        assert len(recorded_checkpoints(engine)) == 1
        clock.seconds += 600
        engine.checkpoints.settle()
        assert len(recorded_checkpoints(engine)) == 1


class Clock:
    seconds = 4_000_000_000

    def now(self) -> str:
        from datetime import UTC, datetime

        return datetime.fromtimestamp(self.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _plain():
    from small_processes import three_phases

    return three_phases()


def test_given_a_git_sink_then_the_ref_has_a_commit_each_and_nothing_else_moves(home, tmp_path):
    tree = repository(tmp_path / "repository")
    policy(home, f"sinks:\n  - git: {tree}\n")
    before = (git(tree, "status", "--porcelain"), git(tree, "rev-parse", "HEAD"), git(tree, "branch", "-a"))
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        work(engine, tmp_path, "T-2")
        origin, size = engine.store.ledger, recorded_checkpoints(engine)[-1].payload["size"]
        note = parse_note(git(tree, "cat-file", "blob", f"{REF}:{origin}").encode())
        assert parse_checkpoint(note.text).size == size
        assert not engine.checkpoints.make().sinks[f"git {tree}"].error
    assert len(git(tree, "rev-list", REF).split()) == 2
    assert before == (
        git(tree, "status", "--porcelain"),
        git(tree, "rev-parse", "HEAD"),
        git(tree, "branch", "-a"),
    )
    subprocess.run(["git", "-C", str(tree), "fsck", "--strict"], check=True, capture_output=True)


def test_given_two_ledgers_and_one_repository_then_neither_writes_over_the_other(tmp_path):
    tree = repository(tmp_path / "repository")
    origins = []
    for name in ("one", "two", "one"):
        with (
            Engine.open(tmp_path / name)
            if (tmp_path / name).exists()
            else Engine.init(tmp_path / name) as engine
        ):
            policy(engine.home.root, f"sinks:\n  - git: {tree}\n")
            work(engine, tmp_path, f"T-{len(origins)}")
            origins.append(engine.store.ledger)
    assert sorted(git(tree, "ls-tree", "--name-only", REF).split()) == sorted(set(origins))


def test_given_a_witness_on_the_machine_then_the_other_sinks_get_its_cosignature(home, tmp_path):
    made = cli("keys", "create", "witness.example", str(tmp_path / "w.key"), "--witness")
    policy(
        home,
        f"sinks:\n  - file: {tmp_path}/c.note\n  - state: {tmp_path}/seen\n    key: {tmp_path}/w.key\n",
    )
    with Engine.open(home) as engine:
        for number in range(3):
            work(engine, tmp_path, f"T-{number}")
        vkey = engine.keys.engine_vkey().vkey
    note = parse_note((tmp_path / "c.note").read_bytes())
    assert [item.name for item in note.signatures] == [parse_verifier_key(vkey).name, "witness.example"]

    ran = cli(
        "ledger", "verify", "--key", vkey, "--witness", made.out.strip(), "--quorum", "1",
        "--home", str(home), "--json",
    )  # fmt: skip

    assert ran.code == 0, ran
    assert ran.json["ok"]
    assert any("cosigned by 1 of 1 witnesses, `witness.example` at" in line for line in ran.json["checked"])


def test_given_verification_without_anything_from_elsewhere_then_it_claims_nothing_of_it(home, tmp_path):
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        vkey = engine.keys.engine_vkey().vkey
    alone = cli("ledger", "verify", "--home", str(home), "--json").json
    keyed = cli("ledger", "verify", "--key", vkey, "--home", str(home), "--json").json
    assert any(line.startswith("truncation") for line in alone["not_ruled_out"])
    assert any("no key from elsewhere" in line for line in alone["not_ruled_out"])
    assert not any("no key from elsewhere" in line for line in keyed["not_ruled_out"])
    assert any(
        line.startswith("truncation: entries removed that came after") for line in keyed["not_ruled_out"]
    )


def test_given_an_earlier_checkpoint_then_what_is_not_ruled_out_begins_behind_it(home, tmp_path):
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        vkey = engine.keys.engine_vkey().vkey
    (tmp_path / "old.note").write_text(cli("ledger", "checkpoint", "--note", "--home", str(home)).out)
    size = parse_checkpoint(parse_note((tmp_path / "old.note").read_bytes()).text).size
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-2")
    ran = cli(
        "ledger",
        "verify",
        "--key",
        vkey,
        "--previous",
        str(tmp_path / "old.note"),
        "--home",
        str(home),
        "--json",
    )
    assert ran.code == 0
    rewrite = next(line for line in ran.json["not_ruled_out"] if line.startswith("rewrite: "))
    assert rewrite.startswith(f"rewrite: what follows entry {size} up to entry ")
    assert any(f"previous checkpoint: the first {size} entries are" in line for line in ran.json["checked"])


def test_given_proofs_from_the_command_line_then_they_hold(home, tmp_path):
    with Engine.open(home) as engine:
        for number in range(4):
            work(engine, tmp_path, f"T-{number}")
        size = engine.store.frontier().size
        leaves = {entry.seq: entry.bytes for entry in engine.store.entries()}
    grown = cli("ledger", "proof", "--from", "7", "--to", str(size - 2), "--home", str(home), "--json").json
    check_consistency(
        7,
        bytes.fromhex(grown["old_root"]),
        size - 2,
        bytes.fromhex(grown["root"]),
        [bytes.fromhex(step) for step in grown["hashes"]],
    )
    plain = cli("ledger", "proof", "--from", "7", "--to", str(size - 2), "--home", str(home)).out.splitlines()
    assert [base64.b64decode(line).hex() for line in plain] == grown["hashes"]
    found = cli("ledger", "inclusion", "9", "--home", str(home), "--json").json
    leaf = hashlib.sha256(b"\x00" + leaves[9]).digest()
    check_inclusion(leaf, 8, size, [bytes.fromhex(s) for s in found["hashes"]], bytes.fromhex(found["root"]))
    for wrong in (
        ["proof", "--from", str(size + 1)],
        ["inclusion", str(size + 1)],
        ["proof", "--from", "9", "--to", "8"],
    ):
        assert cli("ledger", *wrong, "--home", str(home)).code == 2


def test_given_rotations_then_verification_follows_the_keys_from_the_first(home, tmp_path):
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        first = engine.keys.engine_vkey()
    for number in range(2):
        assert cli("keys", "rotate", "--home", str(home)).code == 0
        with Engine.open(home) as engine:
            work(engine, tmp_path, f"R-{number}")
    with Engine.open(home) as engine:
        last = engine.keys.engine_vkey()
        assert (last.name, last.key_id == first.key_id) == (first.name, False)
        assert recorded_checkpoints(engine)[-1].payload["key_id"] == last.key_id
        assert engine.checkpoints.chain(first.for_notes).keys[-1] == last.for_notes
    for key in (first, last):
        ran = cli("ledger", "verify", "--key", key.vkey, "--home", str(home), "--json")
        assert ran.code == 0, ran
        assert any(line.startswith("2 key rotation(s)") for line in ran.json["checked"])


def test_given_a_rotation_then_what_the_old_key_stated_of_transitions_is_still_accepted(home, tmp_path):
    from engine_drivers import validate_checkpoint

    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        first = tmp_path / "first.vkey"
        first.write_text(f"{engine.keys.engine_vkey().vkey}\n")
        engine.rotating.rotate()
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-2")
    assert cli("task", "export", "T-2", str(tmp_path / "t2.zip"), "--home", str(home)).code == 0
    for task in ("T-1", "T-2"):
        assert validate_checkpoint(task, "--home", str(home)).code == 0
    ran = validate_checkpoint(str(tmp_path / "t2.zip"), "--key", str(first))
    # Not evaluated, because nobody said that they accept the process; but no signature is missed.
    assert (ran.code, "T-2 (in C): holds  A, B" in ran.out) == (3, True), ran
    with Engine.init(tmp_path / "another") as other:
        first.write_text(f"{other.keys.engine_vkey().vkey}\n")
    assert validate_checkpoint(str(tmp_path / "t2.zip"), "--key", str(first)).code == 4


class FarSigner:
    """A key that is not here, such as one in a KMS: it signs when it can be reached."""

    def __init__(self, key) -> None:
        self.key = key
        self.reachable = False

    @property
    def public_vkey(self) -> str:
        return self.key.public_vkey

    def sign(self, data: bytes, /) -> bytes:
        if not self.reachable:
            raise NotEvaluated("the key management service does not answer", "try again later")
        return self.key.sign(data)


def test_given_a_signer_that_cannot_be_reached_then_the_transition_stands_and_the_checkpoint_is_due(
    home, tmp_path
):
    with Engine.open(home) as plain:
        far = FarSigner(plain.keys.engine_key())
        engine = Engine(plain.home, plain.store, note_signer=lambda: far)
        work(engine, tmp_path, "T-1")
        assert engine.state("T-1").phase == "C"
        assert "does not answer" in engine.checkpoints.problem
        assert due(engine)
        assert recorded_checkpoints(engine) == []
        far.reachable = True
        engine.checkpoints.settle()
        assert (len(recorded_checkpoints(engine)), due(engine), engine.checkpoints.problem) == (1, False, "")


def test_given_a_key_of_another_name_in_an_hsm_then_it_signs_and_is_rotated_like_any(home, tmp_path):
    tree = repository(tmp_path / "repository")
    cli("keys", "create", "witness.example", str(tmp_path / "w.key"), "--witness")
    policy(home, f"sinks:\n  - git: {tree}\n  - state: {tmp_path}/seen\n    key: {tmp_path}/w.key\n")
    first, second = (SeedSigner.from_seed("hsm.example/ledger", bytes([n]) * 32) for n in (1, 2))
    with Engine.open(home) as plain:
        for number, key in enumerate((first, second)):
            if key is second:
                plain.rotating.record(first, second)
                with pytest.raises(IntegrityError, match="rotated before"):
                    plain.rotating.record(first, second)
            engine = Engine(plain.home, plain.store, note_signer=lambda key=key: key)
            work(engine, tmp_path, f"T-{number}")
            plain.rotating.rotate()  # the engine's own key, which is another
            made = engine.checkpoints.make()
            assert [state.error for state in made.sinks.values()] == ["", ""]
            assert made.note.signatures[0].key_hash == key.key.key_hash
        assert len(git(tree, "ls-tree", "--name-only", REF).split()) == 1
    for vkey, code in ((first.public_vkey, 0), (second.public_vkey, 0)):
        assert cli("ledger", "verify", "--key", vkey, "--home", str(home)).code == code
    # By the engine's own key none of them is signed.
    assert cli("ledger", "verify", "--home", str(home)).code == 4


def test_given_a_policy_that_is_none_then_it_is_refused_by_line_and_no_transition_is_held_up(home, tmp_path):
    for text in (
        "every_entries: x\n",
        "sinks:\n  - git: a\n    file: b\n",
        "sinks:\n  - witness: https://w.example/\n",
        "sinks:\n  - file: a\n  - file: a\n",
        'sinks:\n  - file: "a\\0b"\n',
        "nobody: 1\n",
    ):
        policy(home, text)
        ran = cli("ledger", "checkpoint", "--home", str(home))
        assert (ran.code, "checkpoints.yaml" in ran.err) == (2, True), text
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        assert "checkpoints.yaml" in engine.checkpoints.problem


def test_given_a_key_that_signed_nothing_here_then_verification_says_so(home, tmp_path):
    stranger = SeedSigner.from_seed("stranger", bytes(32)).public_vkey
    with Engine.open(home) as engine:
        engine.open_task("T-1", _plain())
    ran = cli("ledger", "verify", "--key", stranger, "--home", str(home), "--json")
    assert ran.code == 0
    assert any(line.startswith("another ledger's key") for line in ran.json["not_ruled_out"])
    with Engine.open(home) as engine:
        engine.checkpoints.make()
    assert cli("ledger", "verify", "--key", stranger, "--home", str(home)).code == 4


def test_given_no_key_at_all_then_an_earlier_checkpoint_is_not_passed_over(home, tmp_path):
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        vkey = engine.keys.engine_vkey().vkey
    (tmp_path / "old.note").write_text(cli("ledger", "checkpoint", "--note", "--home", str(home)).out)
    for file in ("engine.key", "engine.vkey"):
        (home / "keys" / file).unlink()
    at = ("--previous", str(tmp_path / "old.note"), "--home", str(home))
    assert cli("ledger", "verify", *at).code == 2
    assert cli("ledger", "verify", *at, "--key", vkey).code == 0
    assert cli("ledger", "verify", "--home", str(home), "--json").json["ok"]


def test_given_more_witnesses_demanded_than_named_then_usage(home, tmp_path):
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
    assert cli("ledger", "verify", "--quorum", "1", "--home", str(home)).code == 2


def test_the_ledger_s_own_witness_command_takes_proof_or_home(home, tmp_path):
    cli("keys", "create", "w.example", str(tmp_path / "w.key"), "--witness")
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        vkey = engine.keys.engine_vkey().vkey
    at = ("--state", str(tmp_path / "seen"), "--key", str(tmp_path / "w.key"))
    note = tmp_path / "c.note"

    def take() -> Path:
        note.write_text(cli("ledger", "checkpoint", "--note", "--home", str(home)).out)
        return note

    assert cli("ledger", "witness", str(take()), *at).code == 2
    assert cli("ledger", "witness", str(note), *at, "--log", vkey).code == 0
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-2")
    assert cli("ledger", "witness", str(take()), *at).code == 2
    ran = cli("ledger", "witness", str(note), *at, "--from", str(home))
    assert ran.code == 0, ran
    assert [item.name for item in parse_note(ran.out.encode()).signatures][-1] == "w.example"
    assert cli("ledger", "witness", str(note), *at).code == 0
    # A key that did not sign it is refused, and not remembered.
    other = SeedSigner.from_seed(vkey.partition("+")[0], bytes(32)).public_vkey
    assert cli("ledger", "witness", str(note), *at, "--log", other).code == 4
    assert cli("ledger", "witness", str(note), *at).code == 0
    # The key is replaced: its successor is followed through the ledger, or has to be named.
    with Engine.open(home) as engine:
        engine.rotating.rotate()
    assert cli("ledger", "witness", str(take()), *at, "--proof", str(note)).code == 2
    steps = tmp_path / "steps.txt"
    steps.write_text(cli("ledger", "proof", "--from", str(size(ran.out)), "--home", str(home)).out)
    assert cli("ledger", "witness", str(note), *at, "--proof", str(steps)).code == 4
    ran = cli("ledger", "witness", str(note), *at, "--from", str(home))
    assert (ran.code, "was replaced" in ran.err) == (0, True), ran


def size(note: str) -> int:
    return parse_checkpoint(parse_note(note.encode()).text).size


def test_given_a_witness_on_the_machine_and_a_rotation_then_it_follows_the_key(home, tmp_path):
    cli("keys", "create", "witness.example", str(tmp_path / "w.key"), "--witness")
    policy(home, f"sinks:\n  - state: {tmp_path}/seen\n    key: {tmp_path}/w.key\n")
    for number in range(3):
        with Engine.open(home) as engine:
            work(engine, tmp_path, f"T-{number}")
            engine.rotating.rotate()
    with Engine.open(home) as engine:
        (state,) = engine.checkpoints.make().sinks.values()
    assert (state.error, state.failures) == ("", 0)
