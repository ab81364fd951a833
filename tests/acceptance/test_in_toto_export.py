"""Promise: a task's way through its process is accepted by in-toto's own verifier, and nothing else is.

Each rejected export is an accepted one with a single change.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import Ran, cli
from in_toto_work import ENGINE_PEM, PHASES, TASK, InTotoWork, altered, in_toto_verify, link_name

from phasegate.engine.app.people.keys import load_key
from phasegate.engine.statements.dsse import PAYLOAD_TYPE, encode_envelope, pae
from phasegate.engine.statements.public_keys import in_toto_key_id

pytestmark = pytest.mark.attack
pytest.importorskip("in_toto", reason="in-toto is not installed; pip install -e '.[dev]'")

SEED = 20_261_128


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> InTotoWork:
    """Given a task that went back once and was then completed, and another in the same ledger."""
    work = InTotoWork(tmp_path_factory.mktemp("work"))
    work.complete()
    work.complete("IMP-8")
    return work


@pytest.fixture(scope="module")
def export(work: InTotoWork) -> Path:
    """Its export."""
    ran = work.export(work.folder / "export")
    assert ran.code == 0, ran
    return work.folder / "export"


def payload(path: Path) -> Any:
    """What an envelope holds."""
    return json.loads(base64.b64decode(json.loads(path.read_bytes())["payload"]))


def resigned(work: InTotoWork, said: Any, key: Path | None = None) -> bytes:
    """An envelope as whoever holds a private key can make it; the engine's by default."""
    signer = load_key(key or work.home / "keys" / "engine.key")
    data = json.dumps(said).encode()
    return encode_envelope(data, [(in_toto_key_id(signer.verify_key), signer.sign(pae(PAYLOAD_TYPE, data)))])


def rejected(ran: Ran, error: str) -> None:
    assert ran.code == 1, ran
    assert error in ran.err


# -- accepted -------------------------------------------------------------------------------------------


def test_the_command_of_the_readme_accepts_the_export(export: Path, tmp_path: Path) -> None:
    command = re.search(r"^    (in-toto-verify .*)$", (export / "README.md").read_text(), re.MULTILINE)
    assert command
    program = shutil.which("in-toto-verify", path=str(Path(sys.executable).parent)) or "in-toto-verify"

    def run(folder: Path) -> tuple[int, str]:
        argv = [program, *shlex.split(command[1])[1:]]
        ran = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
        return ran.returncode, ran.stdout + ran.stderr

    # Not even a warning: the layout expects the command that was witnessed.
    assert run(export) == (0, "")
    code, said = run(altered(export, tmp_path / "x", {link_name(export, "CHECK"): None}))
    assert code == 1
    assert "Step 'CHECK' requires '1' link metadata file(s), found '0'" in said


def test_only_the_attempt_that_stands_is_told_of(export: Path, work: InTotoWork) -> None:
    for phase in PHASES:
        link = payload(export / link_name(export, phase))
        assert (link["name"], link["byproducts"]["attempt"]) == (phase, 2)
    evidence = work.home / "evidence" / TASK
    products = payload(export / link_name(export, "DRAFT"))["products"]
    for name in ("draft.md", "plan.md"):
        digest = hashlib.sha256((evidence / "DRAFT" / name).read_bytes()).hexdigest()
        assert products[f"{TASK}/DRAFT/{name}"] == {"sha256": digest}


def test_links_name_what_was_run_who_decided_and_the_signed_statements(export: Path) -> None:
    check = payload(export / link_name(export, "CHECK"))
    assert check["command"][0] == "echo"
    assert check["byproducts"]["return-value"] == 0
    (decision,) = payload(export / link_name(export, "REVIEW"))["byproducts"]["decisions"]
    assert (decision["by"], decision["role"], decision["decision"]) == ("rita", "reviewer", "approve")
    named = {check["byproducts"]["witnessed"][0]["statement"], decision["statement"]}
    for phase in PHASES:
        link = payload(export / link_name(export, phase))
        digest = link["byproducts"]["statement"]
        assert link["products"][f"{TASK}/{phase}/statements/transition"] == {"sha256": digest}
        assert payload(export / "statements" / f"{digest}.json")["predicate"]["from"] == phase
        named.add(digest)
    found = {path.stem: path.read_bytes() for path in (export / "statements").iterdir()}
    assert {digest: hashlib.sha256(data).hexdigest() for digest, data in found.items()} == {
        digest: digest for digest in named
    }


