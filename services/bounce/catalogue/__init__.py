"""The catalogue: rules read, checked, matched, and kept in force."""
