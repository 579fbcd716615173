"""Reads bounces, complaints, automatic answers and requests that come by mail: reading.read()."""
