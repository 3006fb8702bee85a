"""Tables of customers: made-up ones whose segments are known, and real ones read with care.

`make_customers` draws the customers of a bookshop, and `customers_policy` says what may be told about them.
`load_table` reads a file without guessing silently, `inspect` reports what segmenters make of each column, and
`rfm_table` turns transactions into one row a customer.
"""

from xseg.core.reading import ColumnReading
from xseg.datasets._customers import customers_policy, make_customers
from xseg.datasets._rfm import rfm_table
from xseg.datasets._tables import TableInspection, inspect, load_table

__all__ = [
    "ColumnReading",
    "TableInspection",
    "customers_policy",
    "inspect",
    "load_table",
    "make_customers",
    "rfm_table",
]
