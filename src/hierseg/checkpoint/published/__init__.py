"""Key tables: the names of tensors in published checkpoints, and their names here."""
