"""`lineside demo --story drift`: what one device sees changes, and the next model comes of it."""
