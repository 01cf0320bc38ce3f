"""Data to model: the steps of a run, in order."""

import os

# Before torch is loaded, which reads them once: threads that wait look on for a moment, then sleep. Looking on for
# long, as they do by default, is what two of them on a busy machine of two cores spend their time with (training was
# ten times slower); sleeping at once made it half again as slow on a quiet one. GOMP is the OpenMP of torch's builds.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
