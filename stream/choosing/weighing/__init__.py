"""What speaks for and against a join?"""
