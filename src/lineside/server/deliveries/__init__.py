"""Deliveries: a model or component version on its way to a group by itself, and what starts one."""
