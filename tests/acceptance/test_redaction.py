"""An operator erases an object: the ledger still verifies, and what cannot be checked any more is not passed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from broken_homes import codes, found
from guarded_homes import TASK, Guarded, guarded_home
from typer.testing import CliRunner, Result

from phasegate.engine.app.audit.audit import audit, audit_bundle
from phasegate.engine.app.audit.redacted import Watched
from phasegate.engine.app.bundle.content import read_bundle
from phasegate.engine.app.bundle.export import export_bundle
from phasegate.engine.app.fsck.checking import repair_home
from phasegate.engine.app.home import Home
from phasegate.engine.app.redactions import Redacted
from phasegate.engine.cli.app import app
from phasegate.engine.core.errors import BadInput
from phasegate.engine.statements.approval import Decision
from phasegate.ledger.sqlite_verify import verify_sqlite

RUN = CliRunner()
SECRET = "# plan.md\n\n## Verdict\nThe password is swordfish.\n"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()


def _cli(home: Guarded, *argv: str) -> Result:
    return RUN.invoke(app, [*argv, "--home", str(home.root)])


def _redact(home: Guarded, digest: str = DIGEST, key: str = "olga") -> Result:
    return _cli(
        home, "ledger", "redact", digest, "--reason", "a password", "--key", str(home.keys[key]), "--json"
    )


def _refused(ran: Result) -> str:
    assert isinstance(ran.exception, BadInput)
    return str(ran.exception)


def _with_secret(folder: Path, *, ended: bool) -> Guarded:
    home = guarded_home(folder)
    home.open_task()
    with home.engine() as engine:
        assert engine.add_evidence(TASK, [home.write("plan.md", SECRET)]).accepted
        if ended:
            assert engine.advance(TASK).accepted
            assert engine.people.decide(TASK, Decision.ABORT, "enough", home.keys["olga"]).accepted
    return home


def _holding(root: Path) -> list[str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return [path.name for path in files if b"swordfish" in path.read_bytes()]


def test_given_a_redacted_object_then_nothing_of_it_is_left_and_the_ledger_verifies(tmp_path: Path) -> None:
    home = _with_secret(tmp_path, ended=True)
    assert len(_holding(home.root)) == 2

    ran = _redact(home)

    said = json.loads(ran.stdout)
    assert ran.exit_code == 0
    assert len(said["removed"]) == 2
    assert _holding(home.root) == []
    assert verify_sqlite(home.root / "ledger.db").ok
    assert codes(found(home.root)) == []
    verified = json.loads(_cli(home, "ledger", "verify", "--json").stdout)
    assert verified["ok"]
    (line,) = [line for line in verified["checked"] if DIGEST in line]
    assert "redacted by `olga` on 2026-" in line
    assert "because: a password" in line


def test_given_redacted_evidence_of_a_completed_phase_then_an_audit_does_not_pass_it(tmp_path: Path) -> None:
    home = _with_secret(tmp_path, ended=True)
    with home.engine() as engine:
        before = audit(engine)
    _redact(home)

    with home.engine() as engine:
        after = audit(engine)
        bundle = export_bundle(engine, TASK)

    assert before.exit_code == 0
    assert after.exit_code == 3
    assert after.faults == ()
    (finding,) = (item for item in after.all_findings() if item.blocks)
    assert (finding.code, finding.severity) == ("evidence.redacted", "not_evaluated")
    assert "redacted by `olga`" in finding.message
    codes_of_bundle = {item.code for item in audit_bundle(read_bundle(bundle)).all_findings()}
    assert "evidence.redacted" in codes_of_bundle


def test_given_an_object_gone_without_a_redaction_then_it_stays_a_fault(tmp_path: Path) -> None:
    home = _with_secret(tmp_path, ended=True)
    (home.root / "objects" / "sha256" / DIGEST[:2] / DIGEST).unlink()
    (home.root / "evidence" / TASK / "PLAN" / "plan.md").unlink()

    with home.engine() as engine:
        after = audit(engine)

    assert {finding.code for finding in after.all_findings() if finding.blocks} == {
        "evidence.snapshot_damaged"
    }
    assert after.exit_code == 1
    assert ("object_missing", f"objects/sha256/{DIGEST[:2]}/{DIGEST}") in codes(found(home.root))


def test_given_evidence_that_counts_for_an_open_task_then_redacting_is_refused(tmp_path: Path) -> None:
    home = _with_secret(tmp_path, ended=False)
    size = found(home.root).store.size

    refused = _redact(home)
    with home.engine() as engine:
        assert engine.add_evidence(TASK, [home.write("plan.md")]).accepted
    accepted = _redact(home)

    assert "counts for PLAN" in _refused(refused)
    assert accepted.exit_code == 0
    assert found(home.root).store.size == size + 2
    assert _holding(home.root) == []
    with home.engine() as engine:
        assert engine.advance(TASK).accepted


def test_given_what_the_ledger_is_read_by_then_redacting_is_refused(tmp_path: Path) -> None:
    home = _with_secret(tmp_path, ended=True)
    with home.engine() as engine:
        needed = str(next(engine.store.entries(task=TASK, type="task.opened")).payload["process_digest"])
        note = str(engine.checkpoints.make().entry.payload["note"])

    for digest in (needed, note):
        assert "cannot be redacted" in _refused(_redact(home, digest))
    assert codes(found(home.root)) == []


@pytest.mark.parametrize(
    ("digest", "key", "text"),
    [
        ("0" * 64, "olga", "is known"),
        ("x", "olga", "is no digest"),
        (DIGEST, "rita", "is not registered as operator"),
        (DIGEST, "mallory", "is not registered as operator"),
    ],
)
def test_given_a_request_that_is_none_then_nothing_is_erased(
    tmp_path: Path, digest: str, key: str, text: str
) -> None:
    home = _with_secret(tmp_path, ended=True)
    size = found(home.root).store.size

    assert text in _refused(_redact(home, digest, key))
    assert found(home.root).store.size == size
    assert len(_holding(home.root)) == 2


def test_given_redacted_bytes_then_they_never_come_back(tmp_path: Path) -> None:
    home = _with_secret(tmp_path, ended=True)
    _redact(home)
    home.open_task("T-2")

    with home.engine() as engine:
        with pytest.raises(BadInput, match="redacted by `olga`"):
            engine.add_evidence("T-2", [home.write("plan.md", SECRET)])
        digest = engine.keep(SECRET.encode())

        assert digest == DIGEST
        assert engine.snapshot(DIGEST) is None
    assert _holding(home.root) == []


def test_given_a_crash_before_the_bytes_were_erased_then_fsck_and_a_repetition_erase_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = _with_secret(tmp_path, ended=True)
    with monkeypatch.context() as patched:
        patched.setattr("phasegate.engine.app.people.redacting.Redacting._erase", lambda *_: iter(()))
        _redact(home)
    assert [code for code, _ in codes(found(home.root))] == ["not_erased", "not_erased"]

    (home.root / "evidence" / TASK / "PLAN" / "plan.md").unlink()
    again = json.loads(_redact(home).stdout)

    assert not again["new"]
    assert _holding(home.root) == []
    assert codes(found(home.root)) == []


def test_given_bytes_put_back_by_hand_then_fsck_erases_them(tmp_path: Path) -> None:
    home = _with_secret(tmp_path, ended=True)
    _redact(home)
    place = home.root / "objects" / "sha256" / DIGEST[:2] / DIGEST
    place.write_bytes(SECRET.encode())

    said = codes(found(home.root))
    repaired = repair_home(Home(home.root))

    assert said == [("not_erased", f"objects/sha256/{DIGEST[:2]}/{DIGEST}")]
    assert codes(repaired) == []
    assert not place.exists()


def test_given_a_redaction_row_made_up_then_it_counts_for_nothing(tmp_path: Path) -> None:
    home = _with_secret(tmp_path, ended=True)
    home.sql("INSERT INTO projections VALUES ('redaction', ?, 3, x'7b7d')", DIGEST)

    with home.engine() as engine:
        assert engine.keep(SECRET.encode()) == DIGEST
        assert engine.snapshot(DIGEST) == SECRET.encode()
        assert audit(engine).exit_code == 0
    assert [code for code, _ in codes(found(home.root))] == ["row_surplus"]


def test_given_a_check_that_asks_for_a_redacted_companion_then_that_is_noticed() -> None:
    gone = {"spec.md": Redacted(7, "olga", "then", "why")}
    asked, unasked, walked = (Watched({"plan.md": b"p"}, gone) for _ in range(3))

    assert asked.get("spec.md") is None
    assert unasked["plan.md"] == b"p"
    assert "plan.md" in unasked
    assert list(walked) == ["plan.md"]

    assert asked.missed == {"spec.md"}
    assert unasked.missed == set()
    assert walked.missed == {"spec.md"}
