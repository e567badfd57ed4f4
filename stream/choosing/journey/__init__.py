"""Where does the stream travel, and where does a listener want it to go?"""
