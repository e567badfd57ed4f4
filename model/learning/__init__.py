"""How is anything trained, measured, exported?"""
