"""`python -m centrex.runtime.relay`: the relay that belongs to an engine; see `runtime.embedded`."""

import argparse
import sys
from pathlib import Path

from centrex.base import CentrexError
from centrex.runtime.relay.process import ORPHAN_S, serve


def main() -> int:
    """Run it; return its exit code."""
    parser = argparse.ArgumentParser(prog="centrex-relay")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--lock", type=Path, required=True)
    given = parser.parse_args()
    try:
        return serve(given.config, lock=given.lock, orphan_s=ORPHAN_S)
    except CentrexError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
