"""What stands around the code: who runs the checks of a change, and who owns its files. Tables, and pure."""

from __future__ import annotations

from typing import Final

from phasegate.engine.app.onboarding.tables import Sign

CI: Final = (
    Sign("GitHub Actions", files=("/.github/workflows/*.yml", "/.github/workflows/*.yaml")),
    Sign("GitLab CI", files=("/.gitlab-ci.yml",)),
    Sign("Jenkins", files=("/Jenkinsfile",)),
    Sign("Azure Pipelines", files=("/azure-pipelines.yml", "/.azure-pipelines/*.yml")),
    Sign("CircleCI", files=("/.circleci/config.yml",)),
    Sign("Buildkite", files=("/.buildkite/*.yml", "/.buildkite/*.yaml")),
    Sign("Drone", files=("/.drone.yml",)),
    Sign("Travis CI", files=("/.travis.yml",)),
    Sign("Woodpecker", files=("/.woodpecker.yml", "/.woodpecker/*.yml", "/.woodpecker/*.yaml")),
    Sign("Bitbucket Pipelines", files=("/bitbucket-pipelines.yml",)),
    Sign("AppVeyor", files=("/appveyor.yml", "/.appveyor.yml")),
    Sign("Cirrus CI", files=("/.cirrus.yml",)),
    Sign("Gitea Actions", files=("/.gitea/workflows/*.yml", "/.gitea/workflows/*.yaml")),
    Sign("Forgejo Actions", files=("/.forgejo/workflows/*.yml", "/.forgejo/workflows/*.yaml")),
)
"""CI services by the files that configure them."""

OWNERS: Final = (
    Sign(
        "CODEOWNERS", files=("/.github/CODEOWNERS", "/CODEOWNERS", "/docs/CODEOWNERS", "/.gitlab/CODEOWNERS")
    ),
)
"""Where code owners are named, in the order in which GitHub and GitLab look."""
