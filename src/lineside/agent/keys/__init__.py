"""The device's private key: in a file, or in a PKCS#11 token that never gives it away."""
