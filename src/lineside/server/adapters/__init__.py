"""What the server does to the world outside its database: files, objects, keys, the broker."""