def test_a_layout_that_an_operator_owns_is_signed_by_both(work: InTotoWork, tmp_path: Path) -> None:
    ran = work.export(tmp_path / "owned", "--key", str(work.keys["olga"]), "--expires", "2099-12-31")
    owner = f"keys/{load_key(work.keys['olga']).key_id}.pem"

    assert ran.code == 0, ran
    assert payload(tmp_path / "owned" / "root.layout")["expires"] == "2099-12-31T00:00:00Z"
    assert in_toto_verify(tmp_path / "owned", ENGINE_PEM, owner).code == 0
    assert in_toto_verify(tmp_path / "owned", owner).code == 0
    assert owner in (tmp_path / "owned" / "README.md").read_text()
    stranger = next((tmp_path / "owned" / "keys").glob("rita*"))
    rejected(in_toto_verify(tmp_path / "owned", stranger), "SignatureVerificationError")


def test_a_key_that_was_replaced_leaves_its_statements_valid(tmp_path: Path) -> None:
    work = InTotoWork(tmp_path)
    work.open()
    work.leave("DRAFT")
    assert cli("keys", "rotate", "--home", str(work.home)).code == 0
    work.leave("CHECK")
    work.leave("REVIEW")
    assert work.export(tmp_path / "export").code == 0

    assert in_toto_verify(tmp_path / "export").code == 0
    # The engine's of now, the one it signed DRAFT with, and the reviewer's.
    assert len(list((tmp_path / "export" / "keys").iterdir())) == 3


# -- rejected -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", PHASES)
def test_without_the_link_of_a_phase_it_is_rejected(export: Path, tmp_path: Path, phase: str) -> None:
    spoiled = altered(export, tmp_path / "x", {link_name(export, phase): None})
    rejected(in_toto_verify(spoiled), "LinkNotFoundError")


def test_while_a_phase_has_not_been_left_it_is_rejected(work: InTotoWork, tmp_path: Path) -> None:
    work.open("IMP-10")
    for number, phase in enumerate(PHASES):
        ran = work.export(tmp_path / phase, task="IMP-10")
        assert ran.code == 0
        assert f"IMP-10 is not complete, so in-toto-verify rejects it; still to be left: {phase}" in ran.err
        assert len(list((tmp_path / phase).glob("*.link"))) == number
        rejected(in_toto_verify(tmp_path / phase), f"Step '{phase}' requires '1' link")
        work.leave(phase, "IMP-10")


def test_no_changed_byte_of_layout_or_links_is_accepted(export: Path, tmp_path: Path) -> None:
    draw = random.Random(SEED)
    copy = altered(export, tmp_path / "x", {})
    files = [copy / "root.layout", *sorted(copy.glob("*.link"))]
    for file in files:
        data = file.read_bytes()
        assert data.count(b"\n") == data.count(b" ") == 0
        for place in draw.sample(range(len(data)), 60):
            changed = bytearray(data)
            changed[place] ^= 1 << draw.randrange(7)
            file.write_bytes(changed)
            if in_toto_verify(copy).code == 0:
                # The last digit before the padding of base64 has bits that stand for nothing.
                assert _decoded(bytes(changed)) == _decoded(data), (file.name, place, SEED)
        file.write_bytes(data)
    assert in_toto_verify(copy).code == 0


def _decoded(envelope: bytes) -> list[bytes]:
    said = json.loads(envelope)
    return [
        base64.b64decode(said["payload"]),
        *(base64.b64decode(item["sig"]) for item in said["signatures"]),
    ]


def test_a_link_that_another_key_signed_is_rejected(export: Path, work: InTotoWork, tmp_path: Path) -> None:
    name = link_name(export, "DRAFT")
    said = payload(export / name)
    by_rita = resigned(work, said, work.keys["rita"])
    rejected(in_toto_verify(altered(export, tmp_path / "x", {name: by_rita})), "ThresholdVerificationError")
    own = json.loads((export / name).read_bytes())["signatures"][0]["keyid"].encode()
    other = in_toto_key_id(load_key(work.keys["rita"]).verify_key).encode()
    under_its_name = by_rita.replace(other, own)
    assert under_its_name != by_rita
    spoiled = altered(export, tmp_path / "y", {name: under_its_name})
    rejected(in_toto_verify(spoiled), "ThresholdVerificationError")
    assert in_toto_verify(altered(export, tmp_path / "z", {name: resigned(work, said)})).code == 0


