"""How is a sound card reached, and at what rate?"""
