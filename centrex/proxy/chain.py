"""The way of a request through us, readable as a sentence: RFC 3261 §16.3 to §16.6 in order.

Media is relayed behind it, just before a branch leaves (`proxy.relaying`): then its target is known.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from centrex.base import Instant
from centrex.proxy.answer import Outcome
from centrex.proxy.checks import extensions, hops, loops, own_routes, scheme, syntax
from centrex.proxy.context import Context
from centrex.proxy.identify import identify
from centrex.proxy.locate import locate
from centrex.proxy.serve import serve

if TYPE_CHECKING:
    from centrex.proxy.core import Core

Step = Callable[["Core", Context, Instant], Outcome]

ENDING: Final[tuple[Step, ...]] = (serve, locate)
"""What is left of it for a request of the usual form whose sender is known; see `proxy.short_way`."""

WITHIN: Final[tuple[Step, ...]] = (locate,)
"""What is left of that for one within a dialog, unless it is a REGISTER: it is not for us."""

CHAIN: Final[tuple[Step, ...]] = (
    syntax,
    scheme,
    hops,
    loops,
    extensions,
    own_routes,
    identify,
    *ENDING,
)
"""What a request must pass, before `proxy.forward` sends it on."""
