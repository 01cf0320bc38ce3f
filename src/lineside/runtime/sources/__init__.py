"""Sources: where images come from. One file each."""
