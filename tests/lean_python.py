"""A Python that has pytest and nothing else, for repositories whose tests are run again and again."""

from __future__ import annotations

import atexit
import compileall
import functools
import importlib.metadata
import shutil
import tempfile
import venv
from pathlib import Path

PACKAGES = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")


@functools.cache
def lean_python() -> str:
    """Path of the interpreter; made once in a process, and taken away with it.

    Its packages are compiled beforehand and have no sources, for a witnessed command compiles whatever it
    imports anew.
    """
    folder = Path(tempfile.mkdtemp(prefix="lean-python-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    for name in PACKAGES:
        for file in importlib.metadata.files(name) or ():
            if file.parts[0] != ".." and "__pycache__" not in file.parts:
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), packages / file)
    compileall.compile_dir(packages, quiet=1, legacy=True)
    for source in packages.rglob("*.py"):
        source.unlink()
    return str(folder / "bin" / "python")
