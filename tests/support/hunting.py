"""A proxy with routing plans, and phones that its plans name."""

from typing import Any

from centrex.proxy.routes import Routes
from centrex.routing.plans import Plans
from centrex.routing.settings import Gateway, Plan
from tests.support.calling import Phone, Sent, start
from tests.support.proxy import Proxy

USERS = ("alice", "desk", "mobile", "voicemail")


def planned(proxy: Proxy, *rows: dict[str, Any], **routes: Any) -> None:
    """Give a proxy plans; `gateways` are rows too."""
    gateways = [Gateway(**row) for row in routes.pop("gateways", ())]
    proxy.core.take_routes(
        Routes(
            plans=Plans([Plan(**row) for row in rows], str.lower),
            gateways={gateway.name: gateway for gateway in gateways},
            **routes,
        ),
        proxy.now,
    )


def hunted(*destinations: Any, **more: Any) -> dict[str, Any]:
    """Return the plan of `sales`."""
    return {"name": "sales", "destinations": destinations, **more}


def phones(proxy: Proxy) -> dict[str, Phone]:
    """Register everybody."""
    return {user: Phone(proxy, user, f"192.0.2.{7 + n}") for n, user in enumerate(USERS)}


def invites(sent: Sent) -> list[str]:
    """Return whom INVITEs went to, by the address."""
    return [flow.host for flow, data in sent if data.startswith(b"INVITE ")]


def first(phone: Phone, sent: Sent, what: str) -> bytes:
    """Return the first message of a kind that came to a phone; others may repeat it."""
    return next(data for flow, data in sent if flow is phone.flow and start(data) == what)
