"""Where do an end and a start lie? Two networks, each of which sees one side."""
