"""One module a command, one function each: typed arguments in, an exit status out.

Nothing here imports torch, so that a command's help costs nothing; the functions do, when called.
"""
