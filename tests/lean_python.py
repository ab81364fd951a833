"""A Python that has pytest and nothing else, for repositories whose tests are run again and again.

Neither its packages nor its standard library have sources, only what was compiled of them: a witnessed
command compiles whatever it imports anew, which would be most of the time that these tests take.
"""

from __future__ import annotations

import atexit
import functools
import importlib.metadata
import py_compile
import shutil
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

PACKAGES = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
LEFT_OUT = frozenset(
    {"site-packages", "test", "tests", "idlelib", "tkinter", "lib2to3", "ensurepip", "turtledemo"}
)


@functools.cache
def lean_python() -> str:
    """Path of the interpreter; made once in a process, and taken away with it."""
    folder = Path(tempfile.mkdtemp(prefix="lean-python-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    for name in PACKAGES:
        for file in importlib.metadata.files(name) or ():
            if file.suffix == ".py" and file.parts[0] != "..":
                _compiled(Path(str(file.locate())), packages / file)
            elif file.parts[0].endswith(".dist-info"):
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), packages / file)
    _standard_library(folder / "base")
    settings = folder / "pyvenv.cfg"
    settings.write_text(f"home = {folder / 'base' / 'bin'}\ninclude-system-site-packages = false\n")
    return str(folder / "bin" / "python")


def _standard_library(base: Path) -> None:
    """What an interpreter whose `home` is `base` takes for its standard library."""
    source = Path(sysconfig.get_path("stdlib"))
    target = base / "lib" / source.name
    for file in source.rglob("*.py"):
        within = file.relative_to(source)
        if not LEFT_OUT.intersection(within.parts):
            _compiled(file, target / within)
    (target / "lib-dynload").symlink_to(source / "lib-dynload")
    (base / "bin").mkdir()


def _compiled(source: Path, target: Path) -> None:
    """Put a module compiled where its source would be; what is compiled already is copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    known = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
    if known.is_file():
        shutil.copyfile(known, target.with_suffix(".pyc"))
    else:
        py_compile.compile(str(source), str(target.with_suffix(".pyc")), doraise=True)
