"""The contract: one module a rule. A module put here is found by itself."""

import importlib
import pkgutil

from adverify.properties.base import Property, all_properties, dependents

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["Property", "all_properties", "dependents"]
