"""What pages are made of: templates, vendored assets, pictures. Which page shows what is each room's `pages.py`."""
