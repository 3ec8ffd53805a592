"""Training where a GPU is at hand: clips lie in its memory, and it makes the scenes itself."""
