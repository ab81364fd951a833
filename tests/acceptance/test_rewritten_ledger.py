"""Promise: whoever writes the ledger anew, hashes and all, but has no key, does not get past the audit."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from engine_drivers import validate_checkpoint
from ledger_rewriting import RewrittenRecords, entries_of, rewrite
from small_processes import claimed, witnessed

from phasegate.engine.app.audit.audit import Audit, Terms, audit_bundle, audit_records
from phasegate.engine.app.bundle.content import read_bundle
from phasegate.engine.app.bundle.export import export_bundle
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import Role, create_key
from phasegate.engine.app.recorded import STATE_FIELD
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.statements.note_keys import VerifyKey
from phasegate.ledger.entry import Entry, is_time
from phasegate.ledger.offline.archive import pack, unpack
from phasegate.ledger.offline.bundle_format import ENTRIES, HEAD, MANIFEST, STATEMENTS, STATES, SUMS, sums
from phasegate.policies.model import ApprovalRule, CheckRule, FlagMode, PhaseRule, Process

pytestmark = pytest.mark.attack

TASK, OTHER = "IMP-1", "IMP-2"
SECTIONS = CheckRule(use="sections", params={"required": ["reasons"]})
PROCESS = Process(
    process="reviewed", version=1, title="write, test, have it read",
    forward={"WRITE": ("TEST",), "TEST": ("READ",)},
    phases=(
        PhaseRule(name="WRITE", purpose="w", evidence=(claimed("a.md", checks=(SECTIONS,)),)),
        PhaseRule(name="TEST", purpose="t", evidence=(witnessed("log.txt"),)),
        PhaseRule(
            name="READ", purpose="r", evidence=(claimed("b.md"),),
            approvals=(ApprovalRule(role="reviewer", signs="b.md"),),
        ),
    ),
)  # fmt: skip


class Home(NamedTuple):
    """A home whose tasks were done honestly, and the engine's key as somebody elsewhere knows it."""

    root: Path
    key: VerifyKey


def hand_in(engine: Engine, folder: Path, task: str, name: str) -> None:
    """Add one document."""
    file = folder / f"{task}-{name}"
    file.write_text(f"{name} of {task}\n")
    assert engine.add_evidence(task, [file], name).accepted


def work(engine: Engine, folder: Path, task: str) -> None:
    """Do one task honestly: a check is observed only, one run fails, the reviewer rejects and approves."""
    rita = folder / "rita.key"
    engine.open_task(task, PROCESS)
    hand_in(engine, folder, task, "a.md")
    assert engine.advance(task).accepted
    for code in ("import sys; sys.exit(1)", f"print('tests of {task} pass')"):
        engine.witness(task, "TEST", [sys.executable, "-I", "-c", code], cwd=folder)
    assert engine.advance(task).accepted
    hand_in(engine, folder, task, "b.md")
    for decision in (Decision.REJECT, Decision.APPROVE):
        assert engine.people.decide(task, decision, f"read {task}", rita).accepted
    assert engine.advance(task).accepted


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two finished tasks; not to be changed."""
    folder = tmp_path_factory.mktemp("honest")
    vkeys = {name: create_key(folder / f"{name}.key", name).public_vkey for name in ("olga", "rita")}
    with Engine.init(folder / "home") as engine:
        engine.registrations.register(vkeys["olga"], Role.OPERATOR)
        engine.registrations.register(vkeys["rita"], Role.REVIEWER, key=folder / "olga.key")
        engine.flags.set(PROCESS, "WRITE/sections", FlagMode.OBSERVE, "not yet", folder / "olga.key")
        work(engine, folder, TASK)
        work(engine, folder, OTHER)
        return Home(folder / "home", engine.keys.engine_vkey())


def judged(home: Home, entries: Sequence[Entry]) -> Audit:
    """The audit of the home as if its ledger had always said so."""
    terms = Terms(keys=(home.key,))
    with Engine.open(home.root, readonly=True) as engine:
        return audit_records(RewrittenRecords(engine, terms.keys, entries), (), terms)


def faults(found: Audit) -> str:
    """All that is wrong with the history, as text."""
    return "\n".join((*found.faults, *(fault for task in found.tasks for fault in task.faults)))


def other_values(value: Any) -> Iterator[Any]:
    """Values of the same kind that say something else."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, str):
        later = value.replace("20", "21", 1) if is_time(value) else f"{value}x"
        yield "0" * 64 if len(value) == 64 else later
    elif isinstance(value, list) and value:
        yield value[:-1]
        yield from ([first, *value[1:]] for first in other_values(value[0]))
    elif isinstance(value, dict) and value:
        name = next(iter(value))
        yield {key: kept for key, kept in value.items() if key != name}
        yield from ({**value, name: changed} for changed in other_values(value[name]))
    elif value is None:
        yield 0


