"""Rust: cargo, its tests, and cargo-llvm-cov where the project's own scripts use it."""

from __future__ import annotations

from typing import Final

from phasegate.engine.app.onboarding.tables import Language, Recipe, Sign

_SCRIPTS = (
    "/.github/workflows/*.yml", "/.github/workflows/*.yaml", "/.gitlab-ci.yml", "/Makefile", "/justfile",
    "/.cargo/config.toml",
)  # fmt: skip
_LCOV = "{reports}/{id}lcov.info"

RUST: Final = Language(
    name="Rust",
    sources=("*.rs",),
    manifests=("Cargo.toml",),
    shape={"Cargo.toml": "toml"},
    versions=(
        Sign("rust", files=("/rust-toolchain.toml", "/rust-toolchain")),
        Sign("rust", tables=("package.rust-version", "workspace.package.rust-version", "package.edition")),
    ),
    managers=(Sign("cargo", files=("/Cargo.lock", "/Cargo.toml")),),
    runners=(
        Sign("cargo test", text=r"^\s*#\[(?:\w+::)?test\b", inside=("tests/*.rs", "*.rs")),
        Sign("cargo test", files=("tests/*.rs",)),
    ),
    coverage=(Sign("cargo-llvm-cov", text=r"\bcargo[- ]llvm-cov\b", inside=_SCRIPTS),),
    recipes=(
        Recipe(
            "cargo test", "cargo-llvm-cov",
            ("mkdir -p {reports}", f"cargo llvm-cov --workspace --no-fail-fast --lcov --output-path {_LCOV}"),
            "-", _LCOV,
        ),
        Recipe("cargo test", "", ("cargo test --workspace --no-fail-fast",), "-"),
    ),
    builds=(Sign("cargo build", files=("/Cargo.toml",), says="cargo build --workspace --all-targets"),),
    tests=("tests/*.rs",),
    configuration=("Cargo.toml", "Cargo.lock", ".cargo/config.toml"),
    lock="Cargo.lock",
    unites=True,
    advice="use `cargo llvm-cov` in a Makefile, justfile or the CI, and install it",
)  # fmt: skip
