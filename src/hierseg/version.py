"""The version of the package; what is installed is of no other."""

__version__ = "0.1.0"
