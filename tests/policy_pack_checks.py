"""Asking policy packs in tests: patches made of lines, packs of one's own, and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phasegate.policies.rego.pack import Pack, load_pack, make_pack
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.policy_pack import PACK, policy_pack

OWN = """# METADATA
# title: A pack of one's own
package phasegate.packs.own

import rego.v1

# METADATA
# title: The change is a good one
# custom:
#   id: own.good
#   remedy: make it better
"""
GOOD = (
    'deny contains f if {\n\tsome f in []\n}\n\npassed contains "own.good" if is_number(input.change.lines)\n'
)


def own_pack(body: str) -> Pack:
    """A pack `own` with one rule `own.good`, and this body."""
    return make_pack("own", {"own.rego": OWN + body})


def patch_of(added: Mapping[str, Sequence[str]], *, new: Sequence[str] = ()) -> str:
    """A git diff that adds lines to files, which are there unless they are named as new."""
    return "".join(_file(path, lines, new=path in new) for path, lines in added.items())


def _file(path: str, lines: Sequence[str], *, new: bool) -> str:
    body = "".join(f"+{line}\n" for line in lines)
    if new:
        head = f"new file mode 100644\nindex 0000000..1111111\n--- /dev/null\n+++ b/{path}\n"
        return f"diff --git a/{path} b/{path}\n{head}@@ -0,0 +1,{len(lines)} @@\n{body}"
    head = f"index 1111111..2222222 100644\n--- a/{path}\n+++ b/{path}\n"
    return f"diff --git a/{path} b/{path}\n{head}@@ -1 +1,{len(lines) + 1} @@\n first\n{body}"


def asked(
    pack: str | Pack, patch: str, data: Mapping[str, Any] | None = None, **companions: str
) -> tuple[Finding, ...]:
    """What `policy_pack` finds in a patch; companions by name, `plan_md` for `plan.md`."""
    loaded = pack if isinstance(pack, Pack) else load_pack(pack)
    there = {name.replace("_", "."): text.encode() for name, text in companions.items()}
    there[f"{PACK}{loaded.name}"] = loaded.document
    context = Context({"pack": loaded.name, "data": dict(data or {})}, there)
    return policy_pack(Artifact("git_diff.patch", patch.encode()), context)


def codes(found: Sequence[Finding]) -> list[str]:
    """Codes of what was found."""
    assert all(finding.remedy for finding in found)
    return sorted({finding.code for finding in found})
