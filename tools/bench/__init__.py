"""What does this machine achieve?"""
