"""What do people need who test a job, or a connector, of their own?

``crm_portfolio.testing.plugin`` brings the pytest fixtures; pytest finds it by itself.
"""
