"""datasets/transforms"""
