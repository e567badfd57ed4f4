"""How does the stream become files that any web server hands on (HLS)?"""
