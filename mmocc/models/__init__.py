"""Models, losses and layers."""
