"""Data to model: the steps of a run, in order."""

import os

# Before torch is loaded, which reads it once: threads that have to wait sleep. Spinning, as they do by default, is what
# two of them on a busy machine of two cores spend their time with: training was over ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
