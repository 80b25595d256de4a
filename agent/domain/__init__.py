"""Domain types: requests, decisions, records, money, time. Imports no other room."""
