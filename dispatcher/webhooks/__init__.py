"""Delivery of events to the endpoints that asked for them: at least once, signed, recorded attempt by attempt."""
