"""Reading the configuration again while the instance runs: all of it is taken over, or nothing.

Keys that wait for a restart keep the values in force, wholly: what was bound, named and derived
with them at the start stays as it is. What may be read and how is for `centrex.config`; what the
core decides by, for `centrex.runtime.policy`.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
from pydantic import BaseModel

from centrex.auth import Nonces, Window
from centrex.base import ConfigError, Unavailable
from centrex.config import htdigest
from centrex.config.diff import Change, diff
from centrex.config.keys import catalogue
from centrex.config.load import Loaded, load_text
from centrex.config.model import Config
from centrex.events import Severity
from centrex.runtime.policy import Policy, make_policy

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine

_Model = TypeVar("_Model", bound=BaseModel)


class Tickets:
    """The nonces of an instance and the counts used of each; kept as long as they may be.

    A realm or a life that changes makes all earlier nonces foreign: phones are asked once more.
    Otherwise what was used stays used, whatever else is reloaded.
    """

    __slots__ = ("nonces", "realm", "window")

    def __init__(self, config: Config) -> None:
        life, self.realm = config.auth.nonce_life, config.realm
        self.nonces = Nonces(os.urandom(32), life, realm=self.realm.encode())
        self.window = Window(life)

    def fitting(self, config: Config) -> "Tickets":
        """Return these, or new ones where another realm or life is wanted."""
        same = (self.realm, self.nonces.life_s) == (config.realm, config.auth.nonce_life)
        return self if same else Tickets(config)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """A configuration that was read again, ready to be taken over."""

    config: Config
    """What will be in force."""
    policy: Policy
    tickets: Tickets
    origins: Mapping[str, str]
    """Where each value in force comes from."""
    changes: tuple[Change, ...]
    """What the file says otherwise than what was in force; some of it waits for a restart."""


def in_force(running: _Model, wanted: _Model, prefix: str = "") -> _Model:
    """Return the wanted settings, with those that wait for a restart as they run now."""
    kept: dict[str, Any] = {}
    for name in type(wanted).model_fields:
        old, new, dotted = getattr(running, name), getattr(wanted, name), f"{prefix}{name}"
        if isinstance(new, BaseModel):
            kept[name] = in_force(old, new, f"{dotted}.")
        elif _waits(dotted):
            kept[name] = old
    return wanted.model_copy(update=kept)


def waiting(changes: tuple[Change, ...]) -> tuple[str, ...]:
    """Return the keys among changes that wait for a restart."""
    return tuple(change.key for change in changes if change.effect == "restart")


def _waits(dotted: str) -> bool:
    """Whether a key waits for a restart; a list of tables does where its first key does."""
    known = catalogue()
    key = known[dotted]
    if key.kind == "rows":
        key = next(one for name, one in known.items() if name.startswith(f"{dotted}[]."))
    return key.effect == "restart"


class Reloader:
    """Reloads one engine, one reload at a time.

    Args:
        engine: Whose.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._turn = anyio.Lock()

    async def reload(self, text: str | None = None) -> dict[str, Any]:
        """Take over what the configuration says now; return what changed, and what waits.

        With it goes whether the certificate was `renewed`.

        Args:
            text: What to take it for instead, where the file is of no use.

        Raises:
            ConfigError: It cannot be used; nothing has changed.
            Unavailable: A file it names cannot be read; nothing has changed.
        """
        engine = self._engine
        async with self._turn:
            engine.notifier.reloading()
            try:
                # files are read, pydantic works, names are looked up: none of it in the calls' way
                fresh = await anyio.to_thread.run_sync(self._read, text)
                renewed = engine.tls.reload_if_changed()
            finally:
                engine.notifier.ready()
            engine.apply(fresh)
            if text is None:
                engine.editing.agrees()
            if renewed:
                engine.say("tls.renewed", Severity.NOTICE)
                engine.certificate.renewed()
        engine.say("server.reloaded", Severity.NOTICE, changed=len(fresh.changes))
        for warning in fresh.policy.warnings + engine.waiting_warnings():
            engine.say("server.warning", Severity.WARNING, what=warning)
        changed = [asdict(change) for change in fresh.changes]
        return {"changed": changed, "waiting": list(engine.waiting), "renewed": renewed}

    async def reload_and_tell(self) -> None:
        """Reload for SIGHUP: what is wrong goes to the log, and nothing changes."""
        try:
            await self.reload()
        except (ConfigError, Unavailable) as error:
            self._engine.say("server.reload-failed", Severity.ERROR, why=str(error))

    def _read(self, text: str | None) -> Fresh:
        """Do everything that can fail; touch nothing that is in use."""
        engine, source = self._engine, self._engine.source
        if text is None:
            loaded = source.read()
        else:
            loaded = load_text(text, file=source.path, overrides=source.overrides)
        config = in_force(engine.config, loaded.config)
        tickets = engine.tickets.fitting(config)
        policy = make_policy(config, tickets.nonces, tickets.window)
        own = {
            row.login.encode() for one in (engine.config, config) for row in one.auth.credentials
        }
        before, after = (
            [login for login in one.access.gate.logins if login.name not in own]
            for one in (engine.policy, policy)
        )
        filed = htdigest.changed(before, after, config.network.domain)
        return Fresh(
            config=config,
            policy=policy,
            tickets=tickets,
            origins=self._origins(loaded),
            changes=(*diff(engine.config, loaded.config), *([filed] if filed else ())),
        )

    def _origins(self, loaded: Loaded) -> dict[str, str]:
        old = self._engine.origins
        return {
            key: old.get(key, origin) if "[" not in key and _waits(key) else origin
            for key, origin in loaded.origins.items()
        }
