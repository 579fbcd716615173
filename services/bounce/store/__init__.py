"""Keys and scripts of what Bounce keeps."""
