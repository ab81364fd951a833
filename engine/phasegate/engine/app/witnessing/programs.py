"""Which programs of a test command are known: those of the base commit, and runners the system has.

A program of the author's own can write any report. One is known here by where it lies: in the repository's
base commit, where the change cannot have made it, or among the interpreters, runners and builders in folders
of the system and of the engine's own interpreter. A bare name stands for what the command's `PATH` leads to.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from phasegate.engine.app.git.running import SYSTEM_PATH
from phasegate.engine.app.witnessing.checkout import DEPENDENCIES
from phasegate.validators.globs import Globs
from phasegate.validators.known_programs import BUILTINS, KNOWN_MODULES, is_known_command
from phasegate.validators.shell_words import words_of
from phasegate.validators.test_programs import Program, programs_of

_MAKEFILES = ("GNUmakefile", "makefile", "Makefile", "justfile", "Justfile", ".justfile", "build.ninja")
SAID = ("python", "python3", "pytest", "node", "npm", "go", "cargo", "java", "ruby")
"""Programs of which it is said where they were found, if that is another place than the caller expects."""
_INTERPRETER = re.compile(r"(?:python|pypy)[0-9.]{0,6}")
_PYTHONPATH = re.compile(r"\bPYTHONPATH=([^\s;&|\"']*)")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a command runs.

    Attributes:
        root: the working tree's root.
        cwd: the command's working directory.
        environ: its environment; `PATH` of it says which programs its bare names are.
        is_at_base: whether the base commit has a file or link at a path.
    """

    root: Path
    cwd: Path
    environ: Mapping[str, str]
    is_at_base: Callable[[str], bool]

    def unknown(self, argv: tuple[str, ...]) -> Iterator[str]:
        """The programs that the command starts and that are not known: as it names them, or where they lie.

        Of a bare name it is told where `PATH` leads, so that a process can name that very file as known.
        """
        paths = _python_path(argv)
        for program in programs_of(argv):
            if not self._is_known(program, paths):
                yield self._told(program)

    def files(self, argv: tuple[str, ...]) -> Iterator[str]:
        """Paths, from the root, of the files in the working tree that the command runs."""
        for program in programs_of(argv):
            at = self._at(program)
            names = [program.name] if program.kind in {"command", "script", "value"} else []
            if program.kind == "makefile":
                names = [f"{program.name}/{name}" for name in _MAKEFILES]
            elif program.kind == "value":
                names = words_of(program.name)
            yield from (inside for name in names if (inside := self._inside(name, at)))

    def import_roots(self, argv: tuple[str, ...]) -> Iterator[str]:
        """Folders in the working tree, from the root, that the command's `PYTHONPATH` names."""
        for path in _python_path(argv):
            inside = self._inside(self._plain(path))
            if inside is not None and inside.partition("/")[0] not in DEPENDENCIES:
                yield inside

    def below(self, path: str) -> str:
        """A path of the command from the root; itself where it leads elsewhere."""
        return self._inside(self._plain(path)) or path

    def is_inside(self, path: str) -> bool:
        """Whether a path, as the command names it, lies in the working tree and is no folder of dependencies.

        A path that begins with another variable than `$PWD` is not known to.
        """
        path = self._plain(path)
        if path in {"$PYTHONPATH", "${PYTHONPATH}"}:
            return True  # the command is given none
        if path.startswith(("$", "~", "`")):
            return False
        inside = self._inside(path)
        return inside is not None and inside.partition("/")[0] not in DEPENDENCIES

    def _plain(self, path: str) -> str:
        """A path with the variable of the working directory replaced."""
        for own in ("$PWD", "${PWD}"):
            path = path.replace(own, str(self.cwd)) if path.startswith(own) else path
        return path

    def _told(self, program: Program) -> str:
        if program.kind == "module":
            return f"-m {program.name}"
        if program.kind != "command" or "/" in program.name:
            return program.name
        return shutil.which(program.name, path=self._path()) or program.name

    def _at(self, program: Program) -> Path:
        return Path(os.path.normpath(self.cwd / self._plain(program.folder)))

    def _is_known(self, program: Program, python_path: list[str]) -> bool:
        at = self._at(program)
        if program.folder and not at.is_dir():
            return program.kind == "command" and program.name in BUILTINS
        match program.kind:
            case "module":
                return self._is_known_module(program.name, at, python_path)
            case "script":
                main = f"{program.name}/__main__.py"  # what an interpreter runs of a folder
                name = main if os.path.lexists(at / main) else program.name
                return self._is_of_base(name, at) or self._is_of_system(name, at)
            case "makefile":
                own = [f"{program.name}/{name}" for name in _MAKEFILES]
                return all(self._is_of_base(name, at) for name in own if os.path.lexists(at / name))
            case "value":
                return self._is_known_value(program.name, at)
            case "command":
                return self._is_known_command(program.name, at)
        return False

    def _is_known_module(self, name: str, at: Path, python_path: list[str]) -> bool:
        path = name.replace(".", "/")
        own = [at / f"{path}.py", at / path]
        own += [at / self._plain(entry) / file for entry in python_path for file in (f"{path}.py", path)]
        standing = [file for file in own if file.exists()]
        mains = [file / "__main__.py" if file.is_dir() else file for file in standing]
        if standing:
            return all(self._is_of_base(str(file), at) for file in mains)
        return name in KNOWN_MODULES

    def _is_known_value(self, value: str, at: Path) -> bool:
        """Whether a variable's value is no program, or a known one: `PYTHON="./forge -x"` is none."""
        words = words_of(value)
        found = shutil.which(words[0], path=self._path()) if words else None
        if found is None and words and "/" in words[0] and (at / words[0]).is_file():
            found = str(at / words[0]) if os.access(at / words[0], os.X_OK) else None
        return found is None or all(self._is_known(program, []) for program in programs_of(words))

    def _is_known_command(self, name: str, at: Path) -> bool:
        if "/" in name:
            return self._is_of_base(name, at) or self._is_of_system(name, at)
        found = shutil.which(name, path=self._path())
        if found is None or name in {"cd", "exec", "command"}:
            return name in BUILTINS
        return self._is_of_system(found, at)

    def _path(self) -> str:
        return self.environ.get("PATH", os.defpath)

    def _is_of_base(self, name: str, at: Path) -> bool:
        inside = self._inside(name, at)
        return bool(inside) and self.is_at_base(inside or "")

    def _is_of_system(self, name: str, at: Path) -> bool:
        """Whether a path is that of a known command in a folder of the system or of the engine's own."""
        place = os.path.normpath(at / name)
        folder, _, command = place.rpartition("/")
        known = is_known_command(command) or command in BUILTINS
        return known and (
            folder in trusted_folders() or (self._may_hold_venv(folder) and _is_of_venv(Path(place)))
        )

    def _may_hold_venv(self, folder: str) -> bool:
        """Whether a folder lies outside of the working tree, or in one of its folders of dependencies."""
        places = [Path(folder), Path(os.path.realpath(folder))]
        own = [place.relative_to(self.root).parts[:1] for place in places if place.is_relative_to(self.root)]
        return all(first and first[0] in DEPENDENCIES for first in own)

    def _inside(self, name: str, at: Path | None = None) -> str | None:
        place = Path(os.path.normpath((at or self.cwd) / name))
        return place.relative_to(self.root).as_posix() if place.is_relative_to(self.root) else None


