"""models/classifiers"""
