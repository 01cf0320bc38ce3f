"""The models of a process: loaded, listed, described, swapped and unloaded while others run.

Library  the models by name, within a memory budget
Slot     what a route names: always answers, whichever model stands behind it just now
Shadow   a candidate beside the one that decides, which never decides
"""
