"""`python -m ganglion` and the `ganglion` command."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
