"""Recipes and archives that somebody made to do harm, or that look like it: refused, and nothing stays behind."""
