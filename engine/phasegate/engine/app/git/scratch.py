"""A scratch repository that borrows the objects and the working tree of a real one.

Its configuration, hooks, index and exclude file are empty, and the objects of the real one are lent to it
(gitrepository-layout, "alternates"). So no hook, file-system monitor or alias of the repository runs, no
`assume-unchanged` or `skip-worktree` mark hides a file, a time stamp that was set back does not help, and
nothing is written into the repository. What is read of a commit is hashed anew (`hashed`): git does not.

A `.gitattributes` of the working tree is read by git even so. What it says of converting content is overruled
by the scratch repository's `info/attributes`, which comes before it (gitattributes, "Description"): with
`ident`, `filter`, `text`, `eol` or `working-tree-encoding`, files could hold code that neither a tree's id
nor a patch shows; without `diff` a patch has no lines to read. So trees are of the very bytes that lie in the
working tree. The price is that every tracked file is hashed, and that files kept by a filter such as git-lfs,
or with line ends that git converts, look changed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from phasegate.engine.app.git.hashed import (
    LINK,
    SUBMODULE,
    Entry,
    hash_blob,
    hash_files,
    listing,
    read_objects,
)
from phasegate.engine.app.git.output import (
    alternate,
    entries_of,
    from_root,
    names_of,
    parsed_changes,
    text_of,
)
from phasegate.engine.app.git.running import GitUnavailable, run_git
from phasegate.validators.interface import Artifact
from phasegate.validators.patch import read_patch
from phasegate.validators.patch_lines import misplaced
from phasegate.validators.patch_reader import FileChange
from phasegate.validators.truth import PATCH, PatchCheck, PathChange, PathStatus, claimed_form

CHANGES_MAX = 100_000

# Of a repository of our own: as a bare one it would refuse to look at a working tree. A commit graph of the
# real one says what commits descend from without a look at them.
_SETTINGS = "[core]\n\tbare = false\n\tautocrlf = false\n\tcommitGraph = false\n"
_NO_CONVERSION = b"* -text -crlf -eol -ident -filter -working-tree-encoding !diff\n"


@dataclass(frozen=True, slots=True)
class Repository:
    """A real repository: its working tree, where its objects are, and what is checked out."""

    root: Path
    objects: Path
    head: str
    branch: str
    is_sha256: bool


def find(repo: Path) -> Repository:
    """The repository whose working tree a folder lies in.

    Raises:
        GitUnavailable: it lies in none, or there is no git.
    """
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
    head = answer((*where, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"))
    branch = answer((*where, "symbolic-ref", "--quiet", "--short", "HEAD"))
    return Repository(top, Path(os.fsdecode(objects)), head, branch, object_format == b"sha256")


def answer(argv: Sequence[str]) -> str:
    """One line of git's answer; empty where git says no, as it does of a head that has no commit yet."""
    try:
        return run_git(argv, {}).decode("utf-8", "replace").strip()
    except GitUnavailable:
        return ""


