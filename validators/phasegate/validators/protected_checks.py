"""Do the tests of the base commit still hold, and do the new ones pass on their own merit?

The artifact is made by the engine: it ran the tests and their configuration as of the base commit against the
new source, the new tests without any new configuration, and once with some of them made to fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from phasegate.validators.companions import companion
from phasegate.validators.globs import Globs, globs
from phasegate.validators.interface import Artifact, Context, Finding, Severity
from phasegate.validators.json_schema import read
from phasegate.validators.limits import LIMITS
from phasegate.validators.parameters import count, strings
from phasegate.validators.quoting import quoted

SCHEMA = "protected_checks"
FACTS, FACTS_SCHEMA = "facts:git.json", "git_facts"
SCHEMA_ID = "phasegate/protected-checks/v1"

_MEANT = (
    "; if it is meant, open a new task under a process of your own that names it as `{}`, or have an "
    "operator set `engine flag set VERIFY/protected_checks observe --key FILE --reason TEXT`"
)
"""An open task keeps the process it was opened under, so nothing can be named in that any more."""
_EXCUSED = _MEANT.format("excused")
_BACK = f"bring it back as it was{_EXCUSED}"
_PLAIN = f"let the change pass without it{_EXCUSED}"
_SETTLE = f"settle it in the project's settings of the runner, as of the base commit{_EXCUSED}"
_COMMAND = {
    "plugin": (
        "protected.plugin_in_command",
        "the command loads a plugin, or leaves one out",
        f"run the tests without it{_MEANT.format('plugins')}",
    ),
    "selection": (
        "protected.selection_in_command",
        "the command chooses among the tests",
        "run all tests, whatever ended how before: join commands by `&&` alone, or by `;` alone",
    ),
    "configuration": (
        "protected.configuration_in_command",
        "the command gives a runner more than is known to change nothing",
        _SETTLE,
    ),
    "environment": (
        "protected.environment_in_command",
        "the command sets a variable that changes outcomes, or leads out of the working tree",
        "run the tests without it, in the working tree and on what lies there, and name its files from there",
    ),
    "program": (
        "protected.unknown_program",
        "the command runs what is neither of the base commit nor a known runner where the system has it",
        (
            "run a known runner, as `.venv/bin/python -m pytest` where it lies in a virtual environment, or "
            f"a script of the base commit{_MEANT.format('programs')}"
        ),
    ),
    "above": (
        "protected.configuration_above",
        "the runner also takes settings from a folder above the repository or the trials",
        "move it away, or work in a repository that no such file lies above",
    ),
    "ignored": (
        "protected.ignored_code",
        "code or settings that git ignores lie where the command loads them from, and no trial has them",
        "move it away, or let git see it, so that it is part of the change",
    ),
    "link": (
        "protected.link_leads_away",
        "the change has a link that leads out of the working tree",
        "put a file there, or a link to one of the repository, from its own folder on",
    ),
}


def protected_checks(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check what became of the tests, by their text and by running them.

    Parameters: `tests` and `configuration`, patterns of paths that the engine takes from the base commit (see
    `change_tests.DEFAULT_TESTS` and `test_configuration.DEFAULT_CONFIGURATION`); `excused`, patterns of
    paths, test ids and arguments that may change or go; `plugins`, names of plugins a command may load with
    `-p`, or leave out (`no:NAME`); `programs`, patterns of programs that a command may start besides those
    that are known; `time_limit_s`, how long one run may take (default: a minute and twenty times the
    witnessed run).

    Findings: `protected.not_evaluated`; `protected.test_deleted`, `.test_skipped`, `.test_weakened`;
    `.tests_edited` (a warning: functions or lines of existing tests are others now);
    `protected.configuration_added`, `_changed`, `_removed`; `protected.plugin_in_command`,
    `.selection_in_command`, `.configuration_in_command`, `.environment_in_command`, `.unknown_program`;
    `protected.configuration_above`, `.ignored_code` and `.link_leads_away` (of where it runs);
    `protected.module_not_run` (a test module of the tree of which the report does not tell);
    `protected.source_changed_during_run`; `protected.regressed` and
    `.vanished` (a test of the base commit fails, is skipped or is gone with the new source);
    `protected.outcome_changed_by_configuration`; `protected.failures_hidden`, `protected.others_changed`
    (with some tests made to fail, one of the others no longer passed); `protected.emptied`,
    `protected.shrank`; `protected.tree_changed` (the working tree is another now; compared where the gate's
    `facts:git.json` says which it is); those of `json_schema.read`.

    Raises:
        BadParameterError: a parameter is of the wrong shape.
    """
    excused, plugins = globs(context.params, "excused"), strings(context.params, "plugins")
    programs = globs(context.params, "programs")
    count(context.params, "time_limit_s", 0)
    value, findings = read(artifact, SCHEMA)
    if findings:
        return findings
    name = artifact.name
    return (
        *_not_evaluated(name, value),
        *_moved_on(artifact, value, context),
        *_of_tests(name, value["tests"], excused),
        *_of_configuration(name, value["configuration"], excused),
        *_of_command(name, value["command"], excused, plugins, programs),
        *_not_run(name, value.get("unseen", []), excused),
        *_rewritten(name, value.get("rewritten", []), excused),
        *_lost(name, value["lost"], excused),
        *_differing(name, value["differing"], excused),
        *(() if _is_explained(value, excused) else _hidden(name, value["canary"])),
        *_others_changed(name, value["canary"], excused),
        *_shrunk(name, value, excused),
    )


