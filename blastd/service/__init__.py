"""The use cases: what users, programs and operators can ask, and the only place that decides who may do what.

The modules don't know each other; `Services` in `service/services.py` makes them of the parts below and is what the web
layer calls.
"""

from blastd.service.services import Services

__all__ = ["Services"]
