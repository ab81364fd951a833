"""What is known of each language, as tables; one module for each, all of one shape."""

from __future__ import annotations

from typing import Final

from phasegate.engine.app.onboarding.languages.go import GO
from phasegate.engine.app.onboarding.languages.java import JAVA
from phasegate.engine.app.onboarding.languages.node import NODE
from phasegate.engine.app.onboarding.languages.python import PYTHON
from phasegate.engine.app.onboarding.languages.rust import RUST
from phasegate.engine.app.onboarding.tables import Language

LANGUAGES: Final[tuple[Language, ...]] = (PYTHON, NODE, GO, JAVA, RUST)
"""Every language that is detected, in the order in which components of one folder are told."""
