"""`python -m lineside.agent`: the same as `lineside agent`."""

import sys

from lineside.agent.main import main

sys.exit(main(sys.argv[1:]))
