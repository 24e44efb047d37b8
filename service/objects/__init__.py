"""Where the bytes of evidence and packs lie: write-once, in a local folder or an S3 bucket."""
