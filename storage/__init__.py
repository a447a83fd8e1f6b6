"""Everything at rest: tables, ids, the event log, blobs, and the file formats of packages."""
