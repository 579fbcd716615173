"""What Bounce keeps: keys and scripts."""
