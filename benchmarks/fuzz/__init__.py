"""Reads what strangers may have written, again and again, a little wrong: `python -m benchmarks.fuzz --minutes N`.

Every reader of Lineside says which error comes out when it cannot read something. Here valid examples are changed
(parts of their tree, then their bytes) and read; whatever else comes out, takes longer than `hunt.CPU_SECONDS`, or
wants more memory than `hunt.MEMORY`, is a crasher: it is made as small as possible and kept. There is no patch format
yet.
"""
