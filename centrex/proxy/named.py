"""Which user of ours a URI names, whether it is a name or a number: `centrex.routing.dialled` with the registry."""

from typing import TYPE_CHECKING

from centrex.base import Instant
from centrex.registrar.registry import MustAsk
from centrex.routing.dialled import named
from centrex.sip.uri import SipUri, TelUri, Uri

if TYPE_CHECKING:
    from centrex.proxy.core import Core


def user_of(core: "Core", uri: SipUri, now: Instant) -> bytes:
    """Return the user whom a SIP URI names whose host is ours, unescaped; empty where it names none."""

    def is_somebody(user: bytes) -> bool:
        if core.knows_user(user) or core.routes.plans.has_name(user.decode("utf-8", "replace")):
            return True
        bindings = core.registry.lookup(user, now)
        return isinstance(bindings, MustAsk) or bool(bindings)

    return named(uri, core.places.ours.is_domain, is_somebody)


def user_in(core: "Core", uri: Uri | None, now: Instant) -> bytes:
    """Return the user of ours whom a URI names, unescaped; empty where it is nobody of our domain."""
    if isinstance(uri, TelUri):
        return core.places.number(uri)
    if isinstance(uri, SipUri) and core.places.ours.is_domain(uri.host):
        return user_of(core, uri, now)
    return b""
