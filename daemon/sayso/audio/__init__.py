"""From the room to an utterance."""
