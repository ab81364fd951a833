"""Is the reviewer somebody else than the implementer, and whoever signed the review?"""

from __future__ import annotations

import unicodedata

from phasegate.validators.companions import companion
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.parameters import text_parameter
from phasegate.validators.quoting import quoted

DEFAULT_ACTORS = "facts:actors.json"


def reviewer(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that a rubric names its reviewer, who implemented nothing of the change and signed the rubric.

    Parameters: `actors` (default `facts:actors.json`), the companion `{implementers: [name], signers:
    {artifact: [name]}}`, which the engine takes from the ledger. While nobody has signed the artifact there
    is nobody to compare with; that a signature is missing is found elsewhere. Names are compared without
    case, spaces, punctuation and what does not show.

    Findings: `rubric.reviewer_missing`, `rubric.self_review`, `rubric.other_signer`, and those of
    `json_schema.read` and `companions.companion`.

    Raises:
        BadParameterError: `actors` is not a name.
    """
    name = text_parameter(context.params, "actors", DEFAULT_ACTORS)
    value, findings = read(artifact, "review_rubric")
    if findings:
        return findings
    who = value.get("reviewer", "")
    if not identity(who):
        message, remedy = (
            "the rubric does not name its reviewer",
            "add `reviewer` with the name of who reviewed",
        )
        return (Finding("rubric.reviewer_missing", artifact.name, "/reviewer", message, remedy),)
    actors, findings = companion(artifact, context, name, "actors")
    if findings:
        return findings
    if any(_forms(actor) & _forms(who) for actor in actors["implementers"]):
        message = f"{quoted(who)} implemented the change and cannot review it"
        remedy = "have somebody else review it and hand in their rubric"
        return (Finding("rubric.self_review", artifact.name, "/reviewer", message, remedy),)
    return _signer_faults(artifact.name, who, actors.get("signers", {}).get(artifact.name, []))


def _signer_faults(artifact: str, who: str, signers: list[str]) -> tuple[Finding, ...]:
    if not signers or any(_forms(signer) & _forms(who) for signer in signers):
        return ()
    names = ", ".join(quoted(signer) for signer in signers)
    message = f"the rubric is by {quoted(who)}, and it was signed by {names}"
    remedy = "have the reviewer sign it with a key of their own, or name as `reviewer` whose key signs it"
    return (Finding("rubric.other_signer", artifact, "/reviewer", message, remedy),)


def _forms(name: str) -> set[str]:
    """A name as it is, and without the kind before its colon: `user:ann` is `ann` too."""
    return {identity(name), identity(name.partition(":")[2] or name)}


def identity(name: str) -> str:
    """Return what two spellings of one name have in common."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in folded if character.isalnum())
