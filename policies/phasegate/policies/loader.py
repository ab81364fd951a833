"""Reads process definitions: shipped ones by name, others by file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from phasegate.ledger.errors import CanonicalError
from phasegate.policies.definition_files import read_definition, shipped
from phasegate.policies.errors import PolicyError, ProcessInvalid, ProcessNotFound
from phasegate.policies.extending import expand
from phasegate.policies.model import POLICY_PACK, CheckRule, Process
from phasegate.policies.rego.pack import FOLDER, Reader, folder_reader, load_pack
from phasegate.policies.yaml_lines import Lined, read_yaml
from phasegate.validators.errors import BadParameterError
from phasegate.validators.interface import Artifact
from phasegate.validators.registry import REGISTRY, Check, run
from phasegate.validators.truth import phase_rules

REPOSITORY_RULES = frozenset(
    {"allow", "deny", "keep", "unclaimed", "visible", "claims", "allow_links", "committed"}
)
NEEDS_GIT = frozenset({"ci_commit"})
"""Checks that cannot run where nobody looks at the repository."""

# Pydantic's own words speak of Python's types.
_REASONS = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping",
    "extra_forbidden": "is no field of {what}",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "missing": "is missing",
    "model_type": "must be a mapping",
    "string_type": "must be text",
    "tuple_type": "must be a list",
}


def shipped_processes() -> tuple[str, ...]:
    """Names of the processes that come with the package."""
    return shipped("processes")


@cache
def shipped_digests() -> Mapping[str, str]:
    """Digest of each process that comes with the package, by name."""
    return MappingProxyType({name: load_process(name).digest for name in shipped_processes()})


def imitates(process: Process) -> bool:
    """Whether a definition goes by the name of a shipped process and is another."""
    return shipped_digests().get(process.process, process.digest) != process.digest


def load_process(name_or_file: str) -> Process:
    """Load a shipped process by name, or one from a YAML file.

    Raises:
        ProcessNotFound: neither a shipped name nor a readable file.
        ProcessInvalid: the definition is refused; the message has file and line.
    """
    text, source = read_definition(name_or_file, "processes", "process", ProcessNotFound)
    own = None if source == f"{name_or_file}.yaml" else folder_reader(Path(name_or_file).parent / FOLDER)
    return parse_process(text, source, own)


def parse_process(text: bytes, source: str, packs: Reader | None = None) -> Process:
    """Parse and check one definition; see `load_process` for errors.

    Args:
        text: the YAML.
        source: name of its file.
        packs: reads policy packs that lie beside it; without it a check can ask shipped ones only.
    """
    lined = read_yaml(text, source)
    expand(lined)
    try:
        process = Process.model_validate(lined.data)
    except ValidationError as error:
        raise refusal(lined, error) from error
    _check_validators(process, lined)
    _check_repository_rules(process, lined)
    if process.packs:
        remedy = "take it out: the packs that checks name are read from the folder `packs` beside the file"
        raise ProcessInvalid(source, lined.line(("packs",)), "`packs` is not for a file to say", remedy)
    process = _with_packs(process, lined, packs)
    try:
        process.canonical()
    except CanonicalError as error:
        raise ProcessInvalid(lined.source, 1, f"the definition cannot be hashed: {error}") from error
    return process


def stored_process(canonical: bytes) -> Process:
    """Rebuild a definition from the canonical JSON kept when a task was opened.

    Raises:
        ProcessInvalid: it is none.
    """
    try:
        return Process.model_validate_json(canonical)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise ProcessInvalid("stored definition", 1, reason) from error


def refusal(lined: Lined, error: ValidationError, what: str = "a process definition") -> ProcessInvalid:
    """The first thing a model has against a file, in words of YAML and with its line.

    Args:
        lined: the file as read.
        error: what the model said.
        what: what the file should hold.
    """
    first = error.errors(include_url=False)[0]
    loc = tuple(part for part in first["loc"] if part != "[key]")
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error" and ": " in reason:
        place, _, text = reason.partition(": ")
        parts = tuple(int(part) if part.isdigit() else part for part in place.split("."))
        if (*loc, *parts) in lined.lines:
            return ProcessInvalid(lined.source, lined.line((*loc, *parts)), text)
    where = ".".join(str(part) for part in loc) or "the definition"
    reason = _REASONS.get(first["type"], reason[:1].lower() + reason[1:]).replace("{what}", what)
    return ProcessInvalid(lined.source, lined.line(loc), f"{where}: {reason}")


def _check_validators(process: Process, lined: Lined) -> None:
    for p, phase in enumerate(process.phases):
        for e, rule in enumerate(phase.evidence):
            for c, check in enumerate(rule.checks):
                if check.use not in REGISTRY:
                    line = lined.line(("phases", p, "evidence", e, "checks", c, "use"))
                    known = ", ".join(sorted(REGISTRY))
                    raise ProcessInvalid(
                        lined.source, line, f"there is no validator `{check.use}`", f"use one of {known}"
                    )
                place = ("phases", p, "evidence", e, "checks", c)
                if check.use in NEEDS_GIT and phase.git is None:
                    raise ProcessInvalid(
                        lined.source,
                        lined.line((*place, "use")),
                        f"`{check.use}` compares with the commit checked out",
                        f"give phase {phase.name} `git:`",
                    )
                _check_parameters(lined, place, check, rule.name)


def _with_packs(process: Process, lined: Lined, read: Reader | None) -> Process:
    """The process with the packs its checks ask; raises ProcessInvalid where there is none."""
    documents: dict[str, bytes] = {}
    for place, name in _packs_asked(process):
        try:
            documents[name] = load_pack(name, read).document
        except PolicyError as error:
            raise ProcessInvalid(lined.source, lined.line(place), error.message, error.remedy) from error
    return process.with_packs(documents) if documents else process


def _packs_asked(process: Process) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where a check asks a pack, and its name."""
    for p, phase in enumerate(process.phases):
        for e, rule in enumerate(phase.evidence):
            for c, check in enumerate(rule.checks):
                if check.use == POLICY_PACK:
                    place = ("phases", p, "evidence", e, "checks", c, "params", "pack")
                    yield place, str(check.params["pack"])


def _check_repository_rules(process: Process, lined: Lined) -> None:
    for name, rules in process.repository.items():
        unknown = sorted(rules.keys() - REPOSITORY_RULES)
        try:
            phase_rules(name, rules)
        except BadParameterError as error:
            line = lined.line(("repository", name))
            raise ProcessInvalid(lined.source, line, str(error), error.remedy) from error
        if unknown:
            line = lined.line(("repository", name, unknown[0]))
            known = ", ".join(sorted(REPOSITORY_RULES))
            raise ProcessInvalid(
                lined.source, line, f"`{unknown[0]}` is no rule of a repository", f"use one of {known}"
            )


def _check_parameters(lined: Lined, place: tuple[str | int, ...], check: CheckRule, artifact: str) -> None:
    """Refuse parameters that would keep the check from ever running."""
    found = run((Check(check.use, check.params),), Artifact(artifact, b""), {})
    wrong = next((finding for finding in found if finding.code == "validator.bad_parameter"), None)
    if wrong is not None:
        line = lined.line((*place, "params"))
        raise ProcessInvalid(lined.source, line, wrong.message, wrong.remedy)
