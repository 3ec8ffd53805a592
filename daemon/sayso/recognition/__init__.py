"""From an utterance to an outcome."""
