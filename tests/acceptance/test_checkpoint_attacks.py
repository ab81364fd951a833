"""Attacks on the whole ledger: each is caught against what was kept elsewhere, or is said not to be ruled out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from checkpointed_homes import git, policy, recorded_checkpoints, repository, work
from engine_drivers import Ran, cli
from ledger_rewriting import entries_of, rewrite

from phasegate.engine.app.checkpoints.checkpoints import Checkpoints
from phasegate.engine.app.checkpoints.sinks import REF
from phasegate.engine.app.engine import Engine
from phasegate.engine.core.errors import IntegrityError
from phasegate.ledger.checkpoint import Checkpoint, cosign, parse_checkpoint
from phasegate.ledger.note_keys import Algorithm, signed_note
from phasegate.ledger.note_signers import SeedSigner
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.rotation import rotation_note

pytestmark = pytest.mark.attack

WITNESS = SeedSigner.from_seed("w.example", bytes([7]) * 32, Algorithm.COSIGNATURE)


@pytest.fixture
def kept(home: Path, tmp_path: Path) -> Path:
    """A home with a checkpoint kept elsewhere, as a file and in a repository; and the ledger before it went on."""
    tree = repository(tmp_path / "repository")
    policy(home, f"sinks:\n  - file: {tmp_path}/kept.note\n  - git: {tree}\n")
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
        (tmp_path / "log.vkey").write_text(f"{engine.keys.engine_vkey().vkey}\n")
    copy_ledger(home, tmp_path / "early")
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-2")
    return home


def copy_ledger(home: Path, to: Path) -> None:
    to.mkdir(exist_ok=True)
    for file in home.glob("ledger.db*"):
        shutil.copy2(file, to / file.name)


def roll_back(home: Path, early: Path) -> None:
    """Put the whole ledger file back, with everything beside it."""
    for file in home.glob("ledger.db*"):
        file.unlink()
    copy_ledger(early, home)


def verify(home: Path, folder: Path, *more: str) -> Ran:
    return cli("ledger", "verify", "--key", str(folder / "log.vkey"), *more, "--home", str(home), "--json")


def against_kept(home: Path, folder: Path) -> Ran:
    return verify(home, folder, "--previous", str(folder / "kept.note"))


def signing(home: Path) -> Ran:
    return cli("ledger", "checkpoint", "--home", str(home))


def forget(home: Path) -> None:
    """Whoever can write the home removes what it remembers of checkpoints, too."""
    shutil.rmtree(home / "checkpoints")


def test_given_the_whole_file_put_back_then_sinks_show_it_and_nothing_is_signed_over_it(kept, tmp_path):
    roll_back(kept, tmp_path / "early")
    forget(kept)

    assert verify(kept, tmp_path).json["ok"]  # the file alone holds, and says what it cannot rule out
    found = against_kept(kept, tmp_path)
    assert (found.code, found.json["problem"]["code"]) == (4, "truncated")
    refused = signing(kept)
    assert refused.code == 4
    assert "cut or put back" in refused.err
    with Engine.open(kept) as engine:
        before = len(recorded_checkpoints(engine))
        work(engine, tmp_path, "T-3")
        assert "kept.note` holds a checkpoint" in engine.checkpoints.problem
        assert len(recorded_checkpoints(engine)) == before
        assert engine.state("T-3").phase == "C"


def test_given_the_whole_home_put_back_behind_a_rotation_then_the_unknown_key_shows_it(kept, tmp_path):
    shutil.copytree(kept, tmp_path / "home-before")
    with Engine.open(kept) as engine:
        engine.rotating.rotate()
    with Engine.open(kept) as engine:
        work(engine, tmp_path, "T-3")
        newer = engine.keys.engine_vkey().key_id
    shutil.rmtree(kept)
    shutil.copytree(tmp_path / "home-before", kept)

    refused = signing(kept)

    assert (refused.code, newer in refused.err) == (4, True), refused
    with Engine.open(kept) as engine:
        before = len(recorded_checkpoints(engine))
        work(engine, tmp_path, "T-4")
        assert newer in engine.checkpoints.problem
        assert len(recorded_checkpoints(engine)) == before


def test_given_only_the_ledger_put_back_then_the_home_itself_shows_it(home, tmp_path):
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-1")
    copy_ledger(home, tmp_path / "early")
    with Engine.open(home) as engine:
        work(engine, tmp_path, "T-2")
    roll_back(home, tmp_path / "early")
    assert signing(home).code == 4


def test_given_a_fork_after_a_checkpoint_then_it_is_caught_by_every_sink(kept, tmp_path):
    roll_back(kept, tmp_path / "early")
    forget(kept)
    policy(kept, "{}\n")
    with Engine.open(kept) as engine:  # another continuation, longer than the first, signed with the same key
        for number in range(4):
            work(engine, tmp_path, f"F-{number}")
        assert not engine.checkpoints.problem
    assert verify(kept, tmp_path).json["ok"]
    found = against_kept(kept, tmp_path)
    assert (found.code, found.json["problem"]["code"]) == (4, "checkpoint_mismatch")
    for sink in (f"file: {tmp_path}/kept.note", f"git: {tmp_path}/repository"):
        policy(kept, f"sinks:\n  - {sink}\n")
        assert signing(kept).code == 4, sink


def test_given_a_rewrite_with_the_stolen_key_then_a_retained_checkpoint_shows_it(kept, tmp_path):
    entries = entries_of(kept)
    changed = [
        entry._replace(payload={**entry.payload, "title": "Another"})
        if entry.type == "task.opened"
        else entry
        for entry in entries
        if entry.type != "ledger.checkpointed"
    ]
    rewrite(kept, changed)
    forget(kept)
    policy(kept, "{}\n")
    assert signing(kept).code == 0  # with the engine's own key, over the rewritten ledger

    assert verify(kept, tmp_path).json["ok"]
    found = against_kept(kept, tmp_path)
    assert found.code == 4
    assert found.json["problem"]["code"] in {"checkpoint_mismatch", "truncated"}
    policy(kept, f"sinks:\n  - git: {tmp_path}/repository\n")
    assert signing(kept).code == 4


def test_given_two_heads_at_one_size_then_the_second_is_neither_signed_nor_verified(kept, tmp_path):
    said = parse_checkpoint(parse_note((tmp_path / "kept.note").read_bytes()).text)
    with Engine.open(kept) as engine:
        key = engine.keys.engine_key()
    text = Checkpoint(said.origin, said.size, bytes(32)).text()
    (tmp_path / "other.note").write_text(Note(text, (signed_note(text, key),)).encoded())
    found = verify(kept, tmp_path, "--previous", str(tmp_path / "other.note"))
    assert (found.code, found.json["problem"]["code"]) == (4, "checkpoint_mismatch")
    policy(kept, f"sinks:\n  - file: {tmp_path}/other.note\n")
    assert signing(kept).code == 4


def cosigned(folder: Path, source: str, name: str) -> Path:
    """A checkpoint with the witness's cosignature."""
    note = parse_note((folder / source).read_bytes())
    path = folder / name
    path.write_text(note.signed((cosign(note, WITNESS, 1_700_000_000),)).encoded())
    return path


