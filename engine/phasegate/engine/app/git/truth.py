"""Looking at the real tree with git, without trusting the repository's own word.

Every comparison is made with a scratch repository of our own: its configuration, hooks, index and exclude
file are empty, and the objects of the real one are lent to it (gitrepository-layout, "alternates"). So no
hook, file-system monitor or alias of the repository runs, no `assume-unchanged` or `skip-worktree` mark hides
a file, a time stamp that was set back does not help, and nothing is written into the repository.

A `.gitattributes` of the working tree is read by git even so. What it says of converting content is overruled
by the scratch repository's `info/attributes`, which comes before it (gitattributes, "Description"): with
`ident`, `filter`, `text`, `eol` or `working-tree-encoding`, files could hold code that neither a tree's id
nor a patch shows. So trees are of the very bytes that lie in the working tree. The price is that every
tracked file is hashed, and that files kept by a filter such as git-lfs, or with line ends that git converts,
look changed.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from phasegate.engine.app.git.running import GitUnavailable, run_git
from phasegate.validators.truth import (
    PatchCheck,
    PathChange,
    PathStatus,
    PhaseRules,
    Truth,
    phase_rules,
    truth_findings,
)

__all__ = [
    "GitUnavailable",
    "PatchCheck",
    "PathChange",
    "PathStatus",
    "PhaseRules",
    "TreeState",
    "Truth",
    "export",
    "phase_rules",
    "snapshot",
    "tree_state",
    "truth_findings",
]

CHANGES_MAX = 100_000
SUBMODULES_MAX = 64
SUBMODULE_DEPTH_MAX = 4

_SETTINGS = "[core]\n\tbare = false\n\tautocrlf = false\n"
"""Of a repository of our own: as a bare one it would refuse to look at a working tree."""
_NO_CONVERSION = b"* -text -crlf -eol -ident -filter -working-tree-encoding\n"

_SPECIAL = re.compile(rb"[*?\[\\]")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SUBMODULE = "160000"
_STATUS_OF = {
    "A": PathStatus.ADDED,
    "M": PathStatus.MODIFIED,
    "D": PathStatus.DELETED,
    "R": PathStatus.RENAMED,
    "T": PathStatus.TYPE_CHANGED,
}


@dataclass(frozen=True, slots=True)
class TreeState:
    """A working tree at one moment.

    Attributes:
        commit: the commit checked out; empty in a repository without one.
        tree: id of the tree that the working tree's files make, untracked ones included; two moments with the
            same id have the same files.
        branch: the branch checked out; empty when the head is detached.
        dirty: whether any file differs from the commit or is untracked.
        untracked: paths that the commit does not have.
    """

    commit: str
    tree: str
    branch: str
    dirty: bool
    untracked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Repository:
    """A real repository: its working tree, where its objects are, and what is checked out."""

    root: Path
    objects: Path
    head: str
    branch: str
    is_sha256: bool


def tree_state(repo: Path, without: Path | None = None) -> TreeState:
    """Look at a working tree.

    Args:
        repo: a folder inside it.
        without: a folder that is not looked at, such as the engine's own home.

    Raises:
        GitUnavailable: there is no git, no repository, or it cannot be read.
    """
    real = _find(repo)
    with _scratch(real) as scratch:
        changes = _outside(real.root, scratch.changes(real.head)[0], without)
        tree = scratch.working_tree(changes)
    untracked = tuple(change.path for change in changes if change.status is PathStatus.ADDED)
    return TreeState(real.head, tree, real.branch, bool(changes), untracked)


def _outside(root: Path, changes: tuple[PathChange, ...], without: Path | None) -> tuple[PathChange, ...]:
    """The changes that lie outside a folder."""
    if without is None or not without.is_relative_to(root):
        return changes
    inside = f"{without.relative_to(root).as_posix()}/"
    return tuple(change for change in changes if not change.path.startswith(inside))


def snapshot(repo: Path, base: str, patch: bytes | None = None, without: Path | None = None) -> Truth:
    """Compare the working tree with a recorded base commit.

    Args:
        repo: a folder inside the working tree.
        base: full id of the base commit; empty for a repository that had none, which is the empty tree.
        patch: a patch to try on the base commit, and to compare its result with the working tree.
        without: a folder that is no part of `Truth.tree`.

    Returns:
        What was seen; with `problem` set when the repository could not be looked at.
    """
    if base and not _COMMIT.fullmatch(base):
        return Truth(base=base, problem="the recorded base is not the full id of a commit")
    try:
        real = _find(repo)
        with _scratch(real) as scratch:
            if base and not scratch.succeeds("cat-file", "-e", f"{base}^{{commit}}"):
                return Truth(base, real.head, problem="the recorded base commit is not in the repository")
            changes, hidden = scratch.changes(base)
            tree = scratch.working_tree(_outside(real.root, changes, without))
            committed, uncommitted = scratch.committed(base)
            check = None if patch is None else scratch.check_patch(base, patch)
            is_ancestor = _descends(scratch, base, real.head)
            pinned = scratch.submodules(base)
        nested = _submodule_changes(real, changes, pinned, depth=0)
    except GitUnavailable as error:
        return Truth(base=base, problem=str(error))
    ordered = tuple(sorted((*changes, *nested), key=lambda change: change.path))
    return Truth(
        base,
        real.head,
        ordered,
        is_ancestor,
        hidden,
        check,
        tree=tree,
        committed=committed,
        uncommitted=uncommitted,
    )


def export(
    repo: Path, base: str, folder: Path, now: Path, without: Path | None = None
) -> tuple[Path, tuple[PathChange, ...], str]:
    """Write the files of a commit, and those of the working tree, into folders of their own.

    The working tree's files are written from the objects that its id is the id of, so that both are of the
    same bytes whatever happens to the files meanwhile. What lies in the folder `without` is neither a change
    nor part of the tree.

    Args:
        repo: a folder inside the working tree.
        base: full id of the commit; empty for the empty tree.
        folder: an empty folder for the files of the commit.
        now: an empty folder for those of the working tree.
        without: a folder that is not looked at.

    Returns:
        The working tree's root, how it differs from the commit, and its tree's id.

    Raises:
        GitUnavailable: there is no git, no repository, or no such commit in it.
    """
    real = _find(repo)
    with _scratch(real) as scratch:
        changes = _outside(real.root, scratch.changes(base)[0], without)
        tree = scratch.working_tree(changes)
        scratch.write_files(now)
        scratch.run("read-tree", *([base] if base else ["--empty"]))
        scratch.write_files(folder)
    return real.root, changes, tree


def top_of(repo: Path) -> Path:
    """Root of the working tree a folder lies in.

    Raises:
        GitUnavailable: it lies in none.
    """
    return _find(repo).root


def resolve_commit(repo: Path, name: str) -> str:
    """Full id of the commit that a name stands for; empty for `HEAD` of a repository without a commit.

    Raises:
        GitUnavailable: there is no repository, or no such commit in it.
    """
    real = _find(repo)
    if name == "HEAD":
        return real.head
    where = ("-C", str(repo))
    found = _answer((*where, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"))
    if not found:
        raise GitUnavailable(f"there is no commit `{name}`")
    return found


def _descends(scratch: _Scratch, base: str, head: str) -> bool:
    if not base or base == head:
        return True
    return bool(head) and scratch.succeeds("merge-base", "--is-ancestor", base, head)


def _find(repo: Path) -> _Repository:
    if not repo.is_dir():
        raise GitUnavailable("there is no such folder")
    where = ("-C", str(repo))
    asked = ("--show-toplevel", "--git-path", "objects", "--show-object-format")
    shown = run_git((*where, "rev-parse", "--path-format=absolute", *asked), {})
    paths, _, object_format = shown.rstrip(b"\n").rpartition(b"\n")
    root, _, objects = paths.rpartition(b"\n")
    # Names with a line end inside make more lines than two; then neither can be told from the other.
    if not root or b"\n" in root:
        raise GitUnavailable("the folder is in no working tree of git")
    top = Path(os.fsdecode(root))
    if not (top / ".git").exists() or not repo.resolve().is_relative_to(top.resolve()):
        raise GitUnavailable("the repository is set to a working tree that is elsewhere (`core.worktree`)")
    head = _answer((*where, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"))
    branch = _answer((*where, "symbolic-ref", "--quiet", "--short", "HEAD"))
    return _Repository(top, Path(os.fsdecode(objects)), head, branch, object_format == b"sha256")


def _answer(argv: Sequence[str]) -> str:
    """One line of git's answer; empty where git says no, as it does of a head that has no commit yet."""
    try:
        return run_git(argv, {}).decode("utf-8", "replace").strip()
    except GitUnavailable:
        return ""


