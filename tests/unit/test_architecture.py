"""The rules of the architecture, as tests."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("engine", "ledger", "validators", "telemetry", "policies")
MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

PURE = (
    "engine/phasegate/engine/core",
    "engine/phasegate/engine/prompts",
    "ledger/phasegate/ledger/canonical.py",
    "ledger/phasegate/ledger/entry.py",
    "ledger/phasegate/ledger/chain.py",
    "ledger/phasegate/ledger/store.py",
    "ledger/phasegate/ledger/verify.py",
    "ledger/phasegate/ledger/leases.py",
    "ledger/phasegate/ledger/leasing.py",
    "policies/phasegate/policies/model.py",
    "policies/phasegate/policies/persona.py",
    "policies/phasegate/policies/tool_names.py",
    "validators/phasegate/validators/interface.py",
)
IMPURE_CALLS = {
    "open",
    "print",
    "input",
    "exec",
    "eval",
    "now",
    "utcnow",
    "today",
    "uuid4",
    "urandom",
    "sleep",
}


def _modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def _pure_modules() -> list[Path]:
    paths = [ROOT / name for name in PURE]
    return [module for path in paths for module in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]


def test_the_namespace_has_no_init() -> None:
    assert not [path for package in PACKAGES for path in (ROOT / package).glob("phasegate/__init__.py")]


@pytest.mark.slow
def test_the_wheel_brings_one_top_level_name(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"phasegate"}
    assert "phasegate/__init__.py" not in names
    assert {"autopilot.yaml", "evaluation.yaml"} <= {name.rsplit("/", 1)[-1] for name in names}


@pytest.mark.parametrize("module", _pure_modules(), ids=lambda path: path.stem)
def test_a_pure_module_calls_nothing_impure(module: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)]
    named = {func.id for func in calls if isinstance(func, ast.Name)}
    named |= {func.attr for func in calls if isinstance(func, ast.Attribute) and not _is_port(func)}
    assert not named & IMPURE_CALLS


def _is_port(func: ast.Attribute) -> bool:
    """`clock.now()` on a port that was passed in is how a pure module is told the time."""
    return isinstance(func.value, ast.Name) and func.value.id == "clock"


@pytest.mark.parametrize("module", _modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_readable(module: Path) -> None:
    text = module.read_text()
    assert text.count("\n") <= MODULE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES_MAX, node.name


def test_importing_the_engine_package_imports_nothing_heavy() -> None:
    heavy = "pydantic", "apsw", "orjson", "opentelemetry", "numpy", "typer"
    code = f"import sys, phasegate.engine; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
