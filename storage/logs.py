"""How both processes and their libraries write logs: one line per fact on stderr, JSON unless a person is watching."""

import logging
import sys
from typing import Any

import structlog


def configure(level: int = logging.INFO) -> None:
    """Set up structlog for this process; call it once, at the start."""
    watched = sys.stderr.isatty()
    begun: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    ended: list[Any] = [
        structlog.processors.StackInfoRenderer() if watched else structlog.processors.format_exc_info,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if watched
        else structlog.processors.JSONRenderer(sort_keys=True),
    ]
    structlog.configure(
        processors=begun + ended,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    libraries = logging.StreamHandler(sys.stderr)
    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    libraries.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[meta, *ended], foreign_pre_chain=begun))
    logging.basicConfig(level=logging.WARNING, handlers=[libraries])
