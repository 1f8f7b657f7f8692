"""A hotel group's year of data and a day of traffic, seeded, with faults planted for the analyses to find."""
