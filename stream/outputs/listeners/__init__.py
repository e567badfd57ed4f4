"""How does one stream reach many players over HTTP?"""
