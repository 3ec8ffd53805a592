"""What `sayso doctor` looks at, one file a field; each asks the real thing, and every finding says what to do."""
