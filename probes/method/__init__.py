"""Analyses that need more than one fit a layer, or none; each composes task, fit and metric."""

from probes.method.build import METHODS, Method, check_method, find_method
from probes.method.subject import Findings, Subject

__all__ = ["METHODS", "Findings", "Method", "Subject", "check_method", "find_method"]
