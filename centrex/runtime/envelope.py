"""The envelope of the control protocol, version 1: one JSON object a line, each way.

A request names a `command` and its `params`, or a stream to `follow`; an answer is a `result` or an
`error`. It knows no command, and no socket.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from centrex.base import Refused, Unavailable

VERSION: Final = 1
LINE_LIMIT: Final = 1024 * 1024
"""Octets in one line that asks, its end not counted; a page of a listing keeps to it, too."""
ANSWER_LIMIT: Final = 32 * 1024 * 1024
"""Octets in one line that answers: a configuration may have some ten thousand rows."""

Result: TypeAlias = dict[str, Any]


def request_line(
    command: str,
    params: Mapping[str, Any] | None = None,
    *,
    follow: bool = False,
    read_only: bool = False,
) -> bytes:
    """Return the line that asks for a command, or for a stream.

    Args:
        command: Its name.
        params: Its parameters.
        follow: Whether it names a stream.
        read_only: Whether this connection is to change nothing, from now on.
    """
    request: dict[str, Any] = {"v": VERSION, "id": 1, "params": dict(params or {})}
    request["follow" if follow else "command"] = command
    if read_only:
        request["read_only"] = True
    return line_of(request)


def read_request(line: bytes) -> dict[str, Any]:
    """Return the request on a line.

    Raises:
        Refused: It is none, or of another version.
    """
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Refused("invalid", "the line is not JSON") from error
    if (b"\\u" in line or b"\xed" in line) and _has_half_characters(request):
        raise Refused("invalid", "a text on the line has half a character")
    if not isinstance(request, dict) or not isinstance(
        request.get("command", request.get("follow")), str
    ):
        raise Refused("invalid", "the line is not an object with a command")
    if request.get("v") != VERSION:
        raise Refused("invalid", f"this instance speaks version {VERSION} of the protocol")
    if not isinstance(request.get("params") or {}, dict):
        raise Refused("invalid", "params is not an object")
    if not isinstance(request.get("id"), int | str | None):
        raise Refused("invalid", "id is neither a number nor a string")
    return request


def result_line(ident: Any, result: Result) -> bytes:
    """Return the line that answers with a result.

    Raises:
        Refused: It is too long.
        TypeError: It is no plain data.
    """
    line = line_of({"v": VERSION, "id": ident, "ok": True, "result": result})
    if len(line) > ANSWER_LIMIT:
        raise Refused("refused", "the answer is too long for one line; ask for less")
    return line


def error_line(
    ident: Any, code: str, message: str, detail: Mapping[str, Any] | None = None
) -> bytes:
    """Return the line that answers with an error."""
    error = {**(detail or {}), "code": code, "message": message}
    return line_of({"v": VERSION, "id": ident, "ok": False, "error": error})


def read_answer(line: bytes) -> Result:
    """Return the result on a line.

    Raises:
        Refused: It is an error.
        Unavailable: It is neither.
    """
    try:
        answer = json.loads(line)
        if answer["ok"]:
            return dict(answer["result"])
        detail = dict(answer["error"])
        code, message = str(detail.pop("code")), str(detail.pop("message"))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unavailable("the instance answered in a way that is not understood") from error
    raise Refused(code, message, detail)


def _has_half_characters(value: object) -> bool:
    """Whether a text has a surrogate without its other half, which JSON allows and UTF-8 does not."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return True
    return False


def line_of(value: dict[str, Any]) -> bytes:
    """Return plain data as one line, its end included."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
