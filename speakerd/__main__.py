"""Entry, for Python and for the compiled binary."""

import sys

from speakerd.cli import main

if __name__ == "__main__":
    sys.exit(main())
