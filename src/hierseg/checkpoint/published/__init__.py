"""Key tables: names of tensors in published checkpoints and hierseg's names for them."""
