"""What is priced and decided: requests, records, decisions, money, time."""
