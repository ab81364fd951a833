"""Promise: a bundle is checked by whoever has a key, and no byte of it is another without that being told."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from checkpoint_work import TASK, CheckpointWork
from engine_drivers import Ran, cli, validate_checkpoint
from repacked_bundles import one_byte_changed, repacked

from phasegate.engine.app.bundle.export import export_bundle
from phasegate.engine.app.engine import Engine
from phasegate.ledger.note_keys import Algorithm, parse_verifier_key, signed_note
from phasegate.ledger.note_signers import SeedSigner
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.offline.archive import unpack
from phasegate.ledger.offline.bundle_format import CHECKPOINT, CHECKPOINT_KEY, HEAD, SUMS, VKEY
from phasegate.ledger.offline.report import Report
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.offline.verifying import verify_path

pytestmark = pytest.mark.attack


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> CheckpointWork:
    """Given finished work, its bundle, and that of the whole ledger."""
    work = CheckpointWork(tmp_path_factory.mktemp("work"))
    whole = work.folder / "whole.bundle"
    assert cli("ledger", "export", "--format", "bundle", str(whole), "--home", str(work.home)).code == 0
    return work


@pytest.fixture(scope="module", params=["task.bundle", "whole.bundle"])
def bundle(work: CheckpointWork, request: pytest.FixtureRequest) -> Path:
    return work.folder / request.param


def report_of(data: bytes, folder: Path, **terms: object) -> Report:
    path = folder / "some.bundle"
    path.write_bytes(data)
    return verify_path(path, Terms(**terms))


def verify(*args: object) -> Ran:
    return cli("ledger", "verify", *map(str, args), "--json")


def judged(work: CheckpointWork, bundle: Path, *more: object) -> Ran:
    terms = ("--key", work.root / "engine.vkey", "--policy", work.root / "policy.yaml", "--repo", work.root)
    return validate_checkpoint(str(bundle), *map(str, (*terms, "--base", "base", *more)), "--json")


def kept(work: CheckpointWork, folder: Path, name: str = "kept.note") -> Path:
    """The checkpoint of the bundle, as an auditor keeps it."""
    path = folder / name
    path.write_bytes(unpack(work.bundle.read_bytes())[CHECKPOINT])
    return path


def grown(work: CheckpointWork, folder: Path) -> tuple[bytes, bytes]:
    """The bundle and its checkpoint once the ledger has gone on, in a copy of the home."""
    subprocess.run(["cp", "-r", str(work.home), str(folder / "home")], check=True)
    with Engine.open(folder / "home") as engine:
        engine.open_task("IMP-10", "evaluation")
    with Engine.open(folder / "home", readonly=True) as engine:
        data = export_bundle(engine, TASK)
    return data, unpack(data)[CHECKPOINT]


def test_given_one_byte_changed_in_any_member_then_it_is_found_or_told_as_not_covered(
    work: CheckpointWork, bundle: Path, tmp_path: Path
) -> None:
    keys = (parse_verifier_key(work.vkey),)
    passed = set[str]()
    for name, place, data in one_byte_changed(bundle.read_bytes()):
        report = report_of(data, tmp_path, keys=keys)
        if report.ok:
            assert any(f"`{name.partition('.')[0]}" in line for line in report.not_checked), (name, place)
            passed.add(name)
        else:
            assert report.exit_code == 4, (name, place)
    assert passed == {"README.md"}


def test_given_the_signed_head_spelled_in_another_way_then_it_is_found(
    work: CheckpointWork, tmp_path: Path
) -> None:
    members = unpack(work.bundle.read_bytes())
    head = members[HEAD]
    (at,) = (found.start() for found in re.finditer(rb'.=="\}', head))
    spare = [head[:at] + bytes([head[at] ^ bit]) + head[at + 1 :] for bit in (1, 2, 4, 8)]
    signature = json.loads(head)["signatures"][0]
    again = json.dumps(signature, separators=(",", ":")).encode()
    others = [head + b"\n", head.replace(b",", b", ", 1), head.replace(b"}]}", b'}],"x":1}')]
    others += [
        head.replace(b"}]}", b"}," + more + b"]}") for more in (again, again.replace(b"phasegate", b"x"))
    ]
    for changed in (*spare, *others):
        assert changed != head
        report = report_of(
            repacked({**members, HEAD: changed}), tmp_path, keys=(parse_verifier_key(work.vkey),)
        )
        assert (report.exit_code, report.chain.problem and report.chain.problem.code) == (4, "bad_head"), (
            changed
        )


def test_given_a_member_swapped_for_a_good_one_then_it_is_found(
    work: CheckpointWork, bundle: Path, tmp_path: Path
) -> None:
    members = unpack(bundle.read_bytes())
    stranger = SeedSigner.from_seed(parse_verifier_key(work.vkey).name, bytes(32))
    text = parse_note(members[CHECKPOINT]).text
    forged = Note(text, (signed_note(text, stranger),)).encoded().encode()
    for name, content, code in (
        ("proofs/2.tlog-proof", members["proofs/3.tlog-proof"], "bad_proof"),
        (CHECKPOINT, forged, "wrong_key"),
        (f"objects/{0:064x}", b"evidence that no entry names", "surplus_member"),
        (f"{CHECKPOINT_KEY}{VKEY}", f"{stranger.public_vkey}\n".encode(), "bad_key"),
    ):
        changed = {**members, name: content}
        if name == CHECKPOINT:
            changed = {key: value for key, value in changed.items() if not key.startswith("proofs/")}
        report = report_of(repacked(changed), tmp_path, keys=(parse_verifier_key(work.vkey),))
        assert (report.exit_code, report.chain.problem and report.chain.problem.code) == (4, code), name


def test_given_evidence_or_proofs_kept_back_then_the_report_says_how_many(
    work: CheckpointWork, bundle: Path, tmp_path: Path
) -> None:
    members = unpack(bundle.read_bytes())
    objects = [name for name in members if name.startswith("objects/")]
    fewer = {name: body for name, body in members.items() if name not in {objects[0], "proofs/4.tlog-proof"}}
    report = report_of(repacked(fewer), tmp_path)
    assert report.ok
    assert any(
        f"1 object(s) that entries name and that are not here: {objects[0][8:]}" in line
        for line in report.not_checked
    )
    assert any("have one, but for 1" in line for line in report.checked)


def test_given_a_whole_ledger_then_its_tasks_are_audited_like_one(
    work: CheckpointWork, tmp_path: Path
) -> None:
    whole = judged(work, work.folder / "whole.bundle")
    assert (whole.code, [task["task"] for task in whole.json["tasks"]]) == (0, [TASK]), whole
    ran = cli(
        "ledger",
        "export",
        "--format",
        "bundle",
        str(tmp_path / "t.bundle"),
        "--task",
        TASK,
        "--home",
        str(work.home),
    )
    assert (ran.code, (tmp_path / "t.bundle").read_bytes()) == (0, work.bundle.read_bytes())


def test_given_a_checkpoint_kept_from_earlier_then_the_bundle_must_extend_it(
    work: CheckpointWork, tmp_path: Path
) -> None:
    note = kept(work, tmp_path)
    data, later = grown(work, tmp_path)
    (tmp_path / "later.note").write_bytes(later)
    (tmp_path / "later.bundle").write_bytes(data)
    key = ("--key", work.vkey)

    for path, previous, code in (
        (tmp_path / "later.bundle", note, None),
        (tmp_path / "later.bundle", tmp_path / "later.note", None),
        (work.bundle, tmp_path / "later.note", "truncated"),
    ):
        ran = verify(path, *key, "--previous", previous)
        assert (ran.json["problem"] or {}).get("code") == code
        assert judged(work, path, "--previous", previous).code == (4 if code else 0)
    assert any(
        "what follows entry" in line
        for line in verify(tmp_path / "later.bundle", *key, "--previous", note).json["not_ruled_out"]
    )


def test_given_another_ledger_or_a_fork_then_the_kept_checkpoint_shows_it(
    work: CheckpointWork, tmp_path: Path
) -> None:
    with Engine.open(work.home, readonly=True) as engine:
        own = engine.keys.engine_key()
    said = parse_note(unpack(work.bundle.read_bytes())[CHECKPOINT]).text.split("\n")
    fork = "\n".join([said[0], "3", said[2], ""])
    for text, code in (
        (fork, "checkpoint_mismatch"),
        (fork.replace(said[0], "another"), "foreign_checkpoint"),
    ):
        (tmp_path / "x.note").write_text(Note(text, (signed_note(text, own),)).encoded())
        assert (
            verify(work.bundle, "--key", work.vkey, "--previous", tmp_path / "x.note").json["problem"]["code"]
            == code
        )
        ran = judged(work, work.bundle, "--previous", tmp_path / "x.note")
        assert (ran.code, ran.json["ledger"]["problem"]["code"]) == (4, code)
    assert judged(work, work.bundle, "--previous", tmp_path / "none.note").code == 3
    home = ("--home", str(work.home), "--previous", str(tmp_path / "x.note"))
    assert validate_checkpoint(TASK, *home).code == 4
    assert validate_checkpoint(TASK, *home[:3], str(kept(work, tmp_path))).code != 4


def test_given_a_cosigned_checkpoint_then_the_bundle_has_it_and_says_what_it_leaves_open(
    work: CheckpointWork, tmp_path: Path
) -> None:
    from phasegate.ledger.checkpoint import cosign

    grown(work, tmp_path)
    witness = SeedSigner.from_seed("w.example", bytes([7]) * 32, Algorithm.COSIGNATURE)
    note = parse_note(kept(work, tmp_path).read_bytes())
    (tmp_path / "co.note").write_text(note.signed((cosign(note, witness, 1_700_000_000),)).encoded())
    path = tmp_path / "co.bundle"
    args = (
        "--format",
        "bundle",
        str(path),
        "--checkpoint",
        str(tmp_path / "co.note"),
        "--home",
        str(tmp_path / "home"),
    )
    assert cli("ledger", "export", *args).code == 0

    ran = verify(path, "--key", work.vkey, "--witness", witness.public_vkey, "--quorum", "1")

    assert ran.code == 0, ran
    assert any("cosigned by 1 of 1 witnesses" in line for line in ran.json["checked"])
    size = ran.json["checkpoint"]["size"]
    assert any(
        f"after entry {size}: the checkpoint does not cover them" in line for line in ran.json["not_checked"]
    )


def test_given_openssl_sha256sum_and_python_then_the_readme_says_how_to_check_it_with_them(
    bundle: Path, tmp_path: Path
) -> None:
    subprocess.run(["tar", "-xf", str(bundle), "-C", str(tmp_path)], check=True)
    lines = (tmp_path / "README.md").read_text().splitlines()
    script = "\n".join(line[7:] for line in lines if line.startswith("       "))
    said = (tmp_path / "ledger/checkpoint").read_text().splitlines()

    def by_hand() -> tuple[str, bool]:
        ran = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True)
        return ran.stdout, ran.returncode == 0

    assert by_hand() == (f"Signature Verified Successfully\n{said[2]}\n", True)
    note = (tmp_path / "ledger/checkpoint").read_text()
    (tmp_path / "ledger/checkpoint").write_text(note.replace(f"\n{said[1]}\n", f"\n{int(said[1]) + 1}\n", 1))
    assert "Signature Verified Successfully" not in by_hand()[0]
    (tmp_path / "ledger/checkpoint").write_text(note)
    entries = (tmp_path / "ledger/entries.jsonl").read_bytes()
    (tmp_path / "ledger/entries.jsonl").write_bytes(entries.replace(b'"v":1', b'"v":2', 1))
    assert said[2] not in by_hand()[0]
    assert "does not lead there" in by_hand()[0]


def test_given_a_checkpoint_key_that_is_not_the_engines_then_both_sign_and_both_are_there(
    work: CheckpointWork, tmp_path: Path
) -> None:
    subprocess.run(["cp", "-r", str(work.home), str(tmp_path / "home")], check=True)
    far = SeedSigner.from_seed("hsm.example/ledger", bytes([1]) * 32)
    with Engine.open(tmp_path / "home", readonly=True) as plain:
        data = export_bundle(Engine(plain.home, plain.store, note_signer=lambda: far), TASK)
    assert SUMS in unpack(data)
    keys = (parse_verifier_key(work.vkey), parse_verifier_key(far.public_vkey))
    for given in (keys, keys[:1], keys[1:]):
        report = report_of(data, tmp_path, keys=given)
        assert report.ok, json.dumps(report.to_json(), indent=2)
        # The head is signed by the engine alone, so that the other key says nothing of it.
        unsaid = any(line.startswith("the signature on the head") for line in report.not_checked)
        assert unsaid == (given == keys[1:])
