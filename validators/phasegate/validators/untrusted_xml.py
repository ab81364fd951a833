"""Reading a tool's XML report that nobody vouches for.

It is read with expat directly, without a tree: a document type declaration is refused when the parser meets
it, which is before any entity could be declared, so neither entity expansion nor external entities exist
(this is what defusedxml does too); size and depth are bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn
from xml.parsers import expat

from phasegate.validators.errors import MalformedReportError
from phasegate.validators.limits import LIMITS

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Handlers:
    """What is told of elements: names without their namespace prefix.

    Attributes:
        start: called with an element's name and attributes.
        end: called with its name.
        doctype_allowed: whether a document type declaration without declarations of its own may stand there,
        as
            Cobertura writes one; it is never followed.
    """

    start: Start
    end: End
    doctype_allowed: bool = False


def read_xml(xml: bytes, handlers: Handlers, remedy: str) -> None:
    """Read a report and tell the handlers of its elements in order.

    Raises:
        MalformedReportError: it is not XML, is hostile or too large; what a handler raises passes through.
    """

    def refuse(message: str) -> NoReturn:
        raise MalformedReportError(message, remedy)

    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > LIMITS.max_xml_depth:
            refuse(f"elements nest more than {LIMITS.max_xml_depth} deep")
        handlers.start(tag.rpartition(":")[2], attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        handlers.end(tag.rpartition(":")[2])

    def doctype(_name: str, _system: str | None, _public: str | None, has_subset: int) -> None:
        if has_subset or not handlers.doctype_allowed:
            refuse("the report has a document type declaration")

    if len(xml) > LIMITS.max_report_bytes:
        refuse(f"the report has {len(xml)} bytes, more than the {LIMITS.max_report_bytes} allowed")
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(xml, True)  # noqa: FBT003  # expat takes it by position only
    except expat.ExpatError as error:
        refuse(f"the report is not xml: {expat.ErrorString(error.code)} at line {error.lineno}")
    except (ValueError, LookupError):
        # An encoding that Python does not know, or that is not a text encoding.
        refuse("the report's encoding is unknown")
