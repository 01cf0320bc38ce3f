"""How the device itself is: what is wrong with it now, and the checks a person can ask for."""