def test_given_a_stale_cosignature_then_it_counts_for_what_it_covers_and_for_no_more(kept, tmp_path):
    old = cosigned(tmp_path, "kept.note", "old.note")
    size = parse_checkpoint(parse_note(old.read_bytes()).text).size
    with Engine.open(kept) as engine:
        work(engine, tmp_path, "T-3")
    by = ("--witness", WITNESS.public_vkey, "--quorum", "1")

    stale = verify(kept, tmp_path, "--checkpoint", str(old), *by)
    assert stale.code == 0
    assert f"fork: after entry {size}, another continuation" in stale.json["not_ruled_out"][2]
    assert any("2023-11-14T22:13:20Z" in line for line in stale.json["checked"])
    # Nobody cosigned the latest one, and the old cosignature moved onto it does not hold.
    assert verify(kept, tmp_path, *by).json["problem"]["code"] == "no_quorum"
    moved = parse_note((tmp_path / "kept.note").read_bytes()).signed(
        parse_note(old.read_bytes()).signatures[-1:]
    )
    (tmp_path / "moved.note").write_text(moved.encoded())
    found = verify(kept, tmp_path, "--checkpoint", str(tmp_path / "moved.note"), *by)
    assert (found.code, found.json["problem"]["code"]) == (4, "bad_cosignature")


def test_given_one_witness_twice_then_it_is_no_quorum_of_two(kept, tmp_path):
    path = cosigned(tmp_path, "kept.note", "co.note")
    by = ("--witness", WITNESS.public_vkey, "--witness", WITNESS.public_vkey, "--quorum", "2")
    assert verify(kept, tmp_path, "--checkpoint", str(path), *by).code == 2


