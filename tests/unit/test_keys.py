"""Key texts, key files and the key ring."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from valid_statements import ALICE, ENGINE, STRANGER

from phasegate.engine.app.people import key_files
from phasegate.engine.app.people.keys import (
    KeyFault,
    KeyRefused,
    KeyRing,
    Role,
    SigningKey,
    VerifyKey,
    create_key,
    load_key,
    load_vkey,
)
from phasegate.engine.core.errors import BadInput
from phasegate.engine.statements import Signer, Verifier

# Published with the note format: a key pair and a note it signed.
PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
NOTE_SIGNATURE = base64.b64decode(
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)


def fault_of(call, *args) -> KeyFault:
    with pytest.raises(KeyRefused) as caught:
        call(*args)
    assert caught.value.remedy
    assert isinstance(caught.value, BadInput)
    return caught.value.fault


def text_of(name: str, data: bytes) -> str:
    """A verifier key with a right hash over any key bytes."""
    key_hash = hashlib.sha256(name.encode() + b"\n" + data).hexdigest()[:8]
    return f"{name}+{key_hash}+{base64.b64encode(data).decode()}"


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keys")


# Texts


def test_the_published_pair_is_read_and_signs_the_published_note():
    key = SigningKey.parse(PETER_PRIVATE)
    assert key.public_vkey == PETER_PUBLIC
    assert key.secret_text() == PETER_PRIVATE
    assert bytes.fromhex(key.key_id.rpartition("+")[2]) + key.sign(NOTE) == NOTE_SIGNATURE


def test_the_published_note_verifies_and_no_other_does():
    key = VerifyKey.parse(PETER_PUBLIC)
    assert key.verify(NOTE_SIGNATURE[4:], NOTE)
    assert not key.verify(NOTE_SIGNATURE[4:], NOTE + b"\n")
    assert not key.verify(NOTE_SIGNATURE[3:], NOTE)
    assert not key.verify(b"", NOTE)
    assert not VerifyKey.parse(ALICE.public_vkey).verify(NOTE_SIGNATURE[4:], NOTE)


@pytest.mark.parametrize(
    ("parse", "text"), [(VerifyKey.parse, PETER_PUBLIC), (SigningKey.parse, PETER_PRIVATE)]
)
def test_given_any_part_of_a_key_or_any_character_changed_then_it_is_refused(parse, text):
    parts = {text[i:j] for i in range(len(text)) for j in range(i, len(text) + 1)} - {text}
    changed = {
        text[:i] + chr(ord(text[i]) + step) + text[i + 1 :] for i in range(len(text)) for step in (1, -1)
    }
    for mangled in (*parts, *changed, text + "\n", " " + text, text + "=", text.lower(), text.upper()):
        with pytest.raises(KeyRefused):
            parse(mangled)


VKEY_MUTATIONS = {
    "empty": ("", KeyFault.MALFORMED),
    "a private key": (PETER_PRIVATE, KeyFault.PRIVATE),
    "part of a private key": (PETER_PRIVATE[:30], KeyFault.PRIVATE),
    "no hash": ("PeterNeumann", KeyFault.MALFORMED),
    "hash in upper case": (PETER_PUBLIC.replace("c74f20a3", "C74F20A3"), KeyFault.MALFORMED),
    "hash of another": (PETER_PUBLIC.replace("c74f20a3", "c74f20a4"), KeyFault.WRONG_HASH),
    "renamed": (PETER_PUBLIC.replace("Peter", "Petra"), KeyFault.WRONG_HASH),
    "not base64": (PETER_PUBLIC[:-1] + "!", KeyFault.MALFORMED),
    "another alphabet": (PETER_PUBLIC.replace("/", "_"), KeyFault.MALFORMED),
    "outside ascii": (PETER_PUBLIC[:-1] + "é", KeyFault.MALFORMED),
    "too long": (text_of("peter", b"\x01" + b"k" * 33), KeyFault.MALFORMED),
    "too short": (text_of("peter", b"\x01" + b"k" * 31), KeyFault.MALFORMED),
    "no key": (text_of("peter", b""), KeyFault.WRONG_ALGORITHM),
    "unknown algorithm": (text_of("peter", b"\x65" + b"k" * 32), KeyFault.WRONG_ALGORITHM),
    "name with a space": (text_of("peter n", b"\x01" + b"k" * 32), KeyFault.BAD_NAME),
    "name outside ascii": (text_of("pétér", b"\x01" + b"k" * 32), KeyFault.BAD_NAME),
    "no name": (text_of("", b"\x01" + b"k" * 32), KeyFault.BAD_NAME),
    "long name": (text_of("p" * 129, b"\x01" + b"k" * 32), KeyFault.BAD_NAME),
}


@pytest.mark.parametrize("mutation", VKEY_MUTATIONS)
def test_given_one_mutation_of_a_verifier_key_then_one_named_fault(mutation):
    text, fault = VKEY_MUTATIONS[mutation]
    assert fault_of(VerifyKey.parse, text) is fault


def test_given_a_public_key_for_a_private_one_then_it_says_so():
    assert fault_of(SigningKey.parse, PETER_PUBLIC) is KeyFault.NOT_PRIVATE


@pytest.mark.parametrize("name", ["", "a+b", "a b", "a\n", "-a", "PRIVATE", "a" * 129, 'a"b', "ä"])
def test_given_a_name_that_a_note_cannot_carry_then_no_key_is_made(name):
    assert fault_of(SigningKey.from_seed, name, bytes(32)) is KeyFault.BAD_NAME


@pytest.mark.parametrize(
    "name", ["a", "quasimodo.example/salvatore", "alice@example.com", "localhost:8080/x_y-z"]
)
def test_given_a_name_as_notes_have_them_then_the_key_reads_back(name):
    key = SigningKey.from_seed(name, bytes(32))
    assert VerifyKey.parse(key.public_vkey) == key.verify_key
    assert SigningKey.parse(key.secret_text()) == key
    assert (key.name, key.key_id) == (name, key.verify_key.key_id)


def test_a_seed_or_public_part_of_another_length_is_no_key():
    assert fault_of(SigningKey.from_seed, "a", bytes(31)) is KeyFault.MALFORMED
    assert fault_of(VerifyKey, "a", bytes(33)) is KeyFault.MALFORMED


def test_a_private_key_is_not_shown():
    secret = ALICE.secret_text().rpartition("+")[2]
    assert secret not in repr(ALICE)
    assert secret not in str(ALICE)
    assert "PRIVATE" not in repr(ALICE)


def test_no_message_repeats_key_material():
    secret = PETER_PRIVATE[-44:]
    for parse, text in [
        (VerifyKey.parse, PETER_PRIVATE),
        (SigningKey.parse, PETER_PRIVATE.replace("Peter", "Petra")),
        (SigningKey.parse, PETER_PRIVATE.replace("PRIVATE+KEY+", "")),
        (SigningKey.parse, PETER_PRIVATE + "="),
        (VerifyKey.parse, PETER_PRIVATE.replace("PRIVATE+KEY+", "")),
    ]:
        with pytest.raises(KeyRefused) as caught:
            parse(text)
        assert secret not in str(caught.value)


def test_a_signing_key_is_a_signer_and_its_public_part_a_verifier():
    signer: Signer = ALICE
    verifier: Verifier = ALICE.verify_key
    assert verifier.verify(signer.sign(b"data"), b"data")
    assert signer.key_id == verifier.key_id == "alice+" + ALICE.public_vkey.split("+")[1]


# Files


def test_given_a_new_key_then_its_file_is_private_and_reads_back(tmp_path):
    path = tmp_path / "alice.key"
    old = os.umask(0)
    try:
        key = create_key(path, "alice")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("PRIVATE+KEY+alice+")
    assert load_key(path) == key
    assert load_key(path).sign(b"x") == key.sign(b"x")
    assert [file.name for file in tmp_path.iterdir()] == ["alice.key"]


def test_given_two_keys_of_one_name_then_they_differ(tmp_path):
    assert create_key(tmp_path / "a", "alice").key_id != create_key(tmp_path / "b", "alice").key_id


@pytest.mark.parametrize("there", ["file", "link to nothing", "folder"])
def test_given_something_in_the_way_then_it_is_not_overwritten(tmp_path, there):
    path = tmp_path / "alice.key"
    if there == "file":
        path.write_text("precious")
    elif there == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    assert fault_of(create_key, path, "alice") is KeyFault.EXISTS
    assert [file.name for file in tmp_path.iterdir()] == ["alice.key"]
    assert there != "file" or path.read_text() == "precious"


def test_given_many_at_once_then_one_key_is_made_and_it_is_whole(tmp_path):
    path = tmp_path / "alice.key"

    def attempt(_):
        try:
            return create_key(path, "alice").key_id
        except KeyRefused as error:
            return error.fault

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(24)))
    made = [outcome for outcome in outcomes if outcome is not KeyFault.EXISTS]
    assert made == [load_key(path).key_id]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o777])
def test_given_a_private_file_that_others_may_reach_then_it_is_refused_with_the_remedy(tmp_path, mode):
    path = tmp_path / "alice.key"
    create_key(path, "alice")
    path.chmod(mode)
    with pytest.raises(KeyRefused, match="chmod 600") as caught:
        load_key(path)
    assert caught.value.fault is KeyFault.TOO_OPEN
    path.chmod(0o400)
    assert load_key(path).name == "alice"


FILE_MUTATIONS = {
    "empty": (b"", KeyFault.NOT_PRIVATE),
    "public part": (PETER_PUBLIC.encode(), KeyFault.NOT_PRIVATE),
    "pem": (b"-----BEGIN PRIVATE KEY-----\n", KeyFault.NOT_PRIVATE),
    "cut": (PETER_PRIVATE[:-8].encode(), KeyFault.MALFORMED),
    "two lines": (PETER_PRIVATE.encode() + b"\n\n", KeyFault.MALFORMED),
    "carriage return": (PETER_PRIVATE.encode() + b"\r\n", KeyFault.MALFORMED),
    "renamed": (PETER_PRIVATE.replace("Peter", "Petra").encode(), KeyFault.WRONG_HASH),
    "another hash": (PETER_PRIVATE.replace("c74f", "c74e").encode(), KeyFault.WRONG_HASH),
    "another algorithm": (PETER_PRIVATE.replace("+AYE", "+AoE").encode(), KeyFault.WRONG_ALGORITHM),
    "binary": (b"\xff\x00", KeyFault.NOT_PRIVATE),
    "huge": (b"PRIVATE+KEY+" + b"a" * 5_000, KeyFault.UNREADABLE),
}


@pytest.mark.parametrize("mutation", FILE_MUTATIONS)
def test_given_one_mutation_of_a_private_file_then_one_named_fault(tmp_path, mutation):
    content, fault = FILE_MUTATIONS[mutation]
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    assert fault_of(load_key, path) is fault


def test_given_no_file_a_folder_a_pipe_or_an_impossible_path_then_it_is_refused(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert fault_of(load_key, tmp_path / "none") is KeyFault.MISSING
    assert fault_of(load_key, tmp_path) is KeyFault.UNREADABLE
    assert fault_of(load_key, pipe) is KeyFault.UNREADABLE
    assert fault_of(load_key, tmp_path / "a\0b") is KeyFault.UNREADABLE
    assert fault_of(create_key, tmp_path / "a\0b", "alice") is KeyFault.UNWRITABLE
    assert fault_of(create_key, tmp_path / "no" / "folder", "alice") is KeyFault.UNWRITABLE


def test_given_a_disk_that_fails_at_any_step_then_there_is_no_key_and_no_litter(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "no space left on device")

    for step in ("open", "fchmod", "fsync", "link"):
        with monkeypatch.context() as patch:
            patch.setattr(key_files.os, step, full)
            assert fault_of(create_key, tmp_path / "alice.key", "alice") is KeyFault.UNWRITABLE
        assert not list(tmp_path.iterdir()), step
    assert create_key(tmp_path / "alice.key", "alice").name == "alice"


def test_given_only_the_name_could_not_be_made_durable_then_the_key_is_there_whole(tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def second_fails(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.EIO, "input/output error")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(key_files.os, "fsync", second_fails)
        assert fault_of(create_key, tmp_path / "alice.key", "alice") is KeyFault.UNWRITABLE
    assert load_key(tmp_path / "alice.key").name == "alice"
    assert fault_of(create_key, tmp_path / "alice.key", "alice") is KeyFault.EXISTS


# The ring


def test_given_no_ring_then_it_is_empty_and_makes_no_folder(ring, tmp_path):
    assert ring.list() == ()
    assert ring.roles_of(ALICE.key_id) == frozenset()
    assert fault_of(ring.engine_key) is KeyFault.MISSING
    assert not (tmp_path / "keys").exists()


def test_given_the_engines_key_then_the_ring_knows_it_and_keeps_it(ring, tmp_path):
    key = ring.create_engine_key("phasegate.example/ledger")
    assert ring.engine_key() == key
    assert ring.engine_vkey() == key.verify_key
    assert ring.roles_of(key.key_id) == {Role.ENGINE}
    assert ring.verify_keys(Role.ENGINE) == {key.key_id: key.verify_key}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert fault_of(ring.create_engine_key, "phasegate.example/ledger") is KeyFault.EXISTS
    assert ring.engine_key() == key


def test_given_only_the_engines_public_file_then_its_signatures_can_be_verified(ring, tmp_path):
    key = ring.create_engine_key("ledger")
    (tmp_path / "keys" / "engine.key").unlink()
    assert ring.verify_keys() == {key.key_id: key.verify_key}
    (tmp_path / "keys" / "engine.key").touch()
    (tmp_path / "keys" / "engine.vkey").unlink()
    (tmp_path / "keys" / "engine.key").unlink()
    create_key(tmp_path / "keys" / "engine.key", "again")
    assert ring.engine_vkey().name == "again"


def test_given_a_crash_between_the_engines_two_files_then_the_next_try_makes_a_whole_key(
    ring, tmp_path, monkeypatch
):
    def fails(*_args):
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(key_files.os, "link", fails)
        assert fault_of(ring.create_engine_key, "ledger") is KeyFault.UNWRITABLE
    assert not (tmp_path / "keys" / "engine.key").exists()
    key = ring.create_engine_key("ledger")
    assert ring.engine_vkey() == key.verify_key == ring.engine_key().verify_key


def test_given_many_engines_at_once_then_public_and_private_part_belong_together(ring):
    def attempt(_):
        try:
            return ring.create_engine_key("ledger").key_id
        except KeyRefused as error:
            return error.fault

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(attempt, range(12)))
    assert outcomes.count(KeyFault.EXISTS) == 11
    assert ring.engine_vkey() == ring.engine_key().verify_key


def test_given_a_registered_key_then_its_roles_add_up(ring):
    assert ring.register(ALICE.public_vkey, Role.OPERATOR).roles == {Role.OPERATOR}
    assert ring.register(ALICE.public_vkey, Role.REVIEWER).roles == {Role.OPERATOR, Role.REVIEWER}
    assert ring.register(ALICE.public_vkey, Role.REVIEWER).roles == {Role.OPERATOR, Role.REVIEWER}
    assert ring.roles_of(ALICE.key_id) == {Role.OPERATOR, Role.REVIEWER}
    assert ring.verify_keys(Role.REVIEWER) == {ALICE.key_id: ALICE.verify_key}
    assert ring.verify_keys(Role.AUDITOR) == {}
    assert [entry.key for entry in ring.list()] == [ALICE.verify_key]


def test_given_all_roles_at_once_then_none_is_lost(ring):
    wanted = set(Role) - {Role.ENGINE}
    with ThreadPoolExecutor(7) as pool:
        list(pool.map(lambda role: ring.register(ALICE.public_vkey, role), sorted(wanted)))
    assert ring.roles_of(ALICE.key_id) == wanted


def test_given_the_right_name_and_another_hash_then_it_has_no_roles(ring):
    ring.register(ALICE.public_vkey, Role.OPERATOR)
    for key_id in ("alice", "alice+00000000", "alice+", "", "+", "../alice", "a\0b", STRANGER.key_id):
        assert ring.roles_of(key_id) == frozenset()


def test_given_a_second_key_under_a_name_then_it_is_refused(ring):
    ring.register(ALICE.public_vkey, Role.OPERATOR)
    for name in ("alice", "Alice", "ALICE"):
        other = SigningKey.from_seed(name, bytes(32))
        assert fault_of(ring.register, other.public_vkey, Role.REVIEWER) is KeyFault.NAME_TAKEN
        assert fault_of(ring.create_engine_key, name) is KeyFault.NAME_TAKEN
    assert ring.list() == (ring.register(ALICE.public_vkey, Role.OPERATOR),)


def test_given_one_key_under_a_second_name_then_nobody_is_two(ring):
    ring.register(ALICE.public_vkey, Role.OPERATOR)
    twin = SigningKey.from_seed("bob", bytes(range(1, 33)))
    assert twin.verify_key.public == ALICE.verify_key.public
    assert fault_of(ring.register, twin.public_vkey, Role.REVIEWER) is KeyFault.KEY_TAKEN


def test_given_the_engines_own_key_then_it_is_not_registered_for_anything(ring):
    engine = ring.create_engine_key("ledger")
    for role in Role:
        assert fault_of(ring.register, engine.public_vkey, role) is KeyFault.KEY_TAKEN
    twin = VerifyKey("operator", engine.verify_key.public)
    assert fault_of(ring.register, twin.vkey, Role.OPERATOR) is KeyFault.KEY_TAKEN
    taken = SigningKey.from_seed("ledger", bytes(32))
    assert fault_of(ring.register, taken.public_vkey, Role.OPERATOR) is KeyFault.NAME_TAKEN


@pytest.mark.parametrize(("first", "then"), [(Role.ENGINE, Role.OPERATOR), (Role.OPERATOR, Role.ENGINE)])
def test_given_an_engines_key_then_it_has_no_other_role(ring, first, then):
    ring.register(ALICE.public_vkey, first)
    assert fault_of(ring.register, ALICE.public_vkey, then) is KeyFault.ROLE_CONFLICT
    assert ring.roles_of(ALICE.key_id) == {first}


def test_given_an_engines_earlier_key_then_it_still_verifies(ring):
    ring.register(ALICE.public_vkey, Role.ENGINE)
    engine = ring.create_engine_key("ledger")
    assert set(ring.verify_keys(Role.ENGINE)) == {ALICE.key_id, engine.key_id}


@pytest.mark.parametrize("name", ["a/b", "a:b", "phasegate.example/ledger", "x" * 65])
def test_given_a_name_that_is_no_file_name_then_it_is_not_registered(ring, name):
    key = SigningKey.from_seed(name, bytes(32))
    assert fault_of(ring.register, key.public_vkey, Role.OPERATOR) is KeyFault.BAD_NAME


def test_given_a_private_key_to_register_then_it_is_refused_and_written_nowhere(ring, tmp_path):
    assert fault_of(ring.register, ALICE.secret_text(), Role.OPERATOR) is KeyFault.PRIVATE
    assert not list(tmp_path.rglob("*.vkey"))


RING_MUTATIONS = {
    "no roles": (f"{ALICE.public_vkey}\n", KeyFault.MALFORMED),
    "empty roles": (f"{ALICE.public_vkey}\nroles \n", KeyFault.MALFORMED),
    "unknown role": (f"{ALICE.public_vkey}\nroles operator root\n", KeyFault.MALFORMED),
    "a role twice": (f"{ALICE.public_vkey}\nroles operator operator\n", KeyFault.MALFORMED),
    "unsorted roles": (f"{ALICE.public_vkey}\nroles reviewer operator\n", KeyFault.MALFORMED),
    "a line more": (f"{ALICE.public_vkey}\nroles operator\n\n", KeyFault.MALFORMED),
    "cut": (f"{ALICE.public_vkey}\nroles operator", KeyFault.MALFORMED),
    "key of another": (f"{STRANGER.public_vkey}\nroles operator\n", KeyFault.MALFORMED),
    "private key": (f"{ALICE.secret_text()}\nroles operator\n", KeyFault.PRIVATE),
    "damaged key": (f"{ALICE.public_vkey[:-1]}\nroles operator\n", KeyFault.MALFORMED),
}


@pytest.mark.parametrize("mutation", RING_MUTATIONS)
def test_given_one_mutation_of_a_registration_then_it_is_trusted_for_nothing(ring, tmp_path, mutation):
    ring.register(ALICE.public_vkey, Role.OPERATOR)
    text, fault = RING_MUTATIONS[mutation]
    (tmp_path / "keys" / "operators" / "alice.vkey").write_text(text)
    assert fault_of(ring.roles_of, ALICE.key_id) is fault
    assert fault_of(ring.list) is fault
    assert fault_of(ring.register, ALICE.public_vkey, Role.REVIEWER) is fault


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_given_a_registration_that_others_may_write_then_it_is_trusted_for_nothing(ring, tmp_path, mode):
    ring.register(ALICE.public_vkey, Role.OPERATOR)
    path = tmp_path / "keys" / "operators" / "alice.vkey"
    path.chmod(mode)
    assert fault_of(ring.roles_of, ALICE.key_id) is KeyFault.TOO_OPEN
    path.chmod(0o444)
    assert ring.roles_of(ALICE.key_id) == {Role.OPERATOR}


def test_given_a_failing_disk_when_a_role_is_added_then_the_old_registration_stands(
    ring, tmp_path, monkeypatch
):
    ring.register(ALICE.public_vkey, Role.OPERATOR)
    before = sorted(tmp_path.rglob("*"))

    def fails(*_args):
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(key_files.os, "fsync", fails)
        assert fault_of(ring.register, ALICE.public_vkey, Role.REVIEWER) is KeyFault.UNWRITABLE
    with monkeypatch.context() as patch:
        patch.setattr(key_files.Path, "replace", fails)
        assert fault_of(ring.register, ALICE.public_vkey, Role.REVIEWER) is KeyFault.UNWRITABLE
    assert ring.roles_of(ALICE.key_id) == {Role.OPERATOR}
    assert sorted(tmp_path.rglob("*")) == before


def test_given_a_file_where_the_ring_should_be_then_it_is_refused(tmp_path):
    (tmp_path / "keys").write_text("")
    ring = KeyRing(tmp_path / "keys")
    assert fault_of(ring.register, ALICE.public_vkey, Role.OPERATOR) is KeyFault.UNWRITABLE
    assert fault_of(ring.list) is KeyFault.UNREADABLE


def test_a_verifier_key_file_reads_back(tmp_path):
    path = tmp_path / "alice.vkey"
    path.write_text(f"{ENGINE.public_vkey}\n")
    path.chmod(0o644)
    assert load_vkey(path) == ENGINE.verify_key
    path.write_text(ENGINE.secret_text())
    assert fault_of(load_vkey, path) is KeyFault.PRIVATE
