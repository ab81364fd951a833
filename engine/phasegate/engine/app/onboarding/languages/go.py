"""Go: modules, `go test`, and the tools that turn its coverage profile into a format others read."""

from __future__ import annotations

from typing import Final

from phasegate.engine.app.onboarding.tables import Language, Recipe, Sign

_TESTED = "go test -json -count=1 -coverprofile={reports}/{id}cover.out ./..."
_PROFILE = "{reports}/{id}cover.out"
_XML, _LCOV = "{reports}/{id}cobertura.xml", "{reports}/{id}lcov.info"

GO: Final = Language(
    name="Go",
    sources=("*.go",),
    manifests=("go.mod",),
    shape={"go.mod": "text"},
    versions=(Sign("go", text=r"^(?:go|toolchain) ", inside=("/go.mod",)),),
    managers=(Sign("go modules", files=("/go.mod",)),),
    runners=(Sign("go test", files=("*_test.go",)),),
    # A tool of the module stands in go.mod without a version (Go Modules Reference, "tool directive").
    coverage=(
        Sign("gocover-cobertura", text=r"^\s*(?:tool )?\S*/gocover-cobertura\s*$", inside=("/go.mod",)),
        Sign("gcov2lcov", text=r"^\s*(?:tool )?\S*/gcov2lcov\s*$", inside=("/go.mod",)),
    ),
    recipes=(
        Recipe(
            "go test", "gocover-cobertura",
            ("mkdir -p {reports}", _TESTED, f"go tool gocover-cobertura < {_PROFILE} > {_XML}"),
            "-", _XML,
        ),
        Recipe(
            "go test", "gcov2lcov",
            ("mkdir -p {reports}", _TESTED, f"go tool gcov2lcov -infile {_PROFILE} -outfile {_LCOV}"),
            "-", _LCOV,
        ),
        Recipe("go test", "", ("go test -json -count=1 ./...",), "-"),
    ),
    builds=(Sign("go build", files=("/go.mod",), says="go build ./..."),),
    tests=("*_test.go", "**/testdata/**"),
    configuration=("go.mod", "go.work"),
    advice="add a tool to go.mod: `go get -tool github.com/boumenot/gocover-cobertura`",
)  # fmt: skip
