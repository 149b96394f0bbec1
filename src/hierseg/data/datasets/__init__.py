"""Public data sets, a file each."""
