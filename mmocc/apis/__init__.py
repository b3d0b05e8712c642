"""What users and tools call: models and images in, answers out."""
