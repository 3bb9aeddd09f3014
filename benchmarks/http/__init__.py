"""HTTP clients: what a GET costs the client. `part` says what is measured.

Each library has a file. It has ``get(job)``, which sends requests from several tasks (or threads,
for the libraries that block), and ``download(job)``, which reads one large body in pieces. The
libraries that run on asyncio share their tasks (`tasks`) and only say how a request is made.
"""