def _not_evaluated(artifact: str, value: dict[str, Any]) -> Iterator[Finding]:
    problems = [("document", value["problem"])] if value["problem"] else []
    problems += [(f"run {run['name']}", run["problem"]) for run in value["runs"] if run["problem"]]
    for place, problem in problems:
        remedy = (
            "see to it that the command runs in a plain checkout of the repository, then witness it again"
        )
        yield Finding(
            "protected.not_evaluated",
            artifact,
            place,
            f"the protected checks could not run: {problem}",
            remedy,
            Severity.NOT_EVALUATED,
        )


def _moved_on(artifact: Artifact, value: dict[str, Any], context: Context) -> Iterator[Finding]:
    """Compare the tree that was tried with the one that stands at the gate."""
    if FACTS not in context.companions or not value["tree"]:
        return
    facts, findings = companion(artifact, context, FACTS, FACTS_SCHEMA)
    yield from findings
    now = facts.get("tree", value["tree"]) if not findings else value["tree"]
    if now != value["tree"]:
        message = "the working tree is not the one that the tests were run on"
        remedy = "let the engine run the tests again: `engine witness`"
        yield Finding("protected.tree_changed", artifact.name, "/tree", message, remedy)


def _of_tests(artifact: str, tests: list[dict[str, Any]], excused: Globs) -> Iterator[Finding]:
    for test in tests:
        path, before, after = test["path"], test["before"], test["after"]
        if excused.matches(path):
            continue
        if test["change"] == "deleted":
            message = f"the change takes the test file {quoted(path)} away"
            yield Finding("protected.test_deleted", artifact, quoted(path), message, _BACK)
            continue
        if test.get("edited"):
            message = f"{quoted(path)}: {test['edited']} functions or lines of existing tests are others now"
            remedy = "have the reviewer judge whether they still hold as much: no machine can tell"
            yield Finding("protected.tests_edited", artifact, quoted(path), message, remedy, Severity.WARNING)
        if after["skips"] > before["skips"]:
            message = f"{quoted(path)} keeps {after['skips'] - before['skips']} more tests from running"
            yield Finding("protected.test_skipped", artifact, quoted(path), message, _BACK)
        for what in ("tests", "assertions"):
            if after[what] < before[what]:
                message = f"{quoted(path)} has {after[what]} {what} and had {before[what]}"
                yield Finding("protected.test_weakened", artifact, quoted(path), message, _BACK)


def _of_configuration(artifact: str, files: list[dict[str, Any]], excused: Globs) -> Iterator[Finding]:
    for file in files:
        if not excused.matches(file["path"]):
            message = f"{quoted(file['path'])}, which can change the outcome of tests, was {file['change']}"
            code = f"protected.configuration_{file['change']}"
            yield Finding(code, artifact, quoted(file["path"]), message, _PLAIN)


def _of_command(
    artifact: str, risks: list[dict[str, Any]], excused: Globs, plugins: tuple[str, ...], programs: Globs
) -> Iterator[Finding]:
    for risk in risks:
        argument = risk["argument"]
        allowed = risk["kind"] == "plugin" and argument.removeprefix("-p ") in plugins
        # Patterns are of paths below something, so an absolute one is compared without its first slash.
        allowed |= risk["kind"] == "program" and programs.matches(argument.lstrip("/"))
        if not allowed and not excused.matches(argument.lstrip("/")):
            code, message, remedy = _COMMAND[risk["kind"]]
            yield Finding(code, artifact, quoted(argument), f"{message}: {quoted(argument)}", remedy)


