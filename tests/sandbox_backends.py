"""The ways a sandbox is run in tests: with namespaces, without, and as a user without privilege."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from phasegate.engine.runners import sandbox

NOBODY = 65534
_REPORT = """
import json, sys
from phasegate.engine.runners.sandbox import Pool, self_check
with Pool(1, use_namespaces={namespaces}) as pool:
    isolation = pool.isolation.to_json()
results = self_check(lambda limits: Pool(1, limits, use_namespaces={namespaces}))
print(json.dumps({{"isolation": isolation, "results": [
    {{"name": r.name, "held": r.held, "verdict": r.verdict, "detail": r.detail}} for r in results]}}))
"""


@cache
def readable_interpreter() -> str | None:
    """Return a Python 3.11 or newer that a user without privilege can run, None if there is none."""
    names = [sys.executable, *(shutil.which(f"python3.{n}", path=os.defpath) or "" for n in (13, 12, 11))]
    for name in filter(None, names):
        probe = (
            subprocess.run(
                [name, "-c", "import ctypes"], user=_other_user(), capture_output=True, cwd="/", check=False
            )
            if _can_run(name)
            else None
        )
        if probe is not None and probe.returncode == 0:
            return name
    return None


def _can_run(name: str) -> bool:
    try:
        subprocess.run([name, "-c", ""], user=_other_user(), capture_output=True, cwd="/", check=False)
    except PermissionError:
        return False
    return True


def _other_user() -> int | None:
    return NOBODY if os.geteuid() == 0 else None


def self_check_as_nobody(folder: Path, *, namespaces: bool) -> dict[str, object]:
    """Run the whole self-check in a process without privilege, from a copy of the package in `folder`."""
    python = readable_interpreter()
    assert python is not None
    root = folder / "lib"
    source = Path(sandbox.__file__).parent
    target = root / "phasegate" / "engine" / "runners" / "sandbox"
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    scratch = folder / "tmp"
    scratch.mkdir()
    scratch.chmod(0o777)
    environment = {"PYTHONPATH": str(root), "TMPDIR": str(scratch), "PATH": os.defpath}
    done = subprocess.run(
        [python, "-B", "-W", "error", "-c", _REPORT.format(namespaces=namespaces)],
        user=_other_user(), group=_other_user(), extra_groups=[] if _other_user() else None,
        env=environment, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    return report
