"""Where lines end: a file that is appended to, or standard error.

It blocks, and so belongs in a worker thread; a reader who has stopped reading holds it up for half
a second at most. It knows descriptors and their errors, and refuses to know what is written.
"""

import errno
import os
import select
import stat
from typing import Final

_STANDARD_ERROR: Final = 2
_PATIENCE_MS: Final = 500
"""How long a pipe or terminal may take to become writable."""
_FILE_OCTETS: Final = 256 * 1024
_PIPE_OCTETS: Final = 4096
"""What a pipe that is writable takes without blocking (POSIX PIPE_BUF)."""


class Outlet:
    """A file, or standard error; opened by the first write.

    Args:
        path: The file, made with mode 0640 where it is missing, as are its folders (0750); empty
            for standard error.

    Attributes:
        path: The file, or empty.
        gone: Whether nobody will ever read again (a broken pipe on standard error).
    """

    __slots__ = ("_fd", "_octets", "gone", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.gone = False
        self._fd = -1
        self._octets = _PIPE_OCTETS

    def write(self, data: bytes) -> tuple[int, OSError | None]:
        """Append octets, and return how many were taken, and why no more, if not all were.

        What was not taken is to be offered again, so that no line is torn.
        """
        done = 0
        try:
            if self._fd < 0:
                self._open()
            while done < len(data):
                self._wait()
                done += os.write(self._fd, data[done : done + self._octets])
        except OSError as error:
            if not self.path and not isinstance(error, BlockingIOError):
                self.gone = True
            return done, error
        return done, None

    def close(self) -> None:
        """Let go of the file; the next write opens it again."""
        if self._fd > _STANDARD_ERROR:
            os.close(self._fd)
        self._fd = -1

    def _open(self) -> None:
        if not self.path:
            self._fd = _STANDARD_ERROR
            return
        folder = os.path.dirname(self.path)
        if folder:
            os.makedirs(folder, mode=0o750, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        self._fd = os.open(self.path, flags, 0o640)
        regular = stat.S_ISREG(os.fstat(self._fd).st_mode)
        self._octets = _FILE_OCTETS if regular else _PIPE_OCTETS

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        if not poll.poll(_PATIENCE_MS):
            raise BlockingIOError(errno.EAGAIN, "nobody reads it")
