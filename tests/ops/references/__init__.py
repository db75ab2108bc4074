"""What forward should equal, one module for each family of ops, found by itself.

UNARY holds (class, reference, values); BINARY (class, reference); OTHERS (instance, reference, *arrays).
"""

import importlib
import pkgutil

_modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
UNARY, BINARY, OTHERS = (
    [row for module in _modules for row in getattr(module, table, [])] for table in ("UNARY", "BINARY", "OTHERS")
)
