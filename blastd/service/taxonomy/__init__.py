"""Use cases of taxonomy: which taxa there are, which the databases hold, and what a result says of them."""
