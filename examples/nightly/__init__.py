"""A nightly job: reports of a day's orders, one for each customer."""