def _python_path(argv: tuple[str, ...]) -> list[str]:
    found = [entry for word in argv for value in _PYTHONPATH.findall(word) for entry in value.split(":")]
    return [entry for entry in found if entry]


def _is_of_venv(place: Path) -> bool:
    """Whether a path is a virtual environment's link to an interpreter that the system has.

    What packages lie there is not judged, as it is not in the engine's own environment. Other programs of it,
    such as `bin/pytest`, are scripts that anyone may have written.
    """
    if not _INTERPRETER.fullmatch(place.name) or not (place.parent.parent / "pyvenv.cfg").is_file():
        return False
    return place.is_symlink() and str(place.resolve().parent) in trusted_folders()


def ordered_path(path: str, programs: Globs) -> str:
    """The folders of a `PATH`, those of the system and of named programs before all others.

    A makefile or a script's first line says `python` and not where that lies. No folder of the author's own
    may put another program in its place.
    """
    folders = [folder for folder in dict.fromkeys(path.split(os.pathsep)) if Path(folder).is_absolute()]
    trusted = trusted_folders()
    first = [folder for folder in folders if folder in trusted or _holds(folder, programs)]
    first += [folder for folder in SYSTEM_PATH.split(os.pathsep) if folder not in first]
    return os.pathsep.join([*first, *(folder for folder in folders if folder not in first)])


def found_elsewhere(before: str, now: str) -> tuple[str, ...]:
    """What to tell of interpreters and runners that one `PATH` finds in another place than another does."""
    told = []
    for name in SAID:
        own, other = shutil.which(name, path=before), shutil.which(name, path=now)
        if own and own != other:
            told.append(
                f"`{name}` was `{other}` and not your `{own}`; to use yours, give its whole path "
                f"(`.venv/bin/python -m pytest`), or name `{own[1:]}` under `programs` of the check "
                "`protected_checks` in the process"
            )
    return tuple(told)


def _holds(folder: str, programs: Globs) -> bool:
    try:
        return bool(programs) and any(programs.matches(str(place)[1:]) for place in Path(folder).iterdir())
    except OSError:
        return False


def trusted_folders() -> frozenset[str]:
    """Folders of the system and of the engine's own interpreter."""
    own = (Path(sys.executable).parent, Path(sys.prefix, "bin"), Path(sys.base_prefix, "bin"))
    return frozenset([*SYSTEM_PATH.split(os.pathsep), *map(str, own)])
