"""What all tests share."""

from hypothesis import HealthCheck, settings

# A busy machine makes single examples slow; what they say stays the same.
settings.register_profile("blastd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("blastd")
