"""`python -m lineside.cli` is the `lineside` command."""

import sys

from lineside.cli.main import main

sys.exit(main())
