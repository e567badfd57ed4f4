"""What sounds next? A network that foretells it from an end; the start that is most like it follows."""
