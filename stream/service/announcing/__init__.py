"""What is said between two pieces, and when?"""
