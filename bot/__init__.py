"""Hears people, writes the row, answers at once. Never calls a model, never posts a result."""
