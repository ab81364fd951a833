"""Which programs of a test command are known: those of the base commit, and runners the system has.

A program of the author's own can write any report. One is known here by where it lies: in the repository's
base commit, where the change cannot have made it, or among the interpreters, runners and builders in folders
of the system and of the engine's own interpreter. The caller's `PATH` decides what is run, not what is known.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from phasegate.engine.app.git_running import SYSTEM_PATH
from phasegate.engine.app.witnessing.checkout import DEPENDENCIES
from phasegate.validators.test_programs import BUILTINS, KNOWN_MODULES, Program, is_known_command, programs_of


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
        """The programs that the command starts and that are not known, as it names them."""
        for program in programs_of(argv):
            if not self._is_known(program):
                yield f"-m {program.name}" if program.kind == "module" else program.name

    def is_inside(self, path: str) -> bool:
        """Whether a path, as the command names it, lies in the working tree and is no folder of dependencies.

        A path that begins with another variable than `$PWD` is not known to.
        """
        for own in ("$PWD", "${PWD}"):
            path = path.replace(own, str(self.cwd)) if path.startswith(own) else path
        if path in {"$PYTHONPATH", "${PYTHONPATH}"}:
            return True  # the command is given none
        if path.startswith(("$", "~", "`")):
            return False
        inside = self._inside(path)
        return inside is not None and inside.partition("/")[0] not in DEPENDENCIES

    def _is_known(self, program: Program) -> bool:
        if program.kind == "inline":
            return False
        if program.kind == "module":
            path = program.name.replace(".", "/")
            own = [f"{path}.py", f"{path}/__main__.py"]
            standing = [file for file in own if (self.cwd / file).exists()]
            if standing:
                return all(self._is_of_base(file) for file in standing)
            return program.name in KNOWN_MODULES
        if program.kind == "script":
            return self._is_of_base(program.name) or self._is_of_system(program.name)
        return self._is_known_command(program.name)

    def _is_known_command(self, name: str) -> bool:
        if "/" in name:
            return self._is_of_base(name) or self._is_of_system(name)
        found = shutil.which(name, path=self.environ.get("PATH", os.defpath))
        if found is None or name in {"cd", "exec", "command"}:
            return name in BUILTINS
        return self._is_of_system(found)

    def _is_of_base(self, name: str) -> bool:
        inside = self._inside(name)
        return bool(inside) and self.is_at_base(inside or "")

    def _is_of_system(self, name: str) -> bool:
        """Whether a path is that of a known command in a folder of the system or of the engine's own."""
        place = os.path.normpath(self.cwd / name)
        folder, _, command = place.rpartition("/")
        return (is_known_command(command) or command in BUILTINS) and folder in _trusted_folders()

    def _inside(self, name: str) -> str | None:
        place = Path(os.path.normpath(self.cwd / name))
        return place.relative_to(self.root).as_posix() if place.is_relative_to(self.root) else None


def _trusted_folders() -> frozenset[str]:
    own = (Path(sys.executable).parent, Path(sys.prefix, "bin"), Path(sys.base_prefix, "bin"))
    return frozenset([*SYSTEM_PATH.split(os.pathsep), *map(str, own)])
