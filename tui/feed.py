"""The one worker that speaks to the instance: a snapshot a second, events as they come.

It turns both into Textual messages and tells when the instance cannot be reached; then it tries
again until it can. Screens ask their own questions through `Feed.ask`, and hold nothing of the
engine.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from textual.message import Message

from centrex import api

Opener: TypeAlias = "Callable[[], Awaitable[api.Instance]]"

PERIOD_S: Final = 1.0
_STATUS_EVERY: Final = 5
"""Of how many snapshots one is accompanied by the slower facts."""
_CONFIG_EVERY: Final = 12
"""Of how many of those one reads the configuration in force, unless it is known to have changed."""
_PATIENCE_S: Final = (0.5, 1.0, 2.0, 5.0)


class NotStarted(api.Unavailable):
    """Nothing runs, and nothing is to be started unless somebody says so."""


class Connected(Message):
    """The instance answers."""


class Disconnected(Message):
    """The instance cannot be reached, or could not be started."""

    def __init__(self, why: str, problems: Sequence[Mapping[str, Any]], *, final: bool) -> None:
        super().__init__()
        self.why, self.problems = why, problems
        self.final = final
        """Whether trying again by itself is of no use."""


class Figures(Message):
    """A snapshot."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__()
        self.values = values


class Facts(Message):
    """What changes seldom: the status, the relays, the settings in force."""

    def __init__(
        self, status: dict[str, Any], relays: list[dict[str, Any]], config: dict[str, Any]
    ) -> None:
        super().__init__()
        self.status, self.relays, self.config = status, relays, config


class Missed(Message):
    """The instance does not tell something that is shown all the time; why."""

    def __init__(self, why: str) -> None:
        super().__init__()
        self.why = why


class Happened(Message):
    """A batch of events, and how many were lost before it."""

    def __init__(self, rows: list[dict[str, Any]], lost: int) -> None:
        super().__init__()
        self.rows, self.lost = rows, lost


class Feed:
    """Speaks to one instance, and to its successor when it went away.

    Args:
        opener: Starts the engine here, or attaches to a running one.
        post: Takes the messages.
        recent: How many events of before are asked for.
    """

    def __init__(
        self, opener: Opener, post: Callable[[Message], object], *, recent: int = 1000
    ) -> None:
        self._opener, self._post, self._recent = opener, post, recent
        self._instance: api.Instance | None = None
        self._wake = asyncio.Event()
        self._look = asyncio.Event()
        self._newest = ""
        self.starting = True
        """Whether nothing is known of it yet: it may be there in a moment."""
        self._status: dict[str, Any] = {}
        self._relays: dict[str, Any] = {}

    @property
    def instance(self) -> "api.Instance | None":
        """The instance while it answers."""
        return self._instance

    async def ask(self, command: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Have the instance carry out a command.

        Raises:
            Unavailable: It cannot be reached.
            Refused: It will not.
        """
        instance = self._instance
        if instance is None:
            why = "it is starting" if self.starting else "the instance cannot be reached"
            raise api.Unavailable(why)
        return await instance.ask(command, params)

    def retry(self) -> None:
        """Try again to reach the instance, now."""
        self._wake.set()

    def look(self) -> None:
        """Ask for the facts now, because something has changed."""
        self._look.set()

    async def close(self) -> None:
        """Leave the instance; an engine of our own stops."""
        instance, self._instance = self._instance, None
        if instance is not None:
            await instance.close()

    async def run(self) -> None:
        """Speak to the instance until cancelled."""
        attempt = 0
        while True:
            final = False
            try:
                if self._instance is None:
                    self._instance = await self._opener()
                attempt = 0
                self.starting = False
                self._post(Connected())
                await self._follow(self._instance)
                why, problems = "the instance has ended", list[Mapping[str, Any]]()
            except NotStarted as error:
                why, problems, final = str(error), [], True
            except (api.Unavailable, api.Refused) as error:
                why, problems = str(error), list(api.iter_problems(error))
            except api.CentrexError as error:
                why, problems = "the configuration cannot be used", list(api.iter_problems(error))
                why = why if problems else str(error)
                final = True
            except OSError as error:
                why, problems = str(error), []
            if not self._runs_here:
                await self._leave()
            self.starting = False
            self._post(Disconnected(why, problems, final=final))
            await self._rest(attempt, final=final)
            attempt += 1

    @property
    def _runs_here(self) -> bool:
        """Whether there is an engine of our own that goes on, whatever it did not answer.

        To let go of it would stop it, and end the calls.
        """
        instance = self._instance
        return instance is not None and instance.mode == "in-process" and instance.runs

    async def _leave(self) -> None:
        try:
            await self.close()
        except (api.CentrexError, OSError):
            return  # it has gone already; why is known

    async def _rest(self, attempt: int, *, final: bool) -> None:
        self._wake.clear()
        patience = None if final else _PATIENCE_S[min(attempt, len(_PATIENCE_S) - 1)]
        try:
            await asyncio.wait_for(self._wake.wait(), patience)
        except TimeoutError:
            return

    async def _follow(self, instance: "api.Instance") -> None:
        """Poll and listen until either fails."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._poll(instance))
                tasks.create_task(self._listen(instance))
        except* (api.CentrexError, OSError) as group:
            errors: BaseException = group
            while isinstance(errors, BaseExceptionGroup):
                errors = errors.exceptions[0]
            failure = errors
        else:
            return
        raise failure

    async def _poll(self, instance: "api.Instance") -> None:
        turn, config = 0, dict[str, Any]()
        while True:
            looked = self._look.is_set()
            self._look.clear()
            if looked or turn % (_STATUS_EVERY * _CONFIG_EVERY) == 0:
                config = await self._answer(instance, config, "config", {"rows": False})
            if looked or turn % _STATUS_EVERY == 0:
                await self._facts(instance, config)
            if snapshot := await self._answer(instance, {}, "snapshot"):
                self._post(Figures(snapshot))
            turn += 1
            try:
                await asyncio.wait_for(self._look.wait(), PERIOD_S)
            except TimeoutError:
                continue

    async def _facts(self, instance: "api.Instance", config: dict[str, Any]) -> None:
        self._status = await self._answer(instance, self._status, "status")
        self._relays = await self._answer(instance, self._relays, "relays")
        self._post(Facts(self._status, list(self._relays.get("relays", ())), config))

    async def _answer(
        self,
        instance: "api.Instance",
        former: dict[str, Any],
        command: str,
        params: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return an answer; the former one where the instance refuses it, which ends nothing."""
        try:
            return await instance.ask(command, params)
        except api.Refused as error:
            self._post(Missed(f"{command}: {error}"))
            return former

    async def _listen(self, instance: "api.Instance") -> None:
        closely = ["calls", "registration.refused"]  # each that begins or is refused, too
        wanted = {"recent": self._recent, "closely": closely}
        async with instance.follow("events", wanted) as batches:
            known = self._newest  # after a pause the instance tells again what we have
            async for batch in batches:
                rows = [row for row in batch.get("rows", ()) if str(row.get("at", "")) > known]
                self._newest = str(rows[-1].get("at", "")) if rows else self._newest
                self._post(Happened(rows, int(batch.get("lost", 0))))
        raise api.Unavailable("the instance has ended")
