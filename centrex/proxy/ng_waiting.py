"""What waits until rtpengine has answered a question: plain data, with what was asked.

It knows branches, messages and fields; who asks, and what becomes of an answer, is
`centrex.proxy.delegating`.
"""

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from centrex.proxy.carried import Delegated
from centrex.proxy.context import Branch
from centrex.proxy.ends import Described
from centrex.proxy.ng_question import Fields


@dataclass(slots=True)
class Request:
    """A request that waits."""

    branch: Branch
    token: bytes
    data: bytes
    found: Described
    fields: Fields


@dataclass(slots=True)
class Response:
    """A response that waits: for its own description, or for those before it."""

    branch: Branch
    status: int
    to_tag: bytes
    data: bytes
    found: Described | None = None
    fields: Fields | None = None


@dataclass(slots=True)
class Search:
    """A request of a call that may be rtpengine's from before we were started."""

    branch: Branch
    token: bytes
    data: bytes


@dataclass(slots=True)
class Restore:
    """What is left to tell so that a call's media are again as they were."""

    carried: Delegated
    left: deque[Fields]


@dataclass(slots=True)
class Probe:
    """An INVITE that describes nothing, of a call that is refused where no rtpengine is there."""

    branch: Branch
    token: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """Why rtpengine gave no description."""

    words: str


Waiting: TypeAlias = Request | Response | Search | Restore | Probe
"""Anything that waits."""
