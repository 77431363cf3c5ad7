"""A control socket that answers from a table, in place of a running instance."""

import json
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class FakeInstance:
    """Answers each command with its result, or with its error where that has a `code`.

    A list of results stands for pages, by whose `next` they follow one another; of a stream, for its
    batches.

    Args:
        path: Where the socket stands; its folder is made.
        answers: By command.
    """

    def __init__(self, path: Path, answers: Mapping[str, Any]) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._answers = answers
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        self._thread.join()

    def close(self) -> None:
        """Stop listening, as an instance does that ends."""
        if self._path.exists():
            self._path.unlink()
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return  # closed
            with client, client.makefile("rwb") as stream:
                if line := stream.readline():
                    request = json.loads(line)
                    answer = self._pour if "follow" in request else self._reply
                    stream.write(answer(request))
                    stream.flush()

    def _pour(self, request: dict[str, Any]) -> bytes:
        """Answer who follows a stream with all its batches, and no more."""
        name = request["follow"]
        self.asked.append((name, request["params"]))
        results = [{"following": name}, *self._answers[name]]
        lines = ({"v": 1, "id": request["id"], "ok": True, "result": one} for one in results)
        return b"".join(json.dumps(one).encode() + b"\n" for one in lines)

    def _reply(self, request: dict[str, Any]) -> bytes:
        command = request["command"]
        self.asked.append((command, request["params"]))
        answer = self._answers[command]
        if isinstance(answer, list):
            offsets = [0, *(page["next"] for page in answer)]
            answer = answer[offsets.index(request["params"]["offset"])]
        ok = "code" not in answer
        if command == "stop" and ok:
            self.close()
        reply = {"v": 1, "id": request["id"], "ok": ok, "result" if ok else "error": answer}
        return json.dumps(reply).encode() + b"\n"
