"""Does the model know what follows?"""
