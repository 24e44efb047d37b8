"""The desk: server-rendered pages for the people of a firm. They call what the API calls."""
