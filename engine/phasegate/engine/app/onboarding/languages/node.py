"""JavaScript and TypeScript under Node or Bun: package.json, its lock files, and the common test runners."""

from __future__ import annotations

from typing import Final

from phasegate.engine.app.onboarding.tables import PERCENT, Language, Recipe, Sign, Threshold

_TESTS = (
    "*.test.js", "*.test.mjs", "*.test.cjs", "*.test.ts", "*.spec.js", "*.spec.ts", "test/*.js", "test/*.mjs",
)  # fmt: skip
_PACKAGE = ("/package.json",)
_JEST_FILES = ("/jest.config.*",)
_MADE = "mkdir -p {reports}"  # for tools that do not make the folder they write to
_JUNIT, _LCOV, _JSON = "{reports}/{id}junit.xml", "{reports}/{id}lcov/lcov.info", "{reports}/{id}tests.json"
_VITEST = f"{{exec}} vitest run --reporter=json --outputFile={_JSON}"
_VITEST_LCOV = (
    "--coverage.enabled --coverage.reporter=lcovonly --coverage.reportsDirectory={reports}/{id}lcov"
)
_JEST_LCOV = "--coverage --coverageReporters=lcovonly --coverageDirectory={reports}/{id}lcov"
_JEST = f"{{exec}} jest --json --outputFile={_JSON}"
_MOCHA = f"mocha --reporter=xunit --reporter-option=output={_JUNIT}"
_NODE = f"node --test --test-reporter=junit --test-reporter-destination={_JUNIT}"
_NODE_LCOV = "{reports}/{id}lcov.info"
_NODE_COVERAGE = f"--experimental-test-coverage --test-reporter=lcov --test-reporter-destination={_NODE_LCOV}"
_BUN_COVERAGE = "--coverage --coverage-reporter=lcov --coverage-dir={reports}/{id}lcov"
_BUN = f"bun test --reporter=junit --reporter-outfile={_JUNIT}"

NODE: Final = Language(
    name="JavaScript",
    sources=("*.js", "*.mjs", "*.cjs", "*.jsx", "*.ts", "*.mts", "*.cts", "*.tsx"),
    manifests=("package.json",),
    shape={"package.json": "json"},
    versions=(
        Sign("node", tables=("engines.node",)),
        Sign("node", files=("/.nvmrc", "/.node-version")),
    ),
    managers=(
        Sign("pnpm", files=("/pnpm-lock.yaml",), text=r'"packageManager"\s*:\s*"pnpm@', inside=_PACKAGE),
        Sign("yarn", files=("/yarn.lock",), text=r'"packageManager"\s*:\s*"yarn@', inside=_PACKAGE),
        Sign("bun", files=("/bun.lock", "/bun.lockb"), text=r'"packageManager"\s*:\s*"bun@', inside=_PACKAGE),
        Sign("npm", files=("/package-lock.json", "/package.json")),
    ),
    exec={"npm": "npx", "pnpm": "npx", "yarn": "npx", "bun": "bun x"},
    runners=(
        Sign("vitest", script=r"\bvitest\b"),
        Sign("jest", script=r"\bjest\b"),
        Sign("mocha", script=r"\bmocha\b"),
        Sign("node --test", script=r"\bnode\b.*\s--test\b"),
        Sign("bun test", script=r"\bbun test\b"),
        Sign("vitest", needs=("vitest",), files=("/vitest.config.*",)),
        Sign("jest", needs=("jest",), tables=("jest",), files=("/jest.config.*",)),
        Sign("mocha", needs=("mocha",), files=("/.mocharc.*",)),
        Sign("node --test", text=r"['\"]node:test['\"]", inside=_TESTS),
        Sign("bun test", text=r"['\"]bun:test['\"]", inside=_TESTS),
    ),
    coverage=(
        Sign("@vitest/coverage", needs=("@vitest/coverage-v8", "@vitest/coverage-istanbul")),
        Sign("jest --coverage", needs=("jest",), tables=("jest",), files=_JEST_FILES, script=r"\bjest\b"),
        Sign("c8", needs=("c8",)),
        Sign("nyc", needs=("nyc",)),
        Sign("node --experimental-test-coverage", script=r"\bnode\b.*\s--test\b"),
        Sign("node --experimental-test-coverage", text=r"['\"]node:test['\"]", inside=_TESTS),
        Sign("bun test --coverage", script=r"\bbun test\b", text=r"['\"]bun:test['\"]", inside=_TESTS),
    ),
    recipes=(
        Recipe("vitest", "@vitest/coverage",
               (f"{_VITEST} {_VITEST_LCOV}",),
               _JSON, _LCOV, ("vitest",)),
        Recipe("vitest", "", (_VITEST,), _JSON, own=("vitest",)),
        Recipe("jest", "jest --coverage",
               (_MADE, f"{_JEST} {_JEST_LCOV}"),
               _JSON, _LCOV, ("jest",)),
        Recipe("mocha", "c8",
               (f"{{exec}} c8 --reporter=lcovonly --reports-dir={{reports}}/{{id}}lcov {_MOCHA}",),
               _JUNIT, _LCOV, ("c8", "mocha")),
        Recipe("mocha", "nyc",
               (f"{{exec}} nyc --reporter=lcovonly --report-dir={{reports}}/{{id}}lcov {_MOCHA}",),
               _JUNIT, _LCOV, ("nyc", "mocha")),
        Recipe("mocha", "", (f"{{exec}} {_MOCHA}",), _JUNIT, own=("mocha",)),
        Recipe("node --test", "node --experimental-test-coverage",
               (_MADE, f"{_NODE} {_NODE_COVERAGE}"),
               _JUNIT, _NODE_LCOV),
        Recipe("bun test", "bun test --coverage",
               (_MADE, f"{_BUN} {_BUN_COVERAGE}"), _JUNIT, _LCOV),
    ),
    builds=(Sign("build script", tables=("scripts.build",), says="{manager} run build"),),
    thresholds=(
        Threshold(
            ("/package.json", "/.c8rc", "/.c8rc.json", "/.nycrc", "/.nycrc.json"), r'"lines"\s*:\s*' + PERCENT
        ),
        Threshold(("/jest.config.*", "/vitest.config.*", "/vite.config.*"), r"\blines\s*:\s*" + PERCENT),
    ),
    tests=("*.test.*", "*.spec.*", "**/__tests__/**"),
    configuration=("package.json", "jest.config.*", "vitest.config.*", ".mocharc.*", ".c8rc*", ".nycrc*"),
    advice="add `c8`, `@vitest/coverage-v8` or what goes with the runner to `devDependencies`",
)  # fmt: skip
