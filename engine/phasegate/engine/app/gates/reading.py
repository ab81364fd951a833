"""Checks that read: documents, changed lines, the repository, and what a validator says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import normpath
from typing import Any, Final

from phasegate.engine.app.gates.outcome import Outcome, Problem, Unable
from phasegate.engine.app.gates.subject import UNICODE_BOMS, Subject, decoded, lines_of
from phasegate.policies.errors import PolicyError
from phasegate.policies.loader import parse_process
from phasegate.policies.rego.pack import FOLDER, folder_reader
from phasegate.validators.change_scope import is_safe_path
from phasegate.validators.citations import Citation, citations_in
from phasegate.validators.errors import MalformedJsonError
from phasegate.validators.globs import Globs, globs
from phasegate.validators.interface import Artifact, Severity
from phasegate.validators.parameters import expressions, mapping, strings, text_parameter
from phasegate.validators.quoting import quoted
from phasegate.validators.registry import Check, run
from phasegate.validators.strict_json import parse
from phasegate.validators.truth import phase_rules

FILE_MAP: Final = "file_map.json"


def onboarding(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """Whether the repository is known: what it is made with, and a process that was made for it.

    Parameters: `detect`, patterns of files by what they show (`language`, `tests`, `ci` or any other name);
    `profile`, a process definition that the base commit must have. Each is checked where it is given.

    Raises:
        BadParameterError: a parameter is of the wrong shape.
    """
    paths = tuple(subject.checkouts.base_paths())
    problems = [
        Problem(
            name,
            f"no file shows the repository's {name}",
            f"add one, such as {', '.join(shown.patterns[:3])}",
        )
        for name in mapping(params, "detect")
        if (shown := globs(mapping(params, "detect"), name)) and not any(map(shown.matches, paths))
    ]
    if "profile" in params:
        problems += _profile(subject, text_parameter(params, "profile", ""))
    return Outcome(tuple(problems))


def _profile(subject: Subject, path: str) -> Iterator[Problem]:
    remedy = "make one: `engine onboard`, and let its owners merge it before the task begins"
    content = subject.checkouts.at_base(path)
    if content is None:
        yield Problem(path, f"the base commit has no process {quoted(path)}", remedy)
        return
    try:
        parse_process(content, path, folder_reader((subject.checkouts.base / path).parent / FOLDER))
    except PolicyError as error:
        yield Problem(path, f"the process cannot be used: {error}", error.remedy or remedy)


def patterns(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """Whether lines hold what they must not.

    Parameters: `refuse`, regular expressions (letters of either case); `files`, patterns of files whose
        changed
    lines are looked at; `documents`, patterns of artifacts that are looked at; `unless`, regular expressions
    that a line may match instead; `message` and `remedy`, for the finding.

    Raises:
        BadParameterError: a parameter is of the wrong shape.
    """
    refused, excused = _expressions(params, "refuse"), _expressions(params, "unless")
    if not refused:
        raise Unable("`refuse` names no expression", "add `refuse: [EXPRESSION]` to the rule")
    message = text_parameter(params, "message", "a line holds what it must not")
    remedy = text_parameter(params, "remedy", "take it out")
    lines = (*_changed(subject, globs(params, "files")), *_of_documents(subject, globs(params, "documents")))
    return Outcome(
        tuple(
            Problem(place, f"{message}: {quoted(text.strip())}", remedy)
            for place, text in lines
            if any(one.search(text) for one in refused) and not any(one.search(text) for one in excused)
        )
    )


def _expressions(params: Mapping[str, Any], name: str) -> list[Any]:
    listed = strings(params, name) if name in params else ()
    return expressions({name: [f"(?i){expression}" for expression in listed]}, name)


def _changed(subject: Subject, files: Globs) -> Iterator[tuple[str, str]]:
    for path, numbers in subject.changed_lines.items():
        if files.matches(path):
            content = subject.checkouts.as_it_stands(path) or b""
            if content.startswith(UNICODE_BOMS):
                # Bytes tell nothing of its lines: all of them count.
                lines = list(enumerate(decoded(content).splitlines(), start=1))
            else:
                lines = [one for one in enumerate(lines_of(content), start=1) if one[0] in numbers]
            yield from ((f"{path}:{number}", line) for number, line in lines)


def _of_documents(subject: Subject, names: Globs) -> Iterator[tuple[str, str]]:
    for name, text in documents(subject, names):
        yield from ((f"{name}:{number}", line) for number, line in enumerate(text.splitlines(), start=1))


def documents(subject: Subject, names: Globs) -> Iterator[tuple[str, str]]:
    """Text of the task's artifacts whose names match."""
    for name, content in subject.documents.items():
        if names.matches(name):
            yield name, content.decode("utf-8", "replace")


