"""What the Relay keeps: keys and scripts."""
