"""What Feedback keeps: keys and scripts."""
