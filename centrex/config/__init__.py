"""Composes each room's settings, loads and saves TOML, compares two configurations."""
