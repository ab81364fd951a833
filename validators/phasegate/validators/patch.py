"""Is a patch a git diff, and does it touch the files it is said to touch?"""

from __future__ import annotations

from phasegate.validators.companions import companion, malformed, missing
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.limits import LIMITS
from phasegate.validators.parameters import text_parameter
from phasegate.validators.patch_reader import Patch, parse_patch
from phasegate.validators.quoting import quoted

__all__ = ["parse_patch", "patch", "patch_companion", "read_patch"]

_REMEDY = "write the patch with `git diff` and do not edit it"


def patch(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that a git diff parses, names files, and names the files its companion names.

    Parameters: `modified_files` (default `modified_files.json`), the companion's name.

    Findings: `patch.too_large`, `patch.malformed`, `patch.empty`, `patch.files_differ`, and those of
    `companions.companion`.

    Raises:
        BadParameterError: `modified_files` is not a name.
    """
    name = text_parameter(context.params, "modified_files", "modified_files.json")
    parsed, findings = read_patch(artifact)
    return findings or _compared(artifact, context, parsed, name)


def read_patch(artifact: Artifact) -> tuple[Patch, tuple[Finding, ...]]:
    """Return the patch, and what keeps it from being one.

    Findings: `patch.too_large`, `patch.malformed`, `patch.empty`.
    """
    nothing = Patch(frozenset(), frozenset(), ())
    if len(artifact.content) > LIMITS.max_patch_bytes:
        message = f"the patch has {len(artifact.content)} bytes, more than {LIMITS.max_patch_bytes}"
        return nothing, (Finding("patch.too_large", artifact.name, "document", message, "split the change"),)
    parsed = parse_patch(artifact.content)
    if parsed.problems:
        return nothing, tuple(
            Finding("patch.malformed", artifact.name, f"line {number}", message, _REMEDY)
            for number, message in parsed.problems
        )
    if not parsed.touched:
        return nothing, (
            Finding("patch.empty", artifact.name, "document", "the patch names no file", _REMEDY),
        )
    return parsed, ()


def patch_companion(artifact: Artifact, context: Context, name: str) -> tuple[Patch, tuple[Finding, ...]]:
    """Return the companion `name` as a patch, and why it cannot be compared with.

    Findings: those of `companions.companion`.
    """
    content = context.companions.get(name)
    if content is None:
        return Patch(frozenset(), frozenset(), ()), (missing(artifact.name, name),)
    parsed, findings = read_patch(Artifact(name, content))
    return parsed, tuple(
        malformed(artifact.name, name, f"{found.place}: {found.message}") for found in findings[:1]
    )


def _compared(artifact: Artifact, context: Context, parsed: Patch, name: str) -> tuple[Finding, ...]:
    listed, findings = companion(artifact, context, name, "modified_files")
    if findings:
        return findings
    named = {item if isinstance(item, str) else item["path"] for item in listed["files"]}
    differences = [
        (path, f"the patch touches {quoted(path)}, which {quoted(name)} does not name")
        for path in sorted(parsed.touched - named)
    ]
    differences += [
        (path, f"{quoted(name)} names {quoted(path)}, which the patch does not touch")
        for path in sorted(named - parsed.touched - parsed.renamed_from)
    ]
    remedy = f"write the patch and {quoted(name)} from the same change"
    return tuple(
        Finding("patch.files_differ", artifact.name, quoted(path), message, remedy)
        for path, message in differences
    )
