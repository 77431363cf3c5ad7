"""The terminal dashboard, over `centrex.api` alone."""
