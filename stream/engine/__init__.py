"""What sounds at this moment?"""
