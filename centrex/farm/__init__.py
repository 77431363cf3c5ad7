"""The talk between a SIP proxy and its media relays: login, leases, sessions, heartbeats."""
