"""Captures: which images a device keeps, and why (docs/captures.md).

    decided image ─► chooser: strategies in order ─► budget ─► like what was kept? ─► keeper: blur ► seal ► store
                                  └──────────────── memory, over restarts ────────────────┘

One concept a file. What a capture is, and how it leaves the device, is the agent's and the control plane's business.
"""