def test_a_layout_that_was_edited_or_that_another_key_signed_is_rejected(
    export: Path, work: InTotoWork, tmp_path: Path
) -> None:
    said = payload(export / "root.layout")
    swapped = {**said, "steps": said["steps"][::-1]}
    edited = json.loads((export / "root.layout").read_bytes())
    edited["payload"] = base64.b64encode(json.dumps(swapped).encode()).decode()
    spoiled = altered(export, tmp_path / "w", {"root.layout": json.dumps(edited).encode()})
    rejected(in_toto_verify(spoiled), "SignatureVerificationError")
    said["steps"] = [step for step in said["steps"] if step["name"] != "CHECK"]
    forged = resigned(work, said, work.keys["rita"])
    spoiled = altered(export, tmp_path / "x", {"root.layout": forged})
    rejected(in_toto_verify(spoiled), "SignatureVerificationError")
    # Whoever takes the key from the folder itself is told what its forger wants to be told.
    pem = load_key(work.keys["rita"]).verify_key.for_notes.pem.encode()
    spoiled = altered(spoiled, tmp_path / "y", {ENGINE_PEM: pem})
    rejected(in_toto_verify(spoiled, export / ENGINE_PEM), "SignatureVerificationError")


@pytest.mark.parametrize(("one", "other"), [("DRAFT", "CHECK"), ("CHECK", "REVIEW"), ("DRAFT", "REVIEW")])
def test_links_that_change_places_are_rejected(export: Path, tmp_path: Path, one: str, other: str) -> None:
    names = link_name(export, one), link_name(export, other)
    contents = [(export / name).read_bytes() for name in reversed(names)]
    spoiled = altered(export, tmp_path / "x", dict(zip(names, contents, strict=True)))
    rejected(in_toto_verify(spoiled), "RuleVerificationError")


def test_evidence_with_another_digest_is_rejected_even_under_the_engines_key(
    export: Path, work: InTotoWork, tmp_path: Path
) -> None:
    name, artifact = link_name(export, "DRAFT"), f"{TASK}/DRAFT/draft.md"
    said = payload(export / name)
    said["products"][artifact] = {"sha256": "0" * 64}
    edited = json.loads((export / name).read_bytes())
    edited["payload"] = base64.b64encode(json.dumps(said).encode()).decode()
    spoiled = altered(export, tmp_path / "x", {name: json.dumps(edited).encode()})
    rejected(in_toto_verify(spoiled), "ThresholdVerificationError")
    spoiled = altered(export, tmp_path / "y", {name: resigned(work, said)})
    rejected(in_toto_verify(spoiled), "RuleVerificationError")
    del said["products"][artifact]
    spoiled = altered(export, tmp_path / "z", {name: resigned(work, said)})
    rejected(in_toto_verify(spoiled), f"REQUIRE {artifact}")


def test_links_of_another_task_or_an_earlier_attempt_are_rejected(tmp_path: Path, work: InTotoWork) -> None:
    work.export(tmp_path / "other", task="IMP-8")
    work.export(tmp_path / "own")
    changes = {link_name(tmp_path / "own", phase): None for phase in PHASES}
    of_other = {name: (tmp_path / "other" / name).read_bytes() for name in changes}
    spoiled = altered(tmp_path / "own", tmp_path / "x", of_other)
    rejected(in_toto_verify(spoiled), f"REQUIRE {TASK}/DRAFT/")
    work.open("IMP-9")
    work.leave("DRAFT", "IMP-9")
    work.export(tmp_path / "before", task="IMP-9")
    work.leave("CHECK", "IMP-9")
    work.back(task="IMP-9")
    work.export(tmp_path / "voided", task="IMP-9")
    assert list((tmp_path / "voided").glob("*.link")) == []
    for phase in PHASES:
        work.leave(phase, "IMP-9")
    work.export(tmp_path / "after", task="IMP-9")
    assert in_toto_verify(tmp_path / "after").code == 0
    name = link_name(tmp_path / "after", "DRAFT")
    old = (tmp_path / "before" / name).read_bytes()
    rejected(
        in_toto_verify(altered(tmp_path / "after", tmp_path / "y", {name: old})), "RuleVerificationError"
    )


def test_after_its_layout_expired_it_is_rejected(export: Path, work: InTotoWork, tmp_path: Path) -> None:
    said = payload(export / "root.layout")
    said["expires"] = "2026-01-01T00:00:00Z"
    spoiled = altered(export, tmp_path / "x", {"root.layout": resigned(work, said)})
    rejected(in_toto_verify(spoiled), "LayoutExpiredError")