def _not_run(artifact: str, modules: list[str], excused: Globs) -> Iterator[Finding]:
    kept = ((index, path) for index, path in enumerate(modules) if not excused.matches(path))
    for index, path in list(kept)[: LIMITS.max_findings]:
        message = f"the report tells of no test of {quoted(path)}, which is in the tree"
        remedy = f"run all tests{_EXCUSED}"
        yield Finding("protected.module_not_run", artifact, f"/unseen/{index}", message, remedy)


def _rewritten(artifact: str, files: list[dict[str, str]], excused: Globs) -> Iterator[Finding]:
    kept = ((index, file) for index, file in enumerate(files) if not excused.matches(file["path"]))
    for index, file in list(kept)[: LIMITS.max_findings]:
        message = f"{quoted(file['path'])} was written or exchanged while the tests ran ({file['run']})"
        remedy = f"let the command leave sources as they are{_EXCUSED}"
        yield Finding("protected.source_changed_during_run", artifact, f"/rewritten/{index}", message, remedy)


def _lost(artifact: str, tests: list[dict[str, Any]], excused: Globs) -> Iterator[Finding]:
    kept = ((index, test) for index, test in enumerate(tests) if not excused.matches(test["id"]))
    for index, test in list(kept)[: LIMITS.max_findings]:
        gone = test["now"] == "gone"
        code = "protected.vanished" if gone else "protected.regressed"
        message = (
            f"the test {quoted(test['id'])} as of the base commit ended as {test['base']} there and "
            f"{'is gone' if gone else 'ends as ' + test['now']} with the change"
        )
        remedy = f"{'bring the test back' if gone else 'mend the source'}{_EXCUSED}"
        yield Finding(code, artifact, f"/lost/{index}", message, remedy)


def _differing(artifact: str, tests: list[dict[str, Any]], excused: Globs) -> Iterator[Finding]:
    kept = ((index, test) for index, test in enumerate(tests) if not excused.matches(test["id"]))
    for index, test in list(kept)[: LIMITS.max_findings]:
        message = (
            f"the test {quoted(test['id'])} ended as {test['witnessed']}, and as {test['plain']} in a plain "
            "checkout with the configuration of the base commit"
        )
        code = "protected.outcome_changed_by_configuration"
        yield Finding(code, artifact, f"/differing/{index}", message, _PLAIN)


def _is_explained(value: dict[str, Any], excused: Globs) -> bool:
    """Whether no test was told of because the base commit's configuration, which is a finding, names others.

    A script that runs the tests, renamed with the test file it names, hides nothing.
    """
    changed = [
        file
        for file in value["configuration"]
        if file["change"] != "added" and not excused.matches(file["path"])
    ]
    plain = [run for run in value["runs"] if run["name"] == "plain"]
    return bool(changed) and any(run["problem"] or not run["tests"] for run in plain)


def _hidden(artifact: str, canary: dict[str, Any]) -> Iterator[Finding]:
    remedy = "remove what turns failures into passes: plugin, hook, or report that the tests write themselves"
    if canary["hidden"]:
        message = f"{canary['hidden']} tests that the engine made to fail were reported otherwise"
        yield Finding("protected.failures_hidden", artifact, "/canary/hidden", message, remedy)
    elif canary["unseen"] and not canary["failed"]:
        message = (
            f"the report tells of {quoted(canary['unseen'][0])}, but not of the failing test the engine "
            "planted in it"
        )
        yield Finding("protected.failures_hidden", artifact, "/canary/unseen", message, remedy)


def _others_changed(artifact: str, canary: dict[str, Any], excused: Globs) -> Iterator[Finding]:
    others = [test for test in canary.get("others", []) if not excused.matches(test)]
    for index, test in enumerate(others[: LIMITS.max_findings]):
        message = f"with other tests made to fail, {quoted(test)} no longer passed"
        remedy = f"let each test pass by itself, and the run go on after a failure{_EXCUSED}"
        yield Finding("protected.others_changed", artifact, f"/canary/others/{index}", message, remedy)


def _shrunk(artifact: str, value: dict[str, Any], excused: Globs) -> Iterator[Finding]:
    if value["problem"]:
        return
    ran, previous = value["witnessed"]["ran"], value["previous"]
    if not ran:
        message = f"of {value['witnessed']['tests']} tests none ran"
        yield Finding("protected.emptied", artifact, "/witnessed/ran", message, "run the tests")
    gone = [test for test in previous["gone"] if not excused.matches(test)]
    if gone or ran + len(previous["gone"]) - len(gone) < previous["ran"]:
        first = f", {quoted(gone[0])} is gone" if gone else ""
        message = f"{ran} tests ran, and {previous['ran']} by attempt {previous['attempt']}{first}"
        yield Finding("protected.shrank", artifact, "/previous", message, _BACK)
