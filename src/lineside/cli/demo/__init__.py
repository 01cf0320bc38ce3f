"""`lineside demo`: the whole loop on this machine, from images to decisions on devices."""
