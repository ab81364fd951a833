"""Java and Kotlin: Maven and Gradle, whose tests leave one JUnit report for each class."""

from __future__ import annotations

from typing import Final

from phasegate.engine.app.onboarding.tables import Language, Recipe, Sign

_BUILDS = ("build.gradle", "build.gradle.kts")
_FRAMEWORK = r"junit|testng|spock|kotest|kotlin\(\"test\"\)"

JAVA: Final = Language(
    name="Java",
    sources=("*.java", "*.kt"),
    manifests=("pom.xml", *_BUILDS),
    shape={"pom.xml": "xml", "build.gradle": "text", "build.gradle.kts": "text"},
    versions=(
        Sign(
            "java", text=r"<(?:maven\.compiler\.(?:release|source)|java\.version|release)>",
            inside=("/pom.xml",),
        ),
        Sign("java", text=r"languageVersion|sourceCompatibility|jvmToolchain", inside=_BUILDS),
        Sign("java", files=("/.java-version", "/.sdkmanrc")),
    ),
    managers=(
        Sign("maven", files=("/pom.xml",)),
        Sign("gradle", files=tuple(f"/{name}" for name in _BUILDS)),
    ),
    exec={"maven": "mvn", "gradle": "gradle"},
    local=(
        Sign("maven", files=("/mvnw",), says="./mvnw"),
        Sign("gradle", files=("/gradlew",), says="./gradlew"),
    ),
    runners=(
        Sign("maven surefire", text=_FRAMEWORK, inside=("pom.xml",)),
        Sign("gradle test", text=_FRAMEWORK, inside=_BUILDS),
    ),
    coverage=(),
    unread=(Sign("JaCoCo", text=r"(?i)jacoco", inside=("pom.xml", *_BUILDS)),),
    recipes=(
        Recipe("maven surefire", "", ("{exec} --batch-mode --no-transfer-progress clean test",),
               "{folder}**/target/surefire-reports/TEST-*.xml"),
        Recipe("gradle test", "", ("{exec} --console=plain clean test",),
               "{folder}**/build/test-results/test/TEST-*.xml"),
    ),
    tests=("src/test/**", "**/src/test/**"),
    configuration=("pom.xml", *_BUILDS, "settings.gradle", "settings.gradle.kts", "gradle.properties"),
    unites=True,
    advice="turn JaCoCo's report into Cobertura or lcov in a command of your own",
)  # fmt: skip
