"""Groups of devices and labels of devices: what people do with them."""
