"""How does sound reach a mount of an Icecast server, and what is told of it there?"""
