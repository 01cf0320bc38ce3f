"""The overview: every room's count on one page, and what needs a person. It may look into every room, like `app.py`."""
