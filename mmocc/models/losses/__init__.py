"""models/losses"""
