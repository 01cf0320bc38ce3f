"""`python -m lineside.pipeline`: the worker."""

import sys

from lineside.pipeline.main import main

sys.exit(main())
