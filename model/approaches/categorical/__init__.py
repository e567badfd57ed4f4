"""Which transition of the reference songs is this one like? One network that sorts them into classes."""
