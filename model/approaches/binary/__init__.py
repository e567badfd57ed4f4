"""Does B follow A? One network that sees both (the report's)."""
