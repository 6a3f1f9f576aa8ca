"""The conformance kit: tests that every driver, format and scheme must pass.

Inherit a class of these, and give it a fixture ``case``. Each fault that the kit finds is one
sentence. The kit needs pytest; ``--webhook-kit`` makes its reports short.
"""

from webhook_service.testing.kit.driver_case import DriverCase, FreshTarget
from webhook_service.testing.kit.drivers import DriverConformance
from webhook_service.testing.kit.faults import Fault
from webhook_service.testing.kit.format_case import FormatCase, Sample
from webhook_service.testing.kit.formats import FormatConformance
from webhook_service.testing.kit.scheme_case import SchemeCase
from webhook_service.testing.kit.schemes import SchemeConformance

__all__ = [
    "DriverCase",
    "DriverConformance",
    "Fault",
    "FormatCase",
    "FormatConformance",
    "FreshTarget",
    "Sample",
    "SchemeCase",
    "SchemeConformance",
]
