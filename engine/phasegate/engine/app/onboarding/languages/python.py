"""Python: pyproject and its elders, pip and its successors, pytest and unittest, coverage.py."""

from __future__ import annotations

from typing import Final

from phasegate.engine.app.onboarding.tables import PERCENT, Language, Recipe, Sign, Threshold

_PYTEST = "-m pytest -p no:cacheprovider --junitxml={reports}/{id}junit.xml"
_JUNIT, _JSON = "{reports}/{id}junit.xml", "{reports}/{id}coverage.json"
_AS_JSON = f"{{exec}} -m coverage json -o {_JSON}"

PYTHON: Final = Language(
    name="Python",
    sources=("*.py",),
    manifests=(
        "pyproject.toml", "setup.cfg", "setup.py", "requirements.txt", "requirements-dev.txt",
        "dev-requirements.txt", "requirements-test.txt", "Pipfile", "tox.ini",
    ),
    shape={
        "pyproject.toml": "toml", "Pipfile": "toml", "setup.cfg": "ini", "tox.ini": "ini", "setup.py": "text",
        "requirements.txt": "names", "requirements-dev.txt": "names", "dev-requirements.txt": "names",
        "requirements-test.txt": "names",
    },
    versions=(
        Sign("python", tables=("project.requires-python",)),
        Sign("python", files=("/.python-version",)),
        Sign("python", inside=("/setup.py", "/setup.cfg"), text=r"python_requires"),
    ),
    managers=(
        Sign("uv", files=("/uv.lock",), tables=("tool.uv",)),
        Sign("poetry", files=("/poetry.lock",), tables=("tool.poetry",)),
        Sign("pdm", files=("/pdm.lock",), tables=("tool.pdm",)),
        Sign("pipenv", files=("/Pipfile.lock", "/Pipfile")),
        Sign("pip", files=("/requirements.txt", "/pyproject.toml", "/setup.py", "/setup.cfg")),
    ),
    exec={
        "uv": ".venv/bin/python", "pdm": ".venv/bin/python", "poetry": "poetry run python",
        "pipenv": "pipenv run python", "pip": "python3",
    },
    local=(
        Sign("*", files=("/.venv/pyvenv.cfg",), says=".venv/bin/python"),
        Sign("*", files=("/venv/pyvenv.cfg",), says="venv/bin/python"),
    ),
    runners=(
        Sign(
            "pytest", needs=("pytest", "pytest-cov"), files=("/pytest.ini", "/.pytest.ini", "conftest.py"),
            tables=("tool.pytest.ini_options", "tool.pytest", "tool:pytest", "pytest"),
        ),
        Sign("pytest", text=r"^\s*(?:import|from) pytest\b", inside=("test_*.py", "*_test.py")),
        Sign("unittest", text=r"^\s*(?:import|from) unittest\b", inside=("test*.py", "*_test.py")),
        Sign("pytest", files=("test_*.py", "*_test.py")),
    ),
    coverage=(
        Sign("pytest-cov", needs=("pytest-cov",)),
        Sign(
            "coverage", needs=("coverage",), files=("/.coveragerc",),
            tables=("tool.coverage", "coverage:run"),
        ),
    ),
    recipes=(
        Recipe(
            "pytest", "pytest-cov", (f"{{exec}} {_PYTEST} --cov --cov-report=json:{_JSON}",), _JUNIT, _JSON
        ),
        Recipe("pytest", "coverage", (f"{{exec}} -m coverage run {_PYTEST}", _AS_JSON), _JUNIT, _JSON),
        Recipe("pytest", "", (f"{{exec}} {_PYTEST}",), _JUNIT),
        Recipe("unittest", "coverage", ("{exec} -m coverage run -m unittest -v", _AS_JSON), "-", _JSON),
        Recipe("unittest", "", ("{exec} -m unittest -v",), "-"),
    ),
    thresholds=(
        Threshold(
            ("/pyproject.toml", "/.coveragerc", "/setup.cfg", "/tox.ini"),
            r"^\s*fail_under\s*=\s*['\"]?" + PERCENT,
        ),
        Threshold(
            ("/pyproject.toml", "/pytest.ini", "/setup.cfg", "/tox.ini"), r"--cov-fail-under[= ]" + PERCENT
        ),
    ),
    tests=("test_*.py", "*_test.py", "conftest.py"),
    configuration=("conftest.py", "pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", ".coveragerc"),
    bare=True,
    advice="let the tests depend on `pytest-cov` or `coverage`",
)  # fmt: skip
