"""Relay sessions: what signalling says of the ends of a stream, and where their packets may come from."""
