"""Segments written by people: the language of rules, their geometry, and what can be proven about them."""
