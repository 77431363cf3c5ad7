"""From a user's bindings to target groups: what is tried at once, and what after it.

Contacts of equal q are tried in parallel, a lower q after a higher one (RFC 3261 §16.6). A contact
that can only be reached by a connection which is gone is left out. One that does not answer is tried as
well, but has no turn of its own: nobody waits for it who could be rung.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from centrex.base import PeerError, Transport
from centrex.registrar.binding import Binding
from centrex.routing.target import Target, request_uri
from centrex.sip.uri import SipUri, parse_uri


def target_groups(bindings: Sequence[Binding]) -> list[list[Target]]:
    """Return groups of targets, each to be tried in parallel, in the order to try them.

    Args:
        bindings: A user's live bindings, the highest q first.
    """
    if len(bindings) == 1:
        target = _target(bindings[0])
        return [] if target is None else [[target]]
    groups = []
    for _, same in groupby(bindings, key=lambda one: one.q):
        groups += _by_device(same)
    return groups


def unhindered_groups(
    bindings: Sequence[Binding], is_silent: Callable[[Binding], bool]
) -> list[list[Target]]:
    """Return the same where some do not answer: a group of such alone is tried with the next one.

    The last one is tried with the one before, so that who answers there rings as long as the last
    does. A device that has several flows is still tried by one at a time, one that answers first.

    Args:
        bindings: A user's live bindings, the highest q first.
        is_silent: Whether a contact is known not to answer.
    """
    groups: list[tuple[bool, list[tuple[bytes, Target]]]] = []
    for _, same in groupby(bindings, key=lambda one: one.q):
        for group in _devices(sorted(same, key=is_silent)):
            silent = all(is_silent(binding) for binding, _ in group)
            groups.append((silent, [(binding.instance, target) for binding, target in group]))
    joined: list[tuple[bool, list[tuple[bytes, Target]]]] = []
    for silent, targets in groups:
        if joined and (silent or joined[-1][0]) and _are_apart(joined[-1][1], targets):
            joined[-1] = (silent and joined[-1][0], joined[-1][1] + targets)
        else:
            joined.append((silent, targets))
    return [[target for _, target in targets] for _, targets in joined]


def together(bindings: Sequence[Binding], is_silent: Callable[[Binding], bool]) -> list[Target]:
    """Return targets to be tried all at once, whatever their q: one for each device (RFC 5626 §7).

    Args:
        bindings: A user's live bindings, the highest q first.
        is_silent: Whether a contact is known not to answer: its device is tried another way, if it has one.
    """
    groups = _devices(sorted(bindings, key=is_silent))
    return [target for _, target in groups[0]] if groups else []


def _are_apart(
    some: Iterable[tuple[bytes, Target]], others: Iterable[tuple[bytes, Target]]
) -> bool:
    """Whether no device stands in both groups."""
    devices = {instance for instance, _ in some if instance}
    return all(instance not in devices for instance, _ in others)


def is_by_tls(binding: Binding) -> bool:
    """Whether a contact is reached by TLS, as a call to a `sips:` URI must be (RFC 3261 §26.2.2)."""
    flow = binding.flow
    if flow is not None and binding.natted and not binding.path:
        return flow.transport is Transport.TLS
    return leads_by_tls(binding.contact)


def leads_by_tls(raw: bytes) -> bool:
    """Whether a URI leads to its host by TLS."""
    try:
        uri = parse_uri(raw)
    except PeerError:
        return False
    if not isinstance(uri, SipUri):
        return False
    return uri.secure or (uri.param(b"transport") or b"").lower() == b"tls"


def _by_device(bindings: Iterable[Binding]) -> list[list[Target]]:
    """Return groups in which no device stands twice: its flows are tried in turn (RFC 5626 §7)."""
    return [[target for _, target in group] for group in _devices(bindings)]


def _devices(bindings: Iterable[Binding]) -> list[list[tuple[Binding, Target]]]:
    groups: list[list[tuple[Binding, Target]]] = []
    seen: Counter[bytes] = Counter()
    for binding in bindings:
        target = _target(binding)
        if target is None:
            continue
        at = seen[binding.instance] if binding.instance else 0
        seen[binding.instance] += 1
        if at == len(groups):
            groups.append([])
        groups[at].append((binding, target))
    return groups


def _target(binding: Binding) -> Target | None:
    flow, uri = binding.flow, request_uri(binding.contact)
    if binding.path:
        return Target(uri, None, binding.path)
    if flow is None or not binding.natted:
        return Target(uri)
    if flow.reliable and not flow.open:
        return None
    return Target(uri, flow)
