"""What does a model see of a chunk?"""
