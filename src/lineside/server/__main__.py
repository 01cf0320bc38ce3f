"""`python -m lineside.server`."""

from __future__ import annotations

import sys

from lineside.server.main import main

sys.exit(main())
