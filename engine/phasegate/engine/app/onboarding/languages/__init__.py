"""What is known of each language, as tables; one module for each, all of one shape."""

from __future__ import annotations

from typing import Final

from phasegate.engine.app.onboarding.languages.python import PYTHON
from phasegate.engine.app.onboarding.tables import Language

LANGUAGES: Final[tuple[Language, ...]] = (PYTHON,)
"""Every language that is detected, in the order in which its components are told."""
