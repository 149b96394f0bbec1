"""A user's own data, described by a file."""
