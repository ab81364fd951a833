"""Promise: no spelling of a path takes a tool out of what its phase may change, and calls leave only a digest."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli, entries
from git_truth_repository import commit, of_sources
from guarded_homes import TASK, Guarded, assert_sound, guarded, guarded_home
from small_processes import claimed

from phasegate.engine.app.paths import decode_path
from phasegate.engine.core.errors import BadInput
from phasegate.policies.argument_rules import ArgumentRule
from phasegate.policies.model import PhaseRule, Process

pytestmark = pytest.mark.attack

RULES = (
    {"id": "paths", "kind": "path_in_allowlist", "tools": ["Write"], "arguments": ["file_path"], "deny": ["*.key"]},
    {"id": "plain", "kind": "no_shell_metacharacters", "tools": ["run"]},
    {"id": "short", "kind": "max_bytes", "max_bytes": 5000},
    {"id": "mode", "kind": "one_of", "tools": ["chmod"], "arguments": ["mode"], "values": ["644", "755"]},
    {"id": "branch", "kind": "pattern", "tools": ["push"], "arguments": ["branch"], "pattern": "feature/[a-z]+"},
)  # fmt: skip


def process() -> Process:
    """PLAN, which may change `docs/` but for `docs/private/`."""
    tools = ("Write", "chmod", "push", "run")
    phase = PhaseRule(name="PLAN", purpose="p", evidence=(claimed("plan.md"),), tools=tools, git="documents")
    return guarded(
        phases=(phase,), forward={}, backtrack={}, read_only_tools=("Read",),
        repository={"documents": {"allow": ["docs/**"], "deny": ["docs/private/**", "CODEOWNERS"]}},
        argument_rules=tuple(ArgumentRule(**rule) for rule in RULES),
    )  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Guarded:
    """A task whose repository has links that lead out."""
    folder = tmp_path_factory.mktemp("arguments")
    repository = folder / "répo one"  # an entry holds it encoded
    (repository / "docs" / "private").mkdir(parents=True)
    (repository / "src").mkdir()
    (repository / "docs" / "a.md").write_text("a")
    (folder / "repo2").mkdir()
    outside = folder / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    for name, target in {
        "up": "..", "out": str(outside), "far": str(outside / "secret"), "gone": str(outside / "absent"),
        "self": "self", "code": "../src", "hidden": "private", "ring1": "ring2", "ring2": "ring1", "git": "../.git",
        "root": "/", "chain": "up/up",
    }.items():  # fmt: skip
        (repository / "docs" / name).symlink_to(target)
    os.link(outside / "secret", repository / "docs" / "twin")
    os.mkfifo(repository / "docs" / "pipe")
    made = guarded_home(folder / "home", process())
    git = ["git", "-C", str(repository), "-c", "user.name=n", "-c", "user.email=n@x"]
    for words in (["init", "-q"], ["add", "docs/a.md"], ["commit", "-qm", "begin"]):
        subprocess.run([*git, *words], check=True)
    made.open_task(repository=repository)
    return made


def repository(place: Guarded) -> Path:
    """The repository of the task."""
    with place.engine() as engine:
        return decode_path(engine.state(TASK).repository)


INSIDE = [
    "docs/a.md",
    "./docs/a.md",
    "docs/new/deep/x.md",
    "docs/.hidden",
    "docs/[id].md",
    "docs/\u00e9.md",
    "docs/a b.md",
]
ESCAPES = [
    "../x", "..", "docs/../../x", "docs/../src/x", "docs/./a.md", "docs/..", "./../x", "././docs/a", "docs//a.md", "//etc/x",
    "/etc/passwd", "/", "/docs/a.md", "", ".", "src/x.py", "x", "DOCS/a.md", "docs\\..\\..\\x", "..\\x", "C:\\x", "C:x",
    "docs/a.md\0", "docs/\0/../../x", "docs/a\nb", "docs/a.md\r", "file:///etc/passwd", "file://docs/a.md", "FILE:docs/a",
    "~/x", "~root/x", "docs/~/x", "$HOME/x", "docs/$(id)", "docs/`id`", "%2e%2e/x", "docs/%2e%2e/%2e%2e/x", "docs/..%2fx",
    "docs/%00", "docs/..;/x", "docs/... /x", "docs/a.md.", "docs/a.md ", " docs/a.md", "docs/ a.md", "docs/a.md\u00a0",
    "docs/\u200b../x", "docs/.\u200d./x", "docs/a\u202emd", "docs\u2028/a", "docs/*", "docs/a?", "docs/a|b", "docs/a>b",
    "docs/up/x", "docs/up/../x", "docs/out/x", "docs/far", "docs/gone", "docs/self", "docs/ring1", "docs/ring1/x", "docs/root/etc/x",
    "docs/chain/x", "docs/code/x.py", "docs/hidden/x", "docs/hidden", "docs/private/x",
    "docs/private", "docs/PRIVATE", "./docs/private", "docs/PRIVATE/x", "docs/git/config", ".git/config",
    "docs/.git/config", "docs/.GIT/x", "docs/git~1/x", "docs/twin", "docs/pipe", "docs/x.key", "docs/x.KEY", "docs/codeowners",
    "docs/x:stream", "docs/" + "d/" * 3000, "docs/" + "x" * 300, "\uff0e\uff0e/x", "docs\u2215a.md", "docs/a.md/\u2025/x", "\ufeffdocs/a",
]  # fmt: skip


def test_what_a_phase_may_change_can_be_written_to_however_it_is_named(place: Guarded) -> None:
    root = repository(place)
    with place.engine() as engine:
        for path in (*INSIDE, *(str(root / path) for path in INSIDE if "./" not in path)):
            decision = engine.tools.check(TASK, "Write", {"file_path": path, "content": "../$(id)"})
            assert decision.allowed, (path, decision.refusal)


@pytest.mark.parametrize("path", ESCAPES, ids=lambda path: ascii(path)[:40])
def test_no_spelling_of_a_path_escapes(place: Guarded, path: str) -> None:
    with place.engine() as engine:
        for arguments in ({"file_path": path}, {"edits": [{"file_path": [path]}]}, {"File-Path": path}):
            refusal = engine.tools.check(TASK, "Write", arguments).refusal
            assert refusal is not None, arguments
            assert refusal.code == "tool.argument_refused"
            assert refusal.rule in {"paths", "short"}
            assert refusal.remedy


def test_absolute_paths_beside_the_repository_are_outside(place: Guarded) -> None:
    root = repository(place)
    beside = [
        f"{root}2/x",
        f"{root.parent}/x",
        f"{root}/../repo2/x",
        f"{root}",
        f"/proc/self/root{root}/docs/a.md",
    ]
    inside_home = str(place.root / "keys" / "x")
    with place.engine() as engine:
        for path in (*beside, inside_home):
            assert not engine.tools.check(TASK, "Write", {"file_path": path}).allowed, path


def test_the_root_itself_is_refused_where_a_phase_may_change_everything(tmp_path: Path) -> None:
    everything = {"documents": {"allow": ["**"]}}
    place = guarded_home(tmp_path / "home", process().model_copy(update={"repository": everything}))
    root = of_sources(tmp_path / "repo")
    commit(root)
    (root / "link").symlink_to(".")
    place.open_task(repository=root)

    with place.engine() as engine:
        passing = [
            path
            for path in (
                ".",
                "./",
                str(root),
                f"{root}/",
                "link",
                "link/",
                "link/.git",
                "any.py",
                "link/any.py",
            )
            if engine.tools.check(TASK, "Write", {"file_path": path}).allowed
        ]

    assert passing == ["any.py", "link/any.py"]


@pytest.mark.parametrize(
    "arguments",
    [[], "x", 1, True, "null", {"a": Path("x")}, {1: "x"}, {"a": float("nan")}, {"a": float("inf")}, {"a": "\udc80"},
     {"a": b"x"}, {"a": (1,)}, {"a": 1 << 70}, {"a": ["x"] * 30_000}, {"a": "x" * 9_000_000}],
    ids=lambda value: ascii(value)[:30],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(place: Guarded, arguments: object) -> None:
    with place.engine() as engine:
        refusal = engine.tools.check(TASK, "Read", arguments).refusal
    assert refusal is not None
    assert (refusal.code, refusal.rule) == ("tool.argument_refused", "arguments")


def test_arguments_that_are_too_deep_are_refused_and_nothing_breaks(place: Guarded) -> None:
    deep: Any = {}
    for _ in range(10_000):
        deep = {"a": deep}
    around: dict[str, Any] = {}
    around["a"] = around
    lists: Any = []
    for _ in range(10_000):
        lists = [lists]
    with place.engine() as engine:
        for arguments in (deep, around, {"a": lists}):
            refusal = engine.tools.check(TASK, "Read", arguments).refusal
            assert refusal is not None
            assert refusal.rule == "arguments"
        assert engine.tools.check(TASK, "Read", {"a": [[[{"b": [1, 2.5, None, True]}]]]}).allowed


@pytest.mark.parametrize(
    ("tool", "arguments", "rule"),
    [
        ("run", {"argv": ["make", "all"]}, ""),
        *(("run", {"argv": ["make", f"a{sign}b"]}, "plain") for sign in ";&|<>$`(){}[]*?!~#'\"\\\n\r\t\0"),
        ("run", {"a;b": "x"}, "plain"),
        ("run", {"argv": [{"deep": ["$(id)"]}]}, "plain"),
        ("Read", {"text": "x" * 5000}, ""),
        ("Read", {"text": "x" * 5001}, "short"),
        ("Read", {"text": "\u00e9" * 2501}, "short"),
        ("Read", {"x" * 5001: 1}, "short"),
        ("chmod", {"mode": "644"}, ""),
        ("chmod", {"mode": "0644"}, "mode"),
        ("chmod", {"mode": 644}, "mode"),
        ("chmod", {"mode": ["644", "777"]}, "mode"),
        ("chmod", {}, "mode"),
        ("chmod", {"other": "644"}, "mode"),
        ("push", {"branch": "feature/x"}, ""),
        ("push", {"branch": "feature/x\n"}, "branch"),
        ("push", {"branch": "main"}, "branch"),
        ("push", {"branch": None}, "branch"),
        ("Write", {}, "paths"),
        ("Write", {"file_path": {}}, "paths"),
        ("Write", {"file_path": None}, "paths"),
        ("Write", {"file_path": 1}, "paths"),
        ("Write", {"file_path": ["docs/a.md", "src/x"]}, "paths"),
        ("Write", {"file_path": "docs/a.md", "x": {"file_path": "/etc/x"}}, "paths"),
        ("Write", {"file_path": "docs/a.md", "FilePath": "/etc/x"}, "paths"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_each_kind_of_rule_refuses_what_it_says(
    place: Guarded, tool: str, arguments: dict[str, Any], rule: str
) -> None:
    with place.engine() as engine:
        decision = engine.tools.check(TASK, tool, arguments)
    assert (decision.refusal.rule if decision.refusal else "") == rule


def test_rules_hold_without_a_task_too(place: Guarded) -> None:
    with place.engine() as engine:
        assert engine.tools.check(None, "Read", {"file_path": "/etc/hosts"}).allowed
        refusal = engine.tools.check(None, "Read", {"x": "y" * 2_000_000}).refusal
    assert refusal is not None
    assert (refusal.code, refusal.rule) == ("tool.argument_refused", "size")


def test_the_command_line_decides_the_same_and_reads_files(place: Guarded, tmp_path: Path) -> None:
    file = tmp_path / "arguments.json"
    file.write_text('{"file_path": "docs/../../x"}')
    home = ("--json", "--home", str(place.root))

    refused = cli("tool", "check", TASK, "Write", "--arguments", f"@{file}", *home)
    passed = cli("tool", "check", TASK, "Write", "--arguments", '{"file_path": "docs/a.md"}', *home)

    refusal = json.loads(refused.out)["refusal"]
    assert (refused.code, refusal["code"], refusal["rule"]) == (1, "tool.argument_refused", "paths")
    assert (passed.code, json.loads(passed.out)["allowed"]) == (0, True)
    for text in ("{", '{"a":1,"a":2}', "@/absent", "[" * 100_000):
        assert cli("tool", "check", TASK, "Write", "--arguments", text, *home).code == 2
    for text in ("null", "[]", "1", '{"a": NaN}'):
        assert cli("tool", "check", TASK, "Write", "--arguments", text, *home).code == 1


# -- what is recorded of calls ------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["ok", "error", "cancelled"])
def test_an_allowed_call_leaves_its_digest_and_outcome_and_nothing_of_its_content(
    place: Guarded, outcome: Any
) -> None:
    arguments = {"file_path": "docs/a.md", "content": "a-secret-nobody-may-read"}
    with place.engine() as engine:
        decision = engine.tools.check(TASK, "Write", arguments)
        engine.tools.called(decision, dict(reversed(arguments.items())), outcome, server="files")
        assert_sound(engine)

    entry = entries(place.root)[-1]
    canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":")).encode()
    assert (entry.task, entry.phase, entry.type) == (TASK, "PLAN", "tool.called")
    assert entry.payload["arguments"] == hashlib.sha256(canonical).hexdigest()
    told = {name: entry.payload[name] for name in ("tool", "server", "rule", "outcome", "decided_in")}
    assert told == {
        "tool": "Write", "server": "files", "rule": "guarded:PLAN.tools", "outcome": outcome, "decided_in": "PLAN",
    }  # fmt: skip
    assert entry.payload["policy_revision"] == process().digest
    assert b"a-secret-nobody-may-read" not in b"".join(e.bytes for e in entries(place.root))


def test_a_call_without_a_task_stands_in_the_stream_of_the_ledger(place: Guarded) -> None:
    with place.engine() as engine:
        engine.tools.called(engine.tools.check(None, "Read", {}), {}, "ok")
        assert_sound(engine)

    assert (entries(place.root)[-1].task, entries(place.root)[-1].type) == ("-", "tool.called")


def test_what_was_not_asked_about_is_recorded_as_no_allowed_call(place: Guarded) -> None:
    with place.engine() as engine:
        allowed = engine.tools.check(TASK, "Write", {"file_path": "docs/a.md"})
        refused = engine.tools.check(TASK, "Write", {"file_path": "src/a.md"})
        by_name = engine.tools.check(TASK, "Write")
        size = engine.store.head().size
        for decision, arguments, outcome in (
            (allowed, {"file_path": "src/a.md"}, "ok"),
            (allowed, None, "ok"),
            (allowed, {"file_path": "docs/a.md"}, "fine"),
            (refused, {"file_path": "src/a.md"}, "ok"),
            (by_name, {}, "ok"),
        ):
            with pytest.raises(BadInput):
                engine.tools.called(decision, arguments, outcome)  # type: ignore[arg-type]
        assert engine.store.head().size == size
