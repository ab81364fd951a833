"""Promise: what was signed is verified by programs of others: npm's `@sigstore/core`, and `securesystemslib`."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from engine_drivers import Ran
from in_toto_work import PHASES, TASK, InTotoWork
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.in_toto.envelopes import statement_lines
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import Role, load_key
from phasegate.engine.statements.approval import Approval
from phasegate.engine.statements.dsse import sign
from phasegate.engine.statements.interop import library_key
from phasegate.engine.statements.predicate import Subject

pytestmark = pytest.mark.attack

SCRIPT = Path(__file__).parents[2] / "docs" / "verify-statements.cjs"
PACKAGE = "@sigstore/core@3.2.1"
"""The last major version that node 20 runs."""
NODE_MIN = (20, 17)


@pytest.fixture(scope="module")
def node_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with npm's package, installed for these tests."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < NODE_MIN:
        pytest.skip(f"{PACKAGE} needs node 20.17, and this is {version.strip()}")
    folder = tmp_path_factory.mktemp("node")
    quiet = (
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--ignore-scripts",
        "--prefer-offline",
        "--loglevel=error",
    )
    install = ["npm", "install", *quiet, "--prefix", str(folder), PACKAGE]
    try:
        ran = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not install {PACKAGE} within two minutes")
    if ran.returncode:
        pytest.skip(f"npm could not install {PACKAGE}: {ran.stderr.strip()[:200]}")
    return folder / "node_modules"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> InTotoWork:
    """Given a completed task, exported with its keys and as statements."""
    work = InTotoWork(tmp_path_factory.mktemp("work"))
    work.complete()
    assert work.export(work.folder / "export").code == 0
    ran = work.export(work.folder / "all.intoto.jsonl", format_="statements")
    assert (ran.code, ran.out.split()[:2]) == (0, ["8", "statements"]), ran
    return work


@pytest.fixture(scope="module")
def lines(work: InTotoWork) -> list[bytes]:
    """Its statements."""
    return (work.folder / "all.intoto.jsonl").read_bytes().splitlines()


def keys(work: InTotoWork) -> list[Path]:
    return sorted((work.folder / "export" / "keys").iterdir())


def sigstore(node_path: Path, file: Path, *pems: Path) -> Ran:
    """The documented script over the package."""
    ran = subprocess.run(
        ["node", str(SCRIPT), str(file), *map(str, pems)],
        env={**os.environ, "NODE_PATH": str(node_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def edited(line: bytes, **fields: str) -> bytes:
    return json.dumps({**json.loads(line), **fields}).encode()


def with_payload(line: bytes, old: bytes, new: bytes) -> bytes:
    payload = base64.b64decode(json.loads(line)["payload"])
    assert old in payload
    return edited(line, payload=base64.b64encode(payload.replace(old, new, 1)).decode())


def spoiled(line: bytes) -> list[bytes]:
    """The line with one change each."""
    said = json.loads(line)
    signature = base64.b64decode(said["signatures"][0]["sig"])
    other = base64.b64encode(bytes([signature[0] ^ 1]) + signature[1:]).decode()
    return [
        with_payload(line, b'"sha256":"', b'"sha256":"0'),
        with_payload(line, TASK.encode(), b"IMP-8"),
        with_payload(line, b'{"_type"', b'{ "_type"'),
        edited(line, payloadType="application/vnd.in-toto+jsoo"),
        edited(line, signatures=[{**said["signatures"][0], "sig": other}]),  # type: ignore[arg-type]
        edited(line, signatures=[]),  # type: ignore[arg-type]
    ]


def respelled(line: bytes) -> list[bytes]:
    """The line with its signature in base64 that lax readers take for the same."""
    (signature,) = json.loads(line)["signatures"]
    text = signature["sig"]
    spellings = (text[:-3] + chr(ord(text[-3]) ^ 2) + "==", text[:-1] + "<", f" {text}", text[:-2])
    return [edited(line, signatures=[{**signature, "sig": other}]) for other in spellings]  # type: ignore[arg-type]


def test_sigstore_accepts_every_statement_and_names_what_it_is(
    node_path: Path, work: InTotoWork, lines: list[bytes]
) -> None:
    ran = sigstore(node_path, work.folder / "all.intoto.jsonl", *keys(work))
    assert ran.code == 0, ran
    told = [line.split() for line in ran.out.splitlines()]
    kinds = [json.loads(base64.b64decode(json.loads(line)["payload"]))["predicateType"] for line in lines]
    assert told == [[str(number), "ok", kind] for number, kind in enumerate(kinds, 1)]
    # Two attempts of DRAFT and CHECK, one of REVIEW, two witnessed commands and one approval.
    assert sorted(kind.split("/")[-2] for kind in kinds) == [
        "approval",
        *["transition"] * 5,
        *["witness"] * 2,
    ]


def test_sigstore_rejects_every_change_and_every_other_key(
    node_path: Path, work: InTotoWork, lines: list[bytes], tmp_path: Path
) -> None:
    changed = [item for line in (lines[0], lines[-1]) for item in (*spoiled(line), *respelled(line))]
    (tmp_path / "changed.jsonl").write_bytes(b"\n".join([*changed, lines[0]]))
    ran = sigstore(node_path, tmp_path / "changed.jsonl", *keys(work))
    assert ran.code == 1
    assert [line.split()[1] for line in ran.out.splitlines()] == [*["BAD"] * len(changed), "ok"], ran
    (rita,) = (path for path in keys(work) if path.name.startswith("rita"))
    ran = sigstore(node_path, work.folder / "all.intoto.jsonl", rita)
    assert (ran.code, ran.out.count(" ok "), ran.out.count(" BAD ")) == (1, 1, len(lines) - 1)
    (tmp_path / "empty.jsonl").write_bytes(b"")
    assert sigstore(node_path, tmp_path / "empty.jsonl", rita).code == 1
    assert sigstore(node_path, tmp_path / "empty.jsonl").code == 2


def test_sigstore_accepts_layout_and_links_of_an_export(
    node_path: Path, work: InTotoWork, tmp_path: Path
) -> None:
    export = work.folder / "export"
    envelopes = [export / "root.layout", *export.glob("*.link")]
    assert len(envelopes) == 1 + len(PHASES)
    (tmp_path / "metadata.jsonl").write_bytes(b"\n".join(path.read_bytes() for path in envelopes))
    ran = sigstore(node_path, tmp_path / "metadata.jsonl", export / "keys" / "engine.pem")
    assert (ran.code, ran.out.count(" ok ")) == (0, len(envelopes)), ran


def test_securesystemslib_accepts_every_statement_and_rejects_every_change(
    work: InTotoWork, lines: list[bytes]
) -> None:
    with Engine.open(work.home, readonly=True) as engine:
        known = [engine.keys.engine_vkey(), load_key(work.keys["rita"]).verify_key]
    library = [library_key(key) for key in known]
    for line in lines:
        assert len(Envelope.from_dict(json.loads(line)).verify(library, 1)) == 1
        for changed in spoiled(line):
            with pytest.raises(VerificationError):
                Envelope.from_dict(json.loads(changed)).verify(library, 1)


def test_each_line_has_the_digest_that_its_entry_names(work: InTotoWork, lines: list[bytes]) -> None:
    with Engine.open(work.home, readonly=True) as engine:
        named = [entry.payload.get("statement") for entry in engine.history(TASK)]
    assert [hashlib.sha256(line).hexdigest() for line in lines] == [digest for digest in named if digest]


def test_what_was_signed_elsewhere_over_several_lines_is_one_line(tmp_path: Path) -> None:
    work = InTotoWork(tmp_path)
    work.open()
    rita = load_key(work.keys["rita"])
    with Engine.open(work.home) as engine:
        state = engine.state(TASK)
        approval = Approval(
            ledger=engine.store.ledger,
            task=TASK,
            attempt=1,
            phase="DRAFT",
            decision=Decision.APPROVE,
            reason="as good as done",
            actor="rita",
            role=Role.REVIEWER,
            at="2026-01-31T09:30:00.000000Z",
        )
        subject = Subject(f"process:{state.process}", state.process_digest)
        pretty = json.dumps(json.loads(sign(approval.to_statement([subject]), rita)), indent=2).encode()
        assert engine.people.submit(pretty).accepted
        (line,) = statement_lines(engine, TASK)
    assert b"\n" in pretty
    assert b"\n" not in line
    assert json.loads(line) == json.loads(pretty)
