"""Watches one call from the operator's side: `status`, `calls` and `explain` must agree with it."""

from types import TracebackType
from typing import Self

from tests.support.phones import settle
from tests.support.server import CentrexServer, Json


class CallWatch:
    """Asserts, when its context ends, that no call is left and that it was counted once.

    Args:
        server: The server the call goes through.
        failed: Whether the call is meant to fail.
        besides: Calls of other tests that go on at the same time.
    """

    def __init__(self, server: CentrexServer, *, failed: bool = False, besides: int = 0) -> None:
        self.server, self.failed, self.besides = server, failed, besides
        self.seen: list[Json] = []
        self._before: Json = {}
        self._others: set[str] = set()

    def __enter__(self) -> Self:
        self._before = self._statistics()
        self._others = {str(call["id"]) for call in self.server.calls()}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            return
        settle(lambda: not self._ours(), "no call is left")
        after = self._statistics()
        assert after["now"] == self.besides, after
        assert after["total"] == self._before["total"] + 1, (self._before, after)
        assert after["failed"] == self._before["failed"] + self.failed, (self._before, after)
        assert after["peak"] >= self._before["peak"], (self._before, after)

    def _statistics(self) -> Json:
        statistics = self.server.status()["statistics"]["calls"]
        assert isinstance(statistics, dict)
        return statistics

    def _ours(self) -> list[Json]:
        return [call for call in self.server.calls() if call["id"] not in self._others]

    def is_listed(self, state: str, caller: str, callee: str) -> str:
        """Assert that `centrex calls` shows the call in a state; return its Call-ID."""
        settle(lambda: any(call["state"] == state for call in self._ours()), f"a call is {state}")
        (call,) = self._ours()
        assert caller in call["from"], call
        assert callee in call["to"], call
        assert (call["answered_at"] is not None) == (state == "up"), call
        self.seen.append(call)
        return str(call["id"])

    def story_tells(self, call_id: str, *words: str) -> None:
        """Assert that `centrex explain` has some words to say about the call."""
        story = self.server.story(call_id)
        for word in words:
            assert word.lower() in story, f"no {word!r} in: {story}"
