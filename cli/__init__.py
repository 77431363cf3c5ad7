"""The command line: `centrex VERB`, over `centrex.api` alone."""
