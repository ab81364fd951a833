"""Small repositories to onboard, each as the files it has, one language or several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PYTHON: Mapping[str, str] = {
    "pyproject.toml": """[project]
name = "shop"
requires-python = ">=3.11"

[dependency-groups]
dev = [
    "pytest>=8",
    "pytest-cov",
]

[tool.coverage.report]
fail_under = 90
""",
    "uv.lock": "version = 1\n",
    "shop.py": "def total(prices):\n    return sum(prices)\n",
    "tests/test_shop.py": "import shop\n\n\ndef test_total():\n    assert shop.total([1, 2]) == 3\n",
    ".github/workflows/ci.yml": "on: push\n",
    ".github/CODEOWNERS": "* @ann\n",
}
UNITTEST: Mapping[str, str] = {
    "setup.py": "from setuptools import setup\n\nsetup(name='shop', python_requires='>=3.11')\n",
    "shop.py": "def total(prices):\n    return sum(prices)\n",
    "test_shop.py": """import unittest

import shop


class Totals(unittest.TestCase):
    def test_total(self):
        self.assertEqual(shop.total([1, 2]), 3)
""",
}


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a repository's files into a folder; returns the folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


NODE: Mapping[str, str] = {
    "package.json": """{
  "name": "cart",
  "engines": {"node": ">=20"},
  "scripts": {
    "test": "node --test"
  }
}
""",
    "package-lock.json": '{"lockfileVersion": 3}\n',
    "cart.js": "exports.total = (prices) => prices.reduce((a, b) => a + b, 0);\n",
    "test/cart.test.js": """const test = require('node:test');
const assert = require('node:assert');
const cart = require('../cart.js');

test('total', () => assert.strictEqual(cart.total([1, 2]), 3));
""",
    ".gitlab-ci.yml": "test: {script: npm test}\n",
}
VITEST: Mapping[str, str] = {
    "package.json": """{
  "packageManager": "pnpm@9.0.0",
  "scripts": {"build": "tsc", "test": "vitest run"},
  "devDependencies": {
    "vitest": "^3",
    "@vitest/coverage-v8": "^3"
  }
}
""",
    "vitest.config.ts": "export default {test: {coverage: {thresholds: {\n  lines: 70,\n}}}}\n",
    "src/cart.ts": "export const one = 1;\n",
    "src/cart.test.ts": "import {test} from 'vitest';\n",
}
JEST: Mapping[str, str] = {
    "package.json": '{\n  "devDependencies": {\n    "jest": "^30"\n  }\n}\n',
    "yarn.lock": "# yarn lockfile v1\n",
    "cart.test.js": "test('one', () => expect(1).toBe(1));\n",
}
MOCHA: Mapping[str, str] = {
    "package.json": '{\n  "scripts": {"test": "mocha"},\n  "devDependencies": {\n    "mocha": "^11",\n    "c8": "^10"\n  }\n}\n',
    ".c8rc.json": '{\n  "lines": 75\n}\n',
    "test/cart.js": "it('counts', () => {});\n",
}
GO: Mapping[str, str] = {
    "go.mod": "module example.org/cart\n\ngo 1.24\n\ntool github.com/boumenot/gocover-cobertura\n",
    "cart.go": "package cart\n",
    "cart_test.go": "package cart\n",
    "Jenkinsfile": "node {}\n",
}
MAVEN: Mapping[str, str] = {
    "pom.xml": """<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>org.example</groupId>
  <artifactId>cart</artifactId>
  <version>1</version>
  <properties>
    <maven.compiler.release>17</maven.compiler.release>
  </properties>
  <dependencies>
    <dependency>
      <groupId>org.junit.jupiter</groupId>
      <artifactId>junit-jupiter</artifactId>
      <version>5.11.3</version>
      <scope>test</scope>
    </dependency>
  </dependencies>
</project>
""",
    "mvnw": "#!/bin/sh\n",
    "src/test/java/CartTest.java": "class CartTest {}\n",
}
GRADLE: Mapping[str, str] = {
    "settings.gradle.kts": 'include("cart")\n',
    "build.gradle.kts": "plugins {\n    java\n    jacoco\n}\n",
    "cart/build.gradle.kts": 'dependencies {\n    testImplementation("org.junit.jupiter:junit-jupiter:5.11.3")\n}\n',
    "cart/src/test/java/CartTest.java": "class CartTest {}\n",
}
RUST: Mapping[str, str] = {
    "Cargo.toml": '[package]\nname = "cart"\nversion = "0.1.0"\nedition = "2021"\n',
    "src/lib.rs": """pub fn total(prices: &[u32]) -> u32 {
    prices.iter().sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn total() {
        assert_eq!(super::total(&[1, 2]), 3);
    }
}
""",
    ".circleci/config.yml": "version: 2.1\njobs: {test: {steps: [run: cargo llvm-cov]}}\n",
    "Makefile": "coverage:\n\tcargo llvm-cov\n",
}
RUST_ALONE: Mapping[str, str] = {name: RUST[name] for name in ("Cargo.toml", "src/lib.rs")}
"""A crate without anything around it."""
MONOREPO: Mapping[str, str] = {
    **PYTHON,
    **{f"web/{name}": text for name, text in NODE.items() if not name.startswith(".")},
    **{f"services/cart/{name}": text for name, text in GO.items() if name != "Jenkinsfile"},
    "docs/fixtures/package.json": "{}\n",
}
