"""`route.test`: what would become of a call now, asked of a running engine or of a configuration."""

import datetime as dt
import re
import time
import zoneinfo
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from centrex.base import Instant, PeerError
from centrex.config.htdigest import logins
from centrex.config.model import Config
from centrex.proxy.hunting import CoreView
from centrex.routing.dialled import dialled
from centrex.routing.hunt import View
from centrex.routing.tester import Limits, Question, StandingView, try_route
from centrex.runtime.control import CommandRefused
from centrex.runtime.policy import make_routes
from centrex.sip.uri import SipUri, TelUri, parse_uri

if TYPE_CHECKING:
    from centrex.proxy.core import Core
    from centrex.runtime.engine import Engine

_LONGEST: Final = 256
_IS_URI: Final = re.compile("(?:sips?|tel):", re.IGNORECASE)


class EditedView(CoreView):
    """Who can be reached now, were a configuration in force that is not yet.

    Args:
        core: The core.
        now: The time.
        config: That configuration.
    """

    def __init__(self, core: "Core", now: Instant, config: Config) -> None:
        super().__init__(core, now)
        self._canonical = core.registry.canonical
        self._fixed = make_routes(config).fixed
        self._users = {name.encode() for name in _users(config)}

    def fixed(self, name: bytes) -> bytes | None:
        """Return the fixed contact there would be."""
        return self._fixed.get(name)

    def knows(self, user: bytes) -> bool:
        """Whether a user exists, or would."""
        return self._canonical(user) in self._users or super().knows(user)


def of_engine(
    engine: "Engine", params: dict[str, Any], edited: Config | None = None
) -> dict[str, Any]:
    """Answer by the plans in force, or by those there would be, and the phones that are registered.

    Args:
        engine: The engine.
        params: `number`; `from` ("" for a stranger), `at` (ISO 8601, local where no zone is given).
        edited: A configuration to be tested before it is applied.

    Raises:
        CommandRefused: A parameter makes no sense.
    """
    core, now = engine.core, time.monotonic()
    view = CoreView(core, now) if edited is None else EditedView(core, now, edited)
    config, routes = (
        (engine.config, core.routes) if edited is None else (edited, make_routes(edited))
    )
    question = _question(config, params, view, live=True)
    answer = try_route(question, routes.plans, routes.gateways, view, _limits(config))
    return {**answer, "edited": edited is not None}


def _is_there(view: View, user: bytes) -> bool:
    """Whether somebody may call as a user: one that exists, or is registered without a password."""
    return view.knows(user) or bool(view.contacts(user))


def of_config(config: Config, params: dict[str, Any]) -> dict[str, Any]:
    """Answer by a configuration alone: no phone is registered.

    Raises:
        CommandRefused: A parameter makes no sense.
        OSError: The credentials file cannot be read.
    """
    routes = make_routes(config)

    def canonical(name: str) -> str:
        return name if config.registrar.case_sensitive else name.lower()

    users = _users(config) | {canonical(name) for name in _filed(config)}
    fixed = {user.decode(): contact.decode() for user, contact in routes.fixed.items()}
    network = config.network
    hosts = (network.domain, *network.aliases, *network.address)
    view = StandingView(users, fixed, hosts, canonical)
    question = _question(config, params, view, live=False)
    answer = try_route(question, routes.plans, routes.gateways, view, _limits(config))
    return {**answer, "edited": False}


def _users(config: Config) -> set[str]:
    """Return the users a configuration knows, as the registry spells them."""
    names = {row.name for row in config.directory.entries if row.enabled}
    for row in config.auth.credentials:
        names |= set(row.users or (row.login,))
    return names if config.registrar.case_sensitive else {name.lower() for name in names}


def _filed(config: Config) -> Collection[str]:
    """Return the logins of the credentials file."""
    file = config.auth.credentials_file
    return logins(Path(file), config.realm)[0] if file else ()


def _limits(config: Config) -> Limits:
    timeouts = config.timeouts
    return Limits(
        rollover_s=timeouts.rollover,
        final_answer_s=timeouts.final_answer,
        call_maximum_s=timeouts.call_maximum,
    )


def _called(config: Config, view: View, raw: str) -> str:
    """Return the user or number that is called, as a call to it would be looked up.

    Args:
        config: The configuration.
        view: Who can be reached.
        raw: A user, a number, or a `sip:`, `sips:` or `tel:` URI.
    """
    called = raw
    if _IS_URI.match(raw):
        called = _named(config, view, raw)
    if not called or called.lower() == config.registrar.name.lower():
        raise CommandRefused("not-found", f"{raw} is the server itself: it takes no calls (405)")
    return called


def _named(config: Config, view: View, raw: str) -> str:
    try:
        uri = parse_uri(raw.encode())
    except PeerError as error:
        raise CommandRefused("invalid", f"{raw} is no address that can be called") from error
    if isinstance(uri, TelUri):
        names = {name.lower().encode() for name in (config.network.domain, *config.network.aliases)}
        number = dialled(uri, lambda name: name in names)
        if not number:
            raise CommandRefused("not-found", "that number is of somebody else's dial plan")
        return number.decode()
    assert isinstance(uri, SipUri)
    if not view.is_ours(uri):
        words = f"{uri.host.decode('latin-1')} is another domain, and is called as it stands: no plan decides"
        raise CommandRefused("not-found", words)
    return view.user_of(uri).decode("utf-8", "replace")


def _question(config: Config, params: dict[str, Any], view: View, *, live: bool) -> Question:
    number, caller, at = (str(params.get(name, "")) for name in ("number", "from", "at"))
    if not number or len(number) > _LONGEST:
        raise CommandRefused("invalid", f"number is what is called, of 1 to {_LONGEST} characters")
    number = _called(config, view, number)
    when, zone = _when(at, config.routing.time_zone)
    if caller and not _is_there(view, caller.encode()):
        raise CommandRefused("not-found", f"there is no user {caller}")
    # with passwords off nobody logs in: only a source in auth.trusted counts as ours
    may_leave = bool(caller) and (config.auth.enabled or bool(config.auth.trusted))
    return Question(number=number, when=when, zone=zone, may_leave=may_leave, live=live)


def _when(at: str, name: str) -> tuple[dt.datetime, str]:
    """Return a time in the zone of the plans, and that zone's name.

    Args:
        at: In ISO 8601, in that zone where it names none; "" for now.
        name: `routing.time_zone`; "" for the machine's own.
    """
    zone = zoneinfo.ZoneInfo(name) if name else None
    try:
        when = dt.datetime.fromisoformat(at) if at else dt.datetime.now(dt.UTC)
        if when.tzinfo is None and zone is not None:
            when = when.replace(tzinfo=zone)
        when = when.astimezone(zone)
    except (ValueError, OverflowError) as error:
        raise CommandRefused("invalid", "at is a time such as 2026-12-24T18:30") from error
    return when, name or f"this machine's, {when.tzname()}"