@contextmanager
def _scratch(real: _Repository) -> Iterator[_Scratch]:
    with tempfile.TemporaryDirectory(prefix="phasegate-git-") as folder:
        scratch = _Scratch(real, Path(folder))
        scratch.prepare()
        yield scratch


class _Scratch:
    """An empty repository that borrows the objects and the working tree of a real one."""

    def __init__(self, real: _Repository, folder: Path) -> None:
        self._real = real
        self._folder = folder
        self._environ = {
            "GIT_DIR": str(folder / "git"),
            "GIT_WORK_TREE": str(real.root),
            "GIT_INDEX_FILE": str(folder / "index"),
            # A colon ends a path here, unless the path is quoted.
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": _alternate(real.objects),
        }

    def prepare(self) -> None:
        """Make the empty repository."""
        kind = "sha256" if self._real.is_sha256 else "sha1"
        own = str(self._folder / "git")
        run_git(("init", "--quiet", "--bare", "--template=", f"--object-format={kind}", own), {})
        with (self._folder / "git" / "config").open("a") as config:
            config.write(_SETTINGS)
        info = self._folder / "git" / "info"
        info.mkdir(exist_ok=True)
        (info / "attributes").write_bytes(_NO_CONVERSION)

    def run(self, *args: str, stdin: bytes = b"") -> bytes:
        """Output of a git command in the working tree's root."""
        return run_git(args, self._environ, stdin=stdin, cwd=self._real.root)

    def succeeds(self, *args: str) -> bool:
        """Whether a git command ends well."""
        try:
            self.run(*args)
        except GitUnavailable:
            return False
        return True

    def changes(self, commit: str) -> tuple[tuple[PathChange, ...], tuple[str, ...]]:
        """Paths that differ between a commit and the working tree, and files that only newer rules hide."""
        self._read_tree(commit)
        before = self._differing("--no-renames")
        others = _names(self.run("ls-files", "--others", "--exclude-per-directory=.gitignore", "-z"))
        rules = self._folder / "rules"
        rules.write_bytes(self._base_rules())
        by_base = _names(self.run("ls-files", "--others", f"--exclude-from={rules}", "-z"))
        hidden = tuple(sorted(_text(name) for name in set(by_base) - set(others)))
        # A repository inside this one is named with a slash; git cannot look into it from here.
        files = [name for name in others if not name.endswith(b"/")]
        if files:
            self.run(
                "add",
                "--intent-to-add",
                "--force",
                "--pathspec-from-file=-",
                "--pathspec-file-nul",
                stdin=b"\0".join(files),
            )
        inner = [
            PathChange(_text(name), PathStatus.ADDED, mode=_SUBMODULE)
            for name in others
            if name.endswith(b"/")
        ]
        found = [*self._differing("-M"), *inner]
        # Where a file took a folder's place or the reverse, adding the one took the other out of the index.
        told = {path for change in found for path in change.paths}
        found.extend(change for change in before if change.path not in told)
        if len(found) > CHANGES_MAX:
            raise GitUnavailable(f"more than {CHANGES_MAX} paths differ")
        return tuple(sorted(found, key=lambda change: change.path)), hidden

    def _base_rules(self) -> bytes:
        """The ignore rules of the tree in the index, as one list of patterns from the root."""
        listed = (entry.partition(b"\t") for entry in self.run("ls-files", "-s", "-z").split(b"\0"))
        files = [
            (name, head.split(b" ")[1])
            for head, _, name in listed
            if name.rpartition(b"/")[2] == b".gitignore" and head.startswith(b"100")
        ]
        # The nearer file has the last word, as it does in git.
        files.sort(key=lambda file: file[0].count(b"/"))
        return b"".join(
            _from_root(line, name.rpartition(b"/")[0])
            for name, blob in files
            for line in self.run("cat-file", "blob", blob.decode("ascii")).splitlines()
        )

    def working_tree(self, changes: tuple[PathChange, ...]) -> str:
        """Id of the tree that the working tree makes; call it after `changes`."""
        files = [change for change in changes if change.mode != _SUBMODULE]
        gone = [change.old_path or change.path for change in files if change.old_path or not change.mode]
        here = [change.path for change in files if change.mode]
        # What is gone first: git looks at no path that lies beyond a link now.
        for option, paths in (("--force-remove", gone), ("--add", here)):
            if paths:
                listed = b"\0".join(os.fsencode(path) for path in paths)
                self.run("update-index", option, "-z", "--stdin", stdin=listed)
        return self.run("write-tree", "--missing-ok").decode("ascii", "replace").strip()

    def committed(self, base: str) -> tuple[tuple[PathChange, ...], tuple[str, ...]]:
        """What the head has that does not stand: see `Truth.committed` and `.uncommitted`.

        Call it after `working_tree`, when the index holds what stands.
        """
        head = self._real.head
        if not head:
            return (), ()
        raw = ("--raw", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=dirty")
        uncommitted = {change.path for change in _parsed(self.run("diff-index", "--cached", *raw, head))}
        if not base or base == head or not uncommitted:
            return (), tuple(sorted(uncommitted))
        since = _parsed(self.run("diff-tree", "-r", *raw, base, head))
        return tuple(change for change in since if change.path in uncommitted), tuple(sorted(uncommitted))

    def write_files(self, folder: Path) -> None:
        """Write the files of the index into a folder."""
        self.run("checkout-index", "--all", "--force", f"--prefix={folder}/")

    def check_patch(self, base: str, patch: bytes) -> PatchCheck:
        """Try a patch on the base commit, in the scratch index alone, and compare with the working tree."""
        self._read_tree(base)
        try:
            self.run("apply", "--cached", "--check", "--whitespace=nowarn", "-", stdin=patch)
            self.run("apply", "--cached", "--whitespace=nowarn", "-", stdin=patch)
        except GitUnavailable as error:
            return PatchCheck(applies=False, reason=str(error))
        return PatchCheck(
            applies=True, differing=tuple(sorted(change.path for change in self._differing("--no-renames")))
        )

    def _differing(self, renames: str) -> list[PathChange]:
        # Without it every file whose time stamps the index does not know counts as changed. It ends with 1
        # where files really differ.
        self.succeeds("update-index", "-q", "--really-refresh")
        return _parsed(
            self.run("diff-files", "--raw", "-z", renames, "--no-ext-diff", "--ignore-submodules=dirty")
        )

    def _read_tree(self, commit: str) -> None:
        Path(self._environ["GIT_INDEX_FILE"]).unlink(missing_ok=True)
        self.run("read-tree", *([commit] if commit else ["--empty"]))

    def submodules(self, commit: str) -> dict[str, str]:
        """Submodules of a commit: path and the commit each is pinned to."""
        found: dict[str, str] = {}
        if commit:
            for entry in self.run("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
                head, _, name = entry.partition(b"\t")
                if head.startswith(b"160000 commit "):
                    found[_text(name)] = head.rpartition(b" ")[2].decode("ascii", "replace")
        return found


def _submodule_changes(
    real: _Repository, changes: tuple[PathChange, ...], pinned: Mapping[str, str], *, depth: int
) -> tuple[PathChange, ...]:
    """Changes inside submodules that are checked out, against the commits they are pinned to."""
    if len(pinned) > SUBMODULES_MAX or (pinned and depth >= SUBMODULE_DEPTH_MAX):
        raise GitUnavailable("there are more submodules than are looked into")
    moved = {change.path for change in changes}
    found: list[PathChange] = []
    for path, commit in pinned.items():
        if path in moved or not (real.root / path / ".git").exists():
            continue
        inner = _find(real.root / path)
        with _scratch(inner) as scratch:
            inside, _ = scratch.changes(commit)
            below = scratch.submodules(commit)
        inside = (*inside, *_submodule_changes(inner, inside, below, depth=depth + 1))
        found.extend(_below(path, change) for change in inside)
    return tuple(found)


def _below(folder: str, change: PathChange) -> PathChange:
    old_path = f"{folder}/{change.old_path}" if change.old_path else ""
    return replace(change, path=f"{folder}/{change.path}", old_path=old_path)


def _parsed(raw: bytes) -> list[PathChange]:
    """Read `:OLDMODE NEWMODE OLDID NEWID STATUS`, then one or two paths (git-diff, "Raw output format")."""
    fields = iter(raw.split(b"\0"))
    found: list[PathChange] = []
    for head in fields:
        if not head:
            break
        parts = head.decode("ascii", "replace").lstrip(":").split(" ")
        letter = parts[-1][:1]
        status = _STATUS_OF.get(letter)
        if status is None:
            raise GitUnavailable(f"git told of a change `{letter}`, such as a merge that is not finished")
        path = _text(next(fields, b""))
        old_path = ""
        if status is PathStatus.RENAMED:
            old_path, path = path, _text(next(fields, b""))
        mode = "" if status is PathStatus.DELETED else parts[1]
        found.append(PathChange(path, status, old_path, mode))
    return found


def _from_root(line: bytes, folder: bytes) -> bytes:
    """A line of a folder's ignore file as a pattern from the root (gitignore, "Pattern format")."""
    if not line.strip() or line.startswith(b"#") or not folder:
        return line + b"\n"
    negation = b"!" if line.startswith(b"!") else b""
    pattern = line.removeprefix(b"!")
    anchored = b"/" in pattern.rstrip(b"/ ")
    below = pattern.lstrip(b"/") if anchored else b"**/" + pattern
    return negation + b"/" + _SPECIAL.sub(rb"\\\g<0>", folder) + b"/" + below + b"\n"


def _names(raw: bytes) -> list[bytes]:
    return [name for name in raw.split(b"\0") if name]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _alternate(objects: Path) -> str:
    """A path as git reads it in a list: quoted as in C where it holds a colon or begins with a quote."""
    text = str(objects)
    if ":" not in text and not text.startswith('"'):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
