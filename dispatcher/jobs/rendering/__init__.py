"""Rendering: a plan of scenes in, a narrated film with captions and a poster out; run as a process of its own."""
