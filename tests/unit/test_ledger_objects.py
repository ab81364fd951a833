from __future__ import annotations

import hashlib
import os
import stat
import threading
from pathlib import Path

import pytest

from phasegate.ledger.errors import ObjectCorrupt, ObjectError, ObjectMissing
from phasegate.ledger.objects import ObjectStore

DATA = b"what was checked is what was recorded"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def objects(tmp_path):
    return ObjectStore(tmp_path / "objects")


def place(tmp_path, digest=DIGEST):
    return tmp_path / "objects" / "sha256" / digest[:2] / digest


def test_given_bytes_then_they_are_found_under_their_sha256_readonly(objects, tmp_path):
    assert not objects.has(DIGEST)
    assert objects.put(DATA) == DIGEST
    assert objects.has(DIGEST)
    assert objects.get(DIGEST) == DATA
    assert stat.S_IMODE(place(tmp_path).stat().st_mode) == 0o444
    assert list(place(tmp_path).parent.iterdir()) == [place(tmp_path)]


@pytest.mark.parametrize("data", [b"", b"\0" * 1_000_000, bytes(range(256))], ids=len)
def test_given_any_bytes_then_they_come_back(objects, data):
    assert objects.get(objects.put(data)) == data


def test_given_the_same_bytes_again_then_the_file_is_left_alone(objects, tmp_path):
    objects.put(DATA)
    before = place(tmp_path).stat()
    assert objects.put(DATA) == DIGEST
    after = place(tmp_path).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("damage", [b"", DATA[:-1], DATA + b"!", b"X" + DATA[1:]], ids=repr)
def test_given_a_damaged_object_then_reading_refuses_and_storing_repairs(objects, tmp_path, damage):
    objects.put(DATA)
    place(tmp_path).chmod(0o644)
    place(tmp_path).write_bytes(damage)
    with pytest.raises(ObjectCorrupt, match=DIGEST):
        objects.get(DIGEST)
    assert objects.put(DATA) == DIGEST
    assert objects.get(DIGEST) == DATA


def test_given_an_object_swapped_for_another_then_reading_refuses(objects, tmp_path):
    other = objects.put(b"other")
    objects.put(DATA)
    place(tmp_path, other).replace(place(tmp_path))
    with pytest.raises(ObjectCorrupt):
        objects.get(DIGEST)


def test_given_no_such_object_then_it_is_missing(objects):
    with pytest.raises(ObjectMissing, match="no object"):
        objects.get(DIGEST)


@pytest.mark.parametrize(
    "digest", ["", "ab", "../../etc/passwd", DIGEST.upper() + "x", DIGEST[:-1] + "G", DIGEST + "\n"]
)
def test_given_no_digest_then_no_path_is_made_of_it(objects, digest):
    for use in (objects.get, objects.has):
        with pytest.raises(ObjectError, match="not a digest"):
            use(digest)


def test_given_a_disk_that_fails_then_nothing_is_left_and_nothing_is_claimed(objects, tmp_path, monkeypatch):
    def fail(_):
        raise OSError(28, "No space left on device")

    objects.put(b"first")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ObjectError, match="No space left"):
        objects.put(DATA)
    monkeypatch.undo()
    assert not objects.has(DIGEST)
    assert [f.name for f in Path(tmp_path).rglob("*") if f.is_file()] == [
        hashlib.sha256(b"first").hexdigest()
    ]


def test_given_a_folder_that_cannot_be_made_then_it_says_so(tmp_path):
    (tmp_path / "objects").write_bytes(b"a file")
    with pytest.raises(ObjectError, match="cannot"):
        ObjectStore(tmp_path / "objects").put(DATA)


def test_given_many_writers_of_the_same_bytes_then_all_succeed(objects, tmp_path):
    digests = []
    threads = [threading.Thread(target=lambda: digests.append(objects.put(DATA))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert digests == [DIGEST] * 8
    assert list(place(tmp_path).parent.iterdir()) == [place(tmp_path)]
