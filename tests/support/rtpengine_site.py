"""A server whose calls Debian's rtpengine relays, and two phones."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support.ports import loopback
from tests.support.relayed_talk import Talk
from tests.support.rtpengine import RtpengineProcess
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.wire import control


class Site:
    """A server, its rtpengines and two phones."""

    def __init__(self, folder: Path, stack: ExitStack, *, count: int, **media: Any) -> None:
        self.rtpengines = [
            stack.enter_context(RtpengineProcess(folder, loopback())) for _ in range(count)
        ]
        settings = {
            "mode": "always",
            "backend": "rtpengine",
            "rtpengine": [one.control for one in self.rtpengines],
            "heartbeat": 1,
            **media,
        }
        self.server = stack.enter_context(
            CentrexServer(
                folder,
                users=["alice", "bob", "carol"],
                overrides={f"media.{key}": value for key, value in settings.items()},
            )
        )
        self.alice, self.bob = (
            stack.enter_context(SipClient(user, self.server)) for user in ("alice", "bob")
        )
        assert self.bob.register().status == 200

    def talk(self) -> Talk:
        return Talk(self.alice, self.bob)

    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in control(self.server, "relays")["relays"]}

    def sessions(self) -> list[int]:
        rows = self.rows()
        return [rows[one.control]["sessions"] for one in self.rtpengines]

    def states(self) -> list[str]:
        rows = self.rows()
        return [rows[one.control]["state"] for one in self.rtpengines]
