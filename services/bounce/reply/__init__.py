"""What a reply says: its words, masked for rules and normalised for people, and its codes."""
