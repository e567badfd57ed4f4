"""What may programs ask and change?"""
