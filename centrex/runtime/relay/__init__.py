"""The media relay's process: its sockets, its data paths, its links to proxies."""