@contextmanager
def scratch_of(real: Repository) -> Iterator[Scratch]:
    """A scratch repository, as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="phasegate-git-") as folder:
        scratch = Scratch(real, Path(folder))
        scratch.prepare()
        yield scratch


class Scratch:
    """An empty repository that borrows the objects and the working tree of a real one."""

    def __init__(self, real: Repository, folder: Path) -> None:
        self._real = real
        self._folder = folder
        self._listings: dict[str, Mapping[bytes, Entry]] = {}
        self._environ = {
            "GIT_DIR": str(folder / "git"),
            "GIT_WORK_TREE": str(real.root),
            "GIT_INDEX_FILE": str(folder / "index"),
            # A colon ends a path here, unless the path is quoted.
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternate(real.objects),
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

    def listing(self, commit: str) -> Mapping[bytes, Entry]:
        """What a commit has at each path, hashed; nothing for the empty tree."""
        if commit and commit not in self._listings:
            self._listings[commit] = listing(self._git, commit)
        return self._listings.get(commit, {})

    def _git(self, argv: Sequence[str], stdin: bytes) -> bytes:
        return self.run(*argv, stdin=stdin)

    def descends(self, base: str) -> bool:
        """Whether the head descends from a base, by commits that are hashed.

        Without a history that reaches so far, as in a shallow clone, it does not.
        """
        head = self._real.head
        if not base or base == head:
            return True
        try:
            listed = self.run("rev-list", "--parents", f"{base}..{head}") if head else b""
        except GitUnavailable:
            return False
        between = [line.split(" ") for line in listed.decode("ascii", "replace").splitlines()]
        if not any(base in parents for _, *parents in between):
            return False
        self._listings[head] = listing(self._git, head, [commit for commit, *_ in between])
        return True

    def changes(self, commit: str) -> tuple[tuple[PathChange, ...], tuple[str, ...]]:
        """Paths that differ between a commit and the working tree, and files that only newer rules hide."""
        self.read_tree(commit)
        # git compares a link with the bytes of its object, where it hashes a file.
        self._hash({path for path, entry in self.listing(commit).items() if entry.mode == LINK}, commit)
        before = self._differing("--no-renames")
        others = names_of(self.run("ls-files", "--others", "--exclude-per-directory=.gitignore", "-z"))
        rules = self._folder / "rules"
        rules.write_bytes(self._base_rules(commit))
        by_base = names_of(self.run("ls-files", "--others", f"--exclude-from={rules}", "-z"))
        hidden = tuple(sorted(text_of(name) for name in set(by_base) - set(others)))
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
            PathChange(text_of(name), PathStatus.ADDED, mode=SUBMODULE)
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

    def _base_rules(self, commit: str) -> bytes:
        """The ignore rules of a commit, as one list of patterns from the root."""
        files = [
            (name, entry.id)
            for name, entry in self.listing(commit).items()
            if name.rpartition(b"/")[2] == b".gitignore" and entry.mode.startswith("100")
        ]
        # The nearer file has the last word, as it does in git.
        files.sort(key=lambda file: file[0].count(b"/"))
        return b"".join(
            from_root(line, name.rpartition(b"/")[0])
            for name, blob in files
            for line in hash_blob(self.run("cat-file", "blob", blob), blob).splitlines()
        )

    def working_tree(self, changes: tuple[PathChange, ...]) -> str:
        """Id of the tree that the working tree makes; call it after `changes`."""
        files = [change for change in changes if change.mode != SUBMODULE]
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
        self.listing(head)
        raw = ("--raw", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=dirty")
        uncommitted = {
            change.path for change in parsed_changes(self.run("diff-index", "--cached", *raw, head))
        }
        if not base or base == head or not uncommitted:
            return (), tuple(sorted(uncommitted))
        since = parsed_changes(self.run("diff-tree", "-r", *raw, base, head))
        return tuple(change for change in since if change.path in uncommitted), tuple(sorted(uncommitted))

    def staged(self) -> dict[bytes, Entry]:
        """What the index has at each path."""
        return entries_of(self.run("ls-files", "-s", "-z"))

    def write_files(self, folder: Path, entries: Mapping[bytes, Entry]) -> None:
        """Write the files of the index into a folder, and hash what was written."""
        self.run("checkout-index", "--all", "--force", f"--prefix={folder}/")
        hash_files(folder, entries.items())

    def check_patch(self, base: str, patch: bytes, changes: Iterable[PathChange]) -> PatchCheck:
        """Try a patch on the base commit, in the scratch index alone, and compare with the working tree.

        Args:
            base: the commit.
            patch: the patch.
            changes: what differs between the two; these files of the commit are hashed, and those that the
                patch names.
        """
        applied = self.apply(base, patch, {path for change in changes for path in change.paths})
        if not applied.applies:
            return applied
        differing = {change.path for change in self._differing("--no-renames")}
        hiding = self._hiding(base, patch)
        return replace(applied, differing=tuple(sorted(differing)), hiding=hiding)

    def apply(self, base: str, patch: bytes, paths: Iterable[str] = ()) -> PatchCheck:
        """Apply a patch to the base commit in the index, after its files that are touched were hashed."""
        self.read_tree(base)
        files = read_patch(Artifact(PATCH, patch))[0].files
        touched = {os.fsencode(path) for file in files for path in (file.path, file.old_path)}
        self._hash(touched.union(map(os.fsencode, paths)), base)
        try:
            self.run("apply", "--cached", "--whitespace=nowarn", "-", stdin=patch)
        except GitUnavailable as error:
            return PatchCheck(applies=False, reason=str(error))
        return PatchCheck(applies=True, misplaced=self._misplaced(base, files))

    def _misplaced(self, base: str, files: Sequence[FileChange]) -> tuple[str, ...]:
        """Files of which the patch tells other lines than it changed; call it after the patch was applied."""
        shown = [file for file in files if not file.binary]
        before = self._contents(self.listing(base), {file.old_path for file in shown})
        return misplaced(files, before, self._contents(self.staged(), {file.path for file in shown}))

    def _contents(self, entries: Mapping[bytes, Entry], paths: set[str]) -> dict[str, bytes]:
        """Contents by path, as a patch names and shows them; a submodule's is a line with its commit."""
        named = {claimed_form(text_of(path)): entry for path, entry in entries.items()}
        wanted = {path: named[path] for path in sorted(paths & named.keys())}
        ids = {entry.id for entry in wanted.values() if entry.mode != SUBMODULE}
        found = {name: data for _, name, data in read_objects(self._git, sorted(ids))}
        return {
            path: found.get(entry.id, f"Subproject commit {entry.id}\n".encode())
            for path, entry in wanted.items()
        }

    def _hiding(self, base: str, patch: bytes) -> tuple[str, ...]:
        """Files that a patch shows as binary though they are text; call it after the patch was applied.

        What is text is told by the content alone: attributes that say otherwise do not count here.
        """
        files = read_patch(Artifact(PATCH, patch))[0].files
        binary = {file.path for file in files if file.binary}
        if not binary:
            return ()
        since = base or self.run("hash-object", "-t", "tree", "--stdin").decode("ascii", "replace").strip()
        told = self.run("diff-index", "--cached", "--numstat", "-z", "--no-renames", "--no-ext-diff", since)
        counted = (line.split(b"\t", 2) for line in told.split(b"\0") if line)
        lines = {claimed_form(text_of(name)) for added, _, name in counted if added != b"-"}
        return tuple(sorted(binary & lines))

    def _hash(self, paths: set[bytes], commit: str) -> None:
        """Lay out files of the commit that the index holds, and hash them."""
        at = self.listing(commit)
        files = [(path, at[path]) for path in sorted(paths & at.keys()) if at[path].mode != SUBMODULE]
        if not files:
            return
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            asked = b"\0".join(path for path, _ in files)
            self.run("checkout-index", "-z", "--stdin", f"--prefix={folder}/", stdin=asked)
            hash_files(Path(folder), files)

    def _differing(self, renames: str) -> list[PathChange]:
        # Without it every file whose time stamps the index does not know counts as changed. It ends with 1
        # where files really differ.
        self.succeeds("update-index", "-q", "--really-refresh")
        return parsed_changes(
            self.run("diff-files", "--raw", "-z", renames, "--no-ext-diff", "--ignore-submodules=dirty")
        )

    def read_tree(self, commit: str) -> None:
        """Make the index that of a commit, whose trees are hashed; empty for the empty tree."""
        self.listing(commit)
        Path(self._environ["GIT_INDEX_FILE"]).unlink(missing_ok=True)
        self.run("read-tree", *([commit] if commit else ["--empty"]))

    def tracked(self, folder: str) -> tuple[str, ...]:
        """Paths below a folder that the head has, or the repository's own index; none without a folder."""
        if not folder:
            return ()
        staged = run_git(("-C", str(self._real.root), "ls-files", "-z", "--", folder), {})
        committed = map(text_of, self.listing(self._real.head))
        found = {*committed, *map(text_of, names_of(staged))}
        return tuple(sorted(path for path in found if path.startswith(folder)))

    def submodules(self, commit: str) -> dict[str, str]:
        """Submodules of a commit: path and the commit each is pinned to."""
        listed = self.listing(commit).items()
        return {text_of(path): entry.id for path, entry in listed if entry.mode == SUBMODULE}
