"""What the official conformance suite wants of a server under test, by stdio; without the SDK, so that it starts at once.

    python mcp_conformance_server.py

The suite names tools, resources and prompts, and what each gives.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
SOUND = base64.b64encode(b"RIFF\x00\x00\x00\x00WAVE").decode()
STATIC = {
    "test://static-text": {
        "mimeType": "text/plain",
        "text": "This is the content of the static text resource.",
    },
    "test://static-binary": {"mimeType": "image/png", "blob": PIXEL},
    "test://watched-resource": {"mimeType": "text/plain", "text": "watched"},
    "test://template/123/data": {
        "mimeType": "application/json",
        "text": '{"id":"123","templateTest":true,"data":"Data for ID: 123"}',
    },
}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def embedded(uri: str, value: str, kind: str = "text/plain") -> dict[str, Any]:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": value}}


IMAGE = {"type": "image", "data": PIXEL, "mimeType": "image/png"}
GIVEN: dict[str, list[dict[str, Any]]] = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [IMAGE],
    "test_audio_content": [{"type": "audio", "data": SOUND, "mimeType": "audio/wav"}],
    "test_embedded_resource": [embedded("test://embedded-resource", "This is an embedded resource content.")],
    "test_multiple_content_types": [
        text("Multiple content types test:"),
        IMAGE,
        embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json"),
    ],
}
DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
CHOICES = ["option1", "option2", "option3"]
TITLED = [{"const": f"value{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]
ENUMS = {
    "untitledSingle": {"type": "string", "enum": CHOICES},
    "titledSingle": {"type": "string", "oneOf": TITLED},
    "legacyEnum": {
        "type": "string",
        "enum": CHOICES,
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": CHOICES}},
    "titledMulti": {"type": "array", "items": {"anyOf": TITLED}},
}
WHO = {"username": {"type": "string"}, "email": {"type": "string"}}
DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_2020 = {
    "$schema": DIALECT,
    "type": "object",
    "$defs": {
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
    "additionalProperties": False,
}
OTHERS = (
    "test_tool_with_logging", "test_tool_with_progress", "test_error_handling", "test_sampling", "test_elicitation",
    "test_elicitation_sep1034_defaults", "test_elicitation_sep1330_enums", "json_schema_2020_12_tool",
)  # fmt: skip
PROMPTS = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
}
CAPABILITIES = {
    "tools": {},
    "prompts": {},
    "resources": {"subscribe": True},
    "logging": {},
    "completions": {},
}


def send(**message: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def read() -> dict[str, Any]:
    line = sys.stdin.readline()
    if not line:
        sys.exit()
    message: dict[str, Any] = json.loads(line)
    return message


def ask(method: str, **params: Any) -> dict[str, Any]:
    """What the client answers; nothing else is done meanwhile."""
    send(id="asked", method=method, params=params)
    while True:
        message = read()
        if message.get("id") == "asked":
            found: dict[str, Any] = message["result"]
            return found


def elicit(message: str, properties: dict[str, Any]) -> list[dict[str, Any]]:
    answer = ask(
        "elicitation/create", message=message, requestedSchema={"type": "object", "properties": properties}
    )
    return [
        text(f"Elicitation completed: action={answer['action']}, content={json.dumps(answer.get('content'))}")
    ]


def log(*lines: str) -> list[dict[str, Any]]:
    for line in lines:
        send(method="notifications/message", params={"level": "info", "data": line})
    return [text("logged")]


def progress(params: dict[str, Any]) -> list[dict[str, Any]]:
    token = params.get("_meta", {}).get("progressToken")
    for done in (0, 50, 100) if token is not None else ():
        send(method="notifications/progress", params={"progressToken": token, "progress": done, "total": 100})
    return [text("done")]


def sample(prompt: str) -> list[dict[str, Any]]:
    said = [{"role": "user", "content": text(prompt)}]
    answer = ask("sampling/createMessage", messages=said, maxTokens=100)
    return [text(f"LLM response: {answer['content']['text']}")]


def call(params: dict[str, Any]) -> dict[str, Any]:
    name, arguments = params["name"], params.get("arguments", {})
    match name:
        case "test_error_handling":
            return {
                "content": [text("This tool intentionally returns an error for testing")],
                "isError": True,
            }
        case "test_tool_with_logging":
            content = log("Tool execution started", "Tool processing data", "Tool execution completed")
        case "test_tool_with_progress":
            content = progress(params)
        case "test_sampling":
            content = sample(arguments["prompt"])
        case "test_elicitation":
            content = elicit(arguments["message"], WHO)
        case "test_elicitation_sep1034_defaults":
            content = elicit("defaults", DEFAULTS)
        case "test_elicitation_sep1330_enums":
            content = elicit("enums", ENUMS)
        case _ if name in GIVEN:
            content = GIVEN[name]
        case _:
            return {"content": [text(f"no tool `{name}`")], "isError": True}
    return {"content": content}


def prompt(name: str, given: dict[str, str]) -> dict[str, Any]:
    said = {
        "test_simple_prompt": [text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments": [
            text(f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'")
        ],
        "test_prompt_with_embedded_resource": [
            embedded(given.get("resourceUri", ""), "Embedded resource content for testing."),
            text("Please process the embedded resource above."),
        ],
        "test_prompt_with_image": [IMAGE, text("Please analyze the image above.")],
    }
    return {"messages": [{"role": "user", "content": content} for content in said[name]]}


def tools() -> list[dict[str, Any]]:
    plain = {"type": "object"}
    return [
        {"name": name, "description": name, "inputSchema": SCHEMA_2020 if name.startswith("json") else plain}
        for name in (*GIVEN, *OTHERS)
    ]


def prompts() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "description": name,
            "arguments": [{"name": argument, "required": True} for argument in arguments],
        }
        for name, arguments in PROMPTS.items()
    ]


def resources() -> list[dict[str, Any]]:
    listed = [uri for uri in STATIC if "template" not in uri]
    return [
        {"uri": uri, "name": uri, "description": uri, "mimeType": STATIC[uri]["mimeType"]} for uri in listed
    ]


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    match method:
        case "initialize":
            about = {"name": "conformance", "version": "1"}
            version = params["protocolVersion"]
            return {"protocolVersion": version, "capabilities": CAPABILITIES, "serverInfo": about}
        case "tools/list":
            return {"tools": tools()}
        case "tools/call":
            return call(params)
        case "resources/list":
            return {"resources": resources()}
        case "resources/templates/list":
            template = {"uriTemplate": "test://template/{id}/data", "name": "template"}
            return {"resourceTemplates": [template]}
        case "resources/read":
            return {"contents": [{"uri": params["uri"], **STATIC[params["uri"]]}]}
        case "prompts/list":
            return {"prompts": prompts()}
        case "prompts/get":
            return prompt(params["name"], params.get("arguments", {}))
        case "completion/complete":
            return {"completion": {"values": [], "total": 0, "hasMore": False}}
        case _:
            return {}  # ping, logging/setLevel, subscribing


def main() -> None:
    """Answer until the client goes."""
    while True:
        message = read()
        if "id" in message and "method" in message:
            send(id=message["id"], result=answer(message["method"], message.get("params", {})))


if __name__ == "__main__":
    main()
