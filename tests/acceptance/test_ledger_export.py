"""Promise: a ledger can be taken out of its home, and checked where neither home nor engine is."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from checkpoint_work import CheckpointWork
from engine_drivers import NINE_PHASES, Ran, cli
from exported_ledgers import LOG, WITNESSES, Signer, note_over

from phasegate.engine.app.engine import Engine
from phasegate.ledger.offline.archive import pack

pytestmark = pytest.mark.attack

TASKS = 40
DER_PREFIX = bytes.fromhex("302a300506032b6570032100")
"""What stands before the 32 bytes of an Ed25519 public key in its DER form (RFC 8410)."""
FORBIDDING = """
import sys


class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"apsw", "pydantic", "typer", "rich", "sqlite3", "sqlite_utils", "yaml"}:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        if name.startswith(("phasegate.engine", "phasegate.policies", "phasegate.validators", "phasegate.telemetry")):
            raise AssertionError(name)
        return None


sys.meta_path.insert(0, Forbidden())
from phasegate.ledger.__main__ import main

sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Given a home with some tasks."""
    home = tmp_path_factory.mktemp("home") / "state"
    with Engine.init(home) as engine:
        for number in range(1, TASKS + 1):
            engine.open_task(f"IMP-{number}", NINE_PHASES)
            engine.advance(f"IMP-{number}", "MONITOR")
    return home


@pytest.fixture(scope="module")
def datas(home: Path) -> list[bytes]:
    with Engine.open(home, readonly=True) as engine:
        return [entry.bytes for entry in engine.store.entries()]


@pytest.fixture(scope="module")
def ledger(home: Path) -> str:
    with Engine.open(home, readonly=True) as engine:
        return engine.store.ledger


@pytest.fixture
def note(tmp_path: Path, datas: list[bytes], ledger: str) -> Path:
    """Given a signed and cosigned checkpoint of the whole ledger."""
    path = tmp_path / "note"
    path.write_bytes(note_over(datas, origin=ledger, witnesses=WITNESSES))
    return path


@pytest.fixture
def tiles(home: Path, tmp_path: Path, note: Path) -> Path:
    """Given the ledger as tiles."""
    path = tmp_path / "tiles"
    ran = cli("ledger", "export", str(path), "--checkpoint", str(note), "--proof", "3", "--home", str(home))
    assert ran.code == 0, ran
    return path


def verify(*args: object) -> Ran:
    return cli("ledger", "verify", *map(str, args))


def alone(*args: object, script: str = FORBIDDING) -> subprocess.CompletedProcess[str]:
    """Verify in a process in which engine, apsw, pydantic and typer cannot be imported."""
    command = [sys.executable, "-c", script, "verify", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def keyed() -> list[str]:
    """All terms that the export meets."""
    witnesses = [part for witness in WITNESSES for part in ("--witness", witness.public_vkey)]
    return ["--key", LOG.public_vkey, *witnesses, "--quorum", "2"]


def test_each_format_is_written_told_and_verified(home: Path, tmp_path: Path, datas: list[bytes]) -> None:
    head = hashlib.sha256(datas[-1]).hexdigest()
    for format_ in ("tiles", "jsonl", "sqlite"):
        path = tmp_path / f"out-{format_}"
        ran = cli("ledger", "export", "--format", format_, str(path), "--home", str(home), "--json")
        assert ran.code == 0, ran
        assert (ran.json["entries"], ran.json["head"]) == (len(datas), head)
        told = cli("ledger", "export", "--format", format_, str(path) + "2", "--home", str(home))
        assert f"{format_} of {len(datas)} entries written to" in told.out
        assert ran.json["root"] in told.out
    for name in ("out-tiles", "out-jsonl"):
        assert verify(tmp_path / name, "--json").json["root"] == ran.json["root"]
    assert verify(tmp_path / "out-sqlite").code == 4  # for reading, not for proof


def test_tiles_have_a_checkpoint_of_their_own_where_none_is_named(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "tiles"
    assert cli("ledger", "export", str(path), "--proof", "1", "--home", str(home)).code == 0
    with Engine.open(home, readonly=True) as engine:
        size, key = engine.store.head().size, engine.checkpoints.key().text
    stated = (path / "checkpoint").read_text().splitlines()
    assert stated[1] == str(size)
    assert (path / "proof" / "000.tlog-proof").exists()
    assert verify(path, "--key", key, "--json").json["checked"]


def test_verify_says_what_it_checked_and_what_is_left(tiles: Path, datas: list[bytes]) -> None:
    ran, told = verify(tiles, *keyed(), "--json"), verify(tiles, *keyed())
    assert (ran.code, told.code) == (0, 0), (ran, told)
    assert ran.json["not_ruled_out"] == [f"truncation: entries removed that came after entry {len(datas)}"]
    assert ran.json["checkpoint"]["signed_by"] == [LOG.name]
    assert len(ran.json["checkpoint"]["cosigned"]) == len(WITNESSES)
    assert "the ledger holds" in told.out
    assert "checked: proofs of single entries: 1" in told.out
    assert "trust:" not in told.out


def test_a_home_is_verified_against_a_checkpoint_and_keys(
    home: Path, note: Path, tmp_path: Path, datas: list[bytes], ledger: str
) -> None:
    at = ("--home", home)
    key = ("--key", LOG.public_vkey)
    assert verify(*keyed(), "--checkpoint", note, *at).code == 0
    held = verify(*key, "--previous", note, *at, "--json")
    assert held.code == 0
    assert [doubt.partition(":")[0] for doubt in held.json["not_ruled_out"]] == ["truncation", "fork"]
    other = tmp_path / "other"
    other.write_bytes(note_over([*datas[:-1], b"other"], origin=ledger))
    ran = verify(*key, "--previous", other, *at, "--json")
    assert (ran.code, ran.json["problem"]["code"]) == (4, "checkpoint_mismatch")
    assert "another ledger's key" in verify(*key, *at, "--json").json["not_ruled_out"][-1]
    assert verify("--ledger", "another", *at, "--json").json["problem"]["code"] == "foreign_ledger"


def test_without_the_engine_and_without_sqlite_exports_and_bundles_verify(
    home: Path, tiles: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "l.jsonl"
    assert cli("ledger", "export", "--format", "jsonl", str(lines), "--home", str(home)).code == 0
    for path in (tiles, lines):
        ran = alone(path, "--json")
        assert (ran.returncode, ran.stderr) == (0, ""), ran
        assert json.loads(ran.stdout)["ok"] is True
    ran = alone(tiles, *keyed())
    assert ran.returncode == 0
    assert "problem  none found" in ran.stdout
    ran = alone(home / "ledger.db")
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: a ledger file needs `apsw`")


def test_the_module_takes_the_same_options(tiles: Path) -> None:
    command = [sys.executable, "-m", "phasegate.ledger", "verify", str(tiles), *keyed(), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) | {"elapsed_s": 0} == verify(tiles, *keyed(), "--json").json | {
        "elapsed_s": 0
    }


@pytest.mark.parametrize(
    "args",
    [
        ["--format", "jsonl", "new", "--proof", "1"],
        ["--format", "sqlite", "new", "--checkpoint", "note"],
        ["new", "--proof", "first"],
        ["new", "--proof", "121"],
        ["new", "--checkpoint", "none"],
        ["new", "--checkpoint", "note", "--proof", "0"],
        ["no/such/folder/new"],
        ["--format", "sqlite", "no/such/folder/new"],
        ["taken"],
        ["--format", "jsonl", "taken"],
        ["--format", "sqlite", "taken"],
        ["--format", "bundle", "."],
    ],
)
def test_an_export_that_cannot_be_is_refused_with_a_remedy_and_leaves_nothing(
    home: Path, note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine").write_text("mine")
    before = sorted(tmp_path.iterdir())
    ran = cli("ledger", "export", *args, "--home", str(home))
    assert ran.code == 2, ran
    assert ran.err.startswith("error: ")
    assert ran.err.count("\nremedy: ") == 1
    assert sorted(tmp_path.iterdir()) == before
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["mine"]


def test_a_checkpoint_that_contradicts_the_ledger_is_an_integrity_error(
    home: Path, tmp_path: Path, datas: list[bytes], ledger: str
) -> None:
    (tmp_path / "note").write_bytes(note_over([*datas, b"more"], origin=ledger))
    args = ["ledger", "export", str(tmp_path / "tiles"), "--checkpoint", str(tmp_path / "note")]
    assert cli(*args, "--home", str(home)).code == 4


# -- bundles of tasks -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> CheckpointWork:
    """Given finished work and its bundle."""
    return CheckpointWork(tmp_path_factory.mktemp("work"))


def test_a_bundle_is_verified_as_far_as_its_chain_goes_and_the_report_says_so(work: CheckpointWork) -> None:
    ran = alone(work.bundle, "--key", work.vkey, "--json")
    assert ran.returncode == 0, ran
    report = json.loads(ran.stdout)
    assert report["kind"] == "bundle"
    assert any(item.startswith("the signed head: ") for item in report["checked"])
    assert any("validate_checkpoint" in item for item in report["not_checked"])
    assert "by who holds the key" in report["not_ruled_out"][1]
    bare = json.loads(alone(work.bundle, "--json").stdout)
    assert "no key was given" in bare["not_checked"][1]
    assert bare["not_ruled_out"][1] == "rewrite: the whole chain written anew"
    stranger = Signer("engine", 9)
    assert (
        json.loads(alone(work.bundle, "--key", stranger.public_vkey, "--json").stdout)["problem"]["code"]
        == "wrong_key"
    )


def test_any_byte_changed_in_a_bundle_is_named(work: CheckpointWork, tmp_path: Path) -> None:
    from phasegate.ledger.offline.terms import terms_of
    from phasegate.ledger.offline.verifying import verify_path

    data = work.bundle.read_bytes()
    path, terms = tmp_path / "task.bundle", terms_of(keys=[work.vkey])
    for at in [*range(0, len(data), 997), 257, len(data) - 1]:
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        report = verify_path(path, terms)
        assert report.exit_code == 4, at
    for spoiled in (data[:-1], data[:-1024], data + bytes(512), data[: len(data) // 2]):
        path.write_bytes(spoiled)
        assert verify_path(path, terms).exit_code == 4


def repacked(bundle: Path, target: Path, **changes: Callable[[bytes], bytes]) -> Path:
    """A bundle with members changed and every digest in it made to fit, as a careful forger would."""
    with tarfile.open(bundle) as archive:
        found = {member.name: archive.extractfile(member) for member in archive}
        members = {name: file.read() for name, file in found.items() if file is not None}
    for name, change in changes.items():
        members[name] = change(members[name])
    del members["SHA256SUMS"]
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(members.items()))
    members["SHA256SUMS"] = "".join(lines).encode()
    target.write_bytes(pack(members))
    return target


def _without_last(lines: bytes) -> bytes:
    return b"".join(lines.splitlines(keepends=True)[:-1])


def _manifest_of_one_less(manifest: bytes, entries: bytes) -> bytes:
    last = hashlib.sha256(_without_last(entries).splitlines()[-1]).hexdigest()
    value = json.loads(manifest)
    value["ledger"]["head"] = {"entries": value["ledger"]["head"]["entries"] - 1, "hash": last}
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


def test_a_bundle_packed_anew_is_named_by_its_chain_or_its_signed_head(
    work: CheckpointWork, tmp_path: Path
) -> None:
    with tarfile.open(work.bundle) as archive:
        file = archive.extractfile("ledger/entries.jsonl")
        assert file
        entries = file.read()
        evidence = next(name for name in archive.getnames() if name.startswith("objects/"))
    cut: dict[str, Callable[[bytes], bytes]] = {
        "ledger/entries.jsonl": _without_last,
        "manifest.json": lambda data: _manifest_of_one_less(data, entries),
    }
    attacks: list[tuple[dict[str, Callable[[bytes], bytes]], str]] = [
        ({"ledger/entries.jsonl": lambda data: data.replace(b'"v":1', b'"v":2', 1)}, "bad_entry"),
        ({"ledger/entries.jsonl": lambda data: data[:-1]}, "truncated"),
        ({"ledger/entries.jsonl": _without_last}, "truncated"),
        ({"ledger/entries.jsonl": lambda data: data + b"x"}, "cut_line"),
        ({evidence: lambda data: data + b" "}, "digest_mismatch"),
        ({"manifest.json": lambda _: b"{}"}, "bad_bundle"),
        ({"manifest.json": lambda data: data.replace(b'"entries": 0', b'"entries": 1')}, "head_mismatch"),
        ({"ledger/head.json": lambda _: b"[]"}, "bad_head"),
        ({"ledger/head.json": lambda data: data.replace(b"in-toto", b"in-tutu")}, "bad_head"),
        ({"ledger/head.json": lambda data: data.replace(b'"sig":"', b'"sig":"AAAA')}, "bad_signature"),
        ({"ledger/head.json": lambda data: data.replace(b'"keyid":"', b'"keyid":"x')}, "wrong_key"),
        (cut, "head_mismatch"),
    ]
    for number, (changes, named) in enumerate(attacks):
        path = repacked(work.bundle, tmp_path / f"{number}.bundle", **changes)
        ran = verify(path, "--key", work.vkey, "--json")
        assert (ran.code, ran.json["problem"]["code"]) == (4, named), (number, ran)
    # Without a key the checkpoint still says how many there were.
    ran = verify(repacked(work.bundle, tmp_path / "cut.bundle", **cut), "--json")
    assert (ran.code, ran.json["problem"]["code"]) == (4, "truncated")


# -- verifiers of others --------------------------------------------------------------------------------


def entries_of(tiles: Path) -> list[bytes]:
    """The entries in bundles, read with nothing of ours."""
    found = []
    for path in sorted((tiles / "tile" / "entries").rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        while data:
            length = int.from_bytes(data[:2], "big")
            found.append(data[2 : 2 + length])
            data = data[2 + length :]
    return found


def test_pymerkle_computes_the_root_that_the_checkpoint_states(tiles: Path) -> None:
    pymerkle = pytest.importorskip("pymerkle")
    stated = base64.b64decode((tiles / "checkpoint").read_text().splitlines()[2])

    def root() -> bytes:
        tree = pymerkle.InmemoryTree(algorithm="sha256")
        for entry in entries_of(tiles):
            tree.append_entry(entry)
        return bytes(tree.get_root())

    assert root() == stated
    bundle = next(path for path in (tiles / "tile" / "entries").rglob("*") if path.is_file())
    data = bundle.read_bytes()
    bundle.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    assert root() != stated


def test_pymerkle_accepts_the_proof_of_an_entry(tiles: Path) -> None:
    pymerkle = pytest.importorskip("pymerkle")
    before, _, checkpoint = (tiles / "proof" / "002.tlog-proof").read_text().partition("\n\n")
    header, index, *hashes = before.splitlines()
    size, root = checkpoint.splitlines()[1:3]
    assert (header, index) == ("c2sp.org/tlog-proof@v1", "index 2")
    entries = entries_of(tiles)
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for entry in entries:
        tree.append_entry(entry)
    leaf = hashlib.sha256(b"\0" + entries[2]).digest()
    proof = tree.prove_inclusion(3, int(size))  # it counts from one
    proof.path = [leaf, *map(base64.b64decode, hashes)]

    pymerkle.verify_inclusion(leaf, base64.b64decode(root), proof, index=3, size=int(size))

    proof.path[1] = bytes(32)
    with pytest.raises(pymerkle.InvalidProof):
        pymerkle.verify_inclusion(leaf, base64.b64decode(root), proof, index=3, size=int(size))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_accepts_the_signature_of_the_checkpoint(tiles: Path, tmp_path: Path) -> None:
    body, _, signatures = (tiles / "checkpoint").read_bytes().partition(b"\n\n")
    line = next(line for line in signatures.decode().splitlines() if line.startswith(f"\u2014 {LOG.name} "))
    (tmp_path / "body").write_bytes(body + b"\n")
    (tmp_path / "signature").write_bytes(base64.b64decode(line.rpartition(" ")[2])[4:])
    public = base64.b64decode(LOG.public_vkey.split("+", 2)[2])[1:]
    (tmp_path / "key.der").write_bytes(DER_PREFIX + public)

    def accepted() -> bool:
        command = (
            "openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey key.der -in body -sigfile signature"
        )
        return subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False).returncode == 0

    assert accepted()
    (tmp_path / "body").write_bytes(body.replace(b"\n", b"x\n", 1) + b"\n")
    assert not accepted()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_sha256sum_follows_the_chain_of_json_lines(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    assert cli("ledger", "export", "--format", "jsonl", str(path), "--home", str(home)).code == 0

    def linked() -> bool:
        command = "sed -n 5p l.jsonl | tr -d '\\n' | sha256sum"
        ran = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)  # noqa: S602
        return json.loads(path.read_bytes().splitlines()[5])["prev"] == ran.stdout.split()[0]

    assert linked()
    path.write_bytes(path.read_bytes().replace(b'"seq":5', b'"seq":9', 1))
    assert not linked()
