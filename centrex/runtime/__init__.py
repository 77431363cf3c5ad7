"""Sockets, DNS, clock, randomness, tasks, signals: the only room that touches the world."""
