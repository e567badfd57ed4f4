"""What can be learned of music, and what of it is kept?"""
