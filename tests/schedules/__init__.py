"""Schedules: blastd's own code on an event loop of virtual time, in which one seed decides all that a machine decides."""
