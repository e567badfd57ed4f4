"""What does a person run?"""
