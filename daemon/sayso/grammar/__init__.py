"""From the owner's sentences to a decoding graph."""
