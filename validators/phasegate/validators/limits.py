"""Every size, depth and count this package refuses to go past."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what is read and on what is said about it.

    Attributes:
        max_json_bytes: size of a JSON artifact.
        max_json_depth: nesting of arrays and objects.
        max_json_values: values in a JSON artifact; a schema looks at each of them.
        max_json_integer: magnitude of an integer, so that arithmetic on it stays cheap.
        max_text_bytes: size of a Markdown or plain-text document.
        max_log_bytes: size of a log.
        max_log_line_chars: part of one log line that patterns are tried on.
        max_patch_bytes: size of a patch.
        max_report_bytes: size of a tool's XML or JSON report that is converted.
        max_report_values: values in a JSON report that is converted.
        max_xml_depth: nesting of XML elements.
        max_report_cases: test cases in one report.
        max_case_id_chars: length of one test's identifier.
        max_findings: findings of one check; more are counted, not listed.
        max_quoted_chars: length of the author's input repeated in a message.
    """

    max_json_bytes: int = 8 * 1024 * 1024
    max_json_depth: int = 64
    max_json_values: int = 500_000
    max_json_integer: int = 2**64
    max_text_bytes: int = 512 * 1024
    max_log_bytes: int = 64 * 1024 * 1024
    max_log_line_chars: int = 4_096
    max_patch_bytes: int = 16 * 1024 * 1024
    max_report_bytes: int = 64 * 1024 * 1024
    max_report_values: int = 20_000_000
    max_xml_depth: int = 64
    max_report_cases: int = 100_000
    max_case_id_chars: int = 500
    max_findings: int = 100
    max_quoted_chars: int = 120


LIMITS = Limits()
