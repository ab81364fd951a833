"""Can a sentence be found true or false by looking?

A heuristic, and an honest one: it refuses what surely says nothing ("works well", "is fast") and what has no
predicate at all; it does not prove that a criterion is a good one. Words that judge without a measure are
taken out, and what is left must still say something that can be observed.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(?<![A-Za-z0-9_-])[+-]?[0-9]{1,18}(?:[.,][0-9]{1,18}){0,6}")
_LITERAL = re.compile(r"`[^`\n]{1,200}`|\"[^\"\n]{1,200}\"|'[^'\n]{2,200}'|\u201c[^\u201d\n]{1,200}\u201d")
_COMPARISON = re.compile(
    r"[<>=\u2264\u2265]|\b(?:at[ ](?:least|most)|no[ ](?:more|less|fewer)[ ]than|exactly|never|always|"
    r"none|zero|nothing|no[ ]one|nobody|every|each|all|only|once|twice|both|neither)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:when|whenever|if|unless|given|after|before|until|while|without|within|on[ ](?:every|each)|"
    r"as[ ]soon[ ]as)\b",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"""\b(?:
    # A verb that only an adverb describes: "loads fast", "is logged correctly".
    [a-z]+[ ](?:(?:very|really|quite|more|as)[ ])?(?:
        well|fine|nicely|correctly|properly|reliably|smoothly|fast(?:er)?|quick(?:ly|er)|efficiently|
        securely|safely|
        gracefully|appropriately|adequately|sufficiently|seamlessly|optimally|intuitively|easily|cleanly|
        as[ ](?:expected|intended|needed|it[ ]should))|
    (?:easy|easier|simple|simpler|convenient|quick|fast|safe|nice|pleasant|intuitive)[ ]to[ ][a-z]+|
    (?:very[ ]|really[ ]|quite[ ]|more[ ]|as[ ])?(?:
    fast(?:er)?|quick(?:ly|er)?|slow|snappy|responsive|performant|efficient(?:ly)?|optimal(?:ly)?|
    optimi[sz]ed|
    user[ -]?friendly|easy|easily|eas(?:e|ier)|intuitive(?:ly)?|simpl(?:e|y|er)|convenient(?:ly)?|usable|
    accessible|robust(?:ly|ness)?|reliabl(?:e|y)|stable|resilient|scalable|flexible|extensible|
    maintainable|modular|
    good|great|nice(?:ly)?|excellent|better|best|fine|well|high[ -]quality|quality|clean(?:ly)?|elegant|
    modern|beautiful|attractive|pleasant|state[ -]of[ -]the[ -]art|world[ -]class|seamless(?:ly)?|
    smooth(?:ly)?|
    secure(?:ly)?|safe(?:ly)?|appropriate(?:ly)?|adequate(?:ly)?|sufficient(?:ly)?|reasonabl(?:e|y)|
    acceptabl(?:e|y)|
    satisfactor(?:y|ily)|proper(?:ly)?|correct(?:ly)?|graceful(?:ly)?|suitable|suitably|meaningful(?:ly)?|
    minimal|as[ ](?:expected|intended|needed|possible|required)|production[ -]ready|enough|high|low
    ))\b(?!-)""",
    re.VERBOSE | re.IGNORECASE,
)
# Verbs whose effect somebody or something can see; "works", "handles" and "supports" are not among them.
_OBSERVABLE = re.compile(
    r"""\b(?:
    return|show|display|print|write|read|send|receive|respond|answer|reject|refus|accept|rais|throw|log|
    record|
    creat|delet|remov|add|updat|chang|replac|renam|mov|cop|list|sort|order|rank|filter|group|count|contain|
    includ|
    exclud|omit|hold|equal|match|differ|end|exit|stop|start|begin|fail|pass|succeed|abort|retr|block|den|
    allow|
    permit|prevent|open|clos|mark|flag|label|highlight|hid|render|load|sav|stor|persist|keep|retain|restor|
    export|
    import|download|upload|generat|produc|emit|publish|trigger|notif|warn|alert|redirect|lock|unlock|expir|
    encrypt|
    decrypt|sign|verif|validat|check|compil|build|deploy|install|parse|convert|round|truncat|pad|set|reset|
    clear|
    appear|disappear|remain|stay|becom|get|see|click|enter|select|submit|call|invok|pass(?:es)?|rotat|revok|
    detect|report|measur|explain|name|link|point|recover|resum|rollback|roll|revert|cancel|wait|limit|cap|skip
    )(?:s|es|ed|d|ies|ied|y|e|led|ged|t|ten|n)?\b""",
    re.VERBOSE | re.IGNORECASE,
)
_COPULA = re.compile(
    r"\b(?:is|are|be|was|were|has|have|had|does|do|can|cannot|must|shall|should|will|may)\b[ ]+"
    r"(?:not[ ]+)?(?P<rest>\S+)",
    re.IGNORECASE,
)
_EMPTY_COMPLEMENTS = frozenset({
    "and", "or", "but", "for", "to", "in", "on", "at", "of", "with", "the", "a", "an", "it", "its", "they",
    "when", "if", "while", "so", "as", "than", "too", "also", "be", "is", "are", "work", "works", "perform",
    "performs", "function", "functions", "behave", "behaves", "run", "runs", "support", "supports", "handle",
    "handles",
})  # fmt: skip


def is_testable(text: str) -> bool:
    """Return whether a sentence says something that can be observed or measured."""
    if _NUMBER.search(text) or _LITERAL.search(text):
        return True
    rest = _VAGUE.sub(" ", text)
    if rest != text:
        # What judges without a measure counts only for the observable things said beside it.
        return _OBSERVABLE.search(rest) is not None
    return bool(
        _OBSERVABLE.search(text)
        or _COMPARISON.search(text)
        or _CONDITION.search(text)
        or _has_predicate(text)
    )


def vague_words(text: str) -> tuple[str, ...]:
    """Return the words that judge without a measure, in order, each once."""
    return tuple(dict.fromkeys(match[0].lower() for match in _VAGUE.finditer(text)))


def _has_predicate(text: str) -> bool:
    return any(
        match["rest"].strip(".,;:!?").lower() not in _EMPTY_COMPLEMENTS
        and any(character.isalnum() for character in match["rest"])
        for match in _COPULA.finditer(text)
    )
