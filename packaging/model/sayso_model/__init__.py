"""Everything that makes the shipped acoustic model: corpus, train, convert, evaluate."""
