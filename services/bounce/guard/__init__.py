"""The outage guard: whether a site errs, and what is held while it does."""
