"""Names of commits: which one a name stands for, where git would choose among several."""

from __future__ import annotations

import re
from pathlib import Path

from phasegate.engine.app.git.running import GitUnavailable
from phasegate.engine.app.git.scratch import answer, find
from phasegate.validators.quoting import quoted

_PLACES = ("refs/", "refs/tags/", "refs/heads/", "refs/remotes/")
"""Where git looks for a short name; it takes the first that has one, a tag before a remote's branch."""

_step = re.compile(r"[\^~:]|@\{")
_is_id = re.compile(r"[0-9a-f]{4,64}").fullmatch
_is_pseudo = re.compile(r"[A-Z_]*HEAD").fullmatch


def resolve_commit(repo: Path, name: str) -> str:
    """Full id of the commit that a name stands for; empty for `HEAD` of a repository without a commit.

    A name that a tag, a branch or a remote's branch have in common is refused: whoever may make one of them
    would say what the other stands for. A file in the repository's own folder, which git takes for a name
    as well, counts for nothing.

    Raises:
        GitUnavailable: there is no repository, no such commit in it, or more than one.
    """
    real = find(repo)
    if name == "HEAD":
        return real.head
    where = ("-C", str(repo))
    full = _full_name(where, name)
    found = answer((*where, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{full}^{{commit}}"))
    if not found:
        raise GitUnavailable(f"there is no commit {quoted(name)}")
    return found


def _full_name(where: tuple[str, str], name: str) -> str:
    """The name with the whole reference in it, as git reads it in one way only."""
    step = _step.search(name)
    bare, rest = (name[: step.start()], name[step.start() :]) if step else (name, "")
    if bare.startswith("refs/"):
        return name
    wanted = [f"{place}{bare}" for place in _PLACES]
    listed = answer((*where, "for-each-ref", "--format=%(refname)", *wanted)).splitlines()
    there = [reference for reference in wanted if reference in listed]
    is_id = _is_id(bare) is not None
    if len(there) > 1 or (there and is_id):
        also = f"`{there[1]}`" if len(there) > 1 else "a commit's id"
        text = f"{quoted(bare)} stands for `{there[0]}` and for {also}; name one of them in full"
        raise GitUnavailable(text)
    if there:
        return f"{there[0]}{rest}"
    if is_id or _is_pseudo(bare):
        return name
    raise GitUnavailable(f"there is no commit {quoted(name)}")
