"""The background process: it does jobs and delivers webhooks."""
