"""Files under a ref of a repository that is no branch: one commit a change, no index, no checkout."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from phasegate.engine.app.git.running import run_git

_IDENTITY: Final = {
    f"GIT_{who}_{what}": text
    for who in ("AUTHOR", "COMMITTER")
    for what, text in (("NAME", "phasegate"), ("EMAIL", "phasegate@localhost"))
}
_USERS_OWN: Final = ("HOME", "SSH_AUTH_SOCK", "SSH_AGENT_PID", "XDG_CONFIG_HOME", "GIT_SSH_COMMAND")
"""What a push needs of the user's environment to find credentials; all other git commands get none of it."""


class GitRef:
    """The files of a ref.

    Every method raises GitUnavailable when git cannot do it.

    Args:
        repository: a folder of the repository, which may be bare.
        ref: the ref, such as `refs/phasegate/checkpoints`.
    """

    def __init__(self, repository: Path, ref: str) -> None:
        self.repository = repository
        self.ref = ref

    def commit(self) -> str:
        """The ref's commit; empty without one."""
        return self._git("for-each-ref", "--format=%(objectname)", self.ref).decode().strip()

    def files(self, commit: str) -> dict[str, str]:
        """The blobs of a commit by file name; none of the empty commit."""
        found = {}
        listed = self._git("ls-tree", "-z", commit).decode("utf-8", "replace") if commit else ""
        for row in listed.split("\0")[:-1]:
            about, _, file = row.partition("\t")
            found[file] = about.split(" ")[2]
        return found

    def content(self, blob: str) -> bytes:
        """The bytes of a blob."""
        return self._git("cat-file", "blob", blob)

    def put(self, changed: Mapping[str, bytes], message: str, parent: str, before: str) -> str:
        """Let the ref be a commit with these files changed; returns it, or the parent if nothing changes.

        Args:
            changed: file names and their content; other files stay.
            message: what the commit is called.
            parent: the commit it follows; empty for the first.
            before: the commit that the ref must still be; it moves only if nobody has moved it meanwhile.
        """
        files = self.files(parent)
        blobs = {name: self._stored(content) for name, content in changed.items()}
        commit = parent
        if {**files, **blobs} != files:
            rows = sorted({**files, **blobs}.items())
            text = "".join(f"100644 blob {sha}\t{file}\0" for file, sha in rows)
            tree = self._git("mktree", "-z", stdin=text.encode()).decode().strip()
            above = ("-p", parent) if parent else ()
            commit = self._git("commit-tree", tree, *above, "-m", message).decode().strip()
        if commit != before:
            self._git("update-ref", self.ref, commit, before)
        return commit

    def fetched(self, remote: str, own: str) -> str:
        """The commit to follow: the remote's, unless the ref's own commit follows it already."""
        answer = self._remote("ls-remote", "--", remote, self.ref).decode("ascii", "replace")
        theirs = answer.partition("\t")[0].strip()
        if not theirs or theirs == own:
            return own
        self._remote("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", remote, theirs)
        follows = own and not self._git("rev-list", "--max-count=1", theirs, "--not", own)
        return own if follows else theirs

    def push(self, remote: str) -> None:
        """Push the ref, never by force, with the user's own credentials."""
        self._remote("push", "--quiet", "--", remote, f"{self.ref}:{self.ref}")

    def _stored(self, content: bytes) -> str:
        return self._git("hash-object", "-w", "--stdin", stdin=content).decode().strip()

    def _git(self, *argv: str, stdin: bytes = b"") -> bytes:
        return run_git(("-C", str(self.repository), *argv), _IDENTITY, stdin=stdin)

    def _remote(self, *argv: str) -> bytes:
        own = {name: os.environ[name] for name in _USERS_OWN if name in os.environ}
        settings = {"GIT_CONFIG_GLOBAL": str(Path(own["HOME"]) / ".gitconfig")} if "HOME" in own else {}
        return run_git(
            ("-c", "protocol.allow=user", "-C", str(self.repository), *argv),
            {**_IDENTITY, **own, **settings},
        )
