"""The words every room speaks: pure msgspec values, no I/O, no clock, no framework.

One noun a file. A value here is what travels: between device and control plane, between client and API, and into the
files that a component is made of. Nothing in this package imports another part of Lineside.
"""
