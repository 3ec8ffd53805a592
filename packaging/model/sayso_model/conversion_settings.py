"""What conversion and bundling must agree on.

Rule of this file: constants only, free of TensorFlow and torch.
"""

WINDOW = 8
"""Feature frames a call of the network takes (80 ms)."""

PRECISIONS = ("int8", "float32")
"""What is shipped, and what it is measured against."""
