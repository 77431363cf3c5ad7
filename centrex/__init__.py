"""Centrex: a SIP proxy and registrar whose core is synchronous and does no I/O."""
