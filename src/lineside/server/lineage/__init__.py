"""Lineage: where one result came from, back to the images. It may look into every room, like `app.py`."""
