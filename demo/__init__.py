"""emta on one machine, with a receiver that plays ten mail sites: to look at, and to try things on."""
