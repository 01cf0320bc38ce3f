"""Review: what people say about uploaded captures, in queues with leases, and the dataset versions made of that."""