def test_given_a_checkpoint_by_an_unknown_key_then_it_is_named(kept, tmp_path):
    said = parse_note((tmp_path / "kept.note").read_bytes()).text
    stranger = SeedSigner.from_seed(parse_checkpoint(said).origin, bytes([9]) * 32)
    (tmp_path / "x.note").write_text(Note(said, (signed_note(said, stranger),)).encoded())
    found = verify(kept, tmp_path, "--previous", str(tmp_path / "x.note"))
    assert (found.code, "unknown" in found.json["problem"]["message"]) == (4, True)
    assert stranger.key.key_id in found.json["problem"]["message"]
    (tmp_path / "wrong.vkey").write_text(stranger.public_vkey)
    wrong = cli("ledger", "verify", "--key", str(tmp_path / "wrong.vkey"), "--home", str(kept), "--json")
    assert (wrong.code, "unknown" in wrong.json["problem"]["message"]) == (4, True)


def test_given_a_checkpoint_by_a_rotated_key_then_it_is_named(kept, tmp_path):
    with Engine.open(kept) as engine:
        old = engine.keys.engine_key()
        rotated_at = engine.rotating.rotate().seq
    with Engine.open(kept) as engine:
        work(engine, tmp_path, "T-3")
        now = engine.store.frontier()
    text = Checkpoint(old.name, now.size, now.root()).text()
    (tmp_path / "x.note").write_text(Note(text, (signed_note(text, old),)).encoded())
    found = verify(kept, tmp_path, "--previous", str(tmp_path / "x.note"))
    assert found.code == 4
    assert f"`{old.key_id}` was rotated at entry {rotated_at}" in found.json["problem"]["message"]


def test_given_a_process_that_still_has_the_rotated_key_then_it_does_not_sign_with_it(kept, tmp_path):
    with Engine.open(kept) as engine:
        old = engine.keys.engine_key()
        engine.rotating.rotate()
        late = Checkpoints(engine._path, engine.store, engine._shelf, engine.home, engine.clock, lambda: old)
        with pytest.raises(IntegrityError):
            late.make()


def test_given_a_rotation_forged_without_the_old_key_then_it_is_refused(kept, tmp_path):
    from phasegate.engine.core.events import KeyRotated

    with Engine.open(kept) as engine:
        own = engine.keys.engine_key()
        thief = SeedSigner.from_seed(own.name, bytes([9]) * 32)
        note = rotation_note(engine.store.ledger, thief, thief).encoded()
        engine._path.record_for_ledger(KeyRotated(before=own.public_vkey, after=thief.public_vkey, note=note))
    found = verify(kept, tmp_path)
    assert (found.code, found.json["problem"]["code"]) == (4, "bad_rotation")
    assert signing(kept).code == 4


@pytest.mark.parametrize("damage", ["gone", "changed", "another"])
def test_given_a_recorded_note_that_is_gone_or_another_then_the_entry_is_named(kept, tmp_path, damage):
    with Engine.open(kept) as engine:
        first, second = (entry.payload["note"] for entry in recorded_checkpoints(engine)[:2])
        seq = recorded_checkpoints(engine)[0].seq
    path = kept / "objects" / "sha256" / first[:2] / first
    content = (kept / "objects" / "sha256" / second[:2] / second).read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content if damage == "another" else b"x")
    found = verify(kept, tmp_path)
    assert (found.code, found.json["problem"]["seq"]) == (4, seq)


def test_given_a_sink_with_something_else_in_it_then_it_is_not_written_over(kept, tmp_path):
    (tmp_path / "kept.note").write_text("somebody's own words\n")
    with Engine.open(kept) as engine:
        work(engine, tmp_path, "T-3")
        made = engine.checkpoints.make()
    assert (tmp_path / "kept.note").read_text() == "somebody's own words\n"
    file, tree = (made.sinks[name] for name in (f"file {tmp_path}/kept.note", f"git {tmp_path}/repository"))
    assert (bool(file.error), bool(tree.error)) == (True, False)
    assert len(git(tmp_path / "repository", "rev-list", REF).split()) == 3


def test_given_checkpoints_of_another_ledger_then_they_are_refused(kept, tmp_path):
    with Engine.init(tmp_path / "another") as other:
        work(other, tmp_path, "T-1")
        note = other.checkpoints.make().note
    (tmp_path / "x.note").write_text(note.encoded())
    assert verify(kept, tmp_path, "--previous", str(tmp_path / "x.note")).code == 4
    (tmp_path / "x.note").write_text("no note\n")
    assert (
        verify(kept, tmp_path, "--previous", str(tmp_path / "x.note")).json["problem"]["code"]
        == "bad_checkpoint"
    )
