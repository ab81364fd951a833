"""Promise: exit codes, JSON shapes, homes and messages of the command line are what they are said to be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import autopilot_artifacts as artifacts
import pytest
from engine_drivers import NINE_PHASES, Ran, cli, cli_process, entries, look, validate_checkpoint

from phasegate.engine.app.engine import Engine
from phasegate.ledger.filelock import WriterLock
from phasegate.ledger.sqlite import SqliteStore

TASK = "IMP-6"
WAIT_S = 30


def at(home: Path, *args: str) -> Ran:
    """Run `engine` on a home."""
    return cli(*args, "--home", str(home))


# -- exit codes ---------------------------------------------------------------------------------------


def test_0_is_done_and_1_is_refused(in_spec: Path, tmp_path: Path) -> None:
    (spec,) = artifacts.write(tmp_path, TASK, "SPEC")

    assert at(in_spec, "evidence", "add", TASK, str(spec)).code == 0
    assert at(in_spec, "gate", TASK).code == 0
    assert at(in_spec, "advance", TASK, "--to", "IMPLEMENT").code == 1
    assert at(in_spec, "advance", TASK).code == 0
    assert at(in_spec, "gate", TASK).code == 1


@pytest.mark.parametrize(
    "args",
    [
        ["advance", "NOBODY"],
        ["status", "NOBODY"],
        ["gate", "NOBODY"],
        ["history", "NOBODY"],
        ["evidence", "list", "NOBODY"],
        ["evidence", "add", "NOBODY", "/dev/null"],
        ["backtrack", "NOBODY", "--to", "SPEC", "--reason", "why"],
        ["witness", "NOBODY", "--phase", "VERIFY", "--", "true"],
        ["advance", "../etc/passwd"],
        ["advance", "27-IMP"],
        ["advance", "T" * 65],
        ["advance", "T\n"],
        ["advance", "\u0422ASK"],
        ["open", "A B", "--process", NINE_PHASES],
        ["open", "NEW", "--process", "no-such-process"],
        ["open", "NEW", "--process", "no-such-file.yaml"],
        ["open", "NEW", "--process", NINE_PHASES, "--title", "x" * 301],
        ["open", "NEW", "--process", NINE_PHASES, "--title", "a\x1b]0;b"],
        ["open", "NEW", "--process", NINE_PHASES, "--title", ""],
        ["open", "NEW", "--process", NINE_PHASES, "--title", " \n"],
        ["open", "NEW", "--process", NINE_PHASES, "--title", "two\nlines"],
        ["open", "NEW", "--process", NINE_PHASES, "--title", "two\u2028lines"],
        ["open", "NEW", "--process", NINE_PHASES, "--title", "a line\n"],
        ["open", "NEW", "--process", NINE_PHASES, "--title", "a\ttab"],
        ["evidence", "add", TASK, "no-such-file.md"],
        ["evidence", "add", TASK, "/"],
        ["evidence", "add", TASK, "/dev/zero", "--as", "spec.md"],
        ["evidence", "add", TASK, "/dev/null", "--as", "../../spec.md"],
        ["evidence", "add", TASK, "/dev/null", "--as", ".hidden"],
        ["evidence", "add", TASK, "/dev/null", "--as", "a" * 129],
        ["backtrack", TASK, "--to", "STRATEGIZE", "--reason", ""],
        ["backtrack", TASK, "--to", "STRATEGIZE", "--reason", "r" * 100_000],
    ],
    ids=" ".join,
)
def test_2_is_input_that_names_nothing_with_a_remedy_and_nothing_is_recorded(
    in_spec: Path, args: list[str]
) -> None:
    size = len(entries(in_spec))
    head, dashes, tail = _split(args)

    ran = cli(*head, "--home", str(in_spec), *dashes, *tail)

    assert ran.code == 2, ran
    assert ran.err.startswith("error: ")
    assert ran.err.count("\nremedy: ") == 1
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert len(entries(in_spec)) == size


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("process: [", "flawed.yaml:1: "),
        ("title: a\n", "flawed.yaml:1: "),
        ("a: &x 1\nb: *x\n", "flawed.yaml:2: aliases are not allowed\nremedy: write the value out"),
        ("version: 0.5\n", "flawed.yaml:1: `0.5` is a decimal, and floats do not hash\nremedy: put the decimal"),
        ("", "flawed.yaml:1: the file is empty"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("what", ["process", "persona"])
def test_2_is_a_definition_with_an_error_and_the_remedy_is_told(
    in_spec: Path, tmp_path: Path, what: str, text: str, said: str
) -> None:
    file = tmp_path / "flawed.yaml"
    file.write_text(text)
    args = {
        "process": ["open", "NEW", "--process", str(file)],
        "persona": ["prompt", "compile", TASK, "--persona", str(file)],
    }

    ran = at(in_spec, *args[what])

    assert (ran.code, ran.out) == (2, "")
    assert f"error: {said}" in ran.err
    assert ran.err.count("\nremedy: ") == 1


def _split(args: list[str]) -> tuple[list[str], list[str], list[str]]:
    if "--" not in args:
        return args, [], []
    place = args.index("--")
    return args[:place], ["--"], args[place + 1 :]


@pytest.mark.parametrize(
    "args",
    [
        ["frobnicate"],
        ["advance"],
        ["open", "T-1"],
        ["status", "--format", "xml"],
        ["ledger", "show", "--limit", "0"],
    ],
)
def test_2_is_wrong_usage(home: Path, args: list[str]) -> None:
    ran = cli(*args, *(["--home", str(home)] if args != ["frobnicate"] else []))

    assert ran.code == 2
    assert "Usage" in ran.err


def test_3_is_nothing_to_conclude_from(home: Path) -> None:
    assert validate_checkpoint("--home", str(home)).code == 3


def test_4_is_a_ledger_that_does_not_hold(in_spec: Path) -> None:
    (in_spec / "ledger.db").write_bytes(b"\0" * 4096)

    for args in (["ledger", "verify"], ["status"], ["advance", TASK], ["ledger", "show"]):
        assert at(in_spec, *args).code == 4, args


def test_4_is_also_a_ledger_that_is_gone(in_spec: Path) -> None:
    (in_spec / "ledger.db").unlink()

    for args in (["ledger", "verify"], ["status"], ["advance", TASK]):
        ran = at(in_spec, *args)
        assert ran.code == 4, ran


def test_5_is_a_ledger_that_another_writer_holds(in_spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine.open(in_spec) as engine:
        home = engine.home
    monkeypatch.setattr(SqliteStore.__init__, "__kwdefaults__", {"readonly": False, "lock_wait_ms": 50})
    monkeypatch.setattr(SqliteStore.open.__func__, "__kwdefaults__", {"readonly": False, "lock_wait_ms": 50})
    lock = WriterLock(Path(f"{home.ledger}-lock"))
    lock.acquire(50)
    try:
        ran = at(in_spec, "advance", TASK)
    finally:
        lock.release()
        lock.close()

    assert ran.code == 5
    assert look(in_spec, TASK).violations == {}


# -- homes ---------------------------------------------------------------------------------------------


def test_a_home_is_created_only_by_init_and_only_once(tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"

    missing = cli("status", "--home", str(home))
    made, again = cli("init", "--home", str(home)), cli("init", "--home", str(home))

    assert (missing.code, made.code, again.code) == (2, 0, 2)
    assert "engine init --home" in missing.err
    assert "is a home already" in again.err
    assert cli("status", "--home", str(home)).code == 0


def test_the_option_goes_before_the_environment_and_that_before_the_folder(tmp_path: Path) -> None:
    homes = {name: tmp_path / name for name in ("option", "environ")}
    below = tmp_path / "work" / "deep" / "down"
    below.mkdir(parents=True)
    homes["folder"] = tmp_path / "work" / "state"
    for home in homes.values():
        Engine.init(home).close()

    def used(*args: str, **environ: str) -> str:
        ran = cli_process(*args, "status", "--json", cwd=below, environ=environ)
        assert ran.code == 0, ran.err
        return str(ran.json["home"])

    environ = {"PHASEGATE_HOME": str(homes["environ"])}
    assert used("--home", str(homes["option"]), **environ) == str(homes["option"])
    assert used(**environ) == str(homes["environ"])
    assert used() == str(homes["folder"])


def test_init_inside_a_worktree_warns_of_git_clean(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()

    ran = cli("init", "--home", str(tmp_path / "state"))

    assert ran.code == 0
    assert "git clean -fdx" in ran.err
    assert "PHASEGATE_HOME" in ran.err


def test_a_home_whose_making_was_cut_short_is_made_whole_by_init(tmp_path: Path) -> None:
    Engine.init(tmp_path / "state").close()
    (tmp_path / "state" / "home.json").unlink()

    assert cli("status", "--home", str(tmp_path / "state")).code == 2
    assert cli("init", "--home", str(tmp_path / "state")).code == 0
    assert cli("ledger", "verify", "--home", str(tmp_path / "state")).code == 0


# -- shapes ---------------------------------------------------------------------------------------------


def test_json_of_a_command_says_what_was_decided_and_written(in_spec: Path) -> None:
    refused = at(in_spec, "advance", TASK, "--json").json
    last = entries(in_spec)[-1]

    assert {name: refused[name] for name in ("accepted", "task", "phase", "attempt", "status")} == {
        "accepted": False, "task": TASK, "phase": "SPEC", "attempt": 1, "status": "open",
    }  # fmt: skip
    assert refused["violation"]["violation"] == "gate_failed"
    assert refused["violation"]["finding_count"] == 1
    assert [set(finding) for finding in refused["findings"]] == [
        {"code", "severity", "artifact", "place", "message", "remedy"}
    ]
    assert refused["entries"] == [{"seq": last.seq, "type": last.type, "hash": last.hash}]
    assert refused["ledger"] == {"entries": last.seq, "head": last.hash}


def test_json_of_status_gate_evidence_and_show(in_spec: Path, tmp_path: Path) -> None:
    at(in_spec, "evidence", "add", TASK, str(artifacts.write(tmp_path, TASK, "SPEC")[0]))

    status = at(in_spec, "status", TASK, "--json").json
    gate = at(in_spec, "gate", TASK, "--json").json
    listed = at(in_spec, "evidence", "list", TASK, "--json").json
    shown = at(in_spec, "ledger", "show", "--task", TASK, "--phase", "spec", "--json").json

    assert set(status) == {"home", "ledger", "trust", "tasks"}
    assert status["tasks"][0]["leads_to"] == ["PLAN"]
    assert status["tasks"][0]["phases"] == list(artifacts.PHASES)
    assert gate == {
        "task": TASK, "phase": "SPEC", "attempt": 1, "open": True, "leads_to": ["PLAN"], "findings": [],
    }  # fmt: skip
    assert [(row["name"], row["counts"]) for row in listed] == [("strategy.md", "yes"), ("spec.md", "yes")]
    assert {entry["phase"] for entry in shown} == {"SPEC"}
    assert set(shown[0]) == {
        "v", "seq", "prev", "at", "ledger", "task", "phase", "attempt", "type", "actor", "trace", "payload",
        "hash",
    }  # fmt: skip


def test_the_actor_is_the_local_user(in_spec: Path) -> None:
    actors = {entry.actor for entry in entries(in_spec)}

    assert len(actors) == 1
    assert actors.pop().startswith("user:")
    assert cli("advance", TASK, "--actor", "somebody", "--home", str(in_spec)).code == 2


def test_show_selects_by_type_since_and_limit(in_spec: Path) -> None:
    whole = at(in_spec, "ledger", "show", "--format", "jsonl").out.splitlines()

    def shown(*args: str) -> list[int]:
        lines = at(in_spec, "ledger", "show", "--format", "jsonl", *args).out.splitlines()
        return [json.loads(line)["seq"] for line in lines]

    assert [json.loads(line)["seq"] for line in whole] == list(range(1, len(whole) + 1))
    assert shown("--since", "3") == list(range(4, len(whole) + 1))
    assert shown("--limit", "2") == [len(whole) - 1, len(whole)]
    assert shown("--type", "task.opened") == [1]
    assert shown("--type", "nothing.such") == []
    assert shown("--task", "OTHER") == []


def test_a_refusal_in_words_names_violation_remedy_and_entry(in_spec: Path) -> None:
    ran = at(in_spec, "advance", TASK, "--to", "IMPLEMENT")

    assert "refused (out_of_sequence): SPEC does not lead to IMPLEMENT" in ran.out
    assert "remedy: pass the gate of SPEC first" in ran.out
    assert f"recorded as entry {len(entries(in_spec))}" in ran.out
    assert "REFUSED advance (out_of_sequence)" in at(in_spec, "history", TASK).out


# -- odd input ------------------------------------------------------------------------------------------


def test_binary_garbage_is_evidence_that_opens_nothing(in_spec: Path, tmp_path: Path) -> None:
    garbage = tmp_path / "spec.md"
    garbage.write_bytes(bytes(range(256)) * 64)

    assert at(in_spec, "evidence", "add", TASK, str(garbage)).code == 0
    ran = at(in_spec, "advance", TASK, "--json")

    assert ran.code == 1
    assert {finding["code"] for finding in ran.json["findings"]} == {"text.not_utf8"}


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.md", "naïve ☃.md".encode(), b"a\nb.md", b"100%25.md", b"[red]x.md"]
)
def test_a_source_file_with_an_odd_name_is_recorded_and_watched(
    in_spec: Path, tmp_path: Path, name: bytes
) -> None:
    file = tmp_path / os.fsdecode(name)
    file.write_bytes(artifacts.contents(TASK, "SPEC")["spec.md"])

    assert at(in_spec, "evidence", "add", TASK, str(file), "--as", "spec.md").code == 0
    assert at(in_spec, "gate", TASK).code == 0
    file.write_bytes(b"changed")
    ran = at(in_spec, "gate", TASK, "--json")

    assert [finding["code"] for finding in ran.json["findings"]] == ["evidence.source_changed"]
    assert look(in_spec, TASK).evidence["spec.md"].source.isascii()


def test_a_folder_in_the_way_of_the_readable_copy_is_told_with_a_remedy(
    in_spec: Path, tmp_path: Path
) -> None:
    (in_spec / "evidence" / TASK / "SPEC").write_text("in the way")
    (spec,) = artifacts.write(tmp_path, TASK, "SPEC")

    ran = at(in_spec, "evidence", "add", TASK, str(spec))

    assert ran.code == 2
    assert "remedy: clear the way" in ran.err
    assert "spec.md" not in look(in_spec, TASK).evidence


def test_more_than_twenty_findings_are_kept_whole_in_the_object_store(in_spec: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.md"
    criteria = "\n".join(f"- AC-{number}: \N{SNOWMAN}" for number in range(1, 61))
    spec.write_text(f"# Spec\n\n## Acceptance criteria\n\n{criteria}\n\n## KPIs\n\n- errors <= 0\n")
    at(in_spec, "evidence", "add", TASK, str(spec))

    ran = at(in_spec, "advance", TASK, "--json")

    payload = entries(in_spec)[-1].payload
    assert ran.code == 1
    assert payload["finding_count"] == len(ran.json["findings"]) == 60
    assert len(payload["findings"]) == 20
    with Engine.open(in_spec, readonly=True) as engine:
        kept = json.loads(engine.content(str(payload["findings_digest"])))
    assert [finding["place"] for finding in kept] == [finding["place"] for finding in ran.json["findings"]]


def test_a_command_line_without_bound_is_recorded_within_bounds(home: Path, tmp_path: Path) -> None:
    with Engine.open(home) as engine:
        engine.open_task(TASK, NINE_PHASES)
        artifacts.drive(engine, tmp_path, TASK, "VERIFY")
    long = ["\N{SNOWMAN}" * 2_000, "\x01" * 2_000] * 100

    ran = cli("witness", TASK, "--phase", "verify", "--json", "--home", str(home), "--", "true", *long)

    assert ran.code == 0, ran.err
    assert ran.json["witnessed"]["argv"][0] == "true"
    assert len(json.dumps(ran.json["witnessed"]["argv"])) < 20_000
