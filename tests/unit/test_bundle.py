"""A bundle holds what the home holds, has one form, and no altered byte of it goes unseen."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import orjson
import pytest
import repacked_bundles
from small_processes import claimed, process_of

from phasegate.engine.app.audit.audit import EXIT_NOT_EVALUATED, EXIT_PASS, Terms, audit, audit_bundle
from phasegate.engine.app.bundle.content import read_bundle
from phasegate.engine.app.bundle.export import export_bundle, write_bundle
from phasegate.engine.app.engine import Engine
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.statements.note_keys import VerifyKey
from phasegate.ledger.checkpoint import parse_checkpoint
from phasegate.ledger.errors import ExportError, ExportMismatch
from phasegate.ledger.merkle import leaf_hash, root_of
from phasegate.ledger.notes import parse_note
from phasegate.ledger.offline import archive
from phasegate.ledger.offline.archive import pack, unpack
from phasegate.ledger.offline.bundle_format import (
    CHECKPOINT,
    ENTRIES,
    HEAD,
    MANIFEST,
    PROOFS,
    STATES,
    SUMS,
    parse_manifest,
    sums,
)
from phasegate.ledger.offline.verifying import verify_path

TWO = process_of({"A": [claimed("a.md")], "B": [claimed("b.md")]}, {"A": ["B"]})
SEED = 20_260_131


def done(engine: Engine, folder: Path, task: str) -> None:
    """Take a task honestly to its end."""
    engine.open_task(task, TWO)
    for name in ("a.md", "b.md"):
        file = folder / f"{task}-{name}"
        file.write_text(f"{name} of {task}")
        assert engine.add_evidence(task, [file], name).accepted
        assert engine.advance(task).accepted


@pytest.fixture
def engine(tmp_path: Path):
    """A home with two finished tasks."""
    with Engine.init(tmp_path / "state") as engine:
        done(engine, tmp_path, "T-1")
        done(engine, tmp_path, "T-2")
        yield engine


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, VerifyKey]:
    """A bundle and the key that vouches for it."""
    folder = tmp_path_factory.mktemp("packed")
    with Engine.init(folder / "state") as engine:
        done(engine, folder, "T-1")
        return export_bundle(engine, "T-1"), engine.keys.engine_vkey()


def test_the_audit_of_a_bundle_is_the_audit_of_the_home(engine) -> None:
    key = engine.keys.engine_vkey()
    for task in ("T-1", "T-2"):
        of_bundle = audit_bundle(read_bundle(export_bundle(engine, task)), Terms(keys=(key,)))

        assert of_bundle.tasks == audit(engine, [task]).tasks
        assert of_bundle.tasks[0].claimed == ("A", "B")
        assert of_bundle.exit_code == EXIT_PASS


def test_the_same_state_is_the_same_file(engine) -> None:
    assert export_bundle(engine, "T-1") == export_bundle(engine, "T-1")


def test_a_bundle_can_be_checked_with_tar_and_sha256sum_alone(engine, tmp_path) -> None:
    file, folder = tmp_path / "t.bundle", tmp_path / "unpacked"
    digest = write_bundle(engine, "T-1", file)
    folder.mkdir()
    subprocess.run(["tar", "-xf", str(file), "-C", str(folder)], check=True)
    checked = subprocess.run(["sha256sum", "-c", "--strict", SUMS], cwd=folder, capture_output=True)

    assert checked.returncode == 0, checked.stderr
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    previous = "0" * 64
    for line in (folder / ENTRIES).read_bytes().splitlines():
        assert f'"prev":"{previous}"'.encode() in line
        previous = hashlib.sha256(line).hexdigest()
    assert previous.encode() in (folder / MANIFEST).read_bytes()
    assert previous in (folder / "README.md").read_text()


def test_a_bundle_is_written_through_no_link_and_into_no_file_of_another(engine, tmp_path) -> None:
    mine, file = tmp_path / "mine", tmp_path / "t.bundle"
    mine.write_text("mine")
    (tmp_path / ".t.bundle.new").symlink_to(mine)
    write_bundle(engine, "T-1", file)
    whole = file.read_bytes()
    (tmp_path / f".t.bundle.{os.getpid()}.new").symlink_to(mine)

    with pytest.raises(BadInput):
        write_bundle(engine, "T-2", file)

    assert (mine.read_text(), file.read_bytes()) == ("mine", whole)


def test_a_bundle_holds_no_evidence_of_another_task(engine) -> None:
    bundle = read_bundle(export_bundle(engine, "T-1"))

    assert bundle.object(hashlib.sha256(b"a.md of T-1").hexdigest()) == b"a.md of T-1"
    assert bundle.object(hashlib.sha256(b"a.md of T-2").hexdigest()) is None


def test_without_a_key_from_elsewhere_signatures_are_not_evaluated(packed) -> None:
    found = audit_bundle(read_bundle(packed[0]))

    assert found.exit_code == EXIT_NOT_EVALUATED
    assert [finding.code for finding in found.findings] == ["signatures.not_evaluated"]
    assert found.tasks[0].holds


@pytest.mark.parametrize("wrapped", [lambda digest: [digest], lambda digest: {"of": digest}])
def test_an_entry_that_names_a_digest_within_something_else_breaks_no_verification(
    packed, tmp_path, wrapped
) -> None:
    members = unpack(packed[0])
    *lines, last = members[ENTRIES].splitlines(keepends=True)
    said = orjson.loads(last)
    said["payload"]["state"] = wrapped(said["payload"]["state"])
    forged = orjson.dumps(said, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
    root = root_of(leaf_hash(line[:-1]) for line in (*lines, forged))
    note = parse_note(members[CHECKPOINT])
    text = parse_checkpoint(note.text)._replace(root=root).text()
    head = parse_manifest(members[MANIFEST])
    path = tmp_path / "forged.bundle"
    kept = {name: content for name, content in members.items() if not name.startswith((PROOFS, HEAD))}
    forgery = {
        ENTRIES: b"".join((*lines, forged)),
        CHECKPOINT: note._replace(text=text).encoded().encode(),
        MANIFEST: head._replace(
            head=head.head._replace(hash=hashlib.sha256(forged[:-1]).hexdigest())
        ).encoded(),
    }
    path.write_bytes(repacked_bundles.repacked({**kept, **forgery}))

    assert verify_path(path).chain.ok


def test_with_another_key_no_gate_holds(packed, tmp_path) -> None:
    with Engine.init(tmp_path / "other") as other:
        found = audit_bundle(read_bundle(packed[0]), Terms(keys=(other.keys.engine_vkey(),)))

    assert found.exit_code == 4
    assert found.ledger.problem.code == "wrong_key"


def test_evidence_that_was_altered_cannot_be_exported(engine) -> None:
    (engine.home.root / "evidence" / "T-1" / "A" / "a.md").write_text("better")

    with pytest.raises(IntegrityError, match="a bundle would not show"):
        export_bundle(engine, "T-1")


def test_a_snapshot_that_is_gone_is_missed_in_the_bundle_too(engine) -> None:
    digest = hashlib.sha256(b"a.md of T-1").hexdigest()
    (engine.home.objects / "sha256" / digest[:2] / digest).unlink()

    found = audit_bundle(read_bundle(export_bundle(engine, "T-1")), Terms(keys=(engine.keys.engine_vkey(),)))

    assert found.exit_code == 1
    assert found.tasks == audit(engine, ["T-1"]).tasks


def verdict(data: bytes, key: VerifyKey) -> int:
    """Exit code of an audit of these bytes."""
    try:
        return audit_bundle(read_bundle(data), Terms(keys=(key,))).exit_code
    except (BadInput, IntegrityError) as error:
        return error.exit_code


def test_no_flipped_bit_goes_unseen(packed) -> None:
    data, key = packed
    draw = random.Random(SEED)
    places = {*draw.sample(range(len(data)), 400), *range(512), len(data) - 1, len(data) - 1024}
    print(f"seed {SEED}, {len(places)} of {len(data)} bytes")
    for place in sorted(places):
        flipped = bytearray(data)
        flipped[place] ^= 1 << draw.randrange(8)
        assert verdict(bytes(flipped), key) in {2, 4}, f"byte {place}, seed {SEED}"


def test_no_truncation_goes_unseen(packed) -> None:
    data, key = packed
    draw = random.Random(SEED)
    for size in [0, 1, 511, 512, len(data) - 1, len(data) - 512, *draw.sample(range(len(data)), 100)]:
        assert verdict(data[:size], key) in {2, 4}, f"{size} bytes, seed {SEED}"
    assert verdict(data + b"\0", key) == 4


def repacked(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """A bundle with other members and sums that fit them."""
    members = unpack(data)
    change(members)
    members[SUMS] = sums(members)
    return pack(members)


def _entry_dropped(members: dict[str, bytes]) -> None:
    members[ENTRIES] = b"".join(members[ENTRIES].splitlines(keepends=True)[:-1])


def _entry_edited(members: dict[str, bytes]) -> None:
    members[ENTRIES] = members[ENTRIES].replace(b'"A"', b'"B"', 1)


def _object_gone(members: dict[str, bytes]) -> None:
    del members[next(name for name in members if name.startswith("objects/"))]


def _object_swapped(members: dict[str, bytes]) -> None:
    members[next(name for name in members if name.startswith("objects/"))] = b"other"


def _statement_gone(members: dict[str, bytes]) -> None:
    del members[next(name for name in members if name.startswith("statements/"))]


def _process_gone(members: dict[str, bytes]) -> None:
    del members[next(name for name in members if name.startswith("processes/"))]


def _prior_changed(members: dict[str, bytes]) -> None:
    members[MANIFEST] = members[MANIFEST].replace(
        b'"prior": {\n    "entries": 0', b'"prior": {\n    "entries": 1'
    )


def _state_changed(members: dict[str, bytes]) -> None:
    name = next(name for name in members if name.startswith(STATES))
    changed = members.pop(name).replace(b'"completed"', b'"open"')
    members[f"{STATES}{hashlib.sha256(changed).hexdigest()}.json"] = changed


def _other_task(members: dict[str, bytes]) -> None:
    members[MANIFEST] = members[MANIFEST].replace(b'"T-1"', b'"T-9"')


def _member_missing(members: dict[str, bytes]) -> None:
    del members["keys/engine.vkey"]


def _empty(members: dict[str, bytes]) -> None:
    members[ENTRIES] = b""


@pytest.mark.parametrize(
    "change",
    [
        _entry_dropped, _entry_edited, _object_gone, _object_swapped, _statement_gone, _process_gone,
        _prior_changed, _state_changed, _other_task, _member_missing, _empty,
    ],
)  # fmt: skip
def test_a_bundle_that_was_made_anew_is_refused_for_what_it_says(packed, change) -> None:
    data, key = packed

    assert verdict(repacked(data, lambda _: None), key) == 0
    assert verdict(repacked(data, change), key) in {1, 2, 4}


def _tar(*members: tuple[tarfile.TarInfo, bytes], format_: int = tarfile.USTAR_FORMAT) -> bytes:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_) as file:
        for info, content in members:
            info.size = len(content)
            file.addfile(info, BytesIO(content))
    return out.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (_tar((_member("../../etc/passwd"), b"x")), 2),
        (_tar((_member("README.md"), b"x"), (_member("../evil"), b"x")), 4),
        (_tar((_member("README.md"), b"x"), (_member("/etc/passwd"), b"x")), 4),
        (_tar((_member("README.md", tarfile.SYMTYPE, "/etc/passwd"), b"")), 4),
        (_tar((_member("README.md"), b"x"), (_member("README.md"), b"y")), 4),
        (_tar((_member("README.md"), b"x"), (_member("objects/" + "0" * 64, tarfile.DIRTYPE), b"")), 4),
        (_tar((_member("README.md"), b"x"), (_member("objects/" + "x" * 150), b"x"), format_=tarfile.PAX_FORMAT), 4),
        (_tar((_member("README.md"), b"x")), 4),
        (b"PK\x03\x04" + bytes(2000), 2),
        (b"", 2),
    ],
    ids=[
        "climbing_first", "climbing", "absolute", "link", "duplicate", "folder", "long_name", "only_a_readme",
        "zip", "empty",
    ],
)  # fmt: skip
def test_a_hostile_archive_is_refused(data: bytes, code: int) -> None:
    with pytest.raises((BadInput, IntegrityError)) as refused:
        read_bundle(data)

    assert refused.value.exit_code == code
    assert refused.value.remedy


def test_a_size_that_no_file_has_is_refused() -> None:
    header = bytearray(_tar((_member("README.md"), b"")))
    header[124:136] = b"77777777777\0"
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header[:512])

    with pytest.raises(IntegrityError):
        read_bundle(bytes(header))


def test_nothing_may_stand_behind_the_end() -> None:
    data = pack({"README.md": b"x"})

    assert unpack(data) == {"README.md": b"x"}
    for damaged in (data + bytes(1), data + bytes(512), data + b"x" * 512):
        with pytest.raises(ExportMismatch, match="behind its end"):
            unpack(damaged)


def test_too_many_members_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(archive, "MEMBERS_MAX", 3)
    members = {f"objects/{index:064x}": b"" for index in range(4)}

    with pytest.raises(ExportError, match="more than 3 members"):
        pack(members)
    monkeypatch.setattr(archive, "MEMBERS_MAX", 4)
    data = pack(members)
    monkeypatch.setattr(archive, "MEMBERS_MAX", 3)
    with pytest.raises(ExportMismatch, match="more than 3 members"):
        unpack(data)
