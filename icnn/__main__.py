"""python -m icnn: the command line."""

import sys

from icnn.cli import main

if __name__ == "__main__":
    sys.exit(main())
