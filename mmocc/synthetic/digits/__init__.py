"""Real handwritten digits on photographs, in the layout of Pascal VOC."""
