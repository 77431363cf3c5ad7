"""`route.test`: what would become of a call now, asked of a running engine or of a configuration."""

import datetime as dt
import time
import zoneinfo
from typing import TYPE_CHECKING, Any

from centrex.config.model import Config
from centrex.proxy.hunting import CoreView
from centrex.routing.tester import Limits, Question, StandingView, try_route
from centrex.runtime.control import CommandRefused
from centrex.runtime.policy import make_routes

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine

_LONGEST = 256


def of_engine(engine: "Engine", params: dict[str, Any]) -> dict[str, Any]:
    """Answer by the plans in force and the phones that are registered.

    Args:
        engine: The engine.
        params: `number`; `from` ("" for a stranger), `at` (ISO 8601, local where no zone is given).

    Raises:
        CommandRefused: A parameter makes no sense.
    """
    core = engine.core
    view = CoreView(core, time.monotonic())
    question = _question(engine.config, params, is_known=core.knows_user)
    routes = core.routes
    answer = try_route(question, routes.plans, routes.gateways, view, _limits(engine.config))
    return {**answer, "live": True}


def of_config(config: Config, params: dict[str, Any]) -> dict[str, Any]:
    """Answer by a configuration alone: no phone is registered.

    Raises:
        CommandRefused: A parameter makes no sense.
    """
    routes = make_routes(config)

    def canonical(name: str) -> str:
        return name if config.registrar.case_sensitive else name.lower()

    users = {canonical(row.name) for row in config.directory.entries if row.enabled}
    for row in config.auth.credentials:
        users |= {canonical(user) for user in row.users or (row.login,)}
    fixed = {user.decode(): contact.decode() for user, contact in routes.fixed.items()}
    hosts = (config.network.domain, *config.network.aliases)
    view = StandingView(users, fixed, hosts, canonical)
    question = _question(config, params, is_known=lambda user: canonical(user.decode()) in users)
    answer = try_route(question, routes.plans, routes.gateways, view, _limits(config))
    return {**answer, "live": False}


def _limits(config: Config) -> Limits:
    timeouts = config.timeouts
    return Limits(
        rollover_s=timeouts.rollover,
        final_answer_s=timeouts.final_answer,
        call_maximum_s=timeouts.call_maximum,
    )


def _question(config: Config, params: dict[str, Any], *, is_known: Any) -> Question:
    number, caller, at = (str(params.get(name, "")) for name in ("number", "from", "at"))
    if not number or len(number) > _LONGEST:
        raise CommandRefused("invalid", f"number is what is called, of 1 to {_LONGEST} characters")
    zone = zoneinfo.ZoneInfo(config.routing.time_zone) if config.routing.time_zone else None
    try:
        when = dt.datetime.fromisoformat(at) if at else dt.datetime.now(zone)
    except ValueError as error:
        raise CommandRefused("invalid", "at is a time such as 2026-12-24T18:30") from error
    if when.tzinfo is not None:
        when = when.astimezone(zone)
    if caller and not is_known(caller.encode()):
        raise CommandRefused("not-found", f"there is no user {caller}")
    may_leave = bool(caller) or not config.auth.enabled
    return Question(number=number, when=when, may_leave=may_leave)
