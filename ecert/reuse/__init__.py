"""Reuse 用证: matters and what they ask for, who may have what, and dossiers that answer."""