def edits(entry: Entry) -> Iterator[tuple[str, Entry]]:
    """An entry with one field changed, in every way."""
    for name in ("phase", "attempt", "type", "actor", "at", "trace"):
        for value in other_values(getattr(entry, name)):
            yield name, entry._replace(**{name: value})
    for name in entry.payload.keys() - {STATE_FIELD}:
        for value in other_values(entry.payload[name]):
            yield name, entry._replace(payload={**entry.payload, name: value})


def test_what_was_done_honestly_holds_and_the_attack_itself_changes_nothing(home) -> None:
    found = judged(home, entries_of(home.root))

    assert (found.exit_code, faults(found)) == (0, "")
    assert found.not_covered.startswith("entries ")


def test_no_field_of_any_kind_of_entry_can_be_edited(home) -> None:
    entries = entries_of(home.root)
    # The last of each kind has the fewest signatures behind it.
    last = {entry.type: place for place, entry in enumerate(entries)}
    for place in last.values():
        entry = entries[place]
        for name, edited in edits(entry):
            found = judged(home, [*entries[:place], edited, *entries[place + 1 :]])
            assert found.exit_code == 4, f"{name} of entry {entry.seq} ({entry.type})"


def test_no_entry_can_be_dropped_but_those_at_the_end(home) -> None:
    entries = entries_of(home.root)
    for place, entry in enumerate(entries):
        found = judged(home, [*entries[:place], *entries[place + 1 :]])
        assert found.exit_code == 4, f"entry {entry.seq} ({entry.type})"


def test_no_entry_can_be_said_twice_or_in_another_order(home) -> None:
    entries = entries_of(home.root)
    for place, entry in enumerate(entries[:-1]):
        twice = [*entries[: place + 1], entry, *entries[place + 1 :]]
        swapped = [*entries[:place], entries[place + 1], entry, *entries[place + 2 :]]
        assert judged(home, twice).exit_code == 4, f"entry {entry.seq} ({entry.type}), twice"
        assert judged(home, swapped).exit_code == 4, f"entry {entry.seq} ({entry.type}), swapped"


def where(entries: Sequence[Entry], type_: str, task: str = OTHER) -> list[int]:
    """Places of a task's entries of a type."""
    return [place for place, entry in enumerate(entries) if (entry.type, entry.task) == (type_, task)]


def before_the_last_gate(home: Home) -> list[Entry]:
    """The ledger as it was before the last gate: what comes last there, no statement of the engine signs."""
    entries = entries_of(home.root)
    return entries[: where(entries, "gate.passed")[-1]]


def test_a_decision_counts_once_and_none_after_a_later_one(home) -> None:
    entries = before_the_last_gate(home)
    assert judged(home, entries).exit_code == 0
    *rest, rejected, approved = entries
    assert [item.payload["decision"] for item in (rejected, approved)] == ["reject", "approve"]

    swapped, again = judged(home, [*rest, approved, rejected]), judged(home, [*entries, rejected])

    assert "comes after one they signed later" in faults(swapped)
    assert "was recorded before" in faults(again)


def test_a_flag_that_was_signed_once_is_not_set_again(home) -> None:
    entries = before_the_last_gate(home)
    flag = next(entry for entry in entries if entry.type == "flag.set")

    assert "was recorded before" in faults(judged(home, [*entries, flag]))


def test_witnessed_evidence_is_what_the_witness_signed(home) -> None:
    entries = entries_of(home.root)
    bound = [
        place for place in where(entries, "evidence.added") if entries[place].payload["origin"] == "witnessed"
    ]
    entries = entries[: bound[-1] + 1]
    forged = hashlib.sha256(b"all tests pass").hexdigest()
    edited = entries[-1]._replace(payload={**entries[-1].payload, "digest": forged})
    stranger = entries[-1]._replace(payload={**entries[-1].payload, "name": "other.txt", "digest": forged})

    assert judged(home, entries).exit_code == 0
    for told in ([*entries[:-1], edited], [*entries, edited], [*entries, stranger]):
        found = judged(home, told)
        assert found.exit_code == 4
        assert "witnessed command" in faults(found) or "no evidence of" in faults(found)


