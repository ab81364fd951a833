"""Python: pyproject and its elders, pip and its successors, pytest and unittest, coverage.py."""

from __future__ import annotations

from typing import Final

from phasegate.engine.app.onboarding.tables import Language, Recipe, Sign, Threshold

_PYTEST = "{exec} -m pytest -p no:cacheprovider --junitxml={reports}/{id}junit.xml"
_JSON = "{reports}/{id}coverage.json"

PYTHON: Final = Language(
    name="Python",
    sources=("*.py",),
    manifests=("pyproject.toml", "setup.cfg", "setup.py", "requirements.txt", "requirements-dev.txt",
               "dev-requirements.txt", "requirements-test.txt", "Pipfile", "tox.ini"),
    shape={"pyproject.toml": "toml", "setup.cfg": "ini", "requirements.txt": "names", "Pipfile": "toml",
           "requirements-dev.txt": "names", "dev-requirements.txt": "names", "requirements-test.txt": "names",
           "tox.ini": "ini", "setup.py": "text"},
    toolchain=("python3", "python"),
    versions=(
        Sign("python", tables=("project.requires-python",)),
        Sign("python", files=("/.python-version",)),
        Sign("python", inside=("/setup.py", "/setup.cfg"), text=r"python_requires"),
    ),
    managers=(
        Sign("uv", files=("/uv.lock",), tables=("tool.uv",)),
        Sign("poetry", files=("/poetry.lock",), tables=("tool.poetry",)),
        Sign("pdm", files=("/pdm.lock",), tables=("tool.pdm",)),
        Sign("pip", files=("/requirements.txt", "/pyproject.toml", "/setup.py", "/setup.cfg", "*requirements*.txt")),
    ),
    exec={"uv": ".venv/bin/python", "poetry": "poetry run python", "pdm": ".venv/bin/python", "pip": "python3"},
    local=(Sign("environment", files=("/.venv/pyvenv.cfg",), says=".venv/bin/python"),
           Sign("environment", files=("/venv/pyvenv.cfg",), says="venv/bin/python")),
    runners=(
        Sign("pytest", needs=("pytest", "pytest-cov"), tables=("tool.pytest.ini_options", "tool:pytest", "pytest",
             "tool.pytest"), files=("/pytest.ini", "/.pytest.ini", "conftest.py")),
        Sign("pytest", text=r"^\s*(?:import|from) pytest\b", inside=("test_*.py", "*_test.py")),
        Sign("unittest", text=r"^\s*(?:import|from) unittest\b", inside=("test*.py", "*_test.py")),
        Sign("pytest", files=("test_*.py", "*_test.py")),
    ),
    coverage=(
        Sign("pytest-cov", needs=("pytest-cov",)),
        Sign("coverage", needs=("coverage",), tables=("tool.coverage", "tool.coverage.run", "tool.coverage.report"),
             files=("/.coveragerc",)),
    ),
    recipes=(
        Recipe("pytest", "pytest-cov", (f"{_PYTEST} --cov --cov-report=json:{_JSON}",), "junit.xml", "coverage.json"),
        Recipe("pytest", "coverage",
               (_PYTEST.replace("-m pytest", "-m coverage run -m pytest"), f"{{exec}} -m coverage json -o {_JSON}"),
               "junit.xml", "coverage.json"),
        Recipe("pytest", "", (_PYTEST,), "junit.xml"),
        Recipe("unittest", "coverage",
               ("{exec} -m coverage run -m unittest -v", f"{{exec}} -m coverage json -o {_JSON}"), "-", "coverage.json"),
        Recipe("unittest", "", ("{exec} -m unittest -v",), "-"),
    ),
    thresholds=(
        Threshold(("/pyproject.toml", "/.coveragerc", "/setup.cfg", "/tox.ini"),
                  r"^\s*fail_under\s*=\s*['\"]?(\d{1,3})"),
        Threshold(("/pyproject.toml", "/pytest.ini", "/setup.cfg", "/tox.ini"), r"--cov-fail-under[= ](\d{1,3})"),
    ),
    tests=("test_*.py", "*_test.py", "conftest.py"),
    configuration=("conftest.py", "pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", ".coveragerc"),
    bare=True,
    advice="let the tests depend on `pytest-cov` or `coverage`",
)  # fmt: skip
