"""What a server can promise: whether ledger and key are out of its agents' reach, as far as can be seen."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from phasegate.engine.app.home import Home
from phasegate.engine.app.results import TRUST_EMBEDDED, TRUST_SEPARATED
from phasegate.engine.core.errors import BadInput

_FOR_OTHERS = 0o077
_WRITTEN_BY_OTHERS = 0o022


def trust_of(home: Home, *, separated: bool, witness: bool) -> tuple[str, tuple[str, ...]]:
    """What may be promised, and why not more.

    That agents run as other users or elsewhere, nobody can see from here: whoever serves says so. What can be
    seen is checked, and a promise that does not hold is not made.

    Args:
        home: the home that is served.
        separated: whether whoever serves says that no agent runs as the server's user.
        witness: whether commands are run for agents.

    Raises:
        BadInput: `separated` was said, and others can reach the home, or commands run as its user.
    """
    if not separated:
        why = "nobody said that agents run as other users: see `--separated`"
        return TRUST_EMBEDDED, (why, *(("witnessed commands run as the server's user",) if witness else ()))
    if witness:
        raise BadInput(
            "witnessed commands run as the server's user, who can read its key",
            "choose one of `--separated` and `--witness`; see docs/http.md",
        )
    _demand_closed(home.root)
    return TRUST_SEPARATED, ()


def _demand_closed(root: Path) -> None:
    seen = root.stat()
    if seen.st_uid != os.getuid():
        raise BadInput(f"`{root}` belongs to another user", "serve it as the user it belongs to")
    if stat.S_IMODE(seen.st_mode) & _FOR_OTHERS:
        raise BadInput(f"others can reach into `{root}`", f"run `chmod 700 {root}`")
    for folder in root.parents:
        seen = folder.stat()
        mode = stat.S_IMODE(seen.st_mode)
        if mode & _WRITTEN_BY_OTHERS and not mode & stat.S_ISVTX:
            raise BadInput(
                f"others can write `{folder}`, and so put another home in the place of `{root}`",
                f"run `chmod go-w {folder}`, or move the home",
            )