def test_a_task_whose_opening_is_gone_is_named(home) -> None:
    entries = entries_of(home.root)
    place = where(entries, "task.opened", TASK)[0]
    # Nothing that is signed stands behind it: the other task is not there at all.
    kept = [entry for entry in entries if entry.task in {TASK, "-"}]
    kept = [entry for entry in kept if entry.seq != entries[place].seq]

    found = judged(home, kept)

    assert [task.task for task in found.tasks] == [TASK]
    assert "does not begin with its opening" in faults(found)


def test_the_command_itself_names_what_was_rewritten_in_the_file(home, tmp_path) -> None:
    copy = Path(shutil.copytree(home.root, tmp_path / "home", symlinks=True))
    entries = entries_of(copy)
    place = where(entries, "gate.passed", TASK)[0]
    assert validate_checkpoint("--home", str(copy)).code == 0

    edited = entries[place]._replace(actor="user:somebody-else")
    rewrite(copy, [*entries[:place], edited, *entries[place + 1 :]])
    ran = validate_checkpoint("--home", str(copy), "--json")

    assert ran.code == 4, ran.out
    assert ran.json["ledger"]["ok"], "the chain and the file have no flaw"
    assert "`actor`" in " ".join(ran.json["tasks"][0]["faults"])


# -- bundles ------------------------------------------------------------------------------------------


def verdict(data: bytes, key: VerifyKey) -> int:
    """Exit code of an audit of these bytes."""
    try:
        return audit_bundle(read_bundle(data), Terms(keys=(key,))).exit_code
    except (BadInput, IntegrityError) as error:
        return error.exit_code


def bundle_of(home: Home, task: str) -> dict[str, bytes]:
    """Members of a task's bundle."""
    with Engine.open(home.root, readonly=True) as engine:
        return unpack(export_bundle(engine, task))


def packed(members: dict[str, bytes]) -> bytes:
    """The bundle of these members, its sums made to fit."""
    return pack({**members, SUMS: sums(members)})


def told_of(members: dict[str, bytes], entries: Sequence[bytes]) -> dict[str, bytes]:
    """A bundle with other entries, whose manifest says that those are all."""
    manifest = orjson.loads(members[MANIFEST])
    manifest["ledger"]["head"] = {
        "entries": len(entries),
        "hash": hashlib.sha256(entries[-1]).hexdigest(),
    }
    told = orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    return {**members, MANIFEST: told, ENTRIES: b"".join(entry + b"\n" for entry in entries)}


def test_no_tail_can_be_cut_off_a_bundle(home) -> None:
    members = bundle_of(home, OTHER)
    lines = members[ENTRIES].splitlines()
    assert verdict(packed(told_of(members, lines)), home.key) == 0

    for size in range(1, len(lines)):
        assert verdict(packed(told_of(members, lines[:size])), home.key) == 4, size


def test_no_part_of_another_tasks_bundle_stands_in(home) -> None:
    members, others = bundle_of(home, OTHER), bundle_of(home, TASK)
    named = members[MANIFEST].replace(f'"{OTHER}"'.encode(), f'"{TASK}"'.encode())
    foreign = {name: body for name, body in others.items() if name.startswith(STATEMENTS)}
    own = {name: body for name, body in members.items() if not name.startswith(STATEMENTS)}

    stateless = {name: body for name, body in members.items() if not name.startswith(STATES)}
    states = {name: body for name, body in others.items() if name.startswith(STATES)}

    changes: dict[str, Callable[[], dict[str, bytes]]] = {
        "head": lambda: {**members, HEAD: others[HEAD]},
        "state": lambda: {**stateless, **states},
        "task": lambda: {**members, MANIFEST: named},
        "statements": lambda: {**own, **foreign},
        "one statement under another's name": lambda: {
            **members,
            **dict.fromkeys(set(members) - set(others) - set(own), next(iter(foreign.values()))),
        },
        "a gate's statement as the head": lambda: {**members, HEAD: next(iter(foreign.values()))},
    }
    for name, change in changes.items():
        assert verdict(packed(change()), home.key) == 4, name
