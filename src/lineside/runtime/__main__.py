"""`python -m lineside.runtime`."""

import sys

from lineside.runtime.main import main

sys.exit(main())
