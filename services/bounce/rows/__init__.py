"""Qualification rows: what was answered, counted by text, and what operators say of it."""
