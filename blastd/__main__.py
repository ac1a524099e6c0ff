"""`python -m blastd` is the command `blastd`."""

import sys

from blastd.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
