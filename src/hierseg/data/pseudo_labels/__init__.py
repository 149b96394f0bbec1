"""Labels that a model made, and the rules by which they are trusted."""
