"""What Azure's own SDK must be able to do with the simulator."""
