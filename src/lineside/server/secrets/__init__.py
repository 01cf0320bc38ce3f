"""Secrets of components: kept sealed, given to devices whose components' recipes name them, sealed for each."""
