"""Of which class is an end, and of which a start? Two classifiers, and the chance that both agree."""
