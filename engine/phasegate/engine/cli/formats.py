"""What commands with formats of their own can print or write; apart, for a name costs no import here."""

from __future__ import annotations

from enum import StrEnum


class ContextFormat(StrEnum):
    """How a context is printed."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


class CheckpointFormat(StrEnum):
    """How a checkpoint is printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    SARIF = "sarif"
    JUNIT = "junit"
    GITHUB = "github"
    MARKDOWN = "markdown"


class ExportFormat(StrEnum):
    """What a task can be exported as."""

    BUNDLE = "bundle"
    IN_TOTO = "in-toto"
    STATEMENTS = "statements"
