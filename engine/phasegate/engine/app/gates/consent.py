"""Checks of consent: code owners, approvals by risk, labels, and merging without a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from phasegate.engine.app.gates.outcome import Outcome, Problem, Unable
from phasegate.engine.app.gates.subject import Subject
from phasegate.engine.core.approvals import APPROVE
from phasegate.validators.code_owners import PLACES, owners_of, read_owners
from phasegate.validators.interface import Artifact
from phasegate.validators.markdown import section_key, sections_of
from phasegate.validators.parameters import mapping, strings, text_parameter
from phasegate.validators.quoting import printable, quoted
from phasegate.validators.reviewer import identity

TEMPLATE: Final = "pr_template_filled.md"


def _approvers(subject: Subject) -> dict[str, set[str]]:
    """Roles by the name of who approved the phase; nobody approves what they implemented."""
    implemented = {identity(name) for name in subject.implementers}
    found: dict[str, set[str]] = {}
    for approved in subject.approvals:
        if approved.decision == APPROVE and identity(approved.by) not in implemented:
            found.setdefault(identity(approved.by), set()).add(approved.role)
    return found


def code_owners(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """Whether an owner of each changed file approved.

    Owners stand in the CODEOWNERS file of the base commit: no change brings its own. `people` gives the names
    of registered keys by owner (`"@org/team": [ana, ben]`); without an entry, `@ana` is the key `ana`.

    Raises:
        Unable: there is no CODEOWNERS file, or it cannot be read.
        BadParameterError: a parameter is of the wrong shape.
    """
    path = next((path for path in PLACES if subject.checkouts.at_base(path) is not None), "")
    rules, wrong = read_owners((subject.checkouts.at_base(path) or b"").decode("utf-8", "replace"))
    if wrong or not rules:
        raise Unable(
            f"no owners can be read: {wrong[0] if wrong else 'there is no CODEOWNERS file'}", "write one"
        )
    people, approvers = mapping(params, "people"), _approvers(subject)
    problems = []
    for changed in sorted({path for change in subject.changes for path in change.paths}):
        owners = owners_of(rules, changed)
        named = {identity(name) for owner in owners for name in people.get(owner, [owner.lstrip("@")])}
        if owners and not named & approvers.keys():
            message = f"no owner of {quoted(changed)} approved: {', '.join(owners)}"
            problems.append(Problem(printable(changed), message, "let one of them approve: `engine approve`"))
    return Outcome(tuple(problems))


def approvals(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """Whether as many people approved as the task's risk class asks for.

    Parameters: `by_risk`, for each risk class the roles that must have approved (`high: [supervisor,
    security]`), each by another person.

    Raises:
        Unable: nothing is said of the task's risk class.
        BadParameterError: a parameter is of the wrong shape.
    """
    by_risk = mapping(params, "by_risk")
    if subject.risk not in by_risk:
        raise Unable(f"nothing is said of the risk class {quoted(subject.risk)}", "add it to `by_risk`")
    roles = strings(by_risk, subject.risk)
    if _filled(roles, _approvers(subject)):
        return Outcome()
    message = f"risk {quoted(subject.risk)} needs approval by {', '.join(roles)}, each another person"
    return Outcome((Problem("approvals", message, "let them approve: `engine approve`"),))


def _filled(roles: Sequence[str], people: Mapping[str, set[str]]) -> bool:
    """Whether each role is filled by somebody else."""
    if not roles:
        return True
    return any(
        _filled(roles[1:], {other: held for other, held in people.items() if other != name})
        for name, has in people.items()
        if roles[0] in has
    )


def labels(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """Whether the pull request has the labels it must have, and none it must not.

    They are the list below the heading `Labels` of the filled template. Parameters: `required`, groups of
    which one label each must be there (`[[bug, feature, docs]]`); `refused`, labels that keep it open.

    Raises:
        Unable: there is no filled template.
        BadParameterError: a parameter is of the wrong shape.
    """
    found = _labels(subject)
    groups = params.get("required", [])
    problems = [
        Problem(TEMPLATE, f"none of the labels {', '.join(map(str, group))} is set", "set one of them")
        for group in groups
        if not found & {str(label).casefold() for label in group}
    ]
    refused = strings(params, "refused") if "refused" in params else ()
    problems += [
        Problem(TEMPLATE, f"the label {quoted(label)} is set", "finish what it stands for, and take it off")
        for label in refused
        if label.casefold() in found
    ]
    return Outcome(tuple(problems))


def _labels(subject: Subject) -> set[str]:
    if TEMPLATE not in subject.documents:
        raise Unable(f"there is no {quoted(TEMPLATE)}", f"add it: `engine evidence add TASK {TEMPLATE}`")
    text = Artifact(TEMPLATE, subject.documents[TEMPLATE]).content.decode("utf-8", "replace")
    lines = (
        line.text.strip().lstrip("-*").strip().strip("`").casefold()
        for section in sections_of(text)
        if section.key == section_key("Labels")
        for line in section.own
        if not line.literal
    )
    return {label for label in lines if label}


def auto_merge(subject: Subject, params: Mapping[str, Any], earlier: Mapping[str, Outcome]) -> Outcome:
    """Whether a pull request that asks to be merged without a person may be: only if all is green.

    Parameters: `label`, by which it asks (default `auto-merge`); `risks`, risk classes for which it may.

    Args:
        subject: what is looked at.
        params: the parameters.
        earlier: outcomes of the bundle's checks before this one, by rule.

    Raises:
        Unable: there is no filled template.
        BadParameterError: a parameter is of the wrong shape.
    """
    if text_parameter(params, "label", "auto-merge").casefold() not in _labels(subject):
        return Outcome(notes=("it does not ask to be merged without a person",))
    problems = [
        Problem(
            "auto-merge",
            f"it asks to be merged without a person, and {quoted(rule)} is not green",
            "correct it",
        )
        for rule, outcome in earlier.items()
        if outcome.problems or outcome.unable
    ]
    risks = strings(params, "risks") if "risks" in params else ()
    if subject.risk not in risks:
        message = f"work of risk {quoted(subject.risk)} is not merged without a person"
        problems.append(Problem("auto-merge", message, "take the label off"))
    return Outcome(tuple(problems))
