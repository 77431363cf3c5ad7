"""What a running instance can be asked to do: the commands of the control socket.

Results are plain data in the shapes of the control protocol, version 1. Text from the wire is
decoded here and escaped by whoever shows it.
"""

import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from centrex.base import PeerError, Unavailable
from centrex.config.values import effective
from centrex.events import Severity
from centrex.registrar.binding import Change, ChangeKind
from centrex.runtime.call_commands import CallCommands
from centrex.runtime.config_commands import ConfigCommands
from centrex.runtime.control import CommandRefused, Handler
from centrex.runtime.listing import page
from centrex.runtime.live_commands import LiveCommands
from centrex.runtime.route_test import of_engine
from centrex.runtime.stories import find_story
from centrex.runtime.version import version
from centrex.sdp.codecs import codecs, describes_media
from centrex.sip.uri import SipUri, parse_uri, readable_address, unescape_user
from centrex.trace import Rule
from centrex.trace.explain import explain

if TYPE_CHECKING:
    from centrex.calls import Call
    from centrex.proxy.gateways import Probe
    from centrex.registrar.binding import Binding
    from centrex.runtime.engine import Engine

_NEAREST = 5


class Commands:
    """The commands of one engine.

    Args:
        engine: Whose.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def handlers(self) -> Mapping[str, Handler]:
        """Return each command's handler by its name."""
        return {
            "status": self.status,
            "statistics": self.statistics,
            "stop": self.stop,
            "reload": self.reload,
            "registrations": self.registrations,
            "registrations.remove": self.remove_registrations,
            "calls": self.calls,
            "explain": self.explain,
            "bans": self.bans,
            "bans.release": self.release_ban,
            "config": self.config,
            **ConfigCommands(self._engine).handlers(),
            "route.test": self.test_route,
            "gateways": self.gateways,
            "relays": self.relays,
            "relays.drain": self.drain_relay,
            "relays.calls": self.relay_calls,
            **LiveCommands(self._engine).handlers(),
            **CallCommands(self._engine).handlers(),
        }

    def status(self, params: dict[str, Any]) -> dict[str, Any]:
        """How the instance is."""
        engine = self._engine
        config = engine.config
        return {
            "instance": engine.instance,
            "version": version(),
            "pid": os.getpid(),
            "domain": config.network.domain,
            "description": config.basic.description,
            "state": "stopping" if engine.stopping.is_set() else "running",
            "started_at": _iso(engine.started_at),
            "uptime_s": round(time.monotonic() - engine.started, 3),
            "precedence": engine.precedence.state,
            "config_file": str(engine.source.path),
            "listeners": [
                {"transport": transport.value.lower(), "host": host, "port": port}
                for transport, host, port in engine.edges.listeners
            ],
            "registrar": {
                "name": config.registrar.name,
                "store": config.registrar.store,
                "users": engine.registry.users,
                "bindings": engine.registry.bindings,
                "silent": len(engine.core.contacts.marked),
            },
            "auth": {
                "enabled": config.auth.enabled,
                "realm": config.realm,
                "logins": engine.policy.logins,
            },
            "watchers": self._watchers(),
            "warnings": engine.all_warnings(),
            **engine.editing.told(),
            "statistics": self.statistics(params),
        }

    def _watchers(self) -> dict[str, Any]:
        watchers = self._engine.core.watchers
        return {
            "subscriptions": len(watchers),
            "of_domain": watchers.notifier.of_domain,
            "waiting": watchers.notifier.waiting,
            "behind_s": round(watchers.behind_s(time.monotonic()), 1),
            "octets_under_way": watchers.notifier.under_way,
            "domain_pause_s": watchers.notifier.domain_pause_s,
        }

    def statistics(self, params: dict[str, Any]) -> dict[str, Any]:
        """What was counted."""
        engine = self._engine
        engine.statistics.registrations_stand(engine.registry.bindings)
        figures = engine.statistics.snapshot(time.monotonic())
        figures["drops"] = engine.drops()
        return figures

    def stop(self, params: dict[str, Any]) -> dict[str, Any]:
        """End the instance, after its grace time."""
        grace = params.get("grace_s")
        if grace is not None:
            if not isinstance(grace, int | float) or isinstance(grace, bool) or grace < 0:
                raise CommandRefused("invalid", "grace_s is a number of seconds")
            self._engine.grace_s = float(grace)
        if grace == 0:
            self._engine.hurry()
        self._engine.stopping.set()
        return {"stopping": True}

    async def reload(self, params: dict[str, Any]) -> dict[str, Any]:
        """Read the configuration again; all of it is taken over, or nothing."""
        return await self._engine.reloader.reload()

    async def registrations(self, params: dict[str, Any]) -> dict[str, Any]:
        """Who is registered, and where; whole, or by the page (`offset`, `limit`)."""
        registry, now = self._engine.registry, time.monotonic()
        wanted = params.get("aor")
        users = [registry.canonical(_user(str(wanted)))] if wanted else registry.names()
        total = len(registry.held(users[0])) if wanted else registry.bindings

        def rows(user: bytes) -> list[dict[str, Any] | None]:
            return [
                self._row(user, one, now) if one.expires_at > now else None
                for one in registry.held(user)
            ]

        def count(user: bytes) -> int:
            return len(registry.held(user))

        return await page(
            "registrations", params, groups=users, rows_of=rows, count_of=count, total=total
        )

    def _row(self, user: bytes, binding: "Binding", now: float) -> dict[str, Any]:
        flow = binding.flow
        answers, silent_since, why = self._answers(binding)
        return {
            "aor": readable_address(user, self._engine.config.network.domain),
            "contact": _text(binding.contact),
            "transport": flow.transport.value.lower() if flow else "",
            "source": flow.name.partition(" ")[2] if flow else "",
            "q": binding.q / 1000,
            "expires_s": max(0, round(binding.expires_at - now)),
            "user_agent": _text(binding.user_agent),
            "answers": answers,
            "silent_since": silent_since,
            "silent_why": why,
            "path": [_text(value) for value in binding.path],
            "call_id": _text(binding.call_id),
        }

    def _answers(self, binding: "Binding") -> tuple[bool | None, str | None, str]:
        """Whether a phone answers (None for unknown), since when not, and how that was noticed."""
        flow = binding.flow
        if flow is not None and flow.reliable and not flow.open:
            return False, None, "its connection is gone"
        known = self._engine.core.contacts.of(binding)
        if known is not None and known.silent_since:
            return False, self._wall(known.silent_since), known.why
        return (True if known is not None and known.answers else None), None, ""

    def remove_registrations(self, params: dict[str, Any]) -> dict[str, Any]:
        """Forget all bindings of a user, or the one with a contact."""
        aor, contact = str(params.get("aor", "")), str(params.get("contact", ""))
        removed = self._forget(_user(aor), contact) if aor else ()
        if not removed:
            where = f" at {contact}" if contact else ""
            raise CommandRefused("not-found", f"nobody is registered as {aor or 'nobody'}{where}")
        self._engine.core.watchers.removed(_user(aor), removed, time.monotonic())
        self._engine.recovery.notice()
        self._engine.say("registrations.removed", Severity.NOTICE, aor=aor, count=len(removed))
        return {"removed": len(removed)}

    def _forget(self, user: bytes, contact: str) -> "Sequence[Binding]":
        registry = self._engine.registry
        if not contact:
            return registry.remove(user)
        had = registry.lookup(user, time.monotonic())
        gone = [one for one in had if _text(one.contact) == contact]
        changes = [Change(ChangeKind.REMOVED, one, one) for one in gone]
        registry.put(user, [one for one in had if one not in gone], changes)
        return gone

    async def calls(self, params: dict[str, Any]) -> dict[str, Any]:
        """The calls in progress; whole, or by the page (`offset`, `limit`)."""
        now, engine_media = time.monotonic(), self._engine.media

        def rows(call: "Call") -> Sequence[dict[str, Any]]:
            row = {
                "id": _text(call.call_id),
                "from": _text(call.caller),
                "to": _text(call.callee),
                "state": call.state.value,
                "started_at": self._wall(call.began),
                "answered_at": self._wall(call.answered) if call.answered else None,
                "duration_s": round(now - (call.answered or call.began), 3),
                "caller": call.caller_flow.name,
                "callee": call.callee_flow.name if call.callee_flow else "",
                "relay": engine_media.relay_of(call.call_id),
                "codec": _codec(call),
            }
            return (row,)

        calls = tuple(self._engine.core.calls)
        return await page(
            "calls", params, groups=calls, rows_of=rows, count_of=lambda _: 1, total=len(calls)
        )

    async def test_route(self, params: dict[str, Any]) -> dict[str, Any]:
        """What would become of a call: `number`, `from`, `at`; with `changes` that are not applied."""
        changes = params.get("changes")
        if not changes:
            return of_engine(self._engine, params)
        fingerprint = str(params.get("fingerprint") or "")
        edited = await self._engine.editing.tried(fingerprint, changes)
        return of_engine(self._engine, params, edited)

    def gateways(self, params: dict[str, Any]) -> dict[str, Any]:
        """The gateways' addresses, and whether they answer."""
        now = time.monotonic()
        return {
            "gateways": [
                {
                    "name": probe.name,
                    "address": probe.address,
                    "state": _state(probe),
                    "status": probe.status or None,
                    "why": probe.why,
                    "since_s": round(now - probe.since),
                }
                for probe in self._engine.core.gateways.probes
            ]
        }

    def relays(self, params: dict[str, Any]) -> dict[str, Any]:
        """The media relays: how they are, and what they carry; the calls that found none."""
        amiss = self._engine.statistics.amiss
        return {
            "relays": self._engine.media.listing(),
            "unrelayed": amiss.get(Rule.MEDIA_UNRELAYED.value, 0),
        }

    def drain_relay(self, params: dict[str, Any]) -> dict[str, Any]:
        """Give a relay no new calls, or (`on` false) some again."""
        name, on = str(params.get("name", "")), params.get("on", True)
        if not isinstance(on, bool):
            raise CommandRefused("invalid", "on is true or false")
        sessions = self._engine.media.drain(name, on=on)
        if sessions is None:
            raise self._no_relay(name)
        return {"draining": on, "sessions": sessions}

    async def relay_calls(self, params: dict[str, Any]) -> dict[str, Any]:
        """What a relay knows of the calls it carries: addresses, packets, loss; by the page."""
        name = str(params.get("name", ""))
        try:
            rows = await self._engine.media.calls_of(name)
        except Unavailable as error:
            raise CommandRefused("unavailable", str(error)) from error
        if rows is None:
            raise self._no_relay(name)
        return await page(
            "relays.calls",
            params,
            groups=rows,
            rows_of=lambda row: (row,),
            count_of=lambda _: 1,
            total=len(rows),
        )

    def _no_relay(self, name: str) -> CommandRefused:
        nearest = self._engine.media.names()[:_NEAREST]
        message = f"there is no relay {name or '(no name)'}"
        return CommandRefused("not-found", message, {"nearest": nearest})

    def explain(self, params: dict[str, Any]) -> dict[str, Any]:
        """What became of a call or a registration, and why."""
        asked, story = find_story(self._engine.journal, str(params.get("call_id", "")))
        told = explain(asked, story, self._wall)
        return {
            "call_id": _text(asked),
            "headline": told.headline,
            "advice": list(told.advice),
            "lines": [{"at": at, "rule": rule, "text": text} for at, rule, text in told.lines],
        }

    def bans(self, params: dict[str, Any]) -> dict[str, Any]:
        """The sources that are not heard."""
        now = time.monotonic()
        return {
            "bans": [
                {
                    "source": ban.source,
                    "reason": ban.reason,
                    "until": self._wall(ban.until),
                    "seconds_left": round(ban.seconds_left),
                }
                for ban in self._engine.guard.bans(now)
            ]
        }

    def release_ban(self, params: dict[str, Any]) -> dict[str, Any]:
        """Hear a source again."""
        source = str(params.get("source", ""))
        if not self._engine.guard.release(source):
            raise CommandRefused("not-found", f"{source or 'nobody'} is not banned")
        return {"released": True}

    async def config(self, params: dict[str, Any]) -> dict[str, Any]:
        """The configuration in force, secrets masked; and what waits for a restart.

        With `rows` false without the rows of lists, of which there may be many thousands.
        """
        engine = self._engine
        values = await anyio.to_thread.run_sync(effective, engine.config, engine.origins)
        if params.get("rows") is False:
            values = {key: told for key, told in values.items() if "[" not in key}
        return {
            "file": str(engine.source.path),
            "values": values,
            "waiting": list(engine.waiting),
        }

    def _wall(self, instant: float) -> str:
        return _iso(time.time() - time.monotonic() + instant)


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _codec(call: "Call") -> str:
    """Return the codecs that were agreed upon, read from the answer; nothing where it was an offer."""
    invite = call.invite
    offer = invite if isinstance(invite, bytes) else invite.body
    if not call.answer or not describes_media(offer):
        return ""
    return ", ".join(codecs(call.answer))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _user(aor: str) -> bytes:
    raw = aor.encode("utf-8", "surrogateescape")
    if not raw.lower().startswith((b"sip:", b"sips:")):
        return raw.partition(b"@")[0]
    try:
        uri = parse_uri(raw)
    except PeerError as error:
        raise CommandRefused("invalid", f"{aor} is no address: {error}") from error
    return unescape_user(uri.user) if isinstance(uri, SipUri) else raw


def _state(probe: "Probe") -> str:
    if not probe.interval:
        return "unchecked"
    return "available" if probe.works else "gone"
