"""The ways out of the device: HTTPS, MQTT, the outbox, uploads, joining."""
