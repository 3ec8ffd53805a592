"""From an outcome to the house."""
