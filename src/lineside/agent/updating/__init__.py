"""Becoming the desired document: plan, carry out, remember, go back."""
