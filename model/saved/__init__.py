"""What does a model's folder hold?"""