def policy_simulation(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """Whether policy would refuse what the documents say will be touched.

    Every file that a document cites as its own, and every file of the file map, is tried on the rules of the
    phases to come that compare the repository. Parameters: `documents`, patterns of the artifacts; `touched`,
    an expression that a line must match for its citations to count (default: all lines).

    Raises:
        BadParameterError: a parameter is of the wrong shape.
    """
    here = subject.process.order[subject.phase]
    ahead = [
        phase
        for phase in subject.process.phases
        if subject.process.order[phase.name] > here and phase.implements
    ]
    rules = [
        phase_rules(phase.name, subject.process.repository[phase.git])
        for phase in ahead
        if phase.git is not None
    ]
    if not rules:
        raise Unable("the process has no rules for what may change", "give its implementing phase a `git`")
    touched = tuple(_touched(subject, params))
    problems = [
        Problem(place, f"policy refuses a change of {quoted(path)} in {rule.phase}", "plan without it")
        for place, path in touched
        for rule in rules
        if rule.deny.matches(path) or not (rule.allow.matches(path) and is_safe_path(path))
    ]
    return Outcome(tuple(problems), notes=(f"{len(touched)} named paths were tried",))


def _touched(subject: Subject, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    says = _expressions(params, "touched")
    for name, text in documents(subject, globs(params, "documents")):
        lines = text.splitlines()
        for cited in citations_in(text):
            if not says or any(one.search(lines[cited.at - 1]) for one in says):
                yield f"{name}:{cited.at}", normpath(cited.path)
    for path in planned(subject):
        yield FILE_MAP, path


def planned(subject: Subject) -> tuple[str, ...]:
    """Paths of the file map, plainly; none without one or where it cannot be read."""
    try:
        listed = parse(subject.documents.get(FILE_MAP, b"{}")).get("files", [])
        return tuple(normpath(str(item["path"])) for item in listed)
    except (MalformedJsonError, AttributeError, KeyError, TypeError):
        return ()


def citations(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """Whether what documents cite is there, and whether they cite what will change.

    Parameters: `documents`, patterns of the artifacts; `reach`, true to ask instead that each file of the
        file
    map which the working tree has is cited by one of them.

    Raises:
        BadParameterError: a parameter is of the wrong shape.
    """
    names = globs(params, "documents")
    cited = [(name, one) for name, text in documents(subject, names) for one in citations_in(text)]
    if not params.get("reach"):
        return Outcome(tuple(problem for name, one in cited for problem in _unresolved(subject, name, one)))
    files = planned(subject)
    if not files:
        raise Unable(f"there is no {quoted(FILE_MAP)} that can be read", "add it as evidence of its phase")
    named = {one.path for _, one in cited}
    problems = (
        Problem(
            FILE_MAP,
            f"no document cites {quoted(path)}, which is to change",
            "cite the lines that the change is about",
        )
        for path in files
        if subject.text(path) is not None and path not in named
    )
    return Outcome(tuple(problems), notes=(f"{len(cited)} citations",))


def _unresolved(subject: Subject, name: str, cited: Citation) -> Iterator[Problem]:
    place = f"{name}:{cited.at}"
    text = None if ".." in cited.path.split("/") else subject.text(cited.path)
    if text is None:
        if cited.first or cited.path not in planned(subject):
            yield Problem(
                place, f"there is no file {quoted(cited.path)}", "cite a file that the repository has"
            )
        return
    lines = len(text.splitlines())
    if cited.last > lines or cited.last < cited.first:
        message = f"{quoted(cited.path)} has {lines} lines, and {cited.first}-{cited.last} are cited"
        yield Problem(place, message, "cite lines that it has")


def validator(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """What a validator of `phasegate.validators` says of an artifact.

    Parameters: `use`, its name; `artifact`, the artifact's; `params`, its own parameters.

    Raises:
        Unable: there is no such artifact, or the validator could not judge it.
        BadParameterError: a parameter is of the wrong shape.
    """
    name, use = text_parameter(params, "artifact", "ARTIFACT"), text_parameter(params, "use", "VALIDATOR")
    if name not in subject.documents:
        raise Unable(f"there is no artifact {quoted(name)}", f"add it: `engine evidence add TASK {name}`")
    artifact = Artifact(name, subject.documents[name])
    found = run([Check(use, mapping(params, "params"))], artifact, subject.documents)
    for finding in found:
        if finding.severity is Severity.NOT_EVALUATED:
            raise Unable(finding.message, finding.remedy)
    return Outcome(
        tuple(Problem(f"{name}:{one.place}", one.message, one.remedy) for one in found if one.blocks),
        notes=tuple(one.message for one in found if not one.blocks),
    )
