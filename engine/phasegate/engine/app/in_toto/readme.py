"""The words that an in-toto export brings along."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from phasegate.engine.app.in_toto.course import Course

ENGINE_PEM: Final = "keys/engine.pem"
LAYOUT: Final = "root.layout"

_TEXT: Final = """\
# in-toto layout and links of task {task}

From ledger `{ledger}`; process `{process}` version {version}, digest `{digest}`.
{standing}

In this folder, with in-toto from PyPI (`pip install in-toto`):

    in-toto-verify --layout {layout} --link-dir . --verification-keys {keys}

Exit code 0: the layout is signed by each key named and has not expired ({expires}); every phase
has a link that the engine's key signed; each phase began with the very artifacts that the one before left,
and left all that the process demands. Exit code 1, with the reason: one of these does not hold.

Take the keys from where whoever handed you this folder cannot write: a forged folder brings a forged key.
`engine keys show --pem` prints the engine's, where the ledger is kept.

| | |
|---|---|
| `{layout}` | the layout: one step for each phase that must be left; {owned} |
| `PHASE.KEYID.link` | one for each phase that was left: what went in and out, the entry, who decided |
| `statements/DIGEST.json` | the statements that the links name, each named for its SHA-256 |
| `keys/` | public keys of all who signed, for comparison |

All are DSSE envelopes. An artifact is named `{task}/PHASE/NAME` and given by the SHA-256 of its bytes:
compare with `sha256sum` of the file you have. `{task}/PHASE/statements/transition` is the file in
`statements/` that is named for its digest.

What this does not show: that nothing was recorded since; that no other ledger tells another story; that
nothing was removed from the ledger's end. For that there are its checkpoints, and `engine ledger verify`.
Links and layout were signed when this was exported, by the key of then; the statements when each phase was
left.
"""
_OWNED_BY_ENGINE: Final = "signed by the engine"
_OWNED_BY: Final = "signed by the engine and by its owner, `{name}`"


def readme(course: Course, expires: str, keys: Sequence[str], owner: str = "") -> str:
    """The README of an export.

    Args:
        course: how the task went.
        expires: when the layout does.
        keys: public key files of all who signed the layout.
        owner: name of its owner's key; empty for none.
    """
    process = course.process
    return _TEXT.format(
        task=course.state.task,
        ledger=course.ledger,
        process=process.process,
        version=process.version,
        digest=process.digest,
        standing=_standing(course.ahead),
        layout=LAYOUT,
        keys=shlex.join(keys),
        expires=expires,
        owned=_OWNED_BY.format(name=owner) if owner else _OWNED_BY_ENGINE,
    )


def _standing(ahead: Sequence[str]) -> str:
    if not ahead:
        return "It is complete."
    return f"It is NOT complete: {', '.join(ahead)} must still be left, and verification fails until then."
